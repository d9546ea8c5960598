//! Images and documents, both ways. Looks at the first bytes of what has no media type, and at
//! nothing else of what they hold.

use std::borrow::Cow;

use serde::Serialize;

use super::content::{self, Members, Place, required};
use super::settings::only_anthropic;
use crate::json::{Fault, Value};
use crate::llm::loss::Refused;
use crate::llm::{self, Media, Part};

/// Reads the source of an image.
pub(super) fn image<'a>(
    block: &Value<'a, '_>,
    members: &Members<'a, '_>,
) -> Result<Media<'a>, Fault> {
    let source = required(block, members.source, "source")?;
    let [sort, where_it_is @ ..] = source.pick(["type", "media_type", "data", "url", "file_id"])?;
    let sort = required(&source, sort, "type")?;
    found(&source, &sort, where_it_is, "use base64, url or file")
}

/// Reads a document into `parts`. What is said about it stands before it, as text; one that is made
/// of blocks becomes those.
pub(super) fn document<'a>(
    block: &Value<'a, '_>,
    members: &Members<'a, '_>,
    parts: &mut Vec<Part<'a>>,
) -> Result<(), Fault> {
    refuse_citations(members)?;
    if let Some(context) = members.context {
        parts.push(Part::Text(context.text()?));
    }
    let source = required(block, members.source, "source")?;
    let [sort, content, where_it_is @ ..] =
        source.pick(["type", "content", "media_type", "data", "url", "file_id"])?;
    let [_, data, ..] = where_it_is;
    let sort = required(&source, sort, "type")?;
    let media = match &*sort.text()? {
        "text" => plain(&required(&source, data, "data")?)?,
        "content" => {
            let content = required(&source, content, "content")?;
            if !content.is_string() {
                return content::read(&content, Place::Document, parts);
            }
            plain(&content)?
        }
        _ => {
            let mend = "use base64, text, url, file or content";
            found(&source, &sort, where_it_is, mend)?
        }
    };
    let name = members.title.map(|title| title.text()).transpose()?;
    parts.push(Part::Document(Media { name, ..media }));
    Ok(())
}

/// Citations change the answer, and nobody else makes them.
fn refuse_citations(members: &Members<'_, '_>) -> Result<(), Fault> {
    let Some(citations) = members.citations else {
        return Ok(());
    };
    match citations.pick(["enabled"])? {
        [Some(enabled)] if enabled.boolean()? => Err(only_anthropic(&enabled)),
        _ => Ok(()),
    }
}

/// A medium whose bytes are here, at an address, or in Anthropic's store.
fn found<'a>(
    source: &Value<'a, '_>,
    sort: &Value<'a, '_>,
    [media_type, data, url, file]: [Option<Value<'a, '_>>; 4],
    mend: &'static str,
) -> Result<Media<'a>, Fault> {
    let read = match &*sort.text()? {
        "base64" => {
            let media_type = required(source, media_type, "media_type")?.text()?;
            let data = required(source, data, "data")?.text()?;
            return Ok(medium(llm::Source::Base64(data), Some(media_type)));
        }
        "url" => llm::Source::Url(required(source, url, "url")?.text()?),
        "file" => llm::Source::File(required(source, file, "file_id")?.text()?),
        _ => return Err(sort.unknown_word(mend)),
    };
    Ok(medium(read, None))
}

fn plain<'a>(text: &Value<'a, '_>) -> Result<Media<'a>, Fault> {
    let text = llm::Source::Text(text.text()?);
    Ok(medium(text, Some(Cow::Borrowed(PLAIN))))
}

const fn medium<'a>(source: llm::Source<'a>, media_type: Option<Cow<'a, str>>) -> Media<'a> {
    Media {
        source,
        media_type,
        detail: None,
        name: None,
    }
}

const PLAIN: &str = "text/plain";
const PDF: &str = "application/pdf";

/// A source as it is written.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Source<'r> {
    Base64 { media_type: &'r str, data: &'r str },
    Text { media_type: &'r str, data: &'r str },
    Url { url: &'r str },
    File { file_id: &'r str },
}

/// The source of an image, which stands at `path`.
pub(super) fn write_image<'r>(media: &'r Media<'_>, path: &str) -> Result<Source<'r>, Refused> {
    const WHY: &str = "takes images as JPEG, PNG, GIF or WebP";
    match &media.source {
        llm::Source::Url(url) => Ok(Source::Url { url }),
        llm::Source::File(file_id) => Ok(Source::File { file_id }),
        llm::Source::Text(_) => Err(Refused::new(path, WHY)),
        llm::Source::Base64(data) => {
            let media_type = match media.media_type.as_deref() {
                Some("image/jpg") => Some("image/jpeg"),
                Some(known @ ("image/jpeg" | "image/png" | "image/gif" | "image/webp")) => {
                    Some(known)
                }
                Some(_) => None,
                None => image_type(data),
            };
            let media_type = media_type.ok_or_else(|| Refused::new(path, WHY))?;
            Ok(Source::Base64 { media_type, data })
        }
    }
}

/// The source of a document, which stands at `path`.
pub(super) fn write_document<'r>(media: &'r Media<'_>, path: &str) -> Result<Source<'r>, Refused> {
    match &media.source {
        llm::Source::Url(url) => Ok(Source::Url { url }),
        llm::Source::File(file_id) => Ok(Source::File { file_id }),
        llm::Source::Text(data) => Ok(Source::Text {
            media_type: PLAIN,
            data,
        }),
        llm::Source::Base64(data) => match media.media_type.as_deref() {
            Some(PDF) => Ok(Source::Base64 {
                media_type: PDF,
                data,
            }),
            // `%PDF-` in base64.
            None if data.starts_with("JVBERi") => Ok(Source::Base64 {
                media_type: PDF,
                data,
            }),
            _ => Err(Refused::new(path, "takes documents as PDF or plain text")),
        },
    }
}

/// The type of an image, from how its base64 begins.
fn image_type(data: &str) -> Option<&'static str> {
    let starts = [
        ("/9j/", "image/jpeg"),
        ("iVBORw0KGgo", "image/png"),
        ("R0lGOD", "image/gif"),
        ("UklGR", "image/webp"),
    ];
    let found = starts
        .into_iter()
        .find(|(start, _)| data.starts_with(start));
    found.map(|(_, media_type)| media_type)
}
