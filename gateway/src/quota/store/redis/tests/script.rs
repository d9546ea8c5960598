//! The script against the book in Rust: whatever is entered, they answer the same and become the
//! same.

use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use redis::{Script, Value};

use super::server::Server;
use crate::quota::book::{Amendment, Book, Entry, Mark, Marks, Terms};
use crate::quota::leases::Asked;
use crate::quota::store::redis::entry::{MOST, Reply, argument, parse};
use crate::quota::store::wire::{Kept, read, write};
use crate::quota::window::{Micros, Period, SECOND, Window};
use crate::quota::zone::Zone;

/// The script, with a clock that the test sets.
fn script() -> Script {
    let code = include_str!("../enter.lua");
    let told = "{ ARGV[#ARGV], '0' }";
    assert!(
        code.contains("redis.call('TIME')"),
        "there is a clock to replace"
    );
    let code = code
        .replace("redis.call('TIME')", told)
        .replace("time[1] * 1000000 + time[2]", "tonumber(time[1])");
    Script::new(&code)
}

const BEGIN: Micros = 1_800_000_000 * SECOND;

#[derive(Debug, Clone)]
enum Step {
    /// A holder of a few says what it holds, by steps before the present one, and asks.
    Enter {
        holder: usize,
        marks: Vec<(u64, u64, u64)>,
        overrun: u64,
        want: u64,
        least: u64,
        stale: bool,
    },
    /// Time passes.
    Pass(Micros),
    /// The clock is set back.
    Back(Micros),
    Amend(Amendment),
}

fn amounts() -> impl Strategy<Value = u64> {
    prop_oneof![4 => 0..200_u64, 1 => 0..(1_u64 << 40)]
}

fn steps() -> impl Strategy<Value = Step> {
    let marks = prop::collection::vec((0..70_u64, amounts(), 0..=100_u64), 0..4);
    let overrun = prop_oneof![3 => Just(0_u64), 1 => 0..3_000_u64];
    let enter = (
        0..3_usize,
        marks,
        overrun,
        amounts(),
        amounts(),
        prop::bool::weighted(0.1),
    );
    let enter = enter.prop_map(|(holder, marks, overrun, want, least, stale)| Step::Enter {
        holder,
        marks,
        overrun,
        want,
        least: least.min(want),
        stale,
    });
    let pass = prop_oneof![
        3 => 0..2 * SECOND,
        2 => 0..120 * SECOND,
        1 => 0..200_000 * SECOND,
    ];
    let amend = prop_oneof![
        (0..2_000_u64).prop_map(Amendment::Grant),
        Just(Amendment::Reset)
    ];
    prop_oneof![
        6 => enter,
        4 => pass.prop_map(Step::Pass),
        1 => (0..20_000 * SECOND).prop_map(Step::Back),
        1 => amend.prop_map(Step::Amend),
    ]
}

fn terms() -> impl Strategy<Value = Terms> {
    let limit = prop_oneof![4 => 1..2_000_u64, 1 => Just(0), 1 => 1..(1_u64 << 45)];
    let utc = Zone::named("America/New_York").unwrap();
    let window = prop_oneof![
        Just(Window::Fixed {
            every: Period::Minute
        }),
        Just(Window::Fixed {
            every: Period::Hour
        }),
        Just(Window::Fixed {
            every: Period::Day(utc)
        }),
        Just(Window::Fixed {
            every: Period::Month(utc)
        }),
        (1..7_200_u64).prop_map(|seconds| Window::Sliding {
            every: Duration::from_secs(seconds)
        }),
        Just(Window::Held),
    ];
    let bucket = (1..10_000_u64, 1..4_000_u64, 1..(1_u64 << 45));
    prop_oneof![
        (limit.clone(), window).prop_map(|(limit, window)| Terms { window, limit }),
        (limit, bucket).prop_map(|(limit, (seconds, burst, large))| {
            let burst = if limit > 10_000 { large } else { burst };
            let every = Duration::from_secs(seconds);
            Terms {
                window: Window::token_bucket(limit, every, burst),
                limit,
            }
        }),
    ]
}

