//! The books on the servers: entered, read and replaced through one connection.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use redis::{RedisResult, Script, Value, cmd};

use super::clock::Clock;
use super::condition::Bulletin;
use super::entry::{self, Reply};
use super::journal::Journal;
use crate::quota::book::{Book, Terms};
use crate::quota::leases::{Asked, Wanted};
use crate::quota::store::wire::{Answered, Kept, read, write};
use crate::quota::window::{Micros, micros};
use crate::redis::Connection;

static ENTER: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("enter.lua")));
pub(super) static PUT: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("put.lua")));

/// How often a book that others change meanwhile is read again.
const TRIES: usize = 32;

/// How many keys are asked for at once.
const PAGE: usize = 1_000;

/// Why something was not done.
pub(super) enum Failure {
    /// The way to the servers is broken, or they cannot do what is asked.
    Broken(Arc<str>),
    /// No answer in time; the way may be good.
    Slow(Arc<str>),
    /// The book of this name has forgotten something.
    Lost(Arc<str>, Arc<str>),
}

/// The books, as reached by one connection.
pub(super) struct Shelf {
    /// The store's name, for the log.
    pub(super) store: Arc<str>,
    pub(super) prefix: Arc<str>,
    pub(super) connection: Connection,
    pub(super) journal: Arc<Journal>,
    pub(super) clock: Arc<Clock>,
    /// How long to wait for an answer where nobody waits for the decision.
    pub(super) patience: Duration,
    /// How long a holder may be silent.
    pub(super) lease: Duration,
    /// Where the servers' faults are told.
    pub(super) bulletin: Arc<Bulletin>,
}

