//! Reads a request's members one by one, each with its fault. Knows no
//! member but those in [`KEYS`].

use std::borrow::Cow;
use std::ops::Range;

use super::messages::{self, Found, Misshapen};
use super::request::{LimitField, OutputLimit, Request, Slot};
use crate::json::{self, Stop, range_in, sort_of, unescape};
use crate::json::{Fault, Kind};

const KEYS: [&str; 10] = [
    "model",
    "messages",
    "stream",
    "stream_options",
    "max_tokens",
    "max_completion_tokens",
    "n",
    "tools",
    "functions",
    "response_format",
];
const MODEL: usize = 0;
const MESSAGES: usize = 1;
const STREAM: usize = 2;
const STREAM_OPTIONS: usize = 3;
const MAX_TOKENS: usize = 4;
const MAX_COMPLETION_TOKENS: usize = 5;
const N: usize = 6;
const TOOLS: usize = 7;
const FUNCTIONS: usize = 8;
const RESPONSE_FORMAT: usize = 9;

struct Messages {
    range: Range<usize>,
    len: usize,
    attachments: usize,
    payload: usize,
}

/// Reads raw values of one body, and knows their places for faults.
#[derive(Clone, Copy)]
pub(super) struct Reader<'a> {
    body: &'a str,
}

impl<'a> Reader<'a> {
    pub(super) fn new(body: &'a [u8]) -> Result<Self, Fault> {
        match std::str::from_utf8(body) {
            Ok(body) => Ok(Self { body }),
            Err(error) => Err(Fault::new(
                Kind::NotUtf8,
                body,
                error.valid_up_to(),
                "the body is not UTF-8",
                "encode the JSON as UTF-8",
            )),
        }
    }

