//! Fuzzes `checks::bedrock`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| checks::bedrock(data));
