//! Streams in every dialect: a provider's bytes into events, and events into a caller's bytes.

use bytes::Bytes;
use weir_protocols::aws::event_stream::{Decoder, Message};
use weir_protocols::llm::{Envelope, Event, Malformed, Mould};
use weir_protocols::openai::{completion, responses};
use weir_protocols::sse::{self, Splitter, Tail};
use weir_protocols::{anthropic, bedrock, gemini};

use super::api::{Inbound, Outbound};
use super::prompt;

/// The longest event, in bytes.
const MAX_EVENT: usize = 1 << 20;

/// What a provider streams.
pub(super) struct Source {
    frames: Frames,
    mould: Mould,
    reader: Reader,
}

enum Frames {
    Sse(Splitter),
    Aws(Decoder),
}

/// One event as it stood in the stream.
pub(super) enum Frame {
    Sse(sse::Event),
    Aws(Message),
}

enum Reader {
    Chat(completion::Reader),
    Messages(anthropic::stream::Reader),
    Gemini(gemini::stream::Reader),
    Converse(bedrock::stream::Reader),
    Responses(responses::stream::Reader),
}

impl Source {
    /// A stream by `api` of which nothing came yet. Calls of tools without a name of their own are
    /// named after `seed`.
    pub(super) fn new(api: Outbound, seed: &str) -> Self {
        let sse = || Frames::Sse(Splitter::new(MAX_EVENT));
        let (frames, reader) = match api {
            Outbound::Chat => (sse(), Reader::Chat(completion::Reader::new(seed))),
            Outbound::Messages => (
                sse(),
                Reader::Messages(anthropic::stream::Reader::new(seed)),
            ),
            Outbound::Gemini => (sse(), Reader::Gemini(gemini::stream::Reader::new(seed))),
            Outbound::Responses => (
                sse(),
                Reader::Responses(responses::stream::Reader::new(seed)),
            ),
            Outbound::Converse => (
                Frames::Aws(Decoder::new(MAX_EVENT)),
                Reader::Converse(bedrock::stream::Reader::new(seed)),
            ),
        };
        Self {
            frames,
            mould: Mould::default(),
            reader,
        }
    }

    /// Takes in what came.
    pub(super) fn feed(&mut self, chunk: Bytes) {
        match &mut self.frames {
            Frames::Sse(splitter) => splitter.feed(chunk),
            Frames::Aws(decoder) => decoder.feed(chunk),
        }
    }

    /// The next whole event.
    pub(super) fn next(&mut self) -> Result<Option<Frame>, Malformed> {
        let malformed = |why: String| Malformed { why };
        match &mut self.frames {
            Frames::Sse(splitter) => {
                let event = splitter
                    .next_event()
                    .map_err(|e| malformed(e.to_string()))?;
                Ok(event.map(Frame::Sse))
            }
            Frames::Aws(decoder) => {
                let message = decoder
                    .next_message()
                    .map_err(|e| malformed(e.to_string()))?;
                Ok(message.map(Frame::Aws))
            }
        }
    }

    /// What the end of the bytes completes: an event that might have gone on, or a last line that
    /// lacks its line end, as some providers leave it.
    pub(super) fn last(&mut self) -> Option<Frame> {
        let Frames::Sse(splitter) = &mut self.frames else {
            return None;
        };
        let splitter = std::mem::replace(splitter, Splitter::new(MAX_EVENT));
        match splitter.finish() {
            Tail::Nothing => None,
            Tail::Event(event) => Some(Frame::Sse(event)),
            Tail::Unterminated(raw) => {
                let mut whole = raw.to_vec();
                whole.extend_from_slice(b"\n\n");
                let mut again = Splitter::new(MAX_EVENT + 2);
                again.feed(Bytes::from(whole));
                again.next_event().ok().flatten().map(Frame::Sse)
            }
        }
    }

