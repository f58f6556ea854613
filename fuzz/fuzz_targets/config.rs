#![no_main]

libfuzzer_sys::fuzz_target!(init: sealnet_fuzz::write_seeds("config"), |data: &[u8]| sealnet_fuzz::knock("config", data));
