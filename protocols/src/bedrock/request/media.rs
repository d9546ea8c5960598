//! Images and documents: only as bytes, each of a format that the API knows by name.
//!
//! Addresses are refused, those of S3 too: they would be read with the gateway's credentials, not
//! with the caller's.

use super::id::Names;
use super::wire;
use crate::llm::{Media, Refused, Source};

/// How the base64 of each format begins.
const HEADS: [(&str, &str); 6] = [
    ("iVBORw0KGgo", "png"),
    ("/9j/", "jpeg"),
    ("R0lGODdh", "gif"),
    ("R0lGODlh", "gif"),
    ("UklGR", "webp"),
    ("JVBERi0", "pdf"),
];

const IMAGES: [(&str, &str); 5] = [
    ("image/png", "png"),
    ("image/jpeg", "jpeg"),
    ("image/jpg", "jpeg"),
    ("image/gif", "gif"),
    ("image/webp", "webp"),
];

const DOCUMENTS: [(&str, &str); 9] = [
    ("application/pdf", "pdf"),
    ("text/csv", "csv"),
    ("application/msword", "doc"),
    (
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        "docx",
    ),
    ("application/vnd.ms-excel", "xls"),
    (
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        "xlsx",
    ),
    ("text/html", "html"),
    ("text/plain", "txt"),
    ("text/markdown", "md"),
];

/// Writes an image. Its bytes say what it is; where they do not, its media type does.
pub(super) fn image<'r>(media: &'r Media<'_>, path: &str) -> Result<wire::Image<'r>, Refused> {
    let Source::Base64(data) = &media.source else {
        return Err(Refused::new(
            path,
            "fetches no images: send the bytes, in base64",
        ));
    };
    let format = head(data).or_else(|| typed(media, &IMAGES));
    let format = format.filter(|format| IMAGES.iter().any(|(_, known)| known == format));
    match format {
        Some(format) => Ok(wire::Image {
            format,
            source: wire::Source::Bytes(wire::Bytes::Encoded(data)),
        }),
        None => Err(Refused::new(path, "takes images as PNG, JPEG, GIF or WebP")),
    }
}

/// Writes a document.
pub(super) fn document<'r>(
    media: &'r Media<'_>,
    names: &mut Names,
    path: &str,
) -> Result<wire::Document<'r>, Refused> {
    let (bytes, fallback) = match &media.source {
        Source::Base64(data) => (
            wire::Bytes::Encoded(data),
            head(data).filter(|format| *format == "pdf"),
        ),
        Source::Text(text) => (wire::Bytes::Text(text), Some("txt")),
        Source::Url(_) | Source::File(_) => {
            return Err(Refused::new(
                path,
                "fetches no documents: send the bytes, in base64",
            ));
        }
    };
    let format = typed(media, &DOCUMENTS).or_else(|| extension(media));
    match format.or(fallback) {
        Some(format) => Ok(wire::Document {
            format,
            name: names.next(media.name.as_deref()),
            source: wire::Source::Bytes(bytes),
        }),
        None => Err(Refused::new(
            path,
            "takes documents as PDF, CSV, Word, Excel, HTML, text or Markdown",
        )),
    }
}

fn head(base64: &str) -> Option<&'static str> {
    let known = HEADS.iter().find(|(head, _)| base64.starts_with(head));
    known.map(|(_, format)| *format)
}

fn typed(media: &Media<'_>, known: &[(&str, &'static str)]) -> Option<&'static str> {
    let said = media.media_type.as_deref()?.split(';').next()?.trim();
    let known = known
        .iter()
        .find(|(name, _)| said.eq_ignore_ascii_case(name));
    known.map(|(_, format)| *format)
}

fn extension(media: &Media<'_>) -> Option<&'static str> {
    let (_, said) = media.name.as_deref()?.rsplit_once('.')?;
    let mut known = DOCUMENTS.iter().map(|(_, format)| *format);
    known.find(|format| said.eq_ignore_ascii_case(format))
}
