//! Thoughts, and what proves who wrote them: `thought` and `thoughtSignature`.
//!
//! A caller of this dialect may be answered by another provider, whose signatures must come back as
//! they were. Google's client libraries hold signatures as bytes and send them back in the other
//! alphabet of base64, so a foreign one goes out behind a mark that says which alphabet it had. A
//! mark is four digits of base64, which is three whole bytes: what follows is left as it is.

use std::borrow::Cow;

use super::base64::{self, Alphabet};
use crate::llm::Part;

/// The signature for a call whose model did not sign it, because another model or a person wrote
/// it. Published for that purpose ("Thought signatures", FAQ); without any, Gemini 3 refuses.
pub(super) const UNSIGNED: &str = "skip_thought_signature_validator";

const SIGNED_PLAIN: &str = "weS0";
const SIGNED_URL: &str = "weS1";
const REDACTED_PLAIN: &str = "weR0";
const REDACTED_URL: &str = "weR1";

/// What stands in a thought's signature.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Proof<'a> {
    /// A signature of the thoughts before it.
    Signature(Cow<'a, str>),
    /// Thoughts that their provider encrypted.
    Redacted(Cow<'a, str>),
}

/// A signature as a caller is to see it. `None` if it is no base64, which the dialect's clients
/// cannot hold.
pub(super) fn carry(signature: &str) -> Option<String> {
    mark(signature, SIGNED_PLAIN, SIGNED_URL)
}

/// Encrypted thoughts, likewise.
pub(super) fn carry_redacted(data: &str) -> Option<String> {
    mark(data, REDACTED_PLAIN, REDACTED_URL)
}

fn mark(text: &str, plain: &str, url: &str) -> Option<String> {
    let mark = match base64::alphabet(text)? {
        Alphabet::Plain => plain,
        Alphabet::Url => url,
    };
    Some([mark, text].concat())
}

/// What was carried. A signature without a mark is the provider's own.
pub(super) fn proof(signature: Cow<'_, str>) -> Proof<'_> {
    let Some((mark, text)) = signature.split_at_checked(SIGNED_PLAIN.len()) else {
        return Proof::Signature(signature);
    };
    let plain = || Cow::Owned(base64::plain(Cow::Borrowed(text)).into_owned());
    let url = || Cow::Owned(base64::url(text));
    match mark {
        SIGNED_PLAIN => Proof::Signature(plain()),
        SIGNED_URL => Proof::Signature(url()),
        REDACTED_PLAIN => Proof::Redacted(plain()),
        REDACTED_URL => Proof::Redacted(url()),
        _ => Proof::Signature(signature),
    }
}

/// Adds a thought to `parts`. What goes on from the thought before it, which no signature ended,
/// becomes one with it: a client returns a streamed answer in the pieces it came in.
pub(super) fn push<'a>(parts: &mut Vec<Part<'a>>, text: Cow<'a, str>, proof: Option<Proof<'a>>) {
    let signed = match proof {
        Some(Proof::Redacted(data)) => return parts.push(Part::Redacted(data)),
        Some(Proof::Signature(signature)) => Some(signature),
        None => None,
    };
    match parts.last_mut() {
        Some(Part::Reasoning {
            text: before,
            signature: end @ None,
        }) => {
            before.to_mut().push_str(&text);
            *end = signed;
        }
        _ if text.is_empty() && signed.is_none() => {}
        _ => parts.push(Part::Reasoning {
            text,
            signature: signed,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As Google's Python library sends bytes back.
    fn returned(signature: &str) -> String {
        base64::url(signature)
    }

    #[test]
    fn a_foreign_signature_survives_a_change_of_alphabet() {
        for signature in ["ab+/cd==", "gAAA-_9=", "AAAA"] {
            let carried = carry(signature).expect("base64");
            for back in [returned(&carried), carried.clone()] {
                let found = proof(back.into());
                assert_eq!(found, Proof::Signature(signature.into()));
            }
            let redacted = carry_redacted(signature).expect("base64");
            let found = proof(returned(&redacted).into());
            assert_eq!(found, Proof::Redacted(signature.into()));
        }
        assert_eq!(carry("no base64!"), None);
    }

    #[test]
    fn its_own_is_left_as_it_is() {
        for own in ["", "Cs4", "\u{e4}\u{e4}\u{e4}", UNSIGNED] {
            assert_eq!(proof(own.into()), Proof::Signature(own.into()), "{own}");
        }
    }
}
