#![no_main]

libfuzzer_sys::fuzz_target!(init: sealnet_fuzz::write_seeds("key_file"), |data: &[u8]| sealnet_fuzz::knock("key_file", data));
