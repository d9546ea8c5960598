//! Why a model stopped, as the provider says it. Reads answers; knows no reason by name.

use std::sync::LazyLock;

use memchr::memmem::Finder;

/// The longest reason believed, in bytes: it is a word, and it is kept.
const LONGEST: usize = 64;

/// The `finish_reason` of the first choice that has one: of a whole answer, or of one chunk of a
/// stream, given the event's data. `None` if there is none, it is `null`, or it is no short word.
///
/// It costs one scan and no parse. Inside a JSON string every quote is escaped, so the key in
/// quotes cannot be part of one; a key written with escapes is missed, and no provider writes one.
pub fn reason(data: &[u8]) -> Option<&str> {
    reasons(data).next()
}

/// As [`reason`], of every choice that has one.
pub fn reasons(data: &[u8]) -> impl Iterator<Item = &str> {
    static KEY: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b"\"finish_reason\""));
    KEY.find_iter(data).filter_map(|at| {
        let value = data[at + KEY.needle().len()..].trim_ascii_start();
        opening(value.strip_prefix(b":")?.trim_ascii_start())
    })
}

/// The short word that `json` begins with.
fn opening(json: &[u8]) -> Option<&str> {
    let word = json.strip_prefix(b"\"")?;
    let end = memchr::memchr2(b'"', b'\\', &word[..word.len().min(LONGEST + 1)])?;
    let plain = word[end] == b'"';
    std::str::from_utf8(&word[..end]).ok().filter(|_| plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_says_why_it_ended_and_text_that_looks_like_it_does_not() {
        let body = br#"{"id":"c1","choices":[
            {"index":0,"message":{"content":"\"finish_reason\":\"no\""},"finish_reason":"length"},
            {"index":1,"finish_reason":"stop"}],"usage":null}"#;
        assert_eq!(reason(body), Some("length"));
        assert_eq!(reasons(body).collect::<Vec<_>>(), ["length", "stop"]);
        let spaced = br#"{"choices": [{"delta": {}, "finish_reason" : "stop"}]}"#;
        assert_eq!(reason(spaced), Some("stop"));
    }

    #[test]
    fn what_is_no_short_word_is_no_reason() {
        let long = format!(
            r#"{{"choices":[{{"finish_reason":"{}"}}]}}"#,
            "x".repeat(LONGEST + 1)
        );
        for none in [
            r#"{"choices":[]}"#,
            r#"{"choices":[{"delta":{"content":"hi"},"finish_reason":null}]}"#,
            r#"{"choices":[{"finish_reason":1}]}"#,
            r#"{"choices":[{"finish_reason":"a\"b"}]}"#,
            r#"{"choices":[{"finish_reason":"sto"#,
            r#"{"error":{"message":"overloaded"}}"#,
            "[DONE]",
            "",
            &long,
        ] {
            assert_eq!(reason(none.as_bytes()), None, "{none}");
        }
    }
}
