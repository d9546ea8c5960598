//! A request for embeddings, read by borrowing, and one of our own, written.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

use serde::Serialize;

use super::Encoding;
use crate::json::{Document, Value};
use crate::llm::{Fault, FaultKind};

/// A request for embeddings.
#[derive(Clone)]
pub struct Request<'a> {
    /// The model's name, unescaped.
    pub model: Cow<'a, str>,
    /// Where the model's JSON value stands in the body, its quotes included.
    pub model_range: Range<usize>,
    /// What is to be embedded.
    pub input: Input<'a>,
    /// How long the vectors are to be; `None`: as long as the model makes them.
    pub dimensions: Option<u64>,
    /// How the vectors are to be written.
    pub encoding: Encoding,
    /// The caller's own user.
    pub user: Option<Cow<'a, str>>,
    /// Members that are not read here, by name.
    pub unknown: Vec<String>,
}

/// What is to be embedded; a vector comes of each text, or of each list of tokens.
#[derive(Clone, PartialEq, Eq)]
pub enum Input<'a> {
    /// A text.
    Text(Cow<'a, str>),
    /// Several texts.
    Texts(Vec<Cow<'a, str>>),
    /// A text as the ids of its tokens, which only the model's own provider can read.
    Tokens(Vec<u32>),
    /// Several such texts.
    TokenLists(Vec<Vec<u32>>),
}

impl Input<'_> {
    /// How many vectors come of it.
    pub fn count(&self) -> usize {
        match self {
            Self::Text(_) | Self::Tokens(_) => 1,
            Self::Texts(texts) => texts.len(),
            Self::TokenLists(lists) => lists.len(),
        }
    }

    /// How many tokens it has, where it says.
    pub fn tokens(&self) -> Option<usize> {
        match self {
            Self::Text(_) | Self::Texts(_) => None,
            Self::Tokens(tokens) => Some(tokens.len()),
            Self::TokenLists(lists) => Some(lists.iter().map(Vec::len).sum()),
        }
    }
}

const KEYS: [&str; 5] = ["model", "input", "dimensions", "encoding_format", "user"];

/// Reads a request.
///
/// # Errors
/// A [`Fault`] with the place of what is wrong.
pub fn read(body: &[u8]) -> Result<Request<'_>, Fault> {
    let root = Document::new(body)?.root();
    let mut unknown = Vec::new();
    let [model, input, dimensions, encoding, user] =
        root.members(KEYS, &mut |key| unknown.push(key.to_owned()))?;
    let model = model.ok_or_else(|| root.missing("model", "name the model to use, as a string"))?;
    let input =
        input.ok_or_else(|| root.missing("input", "send the text, or an array of texts"))?;
    Ok(Request {
        model: model.text()?,
        model_range: model.range(),
        input: self::input(&input)?,
        dimensions: dimensions.as_ref().map(self::dimensions).transpose()?,
        encoding: encoding
            .as_ref()
            .map_or(Ok(Encoding::Float), self::encoding)?,
        user: user.as_ref().map(Value::text).transpose()?,
        unknown,
    })
}

fn input<'a>(input: &Value<'a, '_>) -> Result<Input<'a>, Fault> {
    if input.is_string() {
        return Ok(Input::Text(input.text()?));
    }
    if !input.is_array() {
        return Err(input.wrong_type(
            "a string or an array",
            "send the text, or an array of texts",
        ));
    }
    // The first element decides what all are.
    let mut all = None;
    input.elements(&mut |element| {
        match &mut all {
            None if element.is_string() => all = Some(Input::Texts(vec![element.text()?])),
            None if element.is_array() => all = Some(Input::TokenLists(vec![tokens(&element)?])),
            None => all = Some(Input::Tokens(vec![token(&element)?])),
            Some(Input::Texts(texts)) => texts.push(element.text()?),
            Some(Input::TokenLists(lists)) => lists.push(tokens(&element)?),
            Some(Input::Tokens(tokens)) => tokens.push(token(&element)?),
            Some(Input::Text(_)) => {}
        }
        Ok(())
    })?;
    all.ok_or_else(|| {
        input.fault(
            FaultKind::Missing,
            "there is nothing to embed",
            "send at least one text",
        )
    })
}

fn tokens(list: &Value<'_, '_>) -> Result<Vec<u32>, Fault> {
    let mut tokens = Vec::new();
    list.elements(&mut |element| {
        tokens.push(token(&element)?);
        Ok(())
    })?;
    Ok(tokens)
}

fn token(element: &Value<'_, '_>) -> Result<u32, Fault> {
    u32::try_from(element.whole()?).map_err(|_| {
        element.fault(
            FaultKind::OutOfRange,
            "no token has such an id",
            "send the ids of tokens, or text",
        )
    })
}

fn dimensions(value: &Value<'_, '_>) -> Result<u64, Fault> {
    match value.whole()? {
        0 => Err(value.fault(
            FaultKind::OutOfRange,
            "a vector has at least one dimension",
            "send a whole number of dimensions, at least 1, or leave it out",
        )),
        dimensions => Ok(dimensions),
    }
}

fn encoding(value: &Value<'_, '_>) -> Result<Encoding, Fault> {
    match &*value.text()? {
        "float" => Ok(Encoding::Float),
        "base64" => Ok(Encoding::Base64),
        _ => Err(value.unknown_word("send float or base64")),
    }
}

/// A request for the embeddings of `texts`, `dimensions` long if that is said.
pub fn write(model: &str, texts: &[&str], dimensions: Option<u64>, encoding: Encoding) -> Vec<u8> {
    #[derive(Serialize)]
    struct Body<'a> {
        model: &'a str,
        input: &'a [&'a str],
        #[serde(skip_serializing_if = "Option::is_none")]
        dimensions: Option<u64>,
        encoding_format: &'static str,
    }
    let body = Body {
        model,
        input: texts,
        dimensions,
        encoding_format: encoding.word(),
    };
    serde_json::to_vec(&body).expect("text and numbers always serialise")
}

impl fmt::Debug for Request<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("model", &self.model)
            .field("input", &self.input)
            .field("dimensions", &self.dimensions)
            .field("encoding", &self.encoding)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Input<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The texts are a caller's: never printed.
        write!(f, "Input({})", self.count())
    }
}
