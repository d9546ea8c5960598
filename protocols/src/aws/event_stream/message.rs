//! One message. Knows which of its headers say what it is, and nothing of what it says.

use bytes::Bytes;

use super::header::{Headers, Value};

/// A message whose checksums were right and whose headers can be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Its headers, as they were sent; see [`headers`](Self::headers).
    pub(super) headers: Bytes,
    /// What it carries.
    pub payload: Bytes,
    /// Every byte of its frame.
    pub raw: Bytes,
}

/// What a message is, from its headers `:message-type`, `:event-type`, `:exception-type`,
/// `:error-code` and `:error-message`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind<'a> {
    /// An event of this type.
    Event(&'a str),
    /// An error that the service describes, of this type; the payload says more.
    Exception(&'a str),
    /// An error that it does not describe.
    Error {
        /// Its code.
        code: &'a str,
        /// What happened, for people.
        message: &'a str,
    },
    /// None of these.
    Other,
}

impl Message {
    /// Its headers, in their order.
    pub fn headers(&self) -> Headers<'_> {
        Headers::new(&self.headers)
    }

    /// The text of the first header called `name`, if it is text.
    pub fn text(&self, name: &str) -> Option<&str> {
        let value = self.headers().find(|(key, _)| *key == name)?.1;
        match value {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// What it is.
    pub fn kind(&self) -> Kind<'_> {
        let kind = match self.text(":message-type") {
            Some("event") => self.text(":event-type").map(Kind::Event),
            Some("exception") => self.text(":exception-type").map(Kind::Exception),
            Some("error") => Some(Kind::Error {
                code: self.text(":error-code").unwrap_or_default(),
                message: self.text(":error-message").unwrap_or_default(),
            }),
            _ => None,
        };
        kind.unwrap_or(Kind::Other)
    }

    /// The media type of the payload, from `:content-type`.
    pub fn content_type(&self) -> Option<&str> {
        self.text(":content-type")
    }
}
