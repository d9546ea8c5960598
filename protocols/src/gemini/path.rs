//! Which model is called by which method: both stand in the path, not in the body.

use std::borrow::Cow;

/// What is done to a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Method {
    /// `generateContent`: a whole answer.
    Generate,
    /// `streamGenerateContent`: the answer piece by piece, as events where the query says
    /// `alt=sse` and else as one JSON array.
    Stream,
    /// `countTokens`.
    CountTokens,
    /// `embedContent`: one text.
    Embed,
    /// `batchEmbedContents`: many.
    BatchEmbed,
}

impl Method {
    const ALL: [Self; 5] = [
        Self::Generate,
        Self::Stream,
        Self::CountTokens,
        Self::Embed,
        Self::BatchEmbed,
    ];

    /// Its name in a path.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Generate => "generateContent",
            Self::Stream => "streamGenerateContent",
            Self::CountTokens => "countTokens",
            Self::Embed => "embedContent",
            Self::BatchEmbed => "batchEmbedContents",
        }
    }
}

/// What a path asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target<'a> {
    /// `POST …/models/{model}:{method}`.
    Call {
        /// The model.
        model: Cow<'a, str>,
        /// What is done to it.
        method: Method,
    },
    /// `GET …/models`: the list.
    Models,
    /// `GET …/models/{model}`: one of it.
    Model(Cow<'a, str>),
}

/// Reads a path, its query left out: the Gemini API's `/v1beta/models/M:method` and Vertex AI's
/// `/v1/projects/P/locations/L/publishers/google/models/M:method`, of any version. A model's name
/// may hold slashes and colons; the method stands after the last colon. `None` if it is neither, or
/// the method is none of [`Method`].
pub fn parse(path: &str) -> Option<Target<'_>> {
    let (version, rest) = path.strip_prefix('/')?.split_once('/')?;
    if !version.starts_with('v') {
        return None;
    }
    let rest = below_publisher(rest)?;
    if rest == "models" {
        return Some(Target::Models);
    }
    let named = rest.strip_prefix("models/")?;
    let (name, method) = match named.rsplit_once(':') {
        None => (named, None),
        Some((name, word)) => {
            let method = Method::ALL.into_iter().find(|m| m.name() == word)?;
            (name, Some(method))
        }
    };
    let model = decode(name).filter(|model| !model.is_empty())?;
    Some(match method {
        Some(method) => Target::Call { model, method },
        None => Target::Model(model),
    })
}

/// What stands below Vertex AI's `projects/P/locations/L/publishers/google/`; all of it elsewhere.
fn below_publisher(path: &str) -> Option<&str> {
    let path = match path.strip_prefix("projects/") {
        None => path,
        Some(after) => {
            let (_, after) = after.split_once("/locations/")?;
            let (location, after) = after.split_once('/')?;
            (!location.is_empty()).then_some(after)?
        }
    };
    Some(path.strip_prefix("publishers/google/").unwrap_or(path))
}

/// Where to call `model`, beginning with `/models/`: what follows the version on the Gemini API,
/// and `…/publishers/google` on Vertex AI.
pub fn write(model: &str, method: Method) -> String {
    let mut path = String::with_capacity(model.len() + 32);
    path.push_str("/models/");
    for byte in model.strip_prefix("models/").unwrap_or(model).bytes() {
        match byte {
            b'-' | b'.' | b'_' | b'~' | b'/' | b'@' | b':' => path.push(char::from(byte)),
            _ if byte.is_ascii_alphanumeric() => path.push(char::from(byte)),
            _ => path.push_str(&format!("%{byte:02X}")),
        }
    }
    path.push(':');
    path.push_str(method.name());
    path
}

/// Percent-decodes (RFC 3986, 2.1). `None` if an escape is broken or the bytes are no text.
fn decode(text: &str) -> Option<Cow<'_, str>> {
    if !text.contains('%') {
        return Some(Cow::Borrowed(text));
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [byte, after @ ..] = rest {
        rest = after;
        bytes.push(match (byte, after) {
            (b'%', [high, low, after @ ..]) => {
                rest = after;
                let digit = |byte: &u8| char::from(*byte).to_digit(16);
                u8::try_from(digit(high)? << 4 | digit(low)?).ok()?
            }
            (b'%', _) => return None,
            _ => *byte,
        });
    }
    String::from_utf8(bytes).ok().map(Cow::Owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(model: &str, method: Method) -> Option<Target<'_>> {
        let model = model.into();
        Some(Target::Call { model, method })
    }

    #[test]
    fn both_apis_name_model_and_method() {
        for (path, expected) in [
            (
                "/v1beta/models/gemini-3-pro:generateContent",
                call("gemini-3-pro", Method::Generate),
            ),
            (
                "/v1/projects/p/locations/eu/publishers/google/models/m:streamGenerateContent",
                call("m", Method::Stream),
            ),
            (
                "/v1beta1/publishers/google/models/m:countTokens",
                call("m", Method::CountTokens),
            ),
            (
                "/v1/models/open/llama3%3A8b:embedContent",
                call("open/llama3:8b", Method::Embed),
            ),
            ("/v1beta/models", Some(Target::Models)),
            ("/v1beta/models/a", Some(Target::Model("a".into()))),
            ("/v1beta/models/a:predict", None),
            ("/v1beta/models/:generateContent", None),
            ("/v1beta/models/%8:generateContent", None),
            ("/v1beta/models/%ff:generateContent", None),
            ("/v1/projects/p/models/a:generateContent", None),
            ("/models/a:generateContent", None),
            ("", None),
        ] {
            assert_eq!(parse(path), expected, "{path}");
        }
    }

    #[test]
    fn a_path_that_is_written_reads_back() {
        for model in ["gemini-2.5-pro", "a/b:c", "\u{e4} %"] {
            for method in Method::ALL {
                let path = format!("/v1beta{}", write(model, method));
                assert_eq!(parse(&path), call(model, method), "{path}");
            }
        }
    }
}
