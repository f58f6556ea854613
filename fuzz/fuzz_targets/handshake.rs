#![no_main]

libfuzzer_sys::fuzz_target!(init: sealnet_fuzz::write_seeds("handshake"), |data: &[u8]| sealnet_fuzz::knock("handshake", data));
