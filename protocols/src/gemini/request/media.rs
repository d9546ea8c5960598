//! Images, sounds and documents: `Blob` and `FileData`, both ways. Video, which no other dialect
//! has a word for, is not read.

use std::borrow::Cow;

use crate::gemini::member::either;
use crate::gemini::{base64, wire};
use crate::json::{Fault, Kind, Value};
use crate::llm::{Media, Part, Refused, Source};

/// Where Google keeps files for its own models: no other provider can fetch them.
const STORES: [&str; 2] = ["gs://", "https://generativelanguage.googleapis.com/"];

/// Reads `inlineData`.
pub(super) fn inline<'a>(value: Value<'a, '_>) -> Result<Part<'a>, Fault> {
    let [kind, kind_, data] = value.pick(["mimeType", "mime_type", "data"])?;
    let kind = either(kind, kind_)?;
    let kind = kind.ok_or_else(|| value.missing("mimeType", "say what the bytes are"))?;
    let data = data.ok_or_else(|| value.missing("data", "send the bytes in base64"))?;
    let source = Source::Base64(base64::plain(data.text()?));
    part(kind, kind.text()?, source)
}

/// Reads `fileData`. A type that is not said is told from the end of the address.
pub(super) fn file<'a>(value: Value<'a, '_>) -> Result<Part<'a>, Fault> {
    let [kind, kind_, uri, uri_] = value.pick(["mimeType", "mime_type", "fileUri", "file_uri"])?;
    let uri = either(uri, uri_)?;
    let uri = uri.ok_or_else(|| value.missing("fileUri", "say where the file is"))?;
    let address = uri.text()?;
    let kind = either(kind, kind_)?;
    let media_type = match kind {
        Some(kind) => kind.text()?,
        None => match by_ending(&address) {
            Some(media_type) => Cow::Borrowed(media_type),
            None => return Err(value.missing("mimeType", "say what the file is")),
        },
    };
    let is_stored = STORES.iter().any(|store| address.starts_with(store));
    let source = match is_stored {
        true => Source::File(address),
        false => Source::Url(address),
    };
    part(kind.unwrap_or(uri), media_type, source)
}

fn part<'a>(
    at: Value<'_, '_>,
    media_type: Cow<'a, str>,
    source: Source<'a>,
) -> Result<Part<'a>, Fault> {
    let sort = of_type(&media_type).ok_or_else(|| {
        at.fault(
            Kind::OutOfRange,
            "media of this type are only passed through, to Gemini itself",
            "send an image, a sound, a text or a document",
        )
    })?;
    Ok(sort(Media {
        source,
        media_type: Some(media_type),
        detail: None,
        name: None,
    }))
}

/// What sort of part a medium of this type is.
pub(in crate::gemini) fn of_type<'a>(media_type: &str) -> Option<fn(Media<'a>) -> Part<'a>> {
    match media_type.split_once('/')?.0 {
        "image" => Some(Part::Image),
        "audio" => Some(Part::Audio),
        "text" | "application" => Some(Part::Document),
        _ => None,
    }
}

/// The type that the end of an address stands for, among those Gemini reads.
fn by_ending(address: &str) -> Option<&'static str> {
    let path = address.split(['?', '#']).next()?;
    let (_, ending) = path.rsplit_once('.')?;
    Some(match ending.to_ascii_lowercase().as_str() {
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "webp" => "image/webp",
        "gif" => "image/gif",
        "heic" => "image/heic",
        "wav" => "audio/wav",
        "mp3" => "audio/mp3",
        "flac" => "audio/flac",
        "ogg" => "audio/ogg",
        "pdf" => "application/pdf",
        "txt" => "text/plain",
        _ => return None,
    })
}

/// Writes a medium that stands at `path`.
///
/// # Errors
/// If its bytes have no type, or it is where Gemini cannot fetch it.
pub(in crate::gemini) fn write<'w>(
    media: &'w Media<'_>,
    path: &str,
) -> Result<wire::Part<'w>, Refused> {
    let file = |file_uri: &'w str| wire::Part {
        file_data: Some(wire::File {
            mime_type: media.media_type.as_deref().or_else(|| by_ending(file_uri)),
            file_uri,
        }),
        ..wire::Part::default()
    };
    match &media.source {
        Source::Text(text) => Ok(wire::Part::text(text)),
        Source::Base64(data) => Ok(wire::Part {
            inline_data: Some(blob(media, data, path)?),
            ..wire::Part::default()
        }),
        Source::Url(url) => match fetched(url) {
            true => Ok(file(url)),
            false => Err(Refused::new(
                path,
                "fetches media by http, https and gs only",
            )),
        },
        Source::File(name) => match STORES.iter().any(|store| name.starts_with(store)) {
            true => Ok(file(name)),
            false => Err(Refused::new(
                path,
                "cannot open files kept by another provider",
            )),
        },
    }
}

/// Bytes that stand here.
pub(in crate::gemini) fn blob<'w>(
    media: &'w Media<'_>,
    data: &'w str,
    path: &str,
) -> Result<wire::Blob<'w>, Refused> {
    let mime_type = media.media_type.as_deref();
    Ok(wire::Blob {
        mime_type: mime_type
            .ok_or_else(|| Refused::new(path, "must be told the media type of bytes"))?
            .into(),
        data,
    })
}

fn fetched(url: &str) -> bool {
    ["https://", "http://", "gs://"].iter().any(|scheme| {
        let start = url.get(..scheme.len());
        start.is_some_and(|start| start.eq_ignore_ascii_case(scheme))
    })
}