    pub(super) fn request(self) -> Result<Request<'a>, Fault> {
        let values = self.top_level()?;
        let model = self.model(values[MODEL])?;
        let messages = self.messages(values[MESSAGES])?;
        let (include_usage, usage_slot) = self.usage(values[STREAM_OPTIONS])?;
        let limits = [
            (LimitField::MaxTokens, values[MAX_TOKENS]),
            (
                LimitField::MaxCompletionTokens,
                values[MAX_COMPLETION_TOKENS],
            ),
        ];
        let (output_limit, null_limit) = self.limit(limits)?;
        Ok(Request {
            model: unescape(model),
            model_range: self.range(model),
            stream: self.boolean("stream", values[STREAM])?.unwrap_or(false),
            include_usage,
            stream_options: values[STREAM_OPTIONS].map(|value| self.range(value)),
            output_limit,
            n: self.n(values[N])?,
            messages: messages.range,
            messages_len: messages.len,
            tools: self.tools(values[TOOLS])?,
            attachments: messages.attachments,
            usage_slot,
            null_limit,
            body: self.body,
            functions: values[FUNCTIONS],
            response_format: values[RESPONSE_FORMAT],
            payload: messages.payload,
        })
    }

    /// The raw values of the members in [`KEYS`].
    fn top_level(self) -> Result<[Option<&'a str>; KEYS.len()], Fault> {
        let mut values = [None; KEYS.len()];
        json::members(self.body, &mut |key, value| {
            let Some(index) = KEYS.iter().position(|known| *known == key) else {
                return Ok(());
            };
            match values[index].replace(value) {
                None => Ok(()),
                Some(_) => Err(self
                    .fault(
                        Kind::Duplicate,
                        value,
                        "the key stands twice",
                        "send it once: two readers could take two different values",
                    )
                    .at_path(KEYS[index])),
            }
        })
        .map_err(|stop| match stop {
            Stop::Fault(fault) => fault,
            Stop::Json(error) => Fault::json(self.body.as_bytes(), 0, &error),
        })?;
        Ok(values)
    }

    fn model(self, value: Option<&'a str>) -> Result<&'a str, Fault> {
        const MEND: &str = "name the model to use, as a string";
        let value = self.required("model", value, MEND)?;
        if !json::is_string(value) {
            return Err(self.wrong_type("model", value, "a string", MEND));
        }
        if value == "\"\"" {
            return Err(self
                .fault(Kind::Missing, value, "the name is empty", MEND)
                .at_path("model"));
        }
        if serde_json::from_str::<Cow<'_, str>>(value).is_err() {
            return Err(self
                .fault(Kind::Syntax, value, "a broken escape in the name", MEND)
                .at_path("model"));
        }
        Ok(value)
    }

    fn messages(self, value: Option<&'a str>) -> Result<Messages, Fault> {
        const MEND: &str = "send an array of messages, each an object with role and content";
        let value = self.required("messages", value, MEND)?;
        if !value.starts_with('[') {
            return Err(self.wrong_type("messages", value, "an array", MEND));
        }
        let mut attachments = 0;
        let mut payload = 0;
        let len = messages::walk(value, &mut |found| match found {
            Found::Attachment => attachments += 1,
            Found::Payload(_, bytes) => {
                attachments += 1;
                payload += bytes.len();
            }
            Found::String(_) | Found::Name(_) | Found::Json(_) | Found::Call => {}
        })
        .map_err(|fault| self.misshapen(value, fault))?;
        if len == 0 {
            return Err(self
                .fault(Kind::Missing, value, "there are no messages", MEND)
                .at_path("messages"));
        }
        Ok(Messages {
            range: self.range(value),
            len,
            attachments,
            payload,
        })
    }

    fn misshapen(self, messages: &'a str, fault: Misshapen<'a>) -> Fault {
        let path = |path| format!("messages{path}");
        match fault {
            Misshapen::WrongType {
                path: at,
                value,
                expected,
            } => self.wrong_type(path(at), value, expected, "mend the message"),
            Misshapen::NoRole { path: at } => self
                .fault(
                    Kind::Missing,
                    messages,
                    "the message has no role",
                    "give each message a role, such as \"user\"",
                )
                .at_path(path(at)),
            Misshapen::Json {
                path: at,
                text,
                error,
            } => {
                Fault::json(self.body.as_bytes(), self.range(text).start, &error).at_path(path(at))
            }
        }
    }

    fn usage(self, options: Option<&'a str>) -> Result<(bool, Slot), Fault> {
        const PATH: &str = "stream_options.include_usage";
        let Some(options) = options else {
            return Ok((false, Slot::NoObject));
        };
        if options == "null" {
            return Ok((false, Slot::NullObject(self.range(options))));
        }
        let mut empty = true;
        let mut value = None;
        json::members(options, &mut |key, member| {
            empty = false;
            match key {
                "include_usage" => value.replace(member).map_or(Ok(()), |_| Err(member)),
                _ => Ok(()),
            }
        })
        .map_err(|stop| match stop {
            Stop::Fault(second) => self
                .fault(
                    Kind::Duplicate,
                    second,
                    "the key stands twice",
                    "send it once",
                )
                .at_path(PATH),
            Stop::Json(error) => {
                Fault::json(self.body.as_bytes(), self.range(options).start, &error)
                    .at_path("stream_options")
            }
        })?;
        Ok(match value {
            None => {
                let at = self.range(options).start + 1;
                (false, Slot::Inside { at, empty })
            }
            Some(value) => (
                self.boolean(PATH, Some(value))?.unwrap_or(false),
                Slot::Value(self.range(value)),
            ),
        })
    }

    fn limit(
        self,
        limits: [(LimitField, Option<&'a str>); 2],
    ) -> Result<(Option<OutputLimit>, Option<Range<usize>>), Fault> {
        const MEND: &str = "send a whole number of tokens";
        let mut limit = None;
        let mut null = None;
        for (field, value) in limits {
            let Some(value) = value else { continue };
            let Some(tokens) = self.whole(field.key(), value, MEND)? else {
                null = Some(self.range(value));
                continue;
            };
            let found = OutputLimit {
                field,
                tokens,
                range: self.range(value),
            };
            if limit.replace(found).is_some() {
                return Err(self
                    .fault(
                        Kind::Conflict,
                        value,
                        "max_tokens and max_completion_tokens are both set",
                        "set only one of them",
                    )
                    .at_path(field.key()));
            }
        }
        Ok((limit, null))
    }

    fn n(self, value: Option<&'a str>) -> Result<u64, Fault> {
        const MEND: &str = "send a whole number of choices, at least 1";
        let Some(value) = value else { return Ok(1) };
        match self.whole("n", value, MEND)? {
            Some(0) => Err(self
                .fault(Kind::OutOfRange, value, "no choice is asked for", MEND)
                .at_path("n")),
            n => Ok(n.unwrap_or(1)),
        }
    }

    fn tools(self, value: Option<&'a str>) -> Result<Option<Range<usize>>, Fault> {
        match value {
            None | Some("null") => Ok(None),
            Some(value) if value.starts_with('[') => Ok(Some(self.range(value))),
            Some(value) => Err(self.wrong_type(
                "tools",
                value,
                "an array",
                "send an array of tools, or leave it out",
            )),
        }
    }

    /// A whole number, or `None` for `null`.
    fn whole(self, path: &str, value: &'a str, mend: &'static str) -> Result<Option<u64>, Fault> {
        if value == "null" {
            return Ok(None);
        }
        if !value.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(self.wrong_type(path, value, "a whole number, not negative", mend));
        }
        // Digits only, so that all that can fail is the size.
        value.parse().map(Some).map_err(|_| {
            self.fault(Kind::OutOfRange, value, "the number is too large", mend)
                .at_path(path)
        })
    }

    /// A boolean, or `None` for `null` or nothing.
    fn boolean(self, path: &str, value: Option<&'a str>) -> Result<Option<bool>, Fault> {
        match value {
            None | Some("null") => Ok(None),
            Some("true") => Ok(Some(true)),
            Some("false") => Ok(Some(false)),
            Some(value) => Err(self.wrong_type(path, value, "a boolean", "send true or false")),
        }
    }

    fn required(
        self,
        path: &str,
        value: Option<&'a str>,
        mend: &'static str,
    ) -> Result<&'a str, Fault> {
        value.ok_or_else(|| {
            self.fault(Kind::Missing, self.body, "it is required and missing", mend)
                .at_path(path)
        })
    }

    fn wrong_type(
        self,
        path: impl Into<String>,
        value: &'a str,
        expected: &'static str,
        mend: &'static str,
    ) -> Fault {
        let problem = format!("expected {expected}, found {}", sort_of(value));
        self.fault(Kind::WrongType, value, problem, mend)
            .at_path(path)
    }

    fn fault(
        self,
        kind: Kind,
        value: &'a str,
        problem: impl Into<Cow<'static, str>>,
        mend: &'static str,
    ) -> Fault {
        Fault::new(
            kind,
            self.body.as_bytes(),
            self.range(value).start,
            problem,
            mend,
        )
    }

    fn range(self, value: &'a str) -> Range<usize> {
        range_in(self.body, value)
    }
}
