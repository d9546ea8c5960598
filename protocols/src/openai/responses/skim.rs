//! What a gateway decides by in a request that passes through, and where it stands, so that it can
//! be edited in place. Reads no item and no tool.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

use crate::json::{self, Stop, is_string, range_in, unescape};
use crate::llm::{Fault, FaultKind};
use crate::openai::chat::{Piece, Splice};

/// A request for a response. Ranges are into the parsed body.
#[derive(Clone)]
pub struct Skim<'a> {
    /// The model's name, unescaped.
    pub model: Cow<'a, str>,
    /// The model's JSON value, its quotes included.
    pub model_range: Range<usize>,
    /// Whether the answer is to be streamed; false if not said.
    pub stream: bool,
    /// The value of `stream`, if it is there.
    pub stream_range: Option<Range<usize>>,
    /// `max_output_tokens`, if it is there.
    pub limit: Option<Limit>,
    /// Whether the answer is to be made while nobody waits for it, to be fetched later.
    pub background: bool,
    /// The value of `input`, if it is there: a stored prompt needs none.
    pub input: Option<Range<usize>>,
}

/// The member that bounds the tokens of an answer, reasoning included.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limit {
    /// The bound; `None` for `null`, which is none.
    pub tokens: Option<u64>,
    /// The bound's JSON value.
    pub range: Range<usize>,
}

const KEYS: [&str; 5] = [
    "model",
    "stream",
    "max_output_tokens",
    "background",
    "input",
];

impl<'a> Skim<'a> {
    /// Reads a request's body.
    ///
    /// # Errors
    /// A [`Fault`] if the body is not UTF-8 or not a JSON object, lacks `model`, gives one of the
    /// members read here a wrong type, or states one twice: the provider might take the other.
    pub fn parse(body: &'a [u8]) -> Result<Self, Fault> {
        let text = std::str::from_utf8(body).map_err(|error| {
            let at = error.valid_up_to();
            let problem = "the body is not UTF-8";
            Fault::new(
                FaultKind::NotUtf8,
                body,
                at,
                problem,
                "encode the JSON as UTF-8",
            )
        })?;
        let [model, stream, limit, background, input] = values(text)?;
        let model = self::model(text, model)?;
        let stream_range = stream.map(|stream| range_in(text, stream));
        let stream = flag(text, stream, "stream")?;
        let limit = limit.map(|limit| self::limit(text, limit)).transpose()?;
        Ok(Self {
            model_range: range_in(text, model),
            model: unescape(model),
            stream,
            stream_range,
            limit,
            background: flag(text, background, "background")?,
            input: input.map(|input| range_in(text, input)),
        })
    }

    /// Aims the request at the model called `name`. `splice` must be of the body parsed.
    pub fn aim<'s>(&self, splice: &mut Splice<'s>, name: &'s str) {
        splice.replace(self.model_range.clone(), Piece::String(name));
    }

    /// Bounds the answer's tokens by `bound`. A lower bound of the caller's stays. `splice` must be
    /// of the body parsed.
    pub fn bound(&self, splice: &mut Splice<'_>, bound: u64) {
        let piece = Piece::Number(bound);
        match &self.limit {
            Some(Limit {
                tokens: Some(tokens),
                ..
            }) if *tokens <= bound => {}
            Some(limit) => _ = splice.replace(limit.range.clone(), piece),
            None => _ = splice.insert_first_member("max_output_tokens", piece),
        }
    }
}

/// The raw values of the members in [`KEYS`].
fn values(text: &str) -> Result<[Option<&str>; KEYS.len()], Fault> {
    let mut values = [None; KEYS.len()];
    let walked = json::members(text, &mut |key, value| {
        let Some(index) = KEYS.iter().position(|known| *known == key) else {
            return Ok(());
        };
        match values[index].replace(value) {
            None => Ok(()),
            Some(_) => Err(fault(
                text,
                value,
                KEYS[index],
                FaultKind::Duplicate,
                "the key stands twice",
                "send it once: two readers could take two different values",
            )),
        }
    });
    match walked {
        Ok(()) => Ok(values),
        Err(Stop::Fault(fault)) => Err(fault),
        Err(Stop::Json(error)) => Err(Fault::json(text.as_bytes(), 0, &error)),
    }
}

fn model<'a>(text: &'a str, model: Option<&'a str>) -> Result<&'a str, Fault> {
    const MEND: &str = "name the model to use, as a string";
    let Some(model) = model.filter(|model| !matches!(*model, "null" | "\"\"")) else {
        let problem = "it is required and missing";
        return Err(
            Fault::new(FaultKind::Missing, text.as_bytes(), 0, problem, MEND).at_path("model"),
        );
    };
    if !is_string(model) {
        return Err(wrong(text, model, "model", MEND));
    }
    match serde_json::from_str::<Cow<'_, str>>(model) {
        Ok(_) => Ok(model),
        Err(_) => {
            let problem = "a broken escape in the name";
            Err(fault(
                text,
                model,
                "model",
                FaultKind::Syntax,
                problem,
                MEND,
            ))
        }
    }
}

/// Whether a member is true; false if not said.
fn flag(text: &str, value: Option<&str>, path: &'static str) -> Result<bool, Fault> {
    match value {
        None | Some("null" | "false") => Ok(false),
        Some("true") => Ok(true),
        Some(other) => Err(wrong(text, other, path, "send true or false")),
    }
}

fn limit(text: &str, limit: &str) -> Result<Limit, Fault> {
    const MEND: &str = "send a whole number";
    let tokens = match limit {
        "null" => None,
        digits if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
            let tokens = digits.parse().map_err(|_| {
                let problem = "the number is too large";
                fault(
                    text,
                    limit,
                    "max_output_tokens",
                    FaultKind::OutOfRange,
                    problem,
                    MEND,
                )
            })?;
            Some(tokens)
        }
        _ => return Err(wrong(text, limit, "max_output_tokens", MEND)),
    };
    Ok(Limit {
        tokens,
        range: range_in(text, limit),
    })
}

fn wrong(text: &str, value: &str, path: &'static str, mend: &'static str) -> Fault {
    let problem = format!("{} cannot stand here", json::sort_of(value));
    fault(text, value, path, FaultKind::WrongType, problem, mend)
}

fn fault(
    text: &str,
    value: &str,
    path: &'static str,
    kind: FaultKind,
    problem: impl Into<Cow<'static, str>>,
    mend: &'static str,
) -> Fault {
    let at = range_in(text, value).start;
    Fault::new(kind, text.as_bytes(), at, problem, mend).at_path(path)
}

impl fmt::Debug for Skim<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The body is a caller's prompt: never printed.
        f.debug_struct("Skim")
            .field("model", &self.model)
            .field("stream", &self.stream)
            .field("limit", &self.limit)
            .finish_non_exhaustive()
    }
}
