//! Fuzzes `checks::mould`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| checks::mould(data));
