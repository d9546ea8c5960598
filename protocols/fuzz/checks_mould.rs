//! An event that is shaped as the last is not parsed: it has to say what parsing it would have said,
//! however it differs from the last.

use bytes::Bytes;
use weir_protocols::llm::{Event, Malformed, Mould};
use weir_protocols::sse::{self, Splitter};
use weir_protocols::{anthropic, gemini, openai};

type Told<'t> = &'t mut dyn FnMut(Event<'_>);
type Read = Box<dyn FnMut(&sse::Event, Told<'_>) -> Result<(), Malformed>>;
/// Makes the reader of a stream by one dialect.
pub type Dialect = fn() -> Read;

/// OpenAI's chat completions.
pub fn chat() -> Read {
    let mut reader = openai::completion::Reader::new("seed");
    Box::new(move |event, told| reader.read(&event.data(), &mut |said| told(said)))
}

/// Anthropic's messages.
pub fn messages() -> Read {
    let mut reader = anthropic::stream::Reader::new("seed");
    Box::new(move |event, told| reader.read((event.name(), &event.data()), &mut |said| told(said)))
}

/// Gemini's contents.
pub fn contents() -> Read {
    let mut reader = gemini::stream::Reader::new("seed");
    Box::new(move |event, told| reader.read((event.name(), &event.data()), &mut |said| told(said)))
}

/// OpenAI's responses.
pub fn responses() -> Read {
    let mut reader = openai::responses::stream::Reader::new("seed");
    Box::new(move |event, told| reader.read(event.name(), &event.data(), &mut |said| told(said)))
}

/// Reads `data` as a stream of each dialect, each of its events twice with what one byte makes of it
/// in between: the first two bytes say where, and which.
pub fn mould(data: &[u8]) {
    let [place, byte, stream @ ..] = data else {
        return;
    };
    for dialect in [chat as Dialect, messages, contents, responses] {
        let mut pair = Pair::new(dialect);
        for event in events(stream) {
            let place = usize::from(*place) * event.raw.len() / 256;
            let mut was = vec![pair.read(&event)];
            was.extend(pair.changed(&event, place, *byte));
            was.push(pair.read(&event));
            if was.iter().any(|was| was.malformed) {
                assert!(
                    was.iter().any(|was| was.parsed),
                    "what says a text is an event"
                );
                pair = Pair::new(dialect);
            }
        }
    }
}

/// The whole events of a stream.
pub fn events(stream: &[u8]) -> Vec<sse::Event> {
    let mut splitter = Splitter::new(1 << 20);
    splitter.feed(Bytes::copy_from_slice(stream));
    std::iter::from_fn(|| splitter.next_event().ok().flatten()).collect()
}

/// How one event was read.
#[derive(Clone, Copy, Default)]
pub struct Was {
    /// It was no event of this stream.
    pub malformed: bool,
    /// It was parsed.
    pub parsed: bool,
}

/// A stream read with a mould, beside itself read without one.
pub struct Pair {
    mould: Mould,
    moulded: Read,
    plain: Read,
}

impl Pair {
    /// At the start of a stream.
    pub fn new(dialect: Dialect) -> Self {
        Self {
            mould: Mould::default(),
            moulded: dialect(),
            plain: dialect(),
        }
    }

    /// Reads an event both ways, which must agree on what it says.
    pub fn read(&mut self, event: &sse::Event) -> Was {
        let Self {
            mould,
            moulded,
            plain,
        } = self;
        let mut parsed = false;
        let expected = heard(|told| plain(event, told));
        let said = heard(|told| {
            mould.read(&event.raw, told, |told| {
                parsed = true;
                moulded(event, told)
            })
        });
        assert_eq!(said, expected, "{}", String::from_utf8_lossy(&event.raw));
        let malformed = said.1.is_some();
        Was { malformed, parsed }
    }

    /// Reads what an event is with another `byte` in one `place`.
    pub fn changed(&mut self, event: &sse::Event, place: usize, byte: u8) -> Vec<Was> {
        let mut changed = event.raw.to_vec();
        changed[place] = byte;
        events(&changed)
            .iter()
            .map(|event| self.read(event))
            .collect()
    }
}

/// What is said until it is found to be malformed.
fn heard(
    read: impl FnOnce(Told<'_>) -> Result<(), Malformed>,
) -> (Vec<Event<'static>>, Option<String>) {
    let mut said = Vec::new();
    let read = read(&mut |event| said.push(event.into_owned()));
    (said, read.err().map(|error| error.why))
}
