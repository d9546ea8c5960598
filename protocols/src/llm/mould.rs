//! What the events of a stream have in common. Most of them are the one before with another text in
//! it: such an event is compared with that one instead of being parsed. It knows no dialect.

use std::ops::Range;

use bytes::Bytes;
use memchr::{memchr2, memmem};

use super::error::Malformed;
use super::event::Event;

/// OpenAI fills its events up to one length with this member, which says nothing.
const PADDING: &[u8] = b"\"obfuscation\":\"";
/// It numbers those of a response, which come in their order all the same.
const NUMBER: &[u8] = b"\"sequence_number\":";
/// After so many events that were like none before them, none is expected to be.
const MOST_UNLIKE: u8 = 16;

/// The shape of the event that was read last.
///
/// Where it said one text and nothing else, an event of the same bytes around another text says
/// that text: whatever its reader goes by stands in what is the same. What no reader goes by may
/// differ too.
#[derive(Debug, Default)]
pub struct Mould {
    last: Option<Last>,
    unlike: u8,
}

#[derive(Debug)]
struct Last {
    event: Bytes,
    /// Where it may differ, in their order.
    holes: Vec<Hole>,
    kind: Kind,
    choice: u64,
}

#[derive(Debug)]
struct Hole {
    at: Range<usize>,
    of: Of,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Of {
    Text,
    Padding,
    Number,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Text,
    Reasoning,
}

impl Mould {
    /// Tells `each` what an event says, of which `event` is every byte: as `read` does, which is
    /// asked only if it is not shaped as the last. What `read` makes of an event may not depend on
    /// texts that came before it.
    ///
    /// # Errors
    /// Those of `read`.
    pub fn read(
        &mut self,
        event: &Bytes,
        each: &mut dyn FnMut(Event<'_>),
        read: impl FnOnce(&mut dyn FnMut(Event<'_>)) -> Result<(), Malformed>,
    ) -> Result<(), Malformed> {
        if let Some(said) = self.last.as_ref().and_then(|last| last.cast(event)) {
            self.unlike = 0;
            each(said);
            return Ok(());
        }
        self.last = None;
        let (mut heard, mut place) = (0, None);
        read(&mut |said| {
            heard += 1;
            place = place_of(&said, event);
            each(said);
        })?;
        if heard == 1 && self.unlike < MOST_UNLIKE {
            self.unlike += 1;
            self.last = place.map(|(kind, choice, text)| Last::new(event, kind, choice, text));
        }
        Ok(())
    }
}

/// What text was said of which choice, if it stands in `event` as it is, between its quotes.
fn place_of(said: &Event<'_>, event: &[u8]) -> Option<(Kind, u64, Range<usize>)> {
    let (kind, choice, text) = match said {
        Event::Text { choice, text } => (Kind::Text, *choice, text),
        Event::Reasoning { choice, text } => (Kind::Reasoning, *choice, text),
        _ => return None,
    };
    let start = (text.as_ptr() as usize).checked_sub(event.as_ptr() as usize)?;
    let end = start.checked_add(text.len())?;
    let quoted = event.get(start.checked_sub(1)?) == Some(&b'"') && event.get(end) == Some(&b'"');
    // A byte order mark is one at the start of a stream only.
    let marked = event.first().is_none_or(|byte| !byte.is_ascii());
    (quoted && !marked).then_some((kind, choice, start..end))
}

impl Last {
    fn new(event: &Bytes, kind: Kind, choice: u64, text: Range<usize>) -> Self {
        let after = |name: &[u8]| Some(memmem::find(event, name)? + name.len());
        let mut holes = vec![Hole {
            at: text,
            of: Of::Text,
        }];
        for (start, of) in [(after(PADDING), Of::Padding), (after(NUMBER), Of::Number)] {
            let Some(start) = start else { continue };
            if let Some(value) = of.value(&event[start..]) {
                let at = start..start + value.len();
                holes.push(Hole { at, of });
            }
        }
        holes.sort_unstable_by_key(|hole| hole.at.start);
        Self {
            event: event.clone(),
            holes,
            kind,
            choice,
        }
    }

    /// What `event` says, if it is shaped as this one.
    fn cast<'a>(&self, event: &'a [u8]) -> Option<Event<'a>> {
        let (mut rest, mut same, mut text) = (event, 0, "");
        for hole in &self.holes {
            rest = rest.strip_prefix(self.event.get(same..hole.at.start)?)?;
            let value = hole.of.value(rest)?;
            rest = &rest[value.len()..];
            same = hole.at.end;
            if hole.of == Of::Text {
                text = value;
            }
        }
        let alike = rest == &self.event[same..] && !text.is_empty();
        let (choice, text) = (self.choice, text.into());
        alike.then_some(match self.kind {
            Kind::Text => Event::Text { choice, text },
            Kind::Reasoning => Event::Reasoning { choice, text },
        })
    }
}

impl Of {
    /// The value of this kind that `json` goes on with.
    fn value(self, json: &[u8]) -> Option<&str> {
        match self {
            Self::Text | Self::Padding => plain(json),
            Self::Number => number(json),
        }
    }
}

/// The JSON string that `json` goes on with, up to its closing quote, if it is written as it is.
fn plain(json: &[u8]) -> Option<&str> {
    let end = memchr2(b'"', b'\\', json).filter(|end| json[*end] == b'"')?;
    let text = &json[..end];
    let controls = text.iter().any(u8::is_ascii_control);
    str::from_utf8(text).ok().filter(|_| !controls)
}

/// The digits that `json` goes on with, as JSON writes them; what follows is the same for all.
fn number(json: &[u8]) -> Option<&str> {
    let length = json.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let digits = &json[..length];
    let well = length > 0 && (digits[0] != b'0' || length == 1);
    str::from_utf8(digits).ok().filter(|_| well)
}
