//! The order of tool calls. Blocks of this dialect stand one after the other and cannot be opened
//! again, while elsewhere the pieces of parallel calls may come mixed.
//!
//! The first call is open, and passes piece by piece. One that begins before the open call's JSON is
//! whole is held until it is, as far as there is room. Providers write calls one after
//! the other, so that nothing is held in practice.

use std::collections::VecDeque;

/// The most bytes of calls that are held.
const MOST_HELD: usize = 1 << 20;

/// What a held call counts for besides its text, so that there are never many.
const COST_OF_ONE: usize = 4 << 10;

/// The calls of one message.
#[derive(Debug, Default)]
pub(super) struct Calls {
    open: Option<Opened>,
    held: VecDeque<Held>,
    /// What is held, in bytes.
    size: usize,
}

#[derive(Debug)]
struct Opened {
    index: u64,
    extent: Extent,
}

/// A call that waits.
#[derive(Debug)]
pub(super) struct Held {
    index: u64,
    /// What its result refers to.
    pub(super) id: String,
    /// The tool.
    pub(super) name: String,
    /// What it is called with, as far as it came.
    pub(super) json: String,
}

/// What is to be done with a call, or a piece of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// It is to be written now.
    Write,
    /// It is held.
    Hold,
    /// It cannot be written: its block is closed, or there is no more room.
    Fail,
}

impl Calls {
    /// A call begins. If it is to be written now, it is the open one from here on, and any other is
    /// to be closed.
    pub(super) fn begin(&mut self, index: u64, id: &str, name: &str) -> Step {
        let waits = self
            .open
            .as_ref()
            .is_some_and(|open| !open.extent.is_whole());
        if !waits && self.held.is_empty() {
            self.opened(index);
            return Step::Write;
        }
        if !self.has_room(COST_OF_ONE + id.len() + name.len()) {
            return Step::Fail;
        }
        self.held.push_back(Held {
            index,
            id: id.to_owned(),
            name: name.to_owned(),
            json: String::new(),
        });
        Step::Hold
    }

    /// A piece of what the call `index` is called with comes.
    pub(super) fn piece(&mut self, index: u64, json: &str) -> Step {
        if let Some(open) = self.open.as_mut().filter(|open| open.index == index) {
            open.extent.scan(json);
            return Step::Write;
        }
        let Some(at) = self.held.iter().position(|call| call.index == index) else {
            // White space after a whole object says nothing.
            return match json.trim_ascii().is_empty() {
                true => Step::Hold,
                false => Step::Fail,
            };
        };
        if !self.has_room(json.len()) {
            return Step::Fail;
        }
        self.held[at].json.push_str(json);
        Step::Hold
    }

    /// The call that may be written now since the open one is whole, or since `all` are to be
    /// written. It is the open one from here on.
    pub(super) fn next(&mut self, all: bool) -> Option<Held> {
        let waits = self
            .open
            .as_ref()
            .is_some_and(|open| !open.extent.is_whole());
        if waits && !all {
            return None;
        }
        let held = self.held.pop_front()?;
        self.size -= COST_OF_ONE + held.id.len() + held.name.len() + held.json.len();
        self.opened(held.index).scan(&held.json);
        Some(held)
    }

    /// The open call is closed: no more of it can be written.
    pub(super) fn close(&mut self) {
        self.open = None;
    }

    fn opened(&mut self, index: u64) -> &mut Extent {
        let open = Opened {
            index,
            extent: Extent::default(),
        };
        &mut self.open.insert(open).extent
    }

    fn has_room(&mut self, bytes: usize) -> bool {
        self.size += bytes;
        self.size <= MOST_HELD
    }
}

/// How far a JSON object goes, told from its brackets.
#[derive(Debug, Default)]
struct Extent {
    depth: usize,
    in_string: bool,
    escaped: bool,
    began: bool,
}

impl Extent {
    fn scan(&mut self, json: &str) {
        for byte in json.bytes() {
            match byte {
                _ if self.escaped => self.escaped = false,
                b'\\' if self.in_string => self.escaped = true,
                b'"' => self.in_string = !self.in_string,
                _ if self.in_string => {}
                b'{' | b'[' => {
                    self.began = true;
                    self.depth += 1;
                }
                b'}' | b']' => self.depth = self.depth.saturating_sub(1),
                _ => {}
            }
        }
    }

    const fn is_whole(&self) -> bool {
        self.began && self.depth == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_one_after_the_other_are_written_as_they_come() {
        let mut calls = Calls::default();
        assert_eq!(calls.begin(0, "a", "f"), Step::Write);
        for piece in ["", "{\"q\":\"}", "\\\"\"", "}"] {
            assert_eq!(calls.piece(0, piece), Step::Write);
        }
        assert_eq!(calls.begin(1, "b", "f"), Step::Write);
        assert_eq!(calls.piece(1, "{"), Step::Write);
        assert!(calls.next(true).is_none());
    }

    #[test]
    fn a_call_that_comes_too_early_waits_for_the_open_one() {
        let mut calls = Calls::default();
        assert_eq!(calls.begin(0, "a", "f"), Step::Write);
        assert_eq!(calls.begin(1, "b", "g"), Step::Hold);
        assert_eq!(calls.piece(1, "{}"), Step::Hold);
        assert_eq!(calls.piece(0, "{"), Step::Write);
        assert!(calls.next(false).is_none());
        assert_eq!(calls.piece(0, "}"), Step::Write);
        let next = calls.next(false).expect("the first is whole");
        assert_eq!((&*next.id, &*next.name, &*next.json), ("b", "g", "{}"));
        assert_eq!(calls.size, 0);
        assert_eq!(calls.piece(0, "\n"), Step::Hold);
        assert_eq!(calls.piece(0, "{}"), Step::Fail);
    }

    #[test]
    fn what_is_held_has_a_bound() {
        let mut calls = Calls::default();
        calls.begin(0, "a", "f");
        assert_eq!(calls.begin(1, "b", "g"), Step::Hold);
        let piece = "x".repeat(MOST_HELD / 2);
        assert_eq!(calls.piece(1, &piece), Step::Hold);
        assert_eq!(calls.piece(1, &piece), Step::Fail);
        let mut many = Calls::default();
        assert!((0..1_000).any(|index| many.begin(index, "", "") == Step::Fail));
    }
}
