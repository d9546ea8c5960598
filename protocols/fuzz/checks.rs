//! What must hold for any bytes whatsoever. The fuzz targets call these, and
//! so does a test on the seed corpus, which keeps both alive.

#[path = "checks_anthropic.rs"]
mod anthropic;
#[path = "checks_bedrock.rs"]
mod bedrock;
#[path = "checks_cloudevents.rs"]
mod cloudevents;
#[path = "checks_completion.rs"]
mod completion;
#[path = "checks_embeddings.rs"]
mod embeddings;
#[path = "checks_gemini.rs"]
mod gemini;
#[path = "checks_graphql.rs"]
mod graphql;
#[path = "checks_grpc.rs"]
mod grpc;
#[path = "checks_mould.rs"]
mod mould;
#[path = "checks_responses.rs"]
mod responses;
#[path = "checks_texts.rs"]
mod texts;
#[path = "checks_transcode.rs"]
mod transcode;
#[path = "checks_websocket.rs"]
mod websocket;

pub use anthropic::anthropic;
pub use bedrock::bedrock;
pub use cloudevents::cloudevents;
pub use completion::completion;
pub use embeddings::embeddings;
pub use gemini::gemini;
pub use graphql::graphql;
pub use grpc::grpc;
pub use mould::mould;
pub use responses::responses;
pub use texts::texts;
pub use transcode::{template, transcode};
pub use websocket::websocket;

use bytes::Bytes;
use weir_protocols::http1::head::{Fault, Limits, Scanner, Step};
use weir_protocols::image::{self, Header};
use weir_protocols::llm::prompt::{Part, Prompt as _};
use weir_protocols::openai::chat::{LimitField, Request, Splice};
use weir_protocols::openai::usage;
use weir_protocols::sse::{Event, Splitter, Tail, TooLong};

/// A head's verdict does not depend on how it arrives, and a head let through
/// has no line end but CR LF.
pub fn head(data: &[u8]) {
    let limits = Limits {
        max_bytes: 512,
        max_fields: 8,
    };
    let whole = Scanner::new(limits).scan(data);
    assert_eq!(dripped(limits, data), whole);
    let Ok(Step::Head(head)) = whole else { return };
    let bytes = &data[..head.len];
    assert!(bytes.len() <= limits.max_bytes && bytes.ends_with(b"\r\n\r\n"));
    for at in memchr::memchr_iter(b'\n', bytes) {
        assert_eq!(bytes[at - 1], b'\r');
    }
    assert_eq!(
        memchr::memchr_iter(b'\r', bytes).count(),
        memchr::memchr_iter(b'\n', bytes).count()
    );
    assert!(data[head.target].iter().all(u8::is_ascii_graphic));
    assert!(!head.method.is_empty());
}

fn dripped(limits: Limits, data: &[u8]) -> Result<Step, Fault> {
    let mut scanner = Scanner::new(limits);
    for end in 0..=data.len() {
        let step = scanner.scan(&data[..end]);
        if step != Ok(Step::More) {
            return step;
        }
    }
    Ok(Step::More)
}

/// A stream's events do not depend on how it arrives, and not a byte is lost.
pub fn sse(data: &[u8]) {
    let whole = split([Bytes::copy_from_slice(data)]);
    let dripped = split(data.iter().map(|byte| Bytes::copy_from_slice(&[*byte])));
    assert_eq!(dripped, whole);
    let (events, tail) = whole;
    let Ok(tail) = tail else { return };
    let tail = match tail {
        Tail::Nothing => Bytes::new(),
        Tail::Event(event) => event.raw,
        Tail::Unterminated(rest) => rest,
    };
    let raw = events.iter().map(|event| &event.raw).chain([&tail]);
    assert_eq!(raw.flatten().copied().collect::<Vec<u8>>(), data);
    for event in &events {
        let payload = event.data();
        assert!(payload.len() < event.raw.len());
        assert!(event.has_data() || payload.is_empty());
    }
}

