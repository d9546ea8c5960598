//! What stands in a message, or comes of a call: a text, or parts.

use std::borrow::Cow;

use super::opt;
use crate::json::{Fault, Value};
use crate::llm::{Media, Part, Source};
use crate::openai::media::{at_url, media};

/// Whose content it is, which decides what it may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Instructions,
    User,
    Assistant,
    Tool,
}

impl Place {
    const fn mend(self) -> &'static str {
        match self {
            Self::Instructions => "send input_text: instructions are text",
            Self::User => "send input_text, input_image, input_file or input_audio",
            Self::Assistant => "send output_text or refusal: a model says nothing else",
            Self::Tool => "send input_text, input_image or input_file",
        }
    }
}

/// Reads content.
pub(super) fn read<'a>(content: &Value<'a, '_>, place: Place) -> Result<Vec<Part<'a>>, Fault> {
    if content.is_string() {
        return Ok(vec![Part::Text(content.text()?)]);
    }
    if !content.is_array() {
        return Err(content.wrong_type(
            "a string or an array of parts",
            "send the text, or an array of parts",
        ));
    }
    let mut said = Vec::new();
    content.elements(&mut |part| self::part(&part, place, &mut said))?;
    Ok(said)
}

/// The texts of parts that have one, as of a summary of thoughts.
pub(super) fn texts<'a>(parts: &Value<'a, '_>) -> Result<Vec<Cow<'a, str>>, Fault> {
    let mut texts = Vec::new();
    parts.elements(&mut |part| {
        let [text] = part.pick(["text"])?;
        texts.push(required(&part, text, "text", "send the text")?.text()?);
        Ok(())
    })?;
    Ok(texts)
}

const KEYS: [&str; 11] = [
    "type",
    "text",
    "refusal",
    "image_url",
    "file_id",
    "detail",
    "file_data",
    "file_url",
    "filename",
    "input_audio",
    "prompt_cache_breakpoint",
];

fn part<'a>(part: &Value<'a, '_>, place: Place, said: &mut Vec<Part<'a>>) -> Result<(), Fault> {
    let [
        kind,
        text,
        refusal,
        image,
        id,
        detail,
        data,
        url,
        name,
        sound,
        cache,
    ] = part.pick(KEYS)?;
    let kind = required(part, kind, "type", place.mend())?;
    let attaches = matches!(place, Place::User | Place::Tool);
    said.push(match (&*kind.text()?, place) {
        ("input_text", Place::Instructions | Place::User | Place::Tool)
        | ("output_text", Place::Assistant) => {
            Part::Text(required(part, text, "text", "send the text")?.text()?)
        }
        ("refusal", Place::Assistant) => {
            Part::Refusal(required(part, refusal, "refusal", "send the refusal")?.text()?)
        }
        ("input_image", _) if attaches => {
            let mut image = self::image(part, image, id)?;
            image.detail = opt(detail, Value::text)?;
            Part::Image(image)
        }
        ("input_file", _) if attaches => {
            let mut file = self::file(part, data, id, url)?;
            file.name = opt(name, Value::text)?;
            Part::Document(file)
        }
        ("input_audio", Place::User) => {
            self::sound(&required(part, sound, "input_audio", "send the sound")?)?
        }
        _ => return Err(kind.unknown_word(place.mend())),
    });
    if cache.is_some() {
        said.push(Part::CachePoint);
    }
    Ok(())
}

fn image<'a>(
    part: &Value<'a, '_>,
    url: Option<Value<'a, '_>>,
    id: Option<Value<'a, '_>>,
) -> Result<Media<'a>, Fault> {
    match (url, id) {
        (Some(url), _) => at_url(&url),
        (None, Some(id)) => Ok(media(Source::File(id.text()?), None)),
        (None, None) => Err(part.missing("image_url", "send the image's URL")),
    }
}

fn file<'a>(
    part: &Value<'a, '_>,
    data: Option<Value<'a, '_>>,
    id: Option<Value<'a, '_>>,
    url: Option<Value<'a, '_>>,
) -> Result<Media<'a>, Fault> {
    match (data, id, url) {
        (Some(data), ..) => match at_url(&data)? {
            // The reference shows a `data:` URL, and says base64.
            Media {
                source: Source::Url(data),
                ..
            } => Ok(media(Source::Base64(data), None)),
            file => Ok(file),
        },
        (None, Some(id), _) => Ok(media(Source::File(id.text()?), None)),
        (None, None, Some(url)) => at_url(&url),
        (None, None, None) => Err(part.missing("file_data", "send the file as a data: URL")),
    }
}

fn sound<'a>(sound: &Value<'a, '_>) -> Result<Part<'a>, Fault> {
    let [data, format] = sound.pick(["data", "format"])?;
    let data = required(sound, data, "data", "send the sound in base64")?;
    let format = opt(format, Value::text)?;
    Ok(Part::Audio(media(
        Source::Base64(data.text()?),
        format.map(|format| format!("audio/{format}").into()),
    )))
}

fn required<'a, 'p>(
    part: &Value<'a, '_>,
    value: Option<Value<'a, 'p>>,
    key: &'static str,
    mend: &'static str,
) -> Result<Value<'a, 'p>, Fault> {
    value.ok_or_else(|| part.missing(key, mend))
}
