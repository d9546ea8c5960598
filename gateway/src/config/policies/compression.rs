//! `compression`, checked.

use crate::config::check::{At, Checker};
use crate::config::raw::policies as raw;

/// Compresses answers for callers who accept that.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// In the order preferred; at least one, and each at most once.
    pub encoders: Vec<Encoder>,
    /// Answers known to be shorter stay as they are, in bytes.
    pub min_length: u64,
    /// What is compressed.
    pub types: Vec<Type>,
}

/// An encoding, and how hard it tries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Encoder {
    /// Which.
    pub coding: Coding,
    /// Within what is offered: beyond it, a piece of 16 KiB takes many milliseconds of a worker, and
    /// an answer on its way tens of MiB.
    pub level: u32,
}

/// A content coding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Coding {
    /// RFC 8878.
    Zstd,
    /// RFC 7932.
    Brotli,
    /// RFC 1952.
    Gzip,
}

impl Coding {
    /// As header fields say it.
    pub const fn token(self) -> &'static str {
        match self {
            Self::Zstd => "zstd",
            Self::Brotli => "br",
            Self::Gzip => "gzip",
        }
    }
}

/// Media types.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Type {
    /// `*/*`.
    Any,
    /// `text/*`: those that begin so, the slash included.
    Family(String),
    /// `+json`: those that end so.
    Suffix(String),
    /// This one.
    Exact(String),
}

impl Type {
    /// Whether `essence`, a type without parameters in small letters, is one of these.
    pub fn matches(&self, essence: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Family(family) => essence.starts_with(family),
            Self::Suffix(suffix) => essence.ends_with(suffix),
            Self::Exact(exact) => essence == exact,
        }
    }

    fn parse(text: &str) -> Option<Self> {
        let text = text.to_ascii_lowercase();
        let is_token = |part: &str| {
            let byte = |b: u8| b.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&b);
            !part.is_empty() && part.bytes().all(byte)
        };
        if let Some(suffix) = text.strip_prefix('+') {
            return is_token(suffix).then_some(Self::Suffix(text));
        }
        match text.split_once('/')? {
            ("*", "*") => Some(Self::Any),
            (family, "*") if is_token(family) => Some(Self::Family(format!("{family}/"))),
            (family, name) if is_token(family) && is_token(name) => Some(Self::Exact(text)),
            _ => None,
        }
    }
}

/// Checks `compression`.
pub(in crate::config) fn check(
    cx: &mut Checker<'_>,
    at: &At,
    raw: &raw::Compression,
) -> Option<Config> {
    let mut encoders: Vec<Encoder> = Vec::new();
    for (index, encoding) in raw.encodings.iter().enumerate() {
        let at = at.key("encodings").index(index);
        let (coding, level) = match *encoding {
            raw::Encoding::Zstd { level } => (Coding::Zstd, level),
            raw::Encoding::Br { level } => (Coding::Brotli, level),
            raw::Encoding::Gzip { level } => (Coding::Gzip, level),
        };
        let token = coding.token();
        if encoders.iter().any(|other| other.coding == coding) {
            let message = format!("{token} is given before");
            cx.fault(&at, message, "give each encoding once");
            continue;
        }
        encoders.push(Encoder { coding, level });
    }
    let mut types = Vec::new();
    for (index, text) in raw.types.iter().enumerate() {
        match Type::parse(text) {
            Some(parsed) => types.push(parsed),
            None => cx.fault(
                &at.key("types").index(index),
                format!("\"{text}\" is no media type"),
                "write it as application/json, text/*, +json or */*",
            ),
        }
    }
    Some(Config {
        encoders,
        min_length: raw.min_length.0,
        types,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_named_by_themselves_their_family_or_their_end() {
        let matches = |text, essence| Type::parse(text).expect("a media type").matches(essence);
        assert!(matches("Application/JSON", "application/json"));
        assert!(!matches("application/json", "application/json-seq"));
        assert!(matches("text/*", "text/event-stream") && !matches("text/*", "texts/a"));
        assert!(matches("+json", "application/problem+json"));
        assert!(!matches("+json", "application/json"));
        assert!(matches("*/*", "image/png"));
        for bad in [
            "", "json", "*/json", "a/b/c", "a/", "/b", "+", "a/b; c=d", "*",
        ] {
            assert_eq!(Type::parse(bad), None, "{bad}");
        }
    }
}