    /// Reads one event.
    pub(super) fn read(
        &mut self,
        frame: &Frame,
        each: &mut dyn FnMut(&Event<'_>),
    ) -> Result<(), Malformed> {
        let Self { mould, reader, .. } = self;
        match frame {
            Frame::Sse(event) => mould.read(&event.raw, &mut |said| each(&said), |told| {
                reader.read(event, told)
            }),
            Frame::Aws(message) => match reader {
                Reader::Converse(reader) => {
                    let mut told = |event: Event<'_>| each(&event);
                    reader.read_message(message, &mut told)
                }
                _ => Err(Malformed::new("it is an event stream of AWS")),
            },
        }
    }

    /// Whether the stream ended as it should, if it ends now.
    pub(super) fn is_complete(&self) -> bool {
        match &self.reader {
            Reader::Chat(reader) => reader.is_complete(),
            Reader::Messages(reader) => reader.is_complete(),
            Reader::Gemini(reader) => reader.is_complete(),
            Reader::Converse(reader) => reader.is_complete(),
            Reader::Responses(reader) => reader.is_complete(),
        }
    }
}

impl Reader {
    fn read(
        &mut self,
        event: &sse::Event,
        told: &mut dyn FnMut(Event<'_>),
    ) -> Result<(), Malformed> {
        if !event.has_data() {
            match self {
                // Google tells a failure amid a stream as bare JSON.
                Self::Gemini(reader) => reader.read_stray(&event.raw, &mut |event| told(event)),
                _ => told(Event::Ping),
            }
            return Ok(());
        }
        let data = event.data();
        let told = &mut |event: Event<'_>| told(event);
        match self {
            Self::Chat(reader) => reader.read(&data, told),
            Self::Messages(reader) => reader.read((event.name(), &data), told),
            Self::Gemini(reader) => reader.read((event.name(), &data), told),
            Self::Responses(reader) => reader.read(event.name(), &data, told),
            Self::Converse(_) => Err(Malformed::new("it is no event stream of AWS")),
        }
    }
}

impl Frame {
    /// The bytes of the event, where they may go to a caller as they are.
    pub(super) fn raw(&self) -> Bytes {
        match self {
            Self::Sse(event) => event.raw.clone(),
            Self::Aws(message) => message.raw.clone(),
        }
    }
}

/// What a caller is sent amid a stream that is silent, between two events of it: its SDK passes
/// over that.
pub(super) const fn ping(api: Inbound) -> Bytes {
    Bytes::from_static(match api {
        Inbound::Chat | Inbound::Responses => b": keep-alive\n\n",
        Inbound::Messages => b"event: ping\ndata: {\"type\":\"ping\"}\n\n",
        // Google's SDKs know no comments. In the array that a stream may be, this is white space.
        Inbound::Gemini => b"\n",
        Inbound::Prompt => b": \n\n",
    })
}

/// What a caller is streamed.
pub(super) enum Sink {
    Chat(completion::Writer),
    Responses(Box<responses::stream::Writer>),
    Messages(anthropic::stream::Writer),
    Gemini(gemini::stream::Writer),
    Prompt(prompt::answer::Writer),
}

impl Sink {
    /// A stream by `api` of which nothing was written yet; `usage` is whether the caller asked for
    /// it at the end, `array` whether Gemini's caller wants one JSON array.
    pub(super) fn new(api: Inbound, envelope: &Envelope<'_>, usage: bool, array: bool) -> Self {
        match api {
            Inbound::Chat => Self::Chat(completion::Writer::new(envelope, usage)),
            Inbound::Responses => {
                Self::Responses(Box::new(responses::stream::Writer::new(envelope)))
            }
            Inbound::Messages => Self::Messages(anthropic::stream::Writer::new(envelope)),
            Inbound::Gemini if array => {
                Self::Gemini(gemini::stream::Writer::array(*envelope, usage))
            }
            Inbound::Gemini => Self::Gemini(gemini::stream::Writer::new(*envelope, usage)),
            Inbound::Prompt => Self::Prompt(prompt::answer::Writer::default()),
        }
    }

    /// Takes in an event that the caller got in the provider's own bytes.
    pub(super) fn follow(&mut self, event: &Event<'_>) {
        match self {
            Self::Chat(writer) => writer.follow(event),
            _ => self.write(event, &mut Vec::new()),
        }
    }

    /// Appends what an event becomes.
    pub(super) fn write(&mut self, event: &Event<'_>, out: &mut Vec<u8>) {
        match self {
            Self::Chat(writer) => writer.write(event, out),
            Self::Responses(writer) => writer.write(event, out),
            Self::Messages(writer) => writer.write(event, out),
            Self::Gemini(writer) => writer.write(event, out),
            Self::Prompt(writer) => writer.write(event, out),
        }
    }
}

#[cfg(test)]
mod tests {
    use weir_protocols::llm::{Envelope, Event};

    use super::{Inbound, Sink, ping};

    #[test]
    fn a_silent_stream_is_kept_alive_as_its_writer_does_it() {
        let envelope = Envelope {
            id: "1",
            model: "smart",
            created: 0,
        };
        for (api, array) in [
            (Inbound::Chat, false),
            (Inbound::Responses, false),
            (Inbound::Messages, false),
            (Inbound::Gemini, false),
            (Inbound::Gemini, true),
            (Inbound::Prompt, false),
        ] {
            let mut sink = Sink::new(api, &envelope, false, array);
            let said = Event::Text {
                choice: 0,
                text: "It holds.".into(),
            };
            sink.write(&said, &mut Vec::new());
            let mut written = Vec::new();
            sink.write(&Event::Ping, &mut written);
            assert_eq!(ping(api), written, "{api:?}");
        }
    }
}
