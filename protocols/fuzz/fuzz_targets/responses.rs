//! Fuzzes `checks::responses`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| checks::responses(data));
