//! Images and files as OpenAI's callers send them: by URL, or in one.

use std::borrow::Cow;

use crate::json::{Fault, Value};
use crate::llm::{FaultKind, Media, Source};

/// What a URL says: a `data:` URL (RFC 2397) holds the bytes themselves.
pub(super) fn at_url<'a>(url: &Value<'a, '_>) -> Result<Media<'a>, Fault> {
    let text = url.text()?;
    let is_data = text
        .get(..5)
        .is_some_and(|scheme| scheme.eq_ignore_ascii_case("data:"));
    if !is_data {
        return Ok(media(Source::Url(text), None));
    }
    let Some((media_type, at)) = data_url(&text) else {
        return Err(url.fault(
            FaultKind::OutOfRange,
            "a data: URL without base64",
            "write the data in base64, as data:<media type>;base64,<data>",
        ));
    };
    let media_type = Some(media_type)
        .filter(|range| !range.is_empty())
        .map(|range| slice(&text, range));
    let data = slice(&text, at..text.len());
    Ok(media(Source::Base64(data), media_type))
}

/// Where the media type of a `data:` URL stands, and where its base64 begins.
fn data_url(url: &str) -> Option<(std::ops::Range<usize>, usize)> {
    const SCHEME: usize = "data:".len();
    let comma = SCHEME + url[SCHEME..].find(',')?;
    let (parameters, coding) = url[SCHEME..comma].rsplit_once(';')?;
    let media_type = parameters.find(';').unwrap_or(parameters.len());
    let is_base64 = coding.eq_ignore_ascii_case("base64");
    is_base64.then_some((SCHEME..SCHEME + media_type, comma + 1))
}

fn slice<'a>(text: &Cow<'a, str>, range: std::ops::Range<usize>) -> Cow<'a, str> {
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(&text[range]),
        Cow::Owned(text) => Cow::Owned(text[range].to_owned()),
    }
}

/// A medium of which no more is said.
pub(super) const fn media<'a>(source: Source<'a>, media_type: Option<Cow<'a, str>>) -> Media<'a> {
    Media {
        source,
        media_type,
        detail: None,
        name: None,
    }
}