/// Both books, and the holders that enter.
struct Pair {
    terms: Terms,
    now: Micros,
    book: Book,
    connection: redis::Connection,
    script: Script,
    key: Arc<str>,
    turns: [u64; 3],
    overruns: [u64; 3],
}

impl Pair {
    fn step(&mut self, step: Step) -> Result<(), TestCaseError> {
        match step {
            Step::Pass(time) => self.now += time,
            Step::Back(time) => self.now -= time,
            Step::Amend(amendment) => {
                self.book.amend(self.terms, self.now, &amendment);
                self.write();
            }
            Step::Enter {
                holder,
                marks,
                overrun,
                want,
                least,
                stale,
            } => {
                let present = self.terms.window.step(self.now);
                let marks = marks.into_iter().map(|(back, booked, percent)| {
                    let settled = booked * percent / 100;
                    (present.saturating_sub(back), Mark { booked, settled })
                });
                self.overruns[holder] += overrun;
                self.turns[holder] += u64::from(!stale);
                let entry = Entry {
                    holder: holder as u64 + 1,
                    turn: self.turns[holder],
                    marks: marks.collect::<Marks>(),
                    overrun: self.overruns[holder],
                    want,
                    least,
                    ahead: 6,
                    patience: 10 * SECOND,
                };
                return self.enter(entry);
            }
        }
        Ok(())
    }

    fn enter(&mut self, entry: Entry) -> Result<(), TestCaseError> {
        let asked = Asked {
            key: Arc::clone(&self.key),
            root: "test".into(),
            terms: self.terms,
            entry,
            answered: 0,
        };
        let heard = self.book.hear(self.terms, self.now, &asked.entry);
        let granted = if heard >= asked.entry.least { heard } else { 0 };
        let expected = self.book.grant(self.terms, self.now, &asked.entry, granted);

        let mut call = self.script.key(&*self.key);
        call.arg(argument(&asked, self.now)).arg(self.now);
        let reply: Vec<Value> = call.invoke(&mut self.connection).unwrap();
        let Ok(Reply::Entered(_, mut entered)) = parse(reply, &[&asked]) else {
            return Err(TestCaseError::fail("nothing was entered"));
        };
        let (answered, bytes) = entered.pop().unwrap();
        let (answer, _) = answered.unwrap();
        let kept: Kept = read(&bytes).unwrap();
        prop_assert_eq!(&kept.book, &self.book);
        prop_assert_eq!(answer, expected);
        let blank_at = self.book.blank_at(self.terms, self.now);
        prop_assert!(
            kept.until >= blank_at.min(MOST),
            "{} is before {blank_at}",
            kept.until
        );
        Ok(())
    }

    fn write(&mut self) {
        let kept = Kept {
            until: MOST,
            terms: self.terms.into(),
            book: self.book.clone(),
        };
        let mut set = redis::cmd("SET");
        set.arg(&*self.key).arg(write(&kept));
        set.query::<()>(&mut self.connection).unwrap();
    }
}

#[test]
fn the_script_and_the_book_in_rust_are_one() {
    let server = Server::start(&[]);
    let config = ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    let mut runner = proptest::test_runner::TestRunner::new(config);
    let number = std::cell::Cell::new(0);
    let all = (terms(), prop::collection::vec(steps(), 1..40));
    runner
        .run(&all, |(terms, steps)| {
            number.set(number.get() + 1);
            let mut pair = Pair {
                terms,
                now: BEGIN,
                book: Book::default(),
                connection: server.connect(),
                script: script(),
                key: format!("book-{}", number.get()).into(),
                turns: [0; 3],
                overruns: [0; 3],
            };
            pair.step(Step::Pass(0))?;
            steps.into_iter().try_for_each(|step| pair.step(step))
        })
        .unwrap();
}
