//! The content of a message: a text, or parts.

use super::opt;
use crate::json::{Fault, Value};
use crate::llm::{Media, Part, Source};
use crate::openai::media::{at_url, media};

/// Reads `content`.
pub(super) fn read<'a>(content: &Value<'a, '_>, said: &mut Vec<Part<'a>>) -> Result<(), Fault> {
    if content.is_string() {
        said.push(Part::Text(content.text()?));
        return Ok(());
    }
    if !content.is_array() {
        return Err(content.wrong_type(
            "a string or an array of parts",
            "send the text, or an array of parts",
        ));
    }
    content.elements(&mut |part| {
        said.push(self::part(&part)?);
        Ok(())
    })
}

fn part<'a>(part: &Value<'a, '_>) -> Result<Part<'a>, Fault> {
    let keys = [
        "type",
        "text",
        "refusal",
        "image_url",
        "input_audio",
        "file",
    ];
    let [kind, text, refusal, image, sound, file] = part.pick(keys)?;
    let kind = kind.ok_or_else(|| part.missing("type", "say what the part is, as text"))?;
    match &*kind.text()? {
        "text" => {
            let missing = || part.missing("text", "send the text");
            Ok(Part::Text(text.ok_or_else(missing)?.text()?))
        }
        "refusal" => {
            let missing = || part.missing("refusal", "send the refusal");
            Ok(Part::Refusal(refusal.ok_or_else(missing)?.text()?))
        }
        "image_url" => {
            let missing = || part.missing("image_url", "send the image's URL");
            self::image(&image.ok_or_else(missing)?)
        }
        "input_audio" => {
            let missing = || part.missing("input_audio", "send the sound");
            self::sound(&sound.ok_or_else(missing)?)
        }
        "file" => {
            let missing = || part.missing("file", "send the file");
            self::file(&file.ok_or_else(missing)?)
        }
        _ => Err(kind.unknown_word("send text, image_url, input_audio, file or refusal")),
    }
}

/// `image_url`: an object or, with some providers, the URL itself.
fn image<'a>(image: &Value<'a, '_>) -> Result<Part<'a>, Fault> {
    if image.is_string() {
        return at_url(image).map(Part::Image);
    }
    let [url, detail] = image.pick(["url", "detail"])?;
    let url = url.ok_or_else(|| image.missing("url", "send the image's URL"))?;
    Ok(Part::Image(Media {
        detail: opt(detail, Value::text)?,
        ..at_url(&url)?
    }))
}

fn sound<'a>(sound: &Value<'a, '_>) -> Result<Part<'a>, Fault> {
    let [data, format] = sound.pick(["data", "format"])?;
    let data = data.ok_or_else(|| sound.missing("data", "send the sound in base64"))?;
    let format = opt(format, Value::text)?;
    let media_type = format.map(|format| format!("audio/{format}").into());
    Ok(Part::Audio(media(Source::Base64(data.text()?), media_type)))
}

fn file<'a>(file: &Value<'a, '_>) -> Result<Part<'a>, Fault> {
    let [data, id, name] = file.pick(["file_data", "file_id", "filename"])?;
    let document = match (data, id) {
        (Some(data), _) => at_url(&data)?,
        (None, Some(id)) => media(Source::File(id.text()?), None),
        (None, None) => return Err(file.missing("file_data", "send the file as a data: URL")),
    };
    Ok(Part::Document(Media {
        name: opt(name, Value::text)?,
        ..document
    }))
}
