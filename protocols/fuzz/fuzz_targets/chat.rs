//! Fuzzes `checks::chat`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| checks::chat(data));
