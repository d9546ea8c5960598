//! Looks at events as they pass.

use bytes::Bytes;
use weir_protocols::openai::{finish, usage};
use weir_protocols::sse::{Event, Splitter, Tail};
use weir_telemetry::Code;

use super::cut::Cut;
use super::meter::{Meter, Verdict};
use crate::action::llm::note;
use crate::error::GatewayError;
use crate::proxy::Request;

/// The longest event searched for usage, in bytes.
const MAX_EVENT: usize = 1 << 20;

/// What is known of a stream so far.
pub(super) struct Scan<'a> {
    splitter: Splitter,
    /// Whether the caller asked for usage.
    usage: bool,
    /// Whether it ended as it should.
    pub(super) done: bool,
    /// What it uses, if anybody counts that: it costs a parse per event.
    pub(super) meter: Option<Meter<'a>>,
    /// Why it ends here, if it does.
    pub(super) cut: Option<Cut>,
    /// The events that the latest chunk completed.
    pub(super) events: Vec<Bytes>,
}

/// What goes to the caller now.
pub(super) enum Passing {
    /// The chunk as it came: it is whole events, and none is hidden.
    Chunk(Bytes),
    /// The events in [`Scan::events`].
    Events,
}

impl<'a> Scan<'a> {
    pub(super) fn new(usage: bool, meter: Option<Meter<'a>>) -> Self {
        Scan {
            splitter: Splitter::new(MAX_EVENT),
            usage,
            done: false,
            meter,
            cut: None,
            events: Vec::new(),
        }
    }

    /// What of `chunk`, and of what was held back before it, goes to the caller now.
    pub(super) async fn pass(
        &mut self,
        request: &mut Request,
        chunk: Bytes,
    ) -> Result<Passing, GatewayError> {
        self.splitter.feed(chunk.clone());
        let (mut length, mut hidden) = (0, false);
        loop {
            let event = self.splitter.next_event().map_err(|too_long| {
                GatewayError::new(Code::ProviderResponseInvalid).source(too_long)
            })?;
            let Some(event) = event else { break };
            if self.shows(request, &event).await {
                length += event.raw.len();
                self.events.push(event.raw);
            } else {
                hidden = true;
            }
        }
        if let Some(meter) = &self.meter {
            // Until it is over, this is what it is charged.
            meter.note(request);
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
    pub(super) async fn end(&mut self, request: &mut Request) -> Option<Bytes> {
        let splitter = std::mem::replace(&mut self.splitter, Splitter::new(MAX_EVENT));
        match splitter.finish() {
            Tail::Nothing => None,
            Tail::Event(event) => self.shows(request, &event).await.then_some(event.raw),
            Tail::Unterminated(raw) => {
                let line = raw.strip_prefix(b"data:").is_some_and(usage::is_done);
                self.done |= line;
                line.then(|| Bytes::from_static(b"data: [DONE]\n\n"))
            }
        }
    }

    /// Reads one event; whether it goes to the caller.
    async fn shows(&mut self, request: &mut Request, event: &Event) -> bool {
        let meant = self.look(request, event);
        // What is hidden is charged all the same.
        let fits = self.judge(request).await;
        meant && fits
    }

    /// Reads one event; whether it is meant for the caller.
    fn look(&mut self, request: &mut Request, event: &Event) -> bool {
        let data = event.data();
        if usage::is_done(&data) {
            self.done = true;
            return true;
        }
        note::stopped(request, || finish::reason(&data));
        if let Some(meter) = &mut self.meter {
            meter.take(&data);
        }
        let Some(found) = usage::from_chunk(&data) else {
            return true;
        };
        match &mut self.meter {
            Some(meter) => meter.report(found.usage),
            None => note::told(request, &found.usage),
        }
        !found.only || self.usage
    }

    /// Whether there is room for the event that was last read. What comes after the last one for
    /// which there is counts all the same: the provider has made it.
    async fn judge(&mut self, request: &mut Request) -> bool {
        let Some(meter) = &mut self.meter else {
            return true;
        };
        if self.cut.is_some() {
            return false;
        }
        match meter.judge(request).await {
            Verdict::Passes => true,
            Verdict::Last(cut) => {
                self.cut = Some(cut);
                true
            }
            Verdict::Stops(cut) => {
                self.cut = Some(cut);
                false
            }
        }
    }
}
