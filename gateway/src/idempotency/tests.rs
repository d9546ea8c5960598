//! Callers who come with one key, send, stall, crash and come again, in any order; brokers that write what
//! was sent at any moment until it is given up: never two records, and never an answer that is not true.

use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use proptest::prelude::*;

use super::book::Book;
use super::entry::{Answer, Change, Claimed, Fingerprint, Id, Nonce, Places, Terms};

/// In milliseconds, as a route has them: for so long a record may be written after it was handed over,
const DELIVERY: u64 = 100;
/// so soon after its leave it is handed over or not at all,
const PROMPT: u64 = 20;
/// and so long nobody else has leave.
const LEASE: u64 = DELIVERY + PROMPT + 10;

#[derive(Debug, Clone)]
enum Step {
    /// Somebody comes with the key.
    Come,
    /// One who has it goes a step on.
    Go(usize),
    /// One who has it gives it back before they sent anything.
    Leave(usize),
    /// One who has it is gone without a word.
    Crash(usize),
    /// A broker writes what was sent.
    Write(usize),
    /// A broker refuses it for good.
    Refuse(usize),
    Wait(u64),
}

fn step() -> impl Strategy<Value = Step> {
    let one = || 0_usize..6;
    prop_oneof![
        3 => Just(Step::Come),
        6 => one().prop_map(Step::Go),
        1 => one().prop_map(Step::Leave),
        2 => one().prop_map(Step::Crash),
        3 => one().prop_map(Step::Write),
        1 => one().prop_map(Step::Refuse),
        3 => (1..2 * LEASE).prop_map(Step::Wait),
        3 => (1..PROMPT).prop_map(Step::Wait),
    ]
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Has the key; somebody may have sent something before, or not.
    Has {
        doubt: bool,
    },
    /// Has looked, and found nothing.
    Looked,
    /// May send since then.
    May(u64),
    Sent,
    Over,
}

struct Caller {
    terms: Terms,
    state: State,
}

/// What a caller sent: until when it may be written.
struct Flying {
    by: usize,
    until: u64,
    decided: Option<bool>,
}

#[derive(Default)]
struct World {
    now: u64,
    book: Book,
    callers: Vec<Caller>,
    flying: Vec<Flying>,
    /// Who wrote each record.
    log: Vec<usize>,
}

const ID: Id = Id([1; 32]);
const FINGERPRINT: Fingerprint = Fingerprint([2; 32]);

fn answer(by: usize) -> Answer {
    Answer {
        status: StatusCode::OK,
        body: Bytes::from(by.to_string()),
    }
}

impl World {
    fn change(&mut self, caller: usize, change: &Change) -> bool {
        let terms = self.callers[caller].terms;
        self.book.change(self.now, ID, terms, change)
    }

    fn come(&mut self) {
        let terms = Terms {
            nonce: Nonce(self.callers.len() as u128),
            lease: Duration::from_millis(LEASE),
            keep: Duration::from_secs(3600),
        };
        match self.book.claim(self.now, ID, FINGERPRINT, terms) {
            Ok(Claimed::Ours(before)) => self.callers.push(Caller {
                terms,
                state: State::Has {
                    doubt: before.is_some(),
                },
            }),
            Ok(Claimed::Answered(said)) => assert_eq!(said, answer(self.log[0])),
            Ok(Claimed::Busy(_)) => {}
            other => panic!("{other:?}"),
        }
    }

    fn go(&mut self, caller: usize) {
        let state = self.callers[caller].state;
        let next = match state {
            State::Has { doubt: true } => match self.log.first() {
                Some(&by) => {
                    self.change(caller, &Change::Answer(answer(by)));
                    State::Over
                }
                None => State::Looked,
            },
            State::Has { doubt: false } | State::Looked => {
                match self.change(caller, &Change::Send(Places::default())) {
                    true => State::May(self.now),
                    false => State::Over,
                }
            }
            State::May(since) if self.now - since <= PROMPT => {
                self.flying.push(Flying {
                    by: caller,
                    until: self.now + DELIVERY,
                    decided: None,
                });
                State::Sent
            }
            State::May(_) => State::Over,
            State::Sent => match self.fate(caller) {
                None => State::Sent,
                Some(true) => {
                    self.change(caller, &Change::Answer(answer(caller)));
                    State::Over
                }
                Some(false) => {
                    self.change(caller, &Change::Release);
                    State::Over
                }
            },
            State::Over => State::Over,
        };
        self.callers[caller].state = next;
    }

