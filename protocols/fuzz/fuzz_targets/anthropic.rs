//! Fuzzes `checks::anthropic`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| checks::anthropic(data));
