//! Books, entries and what they are counted by as bytes: MessagePack, in arrays, so that other
//! languages read it too. What was written by one version is read by the next.

use std::sync::Arc;
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::super::book::{Amendment, Answer, Book, Entry, Standing, Terms};
use super::super::leases::{Amend, Asked};
use super::super::window::{Micros, Period, Window, micros};
use super::super::zone::Zone;

/// A [`Terms`] in writing. Times are in microseconds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::quota) struct WrittenTerms {
    window: WrittenWindow,
    limit: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
enum WrittenWindow {
    Minute,
    Hour,
    Day(String),
    Month(String),
    Sliding(Micros),
    TokenBucket(Micros, u64, Micros),
    Held,
}

impl From<Terms> for WrittenTerms {
    fn from(terms: Terms) -> Self {
        let window = match terms.window {
            Window::Fixed { every } => match every {
                Period::Minute => WrittenWindow::Minute,
                Period::Hour => WrittenWindow::Hour,
                Period::Day(zone) => WrittenWindow::Day(zone.name().to_owned()),
                Period::Month(zone) => WrittenWindow::Month(zone.name().to_owned()),
            },
            Window::Sliding { every } => WrittenWindow::Sliding(micros(every)),
            Window::TokenBucket {
                every,
                burst,
                granule,
            } => WrittenWindow::TokenBucket(micros(every), burst, micros(granule)),
            Window::Held => WrittenWindow::Held,
        };
        Self {
            window,
            limit: terms.limit,
        }
    }
}

impl WrittenTerms {
    /// What was written; `None` if it names a time zone that is not known here.
    pub(in crate::quota) fn read(&self) -> Option<Terms> {
        let fixed = |every| Window::Fixed { every };
        let window = match &self.window {
            WrittenWindow::Minute => fixed(Period::Minute),
            WrittenWindow::Hour => fixed(Period::Hour),
            WrittenWindow::Day(zone) => fixed(Period::Day(Zone::named(zone)?)),
            WrittenWindow::Month(zone) => fixed(Period::Month(Zone::named(zone)?)),
            WrittenWindow::Sliding(every) => Window::Sliding {
                every: Duration::from_micros(*every),
            },
            WrittenWindow::TokenBucket(every, burst, granule) => Window::TokenBucket {
                every: Duration::from_micros(*every),
                burst: *burst,
                granule: Duration::from_micros(*granule),
            },
            WrittenWindow::Held => Window::Held,
        };
        Some(Terms {
            window,
            limit: self.limit,
        })
    }
}

/// An [`Asked`] in writing.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct WrittenAsked {
    key: String,
    root: String,
    terms: WrittenTerms,
    entry: Entry,
    answered: u64,
}

impl From<&Asked> for WrittenAsked {
    fn from(asked: &Asked) -> Self {
        Self {
            key: asked.key.to_string(),
            root: asked.root.to_string(),
            terms: asked.terms.into(),
            entry: asked.entry.clone(),
            answered: asked.answered,
        }
    }
}

impl WrittenAsked {
    pub(super) fn read(self) -> Option<Asked> {
        Some(Asked {
            key: self.key.into(),
            root: self.root.into(),
            terms: self.terms.read()?,
            entry: self.entry,
            answered: self.answered,
        })
    }
}

/// An [`Amend`] in writing.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct WrittenAmend {
    key: String,
    root: String,
    terms: WrittenTerms,
    amendment: Amendment,
}

impl From<&Amend> for WrittenAmend {
    fn from(amend: &Amend) -> Self {
        Self {
            key: amend.key.to_string(),
            root: amend.root.to_string(),
            terms: amend.terms.into(),
            amendment: amend.amendment.clone(),
        }
    }
}

impl WrittenAmend {
    pub(super) fn read(self) -> Option<Amend> {
        Some(Amend {
            key: self.key.into(),
            root: self.root.into(),
            terms: self.terms.read()?,
            amendment: self.amendment,
        })
    }
}

/// An [`Answer`] in writing, with the book where it had too little room, or why there is none.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct WrittenAnswer(Result<(Granted, Option<Book>), String>);

#[derive(Debug, Serialize, Deserialize)]
struct Granted {
    granted: u64,
    booked_in: u64,
    since: u64,
    standing: Standing,
}

/// What an entry came to, as [`Books`](super::super::leases::Books) tells it.
pub(in crate::quota) type Answered = Result<(Answer, Option<Book>), Arc<str>>;

impl From<Answered> for WrittenAnswer {
    fn from(answered: Answered) -> Self {
        Self(match answered {
            Ok((answer, book)) => {
                let Answer {
                    granted,
                    booked_in,
                    since,
                    standing,
                } = answer;
                let granted = Granted {
                    granted,
                    booked_in,
                    since,
                    standing,
                };
                Ok((granted, book))
            }
            Err(why) => Err(why.to_string()),
        })
    }
}

impl From<WrittenAnswer> for Answered {
    fn from(written: WrittenAnswer) -> Self {
        match written.0 {
            Ok((granted, book)) => {
                let answer = Answer {
                    granted: granted.granted,
                    booked_in: granted.booked_in,
                    since: granted.since,
                    standing: granted.standing,
                };
                Ok((answer, book))
            }
            Err(why) => Err(why.into()),
        }
    }
}

/// A book as a store keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::quota) struct Kept {
    /// It may be forgotten from then on, if nothing is entered.
    pub(in crate::quota) until: Micros,
    /// What it was last counted by.
    pub(in crate::quota) terms: WrittenTerms,
    pub(in crate::quota) book: Book,
}

/// As bytes.
pub(in crate::quota) fn write(value: &impl Serialize) -> Vec<u8> {
    rmp_serde::to_vec(value).expect("numbers and text can always be written")
}

/// From bytes.
pub(super) fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Arc<str>> {
    rmp_serde::from_slice(bytes)
        .map_err(|e| format!("what the store holds is unreadable: {e}").into())
}