    fn fate(&self, caller: usize) -> Option<bool> {
        self.flying.iter().find(|sent| sent.by == caller)?.decided
    }

    fn leave(&mut self, caller: usize) {
        let change = match self.callers[caller].state {
            State::Has { doubt: false } => Change::Release,
            State::Has { doubt: true } | State::Looked => Change::Suspend,
            _ => return,
        };
        // One who was let in without doubt, and has looked at nothing, sent nothing.
        self.change(caller, &change);
        self.callers[caller].state = State::Over;
    }

    fn take(&mut self, step: &Step) {
        let callers = self.callers.len();
        let last = |n: &usize| callers.checked_sub(n + 1);
        match step {
            Step::Come => self.come(),
            Step::Wait(time) => self.now += time,
            Step::Go(n) => last(n).map_or((), |caller| self.go(caller)),
            Step::Leave(n) => last(n).map_or((), |caller| self.leave(caller)),
            Step::Crash(n) => last(n).map_or((), |caller| self.callers[caller].state = State::Over),
            Step::Write(n) => self.decide(*n, true),
            Step::Refuse(n) => self.decide(*n, false),
        }
    }

    fn decide(&mut self, n: usize, write: bool) {
        let now = self.now;
        let open = |sent: &&mut Flying| sent.decided.is_none() && now <= sent.until;
        if let Some(sent) = self.flying.iter_mut().filter(open).nth(n) {
            sent.decided = Some(write);
            if write {
                self.log.push(sent.by);
            }
        }
    }

    /// Everybody is gone; somebody comes once more, and nothing goes wrong.
    fn end(&mut self) {
        self.now += 2 * LEASE;
        self.come();
        let caller = self.callers.len().saturating_sub(1);
        for _ in 0..4 {
            self.go(caller);
            self.decide(0, true);
        }
    }
}

proptest! {
    #[test]
    fn what_is_sent_many_times_is_written_once(steps in prop::collection::vec(step(), 1..80)) {
        let mut world = World::default();
        for step in &steps {
            world.take(step);
            prop_assert!(world.log.len() <= 1, "{:?}", world.log);
        }
        world.end();
        prop_assert_eq!(world.log.len(), 1);
        world.come();
    }
}

fn terms(nonce: u128) -> Terms {
    Terms {
        nonce: Nonce(nonce),
        lease: Duration::from_millis(LEASE),
        keep: Duration::from_millis(1000),
    }
}

#[test]
fn an_answer_is_forgotten_in_its_time_and_makes_room() {
    let mut book = Book::default();
    let claim = |book: &mut Book, now| book.claim(now, ID, FINGERPRINT, terms(1));
    assert_eq!(claim(&mut book, 0), Ok(Claimed::Ours(None)));
    assert_eq!(
        claim(&mut book, 30),
        Ok(Claimed::Busy(Duration::from_millis(LEASE - 30)))
    );
    let other = book.claim(0, ID, Fingerprint([3; 32]), terms(2));
    assert_eq!(other, Ok(Claimed::Reused));
    // Only who has it may say what came of it, and only once.
    assert!(!book.change(40, ID, terms(2), &Change::Release));
    assert!(book.change(50, ID, terms(1), &Change::Answer(answer(7))));
    assert!(!book.change(60, ID, terms(1), &Change::Release));
    assert_eq!(claim(&mut book, 1049), Ok(Claimed::Answered(answer(7))));
    assert_eq!(claim(&mut book, 1050), Ok(Claimed::Ours(None)));
}

#[test]
fn a_full_memory_refuses_new_keys_and_keeps_the_old() {
    let mut book = Book::default();
    let large = Answer {
        status: StatusCode::OK,
        body: Bytes::from(vec![0; 64 << 20]),
    };
    assert_eq!(
        book.claim(0, ID, FINGERPRINT, terms(1)),
        Ok(Claimed::Ours(None))
    );
    assert!(book.change(0, ID, terms(1), &Change::Answer(large.clone())));
    let other = Id([4; 32]);
    assert!(book.claim(1, other, FINGERPRINT, terms(2)).is_err());
    assert_eq!(
        book.claim(1, ID, FINGERPRINT, terms(2)),
        Ok(Claimed::Answered(large))
    );
    assert_eq!(
        book.claim(1000, other, FINGERPRINT, terms(2)),
        Ok(Claimed::Ours(None))
    );
}
