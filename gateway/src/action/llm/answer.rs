//! A model's answer on its way to the caller, and what it says it used.
//!
//! Bytes pass as they came. Of a stream, the usage report the gateway asked for is held back from
//! callers who did not ask; a stream that breaks ends with an error event, never cleanly.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::StatusCode;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, RETRY_AFTER};
use weir_protocols::openai::{error as openai_error, finish, usage};
use weir_protocols::sse::{Event, Outgoing, Splitter, Tail, write_event};
use weir_telemetry::Code;

use crate::error::GatewayError;
use crate::proxy::{Downstream, Request, respond};
use crate::quota::{Provenance, Used};
use crate::upstream::{Answer, Body, Exchange, Incoming};

/// What the caller asked for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wishes {
    /// A stream.
    pub(super) stream: bool,
    /// Usage at its end.
    pub(super) usage: bool,
}

/// The longest event and the longest whole answer searched for usage, in bytes.
const MAX_EVENT: usize = 1 << 20;
const MAX_ANSWER: usize = 16 << 20;

/// Passes an answer on. `prompt` bounds the prompt's tokens, for when the provider does not say.
pub(super) async fn pass(
    request: &mut Request,
    down: &mut Downstream,
    answer: Answer,
    body: &mut Body,
    wishes: Wishes,
    prompt: u64,
) -> Result<(), GatewayError> {
    let Answer {
        mut head,
        mut exchange,
    } = answer;
    if let Some(error) = provider_fault(head.status, &head.headers) {
        request.tokens_used = Some(Used {
            amount: 0,
            provenance: Provenance::Counted,
        });
        exchange.abandon(request, &error);
        return Err(error);
    }
    let ok = head.status == StatusCode::OK;
    if ok && let Some(error) = unreadable(&head.headers, wishes) {
        // Whatever it is, it may have cost what was reserved.
        exchange.abandon(request, &error);
        return Err(error);
    }
    let is_stream = ok && wishes.stream;
    if is_stream {
        // An event may be hidden or added, so that it has no length known before.
        head.remove_header(&CONTENT_LENGTH);
    }
    if let Some(reply) = respond::head(request, down, head, false).await? {
        return crate::proxy::reply::send(request, down, reply).await;
    }
    let passed = if is_stream {
        stream(request, down, &mut exchange, body, wishes, prompt).await
    } else {
        whole(request, down, &mut exchange, body, ok, prompt).await
    };
    match passed {
        Ok(()) => {
            exchange.finish(request);
            Ok(())
        }
        Err(error) => {
            exchange.abandon(request, &error);
            Err(error)
        }
    }
}

/// What a provider's refusal is to our caller. Other 4xx are about the request and pass as they
/// are.
fn provider_fault(status: StatusCode, headers: &HeaderMap) -> Option<GatewayError> {
    let code = match status.as_u16() {
        429 => Code::ProviderRateLimited,
        401 | 403 => Code::ProviderCredentialRejected,
        503 | 529 => Code::ProviderOverloaded,
        500..=599 => Code::ProviderError,
        // No API of this dialect sends its callers elsewhere.
        300..=399 => Code::ProviderResponseInvalid,
        _ => return None,
    };
    let error =
        GatewayError::new(code).source(format!("the provider answered {}", status.as_u16()));
    let after = headers
        .get(RETRY_AFTER)
        .and_then(|v| v.to_str().ok())
        .and_then(|v| v.parse().ok());
    Some(match after {
        Some(seconds) => error.retry_after(Duration::from_secs(seconds)),
        None => error,
    })
}

/// Why the head of a completion says that it is none a caller could read. A provider that does not
/// say what it sends is believed to send what was asked for.
fn unreadable(headers: &HeaderMap, wishes: Wishes) -> Option<GatewayError> {
    let invalid = |why: String| Some(GatewayError::new(Code::ProviderResponseInvalid).source(why));
    if let Some(coding) = headers
        .get(CONTENT_ENCODING)
        .filter(|v| v.as_bytes() != b"identity")
    {
        return invalid(format!(
            "the provider answered in the coding {coding:?}, and was asked for none"
        ));
    }
    let sent = headers.get(CONTENT_TYPE)?;
    let essence = sent
        .to_str()
        .unwrap_or_default()
        .split(';')
        .next()
        .unwrap_or_default()
        .trim();
    let expected = if wishes.stream {
        "text/event-stream"
    } else {
        "application/json"
    };
    if essence.eq_ignore_ascii_case(expected) {
        return None;
    }
    invalid(format!(
        "the provider answered with {sent:?} instead of {expected}"
    ))
}

