//! What a path below a route asks for, and in whose dialect: official SDKs know no other way to say
//! it. Looks at the end of a path only, so that a route may stand anywhere.

use std::borrow::Cow;

use http::{HeaderMap, Uri};
use weir_protocols::gemini::path::{self, Method, Target};

use super::api::Inbound;

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Endpoint<'p> {
    /// The models there are.
    Models(Inbound),
    /// An answer.
    Generate(Generate<'p>),
    /// Texts as vectors, in OpenAI's words.
    Embed,
    /// The length of a prompt, in tokens.
    Count(Inbound, Option<Cow<'p, str>>),
}

/// How an answer is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Generate<'p> {
    /// In whose words.
    pub(super) api: Inbound,
    /// The model, where the path names it.
    pub(super) model: Option<Cow<'p, str>>,
    /// Whether it is to be streamed, where the path says so.
    pub(super) stream: Option<bool>,
    /// Whether a stream is to be one JSON array instead of events.
    pub(super) array: bool,
}

/// What the path below a route asks for; `None` for nothing known.
pub(super) fn of<'p>(uri: &'p Uri, headers: &HeaderMap) -> Option<Endpoint<'p>> {
    let path = uri.path();
    let generate = |api| {
        Some(Endpoint::Generate(Generate {
            api,
            model: None,
            stream: None,
            array: false,
        }))
    };
    if let Some(Target::Call { model, method }) = gemini(path) {
        return of_gemini(model, method, uri.query());
    }
    match path {
        _ if path.ends_with("/chat/completions") => generate(Inbound::Chat),
        _ if path.ends_with("/responses") => generate(Inbound::Responses),
        _ if path.ends_with("/messages") => generate(Inbound::Messages),
        _ if path.ends_with("/messages/count_tokens") => {
            Some(Endpoint::Count(Inbound::Messages, None))
        }
        _ if path.ends_with("/embeddings") => Some(Endpoint::Embed),
        _ if path.ends_with("/models") => Some(Endpoint::Models(lister(path, headers))),
        _ => None,
    }
}

fn of_gemini<'p>(model: Cow<'p, str>, method: Method, query: Option<&str>) -> Option<Endpoint<'p>> {
    let events = query
        .into_iter()
        .flat_map(|query| query.split('&'))
        .any(|pair| pair == "alt=sse");
    let stream = match method {
        Method::Generate => false,
        Method::Stream => true,
        Method::CountTokens => return Some(Endpoint::Count(Inbound::Gemini, Some(model))),
        Method::Embed | Method::BatchEmbed => return None,
    };
    Some(Endpoint::Generate(Generate {
        api: Inbound::Gemini,
        model: Some(model),
        stream: Some(stream),
        array: stream && !events,
    }))
}

/// What a path of Gemini's says, wherever it begins.
fn gemini(path: &str) -> Option<Target<'_>> {
    if !path.contains("/models") {
        return None;
    }
    let starts = memchr::memchr_iter(b'/', path.as_bytes());
    starts.into_iter().find_map(|at| path::parse(&path[at..]))
}

/// In whose words models are listed: the path is the same with OpenAI and Anthropic.
fn lister(path: &str, headers: &HeaderMap) -> Inbound {
    if path.ends_with("/v1beta/models") {
        Inbound::Gemini
    } else if headers.contains_key("anthropic-version") {
        Inbound::Messages
    } else {
        Inbound::Chat
    }
}

/// The dialect a caller of this path reads errors in.
pub(crate) fn api(uri: &Uri, headers: &HeaderMap) -> Inbound {
    match of(uri, headers) {
        Some(Endpoint::Models(api) | Endpoint::Count(api, _)) => api,
        Some(Endpoint::Generate(generate)) => generate.api,
        Some(Endpoint::Embed) => Inbound::Chat,
        None => lister(uri.path(), headers),
    }
}

impl Endpoint<'_> {
    /// The method it is asked for by.
    pub(super) fn method(&self) -> http::Method {
        match self {
            Self::Models(_) => http::Method::GET,
            Self::Generate(_) | Self::Embed | Self::Count(..) => http::Method::POST,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(
        uri: &'static str,
        headers: &HeaderMap,
    ) -> Option<(Inbound, String, Option<bool>, bool)> {
        let uri = Uri::from_static(uri);
        let generate = match of(&uri, headers)? {
            Endpoint::Generate(generate) => generate,
            Endpoint::Models(api) => return Some((api, "models".to_owned(), None, false)),
            Endpoint::Embed => return Some((Inbound::Chat, "embed".to_owned(), None, false)),
            Endpoint::Count(api, _) => return Some((api, "count".to_owned(), None, false)),
        };
        let model = generate.model.unwrap_or_default().into_owned();
        Some((generate.api, model, generate.stream, generate.array))
    }

    #[test]
    fn the_end_of_a_path_says_what_is_asked_for() {
        let none = HeaderMap::new();
        let generate = |api| Some((api, String::new(), None, false));
        for (uri, expected) in [
            ("/v1/chat/completions", generate(Inbound::Chat)),
            ("/llm/v1/messages", generate(Inbound::Messages)),
            ("/v1/responses?x=1", generate(Inbound::Responses)),
            (
                "/v1/messages/count_tokens",
                Some((Inbound::Messages, "count".to_owned(), None, false)),
            ),
            (
                "/llm/v1beta/models/smart%2Fone:streamGenerateContent?alt=sse",
                Some((Inbound::Gemini, "smart/one".to_owned(), Some(true), false)),
            ),
            (
                "/v1beta/models/smart:streamGenerateContent",
                Some((Inbound::Gemini, "smart".to_owned(), Some(true), true)),
            ),
            (
                "/v1/projects/p/locations/l/publishers/google/models/m:generateContent",
                Some((Inbound::Gemini, "m".to_owned(), Some(false), false)),
            ),
            (
                "/v1/models",
                Some((Inbound::Chat, "models".to_owned(), None, false)),
            ),
            (
                "/v1beta/models",
                Some((Inbound::Gemini, "models".to_owned(), None, false)),
            ),
            (
                "/llm/v1/embeddings",
                Some((Inbound::Chat, "embed".to_owned(), None, false)),
            ),
            ("/v1/files", None),
        ] {
            assert_eq!(asked(uri, &none), expected, "{uri}");
        }
    }

    #[test]
    fn models_are_listed_in_the_words_of_whoever_asks() {
        let mut headers = HeaderMap::new();
        headers.insert("anthropic-version", "2023-06-01".parse().expect("a value"));
        assert_eq!(
            asked("/v1/models", &headers).map(|asked| asked.0),
            Some(Inbound::Messages)
        );
        assert_eq!(
            api(&Uri::from_static("/v1/unknown"), &headers),
            Inbound::Messages
        );
    }
}
