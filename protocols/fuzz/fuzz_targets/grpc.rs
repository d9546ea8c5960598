//! Fuzzes `checks::grpc`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| checks::grpc(data));