/// An answer in one JSON document.
async fn whole(
    request: &mut Request,
    down: &mut Downstream,
    exchange: &mut Exchange,
    body: &mut Body,
    ok: bool,
    prompt: u64,
) -> Result<(), GatewayError> {
    let mut seen = Seen::default();
    loop {
        match exchange.next(request, down, body).await? {
            Incoming::Chunk(chunk) => {
                seen.add(&chunk);
                down.write_chunk(chunk).await?;
            }
            Incoming::End(trailers) => {
                let document = seen.document();
                if ok {
                    stopped(request, &document);
                }
                match usage::from_completion(&document) {
                    Some(usage) => told(request, &usage),
                    None if ok => estimate(request, prompt, seen.total),
                    None => {
                        request.tokens_used = Some(Used {
                            amount: 0,
                            provenance: Provenance::Counted,
                        })
                    }
                }
                return down.write_end(trailers).await;
            }
            Incoming::Informational(_) | Incoming::Head(_) => {}
        }
    }
}

/// What has passed of a document; one chunk alone is not copied.
#[derive(Default)]
struct Seen {
    first: Bytes,
    rest: BytesMut,
    total: usize,
}

impl Seen {
    fn add(&mut self, chunk: &Bytes) {
        if self.total == 0 {
            self.first = chunk.clone();
        } else if self.total < MAX_ANSWER {
            if self.rest.is_empty() {
                self.rest.extend_from_slice(&self.first);
            }
            self.rest.extend_from_slice(chunk);
        }
        self.total += chunk.len();
    }

    fn document(&mut self) -> Bytes {
        if self.rest.is_empty() {
            self.first.clone()
        } else {
            self.rest.split().freeze()
        }
    }
}

/// A stream of events.
async fn stream(
    request: &mut Request,
    down: &mut Downstream,
    exchange: &mut Exchange,
    body: &mut Body,
    wishes: Wishes,
    prompt: u64,
) -> Result<(), GatewayError> {
    let mut scan = Scan::new(wishes, request.reservation.is_some());
    let ended = loop {
        match exchange.next(request, down, body).await {
            Ok(Incoming::Chunk(chunk)) => {
                first_chunk(request);
                let passing = match scan.pass(request, chunk) {
                    Ok(passing) => passing,
                    Err(error) => break Err(error),
                };
                // Until usage is told, this is what a broken-off stream is charged.
                if scan.metered && !is_told(request) {
                    estimate(request, prompt, scan.output);
                }
                match passing {
                    Passing::Chunk(chunk) if down.response_filters.is_empty() => {
                        down.write_chunk(chunk).await?;
                    }
                    Passing::Chunk(_) | Passing::Events => {
                        for event in scan.events.drain(..) {
                            down.write_event(event).await?;
                        }
                    }
                }
                scan.events.clear();
            }
            Ok(Incoming::End(trailers)) => {
                if let Some(last) = scan.end(request) {
                    down.write_event(last).await?;
                }
                if scan.done {
                    break Ok(trailers);
                }
                break Err(GatewayError::new(Code::HttpResponseIncomplete)
                    .source("the stream ended before [DONE]"));
            }
            Ok(Incoming::Informational(_) | Incoming::Head(_)) => {}
            Err(stop) => break Err(GatewayError::from(stop)),
        }
    };
    match ended {
        Ok(trailers) => down.write_end(trailers).await,
        Err(error) => {
            if error.code != Code::ClientDisconnected {
                // The caller may be gone too; the failure is recorded either way.
                let _ = down.write_chunk(error_event(&error)).await;
            }
            Err(error)
        }
    }
}

/// Looks at events as they pass.
struct Scan {
    splitter: Splitter,
    wishes: Wishes,
    done: bool,
    /// Whether an estimate may be needed: making one costs a parse per event.
    metered: bool,
    /// Bytes of output so far, from which tokens are estimated.
    output: usize,
    /// The events that the latest chunk completed.
    events: Vec<Bytes>,
}

/// What goes to the caller now.
enum Passing {
    /// The chunk as it came: it is whole events, and none is hidden.
    Chunk(Bytes),
    /// The events in [`Scan::events`].
    Events,
}

