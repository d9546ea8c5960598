//! How long a prompt is: `CountTokensRequest`, read, and `CountTokensResponse`, written. Counts
//! nothing.

use serde::Serialize;

use super::member::{either, exclusive};
use super::request;
use crate::json::{Document, Fault};
use crate::llm::Request;

/// Reads a body of `countTokens`: a whole request in `generateContentRequest`, or its members at the
/// top, as Vertex AI has them.
///
/// # Errors
/// If it is neither, or both; see [`request::read`].
pub fn read<'a>(body: &'a [u8], model: &'a str) -> Result<Request<'a>, Fault> {
    let root = Document::new(body)?.root();
    let [whole, whole_, contents] = root.pick([
        "generateContentRequest",
        "generate_content_request",
        "contents",
    ])?;
    let whole = either(whole, whole_)?;
    exclusive(whole, contents, "send contents or generateContentRequest")?;
    request::request(whole.unwrap_or(root), model, false)
}

/// Appends the answer to `out`: so many tokens.
pub fn write(out: &mut Vec<u8>, tokens: u64) {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Body {
        total_tokens: u64,
    }
    let body = Body {
        total_tokens: tokens,
    };
    serde_json::to_writer(out, &body).expect("numbers always serialise into a Vec");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::Kind;

    #[test]
    fn both_shapes_are_read_and_one_is_written() {
        let top = br#"{"contents":[{"parts":[{"text":"a"}]}]}"#;
        let whole = br#"{"generateContentRequest":{"model":"models/m",
            "contents":[{"parts":[{"text":"a"}]}]}}"#;
        for body in [&top[..], &whole[..]] {
            let request = read(body, "m").expect("it is one");
            assert_eq!((request.messages.len(), &*request.model), (1, "m"));
        }
        let both = br#"{"contents":[],"generateContentRequest":{}}"#;
        assert_eq!(
            read(both, "m").map_err(|f| f.kind).err(),
            Some(Kind::Conflict)
        );
        let mut out = Vec::new();
        write(&mut out, 7);
        assert_eq!(out, br#"{"totalTokens":7}"#);
    }
}
