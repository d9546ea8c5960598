//! The answer to `POST /v1/messages/count_tokens`. Counts nothing itself: what is to be counted is
//! read by [`request::read_for_count`](super::request::read_for_count).

use serde::Serialize;

#[derive(Serialize)]
struct Count {
    input_tokens: u64,
}

/// Appends the answer to `out`: the prompt has `input_tokens` tokens.
pub fn write(out: &mut Vec<u8>, input_tokens: u64) {
    serde_json::to_writer(out, &Count { input_tokens }).expect("a number always serialises");
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_count_is_one_member() {
        let mut out = Vec::new();
        super::write(&mut out, 2095);
        assert_eq!(out, br#"{"input_tokens":2095}"#);
    }
}
