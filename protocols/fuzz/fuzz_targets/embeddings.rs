//! Fuzzes `checks::embeddings`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| checks::embeddings(data));
