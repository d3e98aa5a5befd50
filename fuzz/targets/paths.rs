#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| mint_fuzz::paths::run(data));
