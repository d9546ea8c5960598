//! Vectors, as a provider answers and as a caller is answered.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{Encoding, base64};
use crate::json::{Text, is_string, unescape};
use crate::llm::{Malformed, Usage};

/// The vectors of a request.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Answer<'a> {
    /// The model that made them, as the provider calls it.
    pub model: Option<Cow<'a, str>>,
    /// A vector for each text, in the order of the texts. All numbers are finite.
    pub vectors: Vec<Vec<f32>>,
    /// What it used, if the provider says; there is no output.
    pub usage: Option<Usage>,
}

#[derive(Deserialize)]
struct Body<'a> {
    #[serde(borrow, default)]
    model: Text<'a>,
    #[serde(borrow)]
    data: Vec<Embedding<'a>>,
    #[serde(borrow, default)]
    usage: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Embedding<'a> {
    #[serde(default)]
    index: Option<usize>,
    #[serde(borrow)]
    embedding: &'a RawValue,
}

/// Reads an answer, whichever way its vectors are written.
///
/// # Errors
/// [`Malformed`] if it is none, a vector is none, or their numbers do not count from 0.
pub fn read(body: &[u8]) -> Result<Answer<'_>, Malformed> {
    if !body.trim_ascii_start().starts_with(b"{") {
        return Err(Malformed::new("the answer is no JSON object"));
    }
    let body: Body<'_> =
        serde_json::from_slice(body).map_err(|error| Malformed::json("the answer", &error))?;
    let mut vectors: Vec<Option<Vec<f32>>> = vec![None; body.data.len()];
    for (at, embedding) in body.data.iter().enumerate() {
        let vector = vector(embedding.embedding.get())?;
        let place = vectors.get_mut(embedding.index.unwrap_or(at));
        match place.map(|place| place.replace(vector)) {
            Some(None) => {}
            Some(Some(_)) => return Err(Malformed::new("two embeddings have the same index")),
            None => return Err(Malformed::new("an embedding's index is too large")),
        }
    }
    Ok(Answer {
        model: body.model.some(),
        // As many places as vectors, and none taken twice: none is empty.
        vectors: vectors.into_iter().flatten().collect(),
        usage: body.usage.and_then(|usage| used(usage.get())),
    })
}

/// What an answer says was used, its vectors not looked at. `None` if it does not say.
pub fn usage(body: &[u8]) -> Option<Usage> {
    let [usage] = crate::json::pick(std::str::from_utf8(body).ok()?, ["usage"])?;
    used(usage?)
}

fn vector(json: &str) -> Result<Vec<f32>, Malformed> {
    let vector = match is_string(json) {
        true => base64::decode(&unescape(json))
            .ok_or_else(|| Malformed::new("an embedding is no base64 of floats"))?,
        false => serde_json::from_str::<Vec<f32>>(json)
            .map_err(|error| Malformed::json("an embedding", &error))?,
    };
    match vector.iter().all(|number| number.is_finite()) {
        true => Ok(vector),
        false => Err(Malformed::new(
            "an embedding holds a number that is not finite",
        )),
    }
}

/// The tokens used. `None` if it does not say how many the prompt had.
fn used(report: &str) -> Option<Usage> {
    let [prompt, total] = crate::json::pick(report, ["prompt_tokens", "total_tokens"])?;
    let mut usage = Usage::new(prompt?.parse().ok()?, 0);
    if let Some(total) = total.and_then(|total| total.parse().ok()) {
        usage.total = total;
    }
    Some(usage)
}

/// Appends an answer to `out`; `model` where the answer names none. Usage is required by the
/// dialect: what the provider does not say is written as zero.
pub fn write(out: &mut Vec<u8>, answer: &Answer<'_>, model: &str, encoding: Encoding) {
    #[derive(Serialize)]
    struct List<'a> {
        object: &'static str,
        data: Vec<Item<'a>>,
        model: &'a str,
        usage: Used,
    }
    #[derive(Serialize)]
    struct Item<'a> {
        object: &'static str,
        index: usize,
        embedding: Vector<'a>,
    }
    #[derive(Serialize)]
    #[serde(untagged)]
    enum Vector<'a> {
        Float(&'a [f32]),
        Base64(String),
    }
    #[derive(Serialize)]
    struct Used {
        prompt_tokens: u64,
        total_tokens: u64,
    }
    let usage = answer.usage.unwrap_or_default();
    let vectors = answer.vectors.iter().enumerate();
    let data = vectors.map(|(index, vector)| Item {
        object: "embedding",
        index,
        embedding: match encoding {
            Encoding::Float => Vector::Float(vector),
            Encoding::Base64 => Vector::Base64(base64::encode(vector)),
        },
    });
    let list = List {
        object: "list",
        data: data.collect(),
        model: answer.model.as_deref().unwrap_or(model),
        usage: Used {
            prompt_tokens: usage.input,
            total_tokens: usage.total,
        },
    };
    serde_json::to_writer(out, &list).expect("text and numbers always serialise into a Vec");
}