fn split(chunks: impl IntoIterator<Item = Bytes>) -> (Vec<Event>, Result<Tail, TooLong>) {
    let mut splitter = Splitter::new(256);
    let mut events = Vec::new();
    for chunk in chunks {
        splitter.feed(chunk);
        loop {
            match splitter.next_event() {
                Ok(Some(event)) => events.push(event),
                Ok(None) => break,
                Err(error) => return (events, Err(error)),
            }
        }
    }
    (events, Ok(splitter.finish()))
}

/// What is read of a chat request is what a tree parser reads, its texts are
/// within their bound, and its edits do what they say.
pub fn chat(data: &[u8]) {
    let Ok(request) = Request::parse(data) else {
        return;
    };
    // A tree cannot hold lone surrogates or great depth; nor need it.
    if let Ok(tree) = serde_json::from_slice::<serde_json::Value>(data) {
        assert_eq!(tree["model"].as_str(), Some(&*request.model));
        assert_eq!(
            tree["messages"].as_array().map(Vec::len),
            Some(request.messages_len)
        );
        assert_eq!(tree["stream"].as_bool().unwrap_or(false), request.stream);
        let limit = tree["max_completion_tokens"]
            .as_u64()
            .or(tree["max_tokens"].as_u64());
        assert_eq!(
            request.output_limit.as_ref().map(|limit| limit.tokens),
            limit
        );
    }
    let mut text = 0;
    let mut attachments = 0;
    request.for_each_part(&mut |part| match part {
        Part::Text(part) | Part::Json(part) => text += part.len(),
        Part::Name(name) => text += name.len() + 1,
        Part::Tools(json) | Part::Functions(json) | Part::ResponseFormat(json) => {
            text += json.len();
        }
        Part::Image(_) | Part::Attachment => attachments += 1,
        Part::Tokens(_) | Part::Call => {}
    });
    assert!(text + 3 * request.messages_len + 3 <= request.text_bytes());
    assert_eq!(attachments, request.attachments);

    let mut splice = Splice::new(Bytes::copy_from_slice(data));
    splice
        .with_model(&request, "a \"new\" name")
        .with_usage_requested(&request)
        .with_max_tokens(&request, 7, LimitField::MaxTokens);
    let edited = splice.finish();
    let after = Request::parse(&edited).expect("edits keep a request sound");
    assert_eq!(after.model, "a \"new\" name");
    assert_eq!(after.include_usage, request.include_usage || request.stream);
    assert!(after.output_limit.is_some_and(|limit| limit.tokens <= 7));
    assert_eq!(&edited[after.messages], &data[request.messages]);
}

/// The ways to usage that parse little find what a parse of everything finds.
pub fn usage(data: &[u8]) {
    let whole = usage::from_completion(data);
    let chunk = usage::from_chunk(data).map(|chunk| chunk.usage);
    assert!(chunk.is_none() || chunk == whole);
    // A key written with escapes is known to be missed by them.
    let escaped = memchr::memchr(b'\\', data).is_some();
    if let (Some(found), Ok(tree)) = (whole, serde_json::from_slice::<serde_json::Value>(data)) {
        let said = tree["usage"]["prompt_tokens"].as_u64();
        assert!(said == Some(found.input) || escaped);
    }
    assert!(!usage::is_done(data) || whole.is_none());
}

/// What an image's first bytes say does not change with those that follow, and
/// its sides are at least one pixel.
pub fn image(data: &[u8]) {
    let whole = image::header(data);
    if let Header::Size(size) = whole {
        assert!(size.width >= 1 && size.height >= 1);
    }
    for end in 0..data.len().min(256) {
        let part = image::header(&data[..end]);
        assert!(part == Header::More || part == whole);
    }
    if let Ok(url) = std::str::from_utf8(data) {
        image::size_in_data_url(url);
        image::size_in_data_url(&format!("data:;base64,{url}"));
    }
}
