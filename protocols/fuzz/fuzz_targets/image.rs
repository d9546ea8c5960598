//! Fuzzes `checks::image`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| checks::image(data));
