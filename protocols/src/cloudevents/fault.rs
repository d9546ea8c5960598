//! Why something is no event.

use std::fmt;

/// Why something is no event. Written out, it holds nothing of what was sent but names of attributes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// It is no JSON object; in a batch, no array.
    Json,
    /// A batch has more events than that.
    TooMany(usize),
    /// It is of a version other than 1.0.
    Version,
    /// A required attribute is not there.
    Missing(&'static str),
    /// An attribute is called what none may be called.
    Name,
    /// An attribute is given more than once.
    Twice(Box<str>),
    /// An attribute does not say what it has to.
    Value {
        /// Which.
        attribute: Box<str>,
        /// What it has to be.
        wanted: &'static str,
    },
    /// What is a header field or a body of its own is given as an attribute.
    NoAttribute(&'static str),
    /// Both `data` and `data_base64` are there.
    TwoData,
    /// `data_base64` is no base64.
    Base64,
    /// The data is not JSON, and `data` is no text that could hold it.
    Data,
    /// It is in a format other than JSON.
    Format,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Json => f.write_str("it is not the JSON that is expected"),
            Self::TooMany(most) => write!(f, "there are more than {most} events"),
            Self::Version => f.write_str("`specversion` has to be \"1.0\""),
            Self::Missing(name) => write!(f, "the attribute `{name}` is missing"),
            Self::Name => f.write_str(
                "names of attributes are lower-case letters and digits, and none is called `data`",
            ),
            Self::Twice(name) => write!(f, "`{name}` is given more than once"),
            Self::Value { attribute, wanted } => {
                write!(f, "the attribute `{attribute}` has to be {wanted}")
            }
            Self::NoAttribute(name) => write!(f, "`{name}` is no header field of its own here"),
            Self::TwoData => f.write_str("it has both `data` and `data_base64`"),
            Self::Base64 => f.write_str("`data_base64` has to be base64"),
            Self::Data => f.write_str(
                "`datacontenttype` is not JSON, so that `data` has to be text; send bytes as `data_base64`",
            ),
            Self::Format => f.write_str("of formats of events, JSON is taken and no other"),
        }
    }
}

impl std::error::Error for Fault {}
