//! Fuzzes `checks::head`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| checks::head(data));
