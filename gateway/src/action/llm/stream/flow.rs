//! A stream as it passes: each event read, judged, and given to the caller in its own words or in
//! the provider's.

use bytes::Bytes;
use weir_protocols::llm::{Event, Malformed};
use weir_protocols::openai::{finish, usage};
use weir_telemetry::Code;

use super::cut::Cut;
use super::meter::{Meter, Verdict};
use crate::action::llm::answer::Wanted;
use crate::action::llm::api::Inbound;
use crate::action::llm::cache::{Keeping, Tape};
use crate::action::llm::events::{Frame, Sink, Source};
use crate::action::llm::guard::Speech;
use crate::action::llm::{fault, note};
use crate::error::GatewayError;
use crate::proxy::{Request, dialect};

/// What is known of a stream so far.
pub(super) struct Flow<'b, 'a> {
    source: Source,
    /// What the caller is written; only followed where it gets the provider's own bytes.
    pub(super) sink: Sink,
    caller: Inbound,
    /// What is done to what is said.
    speech: Option<Speech>,
    /// Whether the provider speaks as the caller does, so that its bytes pass as they came.
    same: bool,
    /// Whether the caller asked for usage.
    usage: bool,
    /// What it uses, if anybody counts that.
    pub(super) meter: Option<Meter<'b, 'a>>,
    /// Whether anything has come of it.
    pub(super) heard: bool,
    /// Whether the model has said something.
    pub(super) begun: bool,
    /// Whether it ended as it should.
    pub(super) done: bool,
    /// Whether nothing more comes.
    pub(super) ended: bool,
    /// Whether events that came together may go on together: nobody looks at each.
    pub(super) coalesces: bool,
    /// Why it ends here, if it does.
    pub(super) cut: Option<Cut>,
    /// A copy of it, if it is to be kept.
    pub(super) tape: Option<Tape>,
    /// What goes to the caller and was not sent yet.
    pub(super) ready: Vec<Bytes>,
}

/// What one event was.
#[derive(Default)]
struct Seen {
    usage: bool,
    begun: bool,
    done: bool,
    failed: Option<GatewayError>,
}

impl<'b, 'a> Flow<'b, 'a> {
    /// A stream of which nothing came yet.
    pub(super) fn new(wanted: &Wanted<'_>, meter: Option<Meter<'b, 'a>>) -> Self {
        let Wanted {
            caller,
            provider,
            envelope,
            usage,
            array,
            ..
        } = *wanted;
        Flow {
            source: Source::new(provider, envelope.id),
            sink: Sink::new(caller, &envelope, usage, array),
            caller,
            speech: Speech::new(wanted.guards),
            same: wanted.is_alike(),
            usage,
            meter,
            heard: false,
            begun: false,
            done: false,
            ended: false,
            coalesces: false,
            cut: None,
            tape: wanted.keeping.as_ref().map(Keeping::tape),
            ready: Vec::new(),
        }
    }

    /// Takes in a piece of the stream; what of it goes to the caller is [`ready`](Self::ready).
    pub(super) async fn take(
        &mut self,
        request: &mut Request,
        chunk: Bytes,
    ) -> Result<(), GatewayError> {
        note::chunk(request);
        if let Some(tape) = &mut self.tape {
            tape.add(&chunk);
        }
        self.heard = true;
        self.source.feed(chunk);
        while let Some(frame) = self.source.next().map_err(|e| malformed(&e))? {
            self.pass(request, &frame).await?;
        }
        if let Some(meter) = &self.meter {
            // Until it is over, this is what it is charged.
            meter.note(request);
        }
        Ok(())
    }

    /// Takes in the end of the stream.
    pub(super) async fn end(&mut self, request: &mut Request) -> Result<(), GatewayError> {
        if let Some(frame) = self.source.last() {
            self.pass(request, &frame).await?;
        }
        if !self.done && self.source.is_complete() {
            // The dialect has no end but the end of its bytes.
            self.done = true;
            if !self.same {
                let mut out = Vec::new();
                write(&mut self.speech, &mut self.sink, &Event::End, &mut out)?;
                self.show(out.into());
            }
        }
        Ok(())
    }

    /// Reads one event, and shows it to the caller if it is meant for it and there is room.
    async fn pass(&mut self, request: &mut Request, frame: &Frame) -> Result<(), GatewayError> {
        let shown = match frame {
            Frame::Sse(event) if self.passes_unread() => self.glance(request, &event.data()),
            _ => None,
        };
        let shown = match shown {
            Some(meant) => {
                self.tell(request, frame);
                meant.then(|| frame.raw())
            }
            None => self.read(request, frame)?,
        };
        // What is hidden is charged all the same.
        let fits = !self.is_due() || Box::pin(self.judge(request)).await;
        match shown {
            Some(bytes) if fits => self.show(bytes),
            // What was held back belongs before what is not shown.
            _ if !fits => self.speech = None,
            _ => {}
        }
        Ok(())
    }

    /// What the caller is sent last of a stream that broke.
    pub(super) fn failed(&mut self, error: &GatewayError) -> Bytes {
        let mut out = Vec::new();
        let event = Event::Failed(dialect::canonical(error));
        self.sink.write(&event, &mut out);
        out.into()
    }

