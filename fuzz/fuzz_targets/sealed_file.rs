#![no_main]

libfuzzer_sys::fuzz_target!(init: sealnet_fuzz::write_seeds("sealed_file"), |data: &[u8]| sealnet_fuzz::knock("sealed_file", data));
