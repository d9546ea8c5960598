//! The books in a file, entered by one thread: what waits is written together, and answered once
//! it is safe.

use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant, SystemTime};

use tokio::sync::oneshot;

use crate::quota::book::{Book, Standing, Terms};
use crate::quota::leases::{Amend, Asked};
use crate::quota::store::disk::{Change, Disk};
use crate::quota::store::wire::{Answered, Kept, read, write};
use crate::quota::window::{Micros, since_epoch};

/// At most so many callers' entries are written together.
const TOGETHER: usize = 256;

/// How long what need not last may stay unwritten; and how often the thread looks for books that
/// are over.
const REST: Duration = Duration::from_secs(1);

/// How many books are looked at in one go.
const LOOKED_AT: usize = 1_000;

/// What can be asked of whoever keeps the books.
#[derive(Debug, Clone)]
pub(super) enum Question {
    /// To make entries, together.
    Enter(Arc<[Asked]>),
    /// To make a change by hand.
    Amend(Amend),
    /// For one book.
    Read(Arc<str>),
    /// For so many books from a name on.
    List(String, usize),
    /// To make last what was entered.
    MakeLast,
}

/// What is answered to a [`Question`].
#[derive(Debug)]
pub(super) enum Reply {
    Entered(Vec<Answered>),
    Amended(Result<Standing, Arc<str>>),
    Read(Result<Option<Kept>, Arc<str>>),
    Listed(Result<Vec<(String, Kept)>, Arc<str>>),
    Lasts,
}

/// The thread, to be told what to do. It ends when nobody can tell it any more, and releases the
/// file.
#[derive(Debug, Clone)]
pub(super) struct Table(mpsc::Sender<Task>);

type Task = (Question, oneshot::Sender<Reply>);

impl Table {
    pub(super) fn start(disk: Disk) -> std::io::Result<Self> {
        let (tasks, told) = mpsc::channel();
        std::thread::Builder::new()
            .name("weir-ledger".to_owned())
            .spawn(move || Clerk::new(disk).work(&told))?;
        Ok(Self(tasks))
    }

    /// The answer; `None` if the thread has ended.
    pub(super) async fn ask(&self, question: Question) -> Option<Reply> {
        let (answer, answered) = oneshot::channel();
        self.0.send((question, answer)).ok()?;
        answered.await.ok()
    }
}

/// Who keeps the books.
struct Clerk {
    disk: Disk,
    /// Something was written that does not last yet.
    unsafe_since: Option<Instant>,
    /// Where the search for books that are over goes on.
    cursor: String,
    looked: Instant,
}

impl Clerk {
    fn new(disk: Disk) -> Self {
        Self {
            disk,
            unsafe_since: None,
            cursor: String::new(),
            looked: Instant::now(),
        }
    }

    fn work(mut self, told: &mpsc::Receiver<Task>) {
        loop {
            match told.recv_timeout(REST) {
                Ok(first) => self.serve(first, told),
                Err(mpsc::RecvTimeoutError::Timeout) => {}
                Err(mpsc::RecvTimeoutError::Disconnected) => break,
            }
            if self
                .unsafe_since
                .is_some_and(|since| since.elapsed() >= REST)
            {
                self.settle();
            }
            if self.looked.elapsed() >= REST {
                self.forget();
            }
        }
        self.settle();
    }

    /// Makes what was written last.
    fn settle(&mut self) {
        if self.unsafe_since.take().is_some()
            && let Err(why) = self.disk.write(&[], true)
        {
            log::error!("{why}");
        }
    }

    fn serve(&mut self, first: Task, told: &mpsc::Receiver<Task>) {
        let (mut entries, mut lasting) = (Vec::new(), Vec::new());
        let more = std::iter::from_fn(|| told.try_recv().ok());
        for (question, answer) in std::iter::once(first).chain(more.take(TOGETHER)) {
            // Whoever asked has gone, if nobody listens.
            match question {
                Question::Enter(asked) => entries.push((asked, answer)),
                Question::Amend(amend) => {
                    drop(answer.send(Reply::Amended(self.amend(&amend))));
                }
                Question::Read(key) => drop(answer.send(Reply::Read(self.read(&key)))),
                Question::List(from, most) => {
                    drop(answer.send(Reply::Listed(self.list(&from, most))));
                }
                Question::MakeLast => lasting.push(answer),
            }
        }
        if !entries.is_empty() {
            self.enter(entries);
        }
        if !lasting.is_empty() {
            self.settle();
            for answer in lasting {
                let _ = answer.send(Reply::Lasts);
            }
        }
    }

