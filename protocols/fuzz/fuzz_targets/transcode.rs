//! Fuzzes `checks::transcode`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| checks::transcode(data));