    /// Writes down what it used, now that nothing more is read of it. A process that is about to end
    /// has no time to count: there it stays what it can have been at most.
    pub(super) async fn settle(&mut self, request: &mut Request) {
        if let Some(meter) = self.meter.as_mut()
            && !request.gateway.drain.over()
        {
            meter.settle(request).await;
        }
    }

    /// Lets go of what is held back, where the stream ends here.
    pub(super) fn release(&mut self) -> Result<(), GatewayError> {
        let Self { speech, sink, .. } = self;
        let mut out = Vec::new();
        if let Some(speech) = speech {
            speech.end(&mut |event| sink.write(event, &mut out))?;
        }
        self.show(out.into());
        Ok(())
    }

    fn show(&mut self, bytes: Bytes) {
        if !bytes.is_empty() {
            self.ready.push(bytes);
        }
    }

    /// Whether an event need not be read whole: nobody counts what it says, and it passes as it
    /// came.
    fn passes_unread(&self) -> bool {
        self.begun && self.same && self.caller == Inbound::Chat && self.meter.is_none()
    }

    /// Reads an event that passes unread for what only spans tell. Whether it can be read makes no
    /// difference to the caller: what is sampled is served as what is not.
    fn tell(&mut self, request: &mut Request, frame: &Frame) {
        if note::is_traced(request) {
            let _unreadable = self
                .source
                .read(frame, &mut |event| note::event(request, event));
        }
    }

    /// Looks an event of a chat over for its end and its usage; whether it is meant for the caller.
    /// `None` if it has to be read.
    fn glance(&mut self, request: &mut Request, data: &[u8]) -> Option<bool> {
        if usage::is_done(data) {
            self.done = true;
            return Some(true);
        }
        if memchr::memmem::find(data, b"\"error\"").is_some() {
            return None;
        }
        note::stopped(request, || finish::reason(data));
        let Some(found) = usage::from_chunk(data) else {
            return Some(true);
        };
        note::told(request, &found.usage);
        Some(!found.only || self.usage)
    }

    /// Reads an event; what of it is meant for the caller.
    fn read(
        &mut self,
        request: &mut Request,
        frame: &Frame,
    ) -> Result<Option<Bytes>, GatewayError> {
        let Self {
            source,
            sink,
            speech,
            meter,
            same,
            begun,
            ..
        } = self;
        let (mut seen, mut out) = (Seen::default(), Vec::new());
        let mut minded = Ok(());
        let read = source.read(frame, &mut |event| {
            seen.look(request, event, meter.is_some());
            if let Some(meter) = meter {
                meter.take(event);
            }
            match *same {
                // The caller is told once the failure has a name of ours.
                _ if matches!(event, Event::Failed(_)) => {}
                true if meter.is_some() => sink.follow(event),
                true => {}
                // Nothing is kept alive that has not begun.
                false if *event == Event::Ping && !*begun => {}
                false if minded.is_err() => {}
                false => minded = write(speech, sink, event, &mut out),
            }
        });
        read.map_err(|e| malformed(&e))?;
        self.begun |= seen.begun;
        self.done |= seen.done;
        if let Some(failed) = seen.failed {
            return Err(failed);
        }
        if let (Err(_), Some(meter)) = (&minded, &self.meter) {
            // It is withheld, and was made all the same.
            meter.note(request);
        }
        minded?;
        if !self.same {
            return Ok(Some(out.into()));
        }
        // A report that the caller did not ask for is hidden from it.
        let only_usage = || match frame {
            Frame::Sse(event) => usage::from_chunk(&event.data()).is_some_and(|found| found.only),
            Frame::Aws(_) => false,
        };
        let hidden = seen.usage && !self.usage && self.caller == Inbound::Chat && only_usage();
        Ok((!hidden).then(|| frame.raw()))
    }

    /// Whether it is in question that there is room for the event that was last read.
    fn is_due(&self) -> bool {
        self.cut.is_some() || self.meter.as_ref().is_some_and(Meter::is_due)
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

/// Writes what of an event goes on.
fn write(
    speech: &mut Option<Speech>,
    sink: &mut Sink,
    event: &Event<'_>,
    out: &mut Vec<u8>,
) -> Result<(), GatewayError> {
    match speech {
        None => sink.write(event, out),
        Some(speech) => speech.event(event, &mut |event| sink.write(event, out))?,
    }
    Ok(())
}

impl Seen {
    fn look(&mut self, request: &mut Request, event: &Event<'_>, metered: bool) {
        self.begun |= event.is_content();
        note::event(request, event);
        match event {
            Event::Usage(usage) => {
                self.usage = true;
                if !metered {
                    note::told(request, usage);
                }
            }
            Event::Finish { reason, .. } => note::stopped(request, || Some(note::word(*reason))),
            Event::Failed(error) => self.failed = Some(fault::said(error)),
            Event::End => self.done = true,
            _ => {}
        }
    }
}

fn malformed(why: &Malformed) -> GatewayError {
    GatewayError::new(Code::ProviderResponseInvalid).source(why)
}