    fn enter(&mut self, entries: Vec<(Arc<[Asked]>, oneshot::Sender<Reply>)>) {
        let now = since_epoch(SystemTime::now());
        let mut page = Page::default();
        let mut answered: Vec<_> = entries
            .into_iter()
            .map(|(asked, answer)| (page.enter(&self.disk, &asked, now), answer))
            .collect();
        let written = self.disk.write(&page.changes(), page.lasting);
        match &written {
            Ok(()) if page.lasting => self.unsafe_since = None,
            Ok(()) => drop(self.unsafe_since.get_or_insert_with(Instant::now)),
            Err(why) => log::error!("{why}"),
        }
        for (answers, answer) in answered.drain(..) {
            let answers = match &written {
                Ok(()) => answers,
                Err(why) => answers.iter().map(|_| Err(Arc::clone(why))).collect(),
            };
            let _ = answer.send(Reply::Entered(answers));
        }
    }

    fn amend(&mut self, amend: &Amend) -> Result<Standing, Arc<str>> {
        let now = since_epoch(SystemTime::now());
        let mut page = Page::default();
        let at = page.open(&self.disk, &amend.key, amend.terms)?;
        let kept = &mut page.books[at].1;
        kept.book.amend(amend.terms, now, &amend.amendment);
        kept.until = kept.book.blank_at(amend.terms, now);
        let standing = kept.book.standing(amend.terms, now);
        self.disk.write(&page.changes(), true)?;
        Ok(standing)
    }

    fn read(&self, key: &str) -> Result<Option<Kept>, Arc<str>> {
        let bytes = self.disk.get(key)?;
        bytes.map(|bytes| read(&bytes)).transpose()
    }

    fn list(&self, from: &str, most: usize) -> Result<Vec<(String, Kept)>, Arc<str>> {
        let found = self.disk.scan(from, most)?;
        let each = found.into_iter();
        each.map(|(key, bytes)| Ok((key, read(&bytes)?))).collect()
    }

    /// Looks for books that are over, some at a time.
    fn forget(&mut self) {
        self.looked = Instant::now();
        let now = since_epoch(SystemTime::now());
        let Ok(found) = self.disk.scan(&self.cursor, LOOKED_AT) else {
            return;
        };
        self.cursor = match found.last() {
            Some((last, _)) if found.len() == LOOKED_AT => format!("{last}\0"),
            _ => String::new(),
        };
        let over = |bytes: &[u8]| read::<Kept>(bytes).is_ok_and(|kept| kept.until <= now);
        let gone: Vec<Change> = found
            .into_iter()
            .filter(|(_, bytes)| over(bytes))
            .map(|(key, _)| (key.into(), None))
            .collect();
        if !gone.is_empty() && self.disk.write(&gone, false).is_ok() {
            self.unsafe_since.get_or_insert_with(Instant::now);
        }
    }
}

/// Books that are written together.
#[derive(Default)]
struct Page {
    books: Vec<(Arc<str>, Kept)>,
    /// Whether any of it must not be lost: what is granted is spent at once, and debt is told once.
    lasting: bool,
}

impl Page {
    /// Makes entries together: nothing is granted to any unless enough is granted to each.
    fn enter(&mut self, disk: &Disk, asked: &[Asked], now: Micros) -> Vec<Answered> {
        let open: Vec<Result<usize, Arc<str>>> = asked
            .iter()
            .map(|asked| self.open(disk, &asked.key, asked.terms))
            .collect();
        let debt = |page: &Self| {
            page.books
                .iter()
                .map(|(_, kept)| kept.book.debt())
                .sum::<u64>()
        };
        let before = debt(self);
        let heard: Vec<u64> = asked
            .iter()
            .zip(&open)
            .map(|(asked, at)| match at {
                Ok(at) => self.books[*at].1.book.hear(asked.terms, now, &asked.entry),
                Err(_) => 0,
            })
            .collect();
        let enough = asked
            .iter()
            .zip(&heard)
            .all(|(a, heard)| *heard >= a.entry.least);
        self.lasting |= debt(self) > before;
        let all = asked.iter().zip(open).zip(heard);
        all.map(|((asked, at), heard)| {
            let kept = &mut self.books[at?].1;
            let granted = if enough { heard } else { 0 };
            let answer = kept.book.grant(asked.terms, now, &asked.entry, granted);
            kept.until = kept.book.blank_at(asked.terms, now);
            self.lasting |= granted > 0;
            let full = heard < asked.entry.least;
            Ok((answer, full.then(|| kept.book.clone())))
        })
        .collect()
    }

    /// Where the book is that is asked for, brought here if need be.
    fn open(&mut self, disk: &Disk, key: &Arc<str>, terms: Terms) -> Result<usize, Arc<str>> {
        if let Some(at) = self.books.iter().position(|(of, _)| of == key) {
            self.books[at].1.terms = terms.into();
            return Ok(at);
        }
        let book = match disk.get(key)? {
            Some(bytes) => read::<Kept>(&bytes)?.book,
            None => Book::default(),
        };
        let kept = Kept {
            until: 0,
            terms: terms.into(),
            book,
        };
        self.books.push((Arc::clone(key), kept));
        Ok(self.books.len() - 1)
    }

    fn changes(&self) -> Vec<Change> {
        let change = |(key, kept): &(Arc<str>, Kept)| (Arc::clone(key), Some(write(kept)));
        self.books.iter().map(change).collect()
    }
}
