//! An answer that was kept, told again as its caller wants it: a document or a stream, whichever it
//! was, in the provider's own words where the caller speaks alike.

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderValue, StatusCode};
use weir_protocols::llm::{Answer, Envelope, Event, Gather};
use weir_protocols::openai::usage;

use super::entry::{Entry, Form};
use crate::action::llm::api::{Inbound, Outbound};
use crate::action::llm::ask::Asked;
use crate::action::llm::events::{Frame, Sink, Source};
use crate::action::llm::{fault, whole};
use crate::error::GatewayError;
use crate::proxy::{Downstream, Request, reply, respond};

/// An answer, ready to be sent.
pub(super) enum Replay {
    /// In one document.
    Whole(Bytes),
    /// Event by event.
    Stream {
        events: Vec<Bytes>,
        /// Whether it is one JSON array.
        array: bool,
    },
}

impl Replay {
    /// An entry as the caller of `asked` wants it, whose request is called `id`; `None` if it cannot
    /// be told so.
    pub(super) fn of(entry: &Entry, asked: &Asked<'_>, id: &str) -> Option<Self> {
        let speaks = entry.head.speaks;
        let alike = asked.api.is(speaks);
        let envelope = Envelope {
            id,
            model: &entry.head.model,
            created: entry.head.kept_at / 1000,
        };
        match (entry.head.form, asked.stream()) {
            (Form::Vectors, _) => Some(Self::Whole(entry.body.clone())),
            (Form::Whole, false) if alike => Some(Self::Whole(entry.body.clone())),
            (Form::Whole, false) => {
                let answer = speaks.read(&entry.body, id).ok()?;
                Some(Self::document(&answer, asked.api, &envelope))
            }
            (Form::Stream, false) => {
                let told = gather(speaks, &entry.body, id)?;
                // Documents of every dialect say what was used.
                told.answer.usage?;
                let created = told.created.unwrap_or(envelope.created);
                let envelope = Envelope {
                    created,
                    ..envelope
                };
                Some(Self::document(&told.answer, asked.api, &envelope))
            }
            (Form::Whole, true) => {
                let answer = speaks.read(&entry.body, id).ok()?;
                let mut sink = sink(asked, &envelope);
                let mut events = Vec::new();
                answer.tell(&mut |event| write(&mut sink, event, &mut events));
                Some(Self::stream(events, asked))
            }
            (Form::Stream, true) if alike && !asked.array() => {
                let events = as_they_came(entry, asked)?;
                Some(Self::stream(events, asked))
            }
            (Form::Stream, true) => {
                let mut sink = sink(asked, &envelope);
                let mut events = Vec::new();
                let ended = walk(speaks, &entry.body, id, &mut |_, event| {
                    write(&mut sink, event, &mut events);
                })?;
                if ended == Ended::WithItsBytes {
                    write(&mut sink, &Event::End, &mut events);
                }
                Some(Self::stream(events, asked))
            }
        }
    }

    fn document(answer: &Answer<'_>, api: Inbound, envelope: &Envelope<'_>) -> Self {
        let mut out = Vec::new();
        api.write(&mut out, answer, envelope);
        Self::Whole(out.into())
    }

    fn stream(events: Vec<Bytes>, asked: &Asked<'_>) -> Self {
        Self::Stream {
            events,
            array: asked.array(),
        }
    }

    /// Sends it.
    pub(super) async fn send(
        self,
        request: &mut Request,
        down: &mut Downstream,
    ) -> Result<(), GatewayError> {
        let (events, array) = match self {
            Self::Whole(document) => {
                let fields = [
                    (CONTENT_TYPE, HeaderValue::from_static("application/json")),
                    (CONTENT_LENGTH, HeaderValue::from(document.len())),
                ];
                let head = fault::head(StatusCode::OK, fields)?;
                return whole::send(request, down, head, document).await;
            }
            Self::Stream { events, array } => (events, array),
        };
        let sent = match array {
            true => "application/json",
            false => "text/event-stream",
        };
        let fields = [
            (CONTENT_TYPE, HeaderValue::from_static(sent)),
            (CACHE_CONTROL, HeaderValue::from_static("no-cache")),
        ];
        let head = fault::head(StatusCode::OK, fields)?;
        if let Some(answered) = respond::head(request, down, head, false).await? {
            return reply::send(request, down, answered).await;
        }
        for event in events {
            down.write_event(event).await?;
        }
        down.write_end(None).await
    }
}

fn sink(asked: &Asked<'_>, envelope: &Envelope<'_>) -> Sink {
    Sink::new(asked.api, envelope, asked.usage(), asked.array())
}

fn write(sink: &mut Sink, event: &Event<'_>, events: &mut Vec<Bytes>) {
    // Nothing has to be kept alive.
    if *event == Event::Ping {
        return;
    }
    let mut out = Vec::new();
    sink.write(event, &mut out);
    if !out.is_empty() {
        events.push(out.into());
    }
}

/// The provider's own events. A report of usage that the caller did not ask for is hidden from it;
/// one that it asks for and is not there cannot be made.
fn as_they_came(entry: &Entry, asked: &Asked<'_>) -> Option<Vec<Bytes>> {
    let mut source = Source::new(entry.head.speaks, "");
    source.feed(entry.body.clone());
    let (mut events, mut reported) = (Vec::new(), asked.api != Inbound::Chat);
    let mut add = |frame: Frame| {
        let report = match &frame {
            Frame::Sse(event) if asked.api == Inbound::Chat => usage::from_chunk(&event.data()),
            _ => None,
        };
        reported |= report.is_some();
        if !report.is_some_and(|found| found.only && !asked.usage()) {
            events.push(frame.raw());
        }
    };
    while let Some(frame) = source.next().ok()? {
        add(frame);
    }
    source.last().into_iter().for_each(add);
    (reported || !asked.usage()).then_some(events)
}

/// How a stream ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ended {
    /// It said so.
    InWords,
    /// Its dialect has no end but the end of its bytes.
    WithItsBytes,
}

/// Reads a stream that is all here; `None` if it is not whole.
fn walk(
    speaks: Outbound,
    said: &Bytes,
    seed: &str,
    each: &mut dyn FnMut(&Frame, &Event<'_>),
) -> Option<Ended> {
    let mut source = Source::new(speaks, seed);
    source.feed(said.clone());
    let mut in_words = false;
    loop {
        let next = source.next().ok()?;
        let (frame, last) = match next {
            Some(frame) => (frame, false),
            None => match source.last() {
                Some(frame) => (frame, true),
                None => break,
            },
        };
        source
            .read(&frame, &mut |event| {
                in_words |= *event == Event::End;
                each(&frame, event);
            })
            .ok()?;
        if last {
            break;
        }
    }
    match (in_words, source.is_complete()) {
        (true, _) => Some(Ended::InWords),
        (false, true) => Some(Ended::WithItsBytes),
        (false, false) => None,
    }
}

/// What a stream told.
pub(super) struct Told {
    pub(super) answer: Answer<'static>,
    /// When it was begun, in seconds since the Unix epoch, if the provider said.
    created: Option<u64>,
}

/// The answer that a stream tells; `None` if it is not whole.
pub(super) fn gather(speaks: Outbound, said: &Bytes, seed: &str) -> Option<Told> {
    let mut gather = Gather::default();
    walk(speaks, said, seed, &mut |_, event| gather.take(event))?;
    gather.end();
    let created = gather.created();
    let answer = gather.finish()?;
    Some(Told { answer, created })
}
