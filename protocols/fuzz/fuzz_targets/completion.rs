//! Fuzzes `checks::completion`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| checks::completion(data));