impl Scan {
    fn new(wishes: Wishes, metered: bool) -> Self {
        let splitter = Splitter::new(MAX_EVENT);
        Scan {
            splitter,
            wishes,
            done: false,
            metered,
            output: 0,
            events: Vec::new(),
        }
    }

    /// What of `chunk`, and of what was held back before it, goes to the caller now.
    fn pass(&mut self, request: &mut Request, chunk: Bytes) -> Result<Passing, GatewayError> {
        self.splitter.feed(chunk.clone());
        let (mut length, mut hidden) = (0, false);
        loop {
            let event = self.splitter.next_event().map_err(|too_long| {
                GatewayError::new(Code::ProviderResponseInvalid).source(too_long)
            })?;
            let Some(event) = event else { break };
            if self.look(request, &event) {
                hidden = true;
                continue;
            }
            length += event.raw.len();
            self.events.push(event.raw);
        }
        // None held back before or after, none hidden: the chunk is what they were cut from.
        let first = self.events.first();
        let cut_from = first.is_some_and(|event| event.as_ptr() == chunk.as_ptr());
        let untouched = !hidden && length == chunk.len() && cut_from;
        Ok(if untouched {
            Passing::Chunk(chunk)
        } else {
            Passing::Events
        })
    }

    /// What the stream's end completes: an event that might have gone on, or a last line that lacks
    /// its line end, as some providers leave it.
    fn end(&mut self, request: &mut Request) -> Option<Bytes> {
        let splitter = std::mem::replace(&mut self.splitter, Splitter::new(MAX_EVENT));
        match splitter.finish() {
            Tail::Nothing => None,
            Tail::Event(event) => (!self.look(request, &event)).then_some(event.raw),
            Tail::Unterminated(raw) => {
                let line = raw.strip_prefix(b"data:").is_some_and(usage::is_done);
                self.done |= line;
                line.then(|| Bytes::from_static(b"data: [DONE]\n\n"))
            }
        }
    }

    /// Reads one event; whether it is to be hidden from the caller.
    fn look(&mut self, request: &mut Request, event: &Event) -> bool {
        let data = event.data();
        if usage::is_done(&data) {
            self.done = true;
            return false;
        }
        stopped(request, &data);
        if let Some(found) = usage::from_chunk(&data) {
            told(request, &found.usage);
            return found.only && !self.wishes.usage;
        }
        if self.metered {
            self.output += usage::content_bytes(&data);
        }
        false
    }
}

fn first_chunk(request: &mut Request) {
    let since = request.began.elapsed();
    if let Some(llm) = &mut request.record.llm {
        llm.first_chunk.get_or_insert(since);
    }
}

/// Notes why the model stopped, unless that is known or nobody would read it.
fn stopped(request: &mut Request, data: &[u8]) {
    if let Some(llm) = &mut request.record.llm
        && llm.finish_reason.is_none()
    {
        llm.finish_reason = finish::reason(data).map(str::to_owned);
    }
}

fn is_told(request: &Request) -> bool {
    request
        .tokens_used
        .is_some_and(|used| used.provenance == Provenance::Provider)
}

/// The provider said what was used.
fn told(request: &mut Request, usage: &usage::Usage) {
    request.tokens_used = Some(Used {
        amount: usage.total_tokens,
        provenance: Provenance::Provider,
    });
    if let Some(llm) = &mut request.record.llm {
        llm.prompt_tokens = Some(usage.prompt_tokens);
        llm.completion_tokens = Some(usage.completion_tokens);
        llm.provenance = "provider";
    }
}

/// Nobody said: no token is shorter than a byte, so this is never too little.
fn estimate(request: &mut Request, prompt: u64, output_bytes: usize) {
    let amount = prompt.saturating_add(output_bytes as u64);
    request.tokens_used = Some(Used {
        amount,
        provenance: Provenance::Estimated,
    });
    if let Some(llm) = &mut request.record.llm {
        llm.prompt_tokens = Some(prompt);
        llm.completion_tokens = Some(output_bytes as u64);
        llm.provenance = "estimated";
    }
}

fn error_event(error: &GatewayError) -> Bytes {
    let mut data = Vec::new();
    openai_error::write(
        &mut data,
        &openai_error::Error {
            message: &error.public,
            kind: "api_error",
            param: None,
            code: Some(error.code.slug()),
        },
    );
    let mut out = BytesMut::new();
    let event = Outgoing {
        data: &data,
        ..Outgoing::default()
    };
    write_event(&mut out, &event).expect("no name and no id, so no line break in them");
    out.freeze()
}