impl Shelf {
    /// Waits for an answer to something that no decision waits for.
    pub(super) async fn wait<T>(
        &self,
        answer: impl Future<Output = RedisResult<T>>,
    ) -> Result<T, Arc<str>> {
        match tokio::time::timeout(self.patience, answer).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(e)) => Err(format!("Redis: {e}").into()),
            Err(_) => Err("Redis does not answer".into()),
        }
    }

    /// A number nobody can guess.
    pub(super) fn random(&self) -> u64 {
        use std::hash::BuildHasher as _;
        std::hash::RandomState::new().hash_one(self.clock.local())
    }

    fn name(&self, key: &str) -> String {
        format!("{}:{key}", self.prefix)
    }

    /// Makes entries in books that are kept in one place.
    pub(super) async fn enter(
        &self,
        asked: &[&Asked],
        deadline: tokio::time::Instant,
    ) -> Result<Vec<Answered>, Failure> {
        for _ in 0..3 {
            let now = self.clock.now();
            let mut call = ENTER.prepare_invoke();
            for one in asked {
                call.key(self.name(&one.key));
                call.arg(entry::argument(one, now));
            }
            let sent = self.clock.local();
            let answer = self.connection.invoke::<Vec<Value>>(&call);
            let reply = match tokio::time::timeout_at(deadline, answer).await {
                Ok(Ok(reply)) => reply,
                Ok(Err(e)) => return Err(Failure::Broken(format!("Redis: {e}").into())),
                Err(_) => return Err(Failure::Slow("Redis did not answer in time".into())),
            };
            match entry::parse(reply, asked).map_err(Failure::Broken)? {
                Reply::Entered(now, entered) => {
                    self.clock.hear(sent, now);
                    return Ok(self.note(asked, entered));
                }
                Reply::OtherWindow(now) => self.clock.set(now),
                Reply::Lost(now, index) => {
                    self.clock.hear(sent, now);
                    let of = asked.get(index).or(asked.first());
                    let key = of.map_or_else(|| "".into(), |asked| Arc::clone(&asked.key));
                    let why = format!("Redis has forgotten {key}").into();
                    return Err(Failure::Lost(key, why));
                }
            }
        }
        let why = "this machine's clock and Redis' do not agree on the present window";
        Err(Failure::Broken(why.into()))
    }

    fn note(&self, asked: &[&Asked], entered: Vec<(Answered, Vec<u8>)>) -> Vec<Answered> {
        let each = asked.iter().zip(entered);
        each.map(|(asked, (answered, bytes))| {
            self.journal.note(&asked.key, bytes);
            answered
        })
        .collect()
    }

    /// Brings a book back as it was seen. Its holders are waited for anew if they could be heard
    /// at `heard` and not since then.
    pub(super) async fn restore(
        &self,
        key: &Arc<str>,
        seen: &Kept,
        heard: Option<Micros>,
    ) -> Result<(), Arc<str>> {
        let Some(terms) = seen.terms.read() else {
            return Err(format!("{key} is counted by a time zone unknown here").into());
        };
        self.change(key, terms, |book, now| {
            let mut seen = seen.book.clone();
            if let Some(heard) = heard {
                let until = now.saturating_add(micros(self.lease));
                book.wait_anew(heard, until);
                seen.wait_anew(heard, until);
            }
            book.merge(terms, now, &seen);
        })
        .await
        .map(|_| ())
    }

    /// Changes a book, whoever else does so at the same time; returns it as it is then, and when
    /// that was.
    pub(super) async fn change(
        &self,
        key: &Arc<str>,
        terms: Terms,
        change: impl Fn(&mut Book, Micros),
    ) -> Result<(Book, Micros), Arc<str>> {
        let name = self.name(key);
        for _ in 0..TRIES {
            let before: Option<Vec<u8>> = self
                .wait(self.connection.query(cmd("GET").arg(&name)))
                .await?;
            let before = before.unwrap_or_default();
            let now = self.clock.now();
            let mut book = match before.is_empty() {
                true => Book::default(),
                false => read::<Kept>(&before)?.book,
            };
            change(&mut book, now);
            let until = book.blank_at(terms, now);
            let kept = Kept {
                until,
                terms: terms.into(),
                book,
            };
            let after = write(&kept);
            // As the script has it: for good, if for longer than it can count.
            let life = until.saturating_sub(now);
            let life = match life < entry::MOST / 4 {
                true => (life / 1_000 + 1_000).to_string(),
                false => String::new(),
            };
            let mut call = PUT.key(&name);
            call.arg(before).arg(&after).arg(life);
            if self.wait(self.connection.invoke::<bool>(&call)).await? {
                self.journal.note(key, after);
                return Ok((kept.book, now));
            }
        }
        Err(format!("{key} is changed too often by others").into())
    }

    pub(super) async fn read(&self, key: &str) -> Result<Option<Kept>, Arc<str>> {
        let bytes: Option<Vec<u8>> = self
            .wait(self.connection.query(cmd("GET").arg(self.name(key))))
            .await?;
        bytes.map(|bytes| read(&bytes)).transpose()
    }

    /// Books whose names are `wanted`. A cluster has no list of all keys: what this process has
    /// seen is told then.
    pub(super) async fn list(
        &self,
        wanted: &Wanted,
        most: usize,
    ) -> Result<Vec<(String, Kept)>, Arc<str>> {
        if matches!(self.connection, Connection::Cluster(_)) {
            return self.list_seen(wanted, most);
        }
        let begins = self.name("");
        let (mut found, mut cursor) = (Vec::new(), 0_u64);
        loop {
            let mut scan = cmd("SCAN");
            scan.arg(cursor)
                .arg("MATCH")
                .arg(format!("{begins}{{*"))
                .arg("COUNT")
                .arg(PAGE);
            let (next, names): (u64, Vec<String>) = self.wait(self.connection.query(&scan)).await?;
            let names: Vec<&str> = names
                .iter()
                .filter_map(|name| name.strip_prefix(&begins))
                .filter(|key| wanted(key))
                .collect();
            if !names.is_empty() {
                let mut get = cmd("MGET");
                for key in &names {
                    get.arg(self.name(key));
                }
                let books: Vec<Option<Vec<u8>>> = self.wait(self.connection.query(&get)).await?;
                for (key, bytes) in names.into_iter().zip(books) {
                    if let Some(bytes) = bytes {
                        found.push((key.to_owned(), read(&bytes)?));
                    }
                }
            }
            if next == 0 || found.len() >= most {
                break;
            }
            cursor = next;
        }
        // A key may be told twice.
        found.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
        found.dedup_by(|(one, _), (other, _)| one == other);
        found.truncate(most);
        Ok(found)
    }

    fn list_seen(&self, wanted: &Wanted, most: usize) -> Result<Vec<(String, Kept)>, Arc<str>> {
        self.journal.write()?;
        let (mut found, mut from) = (Vec::new(), Some(String::new()));
        while let Some(at) = from
            && found.len() < most
        {
            let (books, next) = self.journal.page(&at, self.clock.now())?;
            let books = books.into_iter().filter(|(key, _)| wanted(key));
            found.extend(books.map(|(key, kept)| (key.to_string(), kept)));
            from = next;
        }
        found.truncate(most);
        Ok(found)
    }
}
