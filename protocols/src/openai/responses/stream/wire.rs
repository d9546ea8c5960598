//! Events as they are written.

use serde::Serialize;

use crate::openai::responses::wire::{Content, Item, Response, Summary};

/// An event of whatever type: its name, its number, and what it says.
#[derive(Serialize)]
struct Event<'a, T> {
    #[serde(rename = "type")]
    kind: &'static str,
    sequence_number: u64,
    #[serde(flatten)]
    says: &'a T,
}

/// That the response has come so far.
#[derive(Serialize)]
pub(super) struct Lifecycle<'a> {
    pub(super) response: &'a Response<'a>,
}

/// What becomes of one item of the output.
#[derive(Default, Serialize)]
pub(super) struct Piece<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) item_id: Option<&'a str>,
    pub(super) output_index: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) content_index: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) summary_index: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) item: Option<&'a Item<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) part: Option<Part<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) delta: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) text: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) refusal: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) arguments: Option<&'a str>,
    /// Required beside text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) logprobs: Option<[(); 0]>,
}

/// A part of an item.
#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum Part<'a> {
    Content(&'a Content<'a>),
    Summary(&'a Summary<'a>),
}

/// That there will be nothing more, and why. The API reference has the members of the error in the
/// event itself; official client libraries raise it for what stands in `error`.
#[derive(Serialize)]
pub(super) struct Failure<'a> {
    pub(super) code: &'a str,
    pub(super) message: &'a str,
    pub(super) param: Option<&'a str>,
    pub(super) error: crate::openai::error::Error<'a>,
}

/// Appends the event called `kind` to `out`, and counts it.
pub(super) fn emit<T: Serialize>(
    out: &mut Vec<u8>,
    sequence: &mut u64,
    kind: &'static str,
    says: &T,
) {
    let event = Event {
        kind,
        sequence_number: *sequence,
        says,
    };
    *sequence += 1;
    out.extend_from_slice(b"event: ");
    out.extend_from_slice(kind.as_bytes());
    // In JSON no line break stands as it is, so that the data is one line.
    out.extend_from_slice(b"\ndata: ");
    serde_json::to_writer(&mut *out, &event).expect("text and numbers always serialise into a Vec");
    out.extend_from_slice(b"\n\n");
}
