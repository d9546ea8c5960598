//! The thread that sends: entry after entry in the order of the spool, many on their way at once, and
//! what is acknowledged is written down.

use std::collections::HashSet;
use std::future::poll_fn;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::FutureExt as _;
use tokio::sync::watch;
use weir_telemetry::Code;

use super::course::{Course, Next};
use super::doubt::{self, Doubtful};
use super::flight::{Flights, Item, State};
use super::position::Place;
use super::rejected::Rejected;
use super::sink::{Outcome, Sink};
use super::takeover::{Held, take_over};
use super::{Entry, HEADER, Id, Shared, directory};

/// How often, at least, it is written down what is acknowledged, and after how many entries: what is in
/// doubt if the process is killed, beside what is on its way.
const NOTE_EVERY: Duration = Duration::from_millis(50);
const NOTE_AFTER: u64 = 500;
/// How often it is looked for what others have added, and for room in a queue.
const LOOK_EVERY: Duration = Duration::from_millis(100);
const ROOM_EVERY: Duration = Duration::from_millis(10);
/// How often figures are told.
const TELL_EVERY: Duration = Duration::from_secs(1);
/// How long to wait after something failed.
const BREATH: Duration = Duration::from_secs(1);
/// How long what is on its way has to come to an end: when all begins anew, and when it ends.
const ENDING_ANEW: Duration = Duration::from_secs(5);
const ENDING: Duration = Duration::from_millis(700);
/// How often it is tried to keep what brokers refused, before that is given up.
const TRIES: usize = 10;

/// Sends until told to stop.
pub(super) fn run(shared: Arc<Shared>, sink: impl Sink, mut stop: watch::Receiver<bool>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build();
    match runtime {
        Ok(runtime) => runtime.block_on(async {
            let held = tokio::select! {
                biased;
                () = told(&mut stop) => return,
                held = take_over(&shared) => held,
            };
            Drain::new(shared, sink, held).run(stop).await;
        }),
        Err(error) => {
            let directory = shared.settings.directory.display();
            ::log::error!("the spool {directory} is not sent: {error}");
        }
    }
}

/// Returns once nothing more is to be sent.
async fn told(stop: &mut watch::Receiver<bool>) {
    // If whoever could say so is gone, that says the same.
    let _ = stop.wait_for(|stop| *stop).await;
}

struct Drain<S> {
    sink: S,
    held: Held,
    course: Course,
    flights: Flights,
    /// What comes yet and turned out to be sent.
    sent: HashSet<Id>,
    /// When the oldest came that is being looked for.
    sought: Option<i64>,
    rejected: Rejected,
    /// All before it is done with.
    place: Place,
    /// How many entries are done with, and how many of them that is not written down of.
    done: u64,
    unnoted: u64,
    /// Up to where it is written down, and when that was.
    noted: Place,
    noted_at: Instant,
    /// Segments that are done with and still there.
    passed: Vec<u64>,
    /// Whether there is nothing to read now, or it cannot be read.
    idle: bool,
    failing: bool,
    told_at: Option<Instant>,
    shared: Arc<Shared>,
}

impl<S: Sink> Drain<S> {
    fn new(shared: Arc<Shared>, sink: S, held: Held) -> Self {
        Self {
            course: Course::new(Arc::clone(&shared), held.place),
            rejected: Rejected::new(&shared.settings),
            flights: Flights::default(),
            sent: HashSet::new(),
            sought: None,
            place: held.place,
            noted: held.place,
            noted_at: Instant::now(),
            done: 0,
            unnoted: 0,
            passed: Vec::new(),
            idle: false,
            failing: false,
            told_at: None,
            sink,
            held,
            shared,
        }
    }

    async fn run(mut self, mut stop: watch::Receiver<bool>) {
        let mut live = self.shared.live.subscribe();
        match self.look_ahead(&mut stop).await {
            Some(sent) => self.sent = sent,
            None => return,
        }
        loop {
            let all_sent = self.fill();
            let pace = match (all_sent, self.place == self.noted) {
                (false, _) => ROOM_EVERY,
                (true, false) => NOTE_EVERY,
                (true, true) => LOOK_EVERY,
            };
            tokio::select! {
                biased;
                () = told(&mut stop) => break,
                () = poll_fn(|cx| self.flights.poll(cx)) => {}
                _ = live.changed(), if self.idle => {}
                () = tokio::time::sleep(pace) => {}
            }
            self.settle(&mut stop).await;
            self.note(false);
            self.tell();
        }
        let _ = tokio::time::timeout(ENDING, poll_fn(|cx| self.flights.poll_all(cx))).await;
        while self.settle_one().is_some_and(|again| again.is_none()) {}
        self.note(true);
    }

    /// Reads and sends what there is room for; whether all that was read is on its way.
    fn fill(&mut self) -> bool {
        self.idle = false;
        loop {
            if !self.flights.send(&mut self.sink) {
                return false;
            }
            if !self.flights.has_room() {
                return true;
            }
            match self.course.next() {
                Ok(Next::Entry(mut entry, end)) => {
                    mark(&mut entry);
                    match self.sent.remove(&entry.id) {
                        true => self.flights.add_sent(entry, end),
                        false => self.flights.add(entry, end),
                    }
                }
                Ok(Next::Passed(segment)) => self.flights.pass(segment),
                Ok(Next::Nothing) => {
                    self.idle = true;
                    self.failing = false;
                    return true;
                }
                Err(error) => {
                    self.idle = true;
                    self.complain(&format!("cannot be read: {error}"));
                    return true;
                }
            }
        }
    }

    /// What an earlier process has sent of what is next; nothing, if it is to stop first.
    async fn look_ahead(&mut self, stop: &mut watch::Receiver<bool>) -> Option<HashSet<Id>> {
        let Held { place, until, .. } = self.held;
        match doubt::ahead(&self.shared.settings.directory, place, until) {
            Ok(doubtful) => self.look(doubtful, stop).await,
            Err(error) => {
                self.complain(&format!("cannot be read: {error}"));
                Some(HashSet::new())
            }
        }
    }

    /// Which of these are sent; nothing, if it is to stop before that is known.
    async fn look(
        &mut self,
        doubtful: Vec<Doubtful>,
        stop: &mut watch::Receiver<bool>,
    ) -> Option<HashSet<Id>> {
        self.sought = doubtful.first().map(|first| first.came);
        let mut sent = std::pin::pin!(doubt::sent(self.sink.eyes(), doubtful));
        loop {
            tokio::select! {
                biased;
                () = told(stop) => return None,
                sent = &mut sent => {
                    self.sought = None;
                    return Some(sent);
                }
                () = tokio::time::sleep(TELL_EVERY) => self.tell(),
            }
        }
    }

    /// Once until it works again.
    fn complain(&mut self, what: &str) {
        if !std::mem::replace(&mut self.failing, true) {
            let directory = self.shared.settings.directory.display();
            ::log::error!("the spool {directory}: {what}");
        }
    }

    /// Takes note of all that came to an end, in order.
    async fn settle(&mut self, stop: &mut watch::Receiver<bool>) {
        while let Some(again) = self.settle_one() {
            if let Some(why) = again {
                return self.begin_anew(&why, stop).await;
            }
        }
    }

    /// Takes note of the first, if it came to an end; and why it has to be sent again, if it has to.
    fn settle_one(&mut self) -> Option<Option<String>> {
        let _ = poll_fn(|cx| self.flights.poll(cx)).now_or_never();
        let place = match self.flights.settled()? {
            Item::Passed(segment) => {
                self.passed.push(*segment);
                Place {
                    segment: segment + 1,
                    offset: 0,
                }
            }
            Item::Entry(entry, end, State::Settled(outcome, took)) => {
                let cluster = &self.shared.settings.cluster;
                match outcome {
                    Outcome::Again(why) => return Some(Some(why.clone())),
                    Outcome::Delivered => {
                        let topic = self.shared.metrics.topic(cluster, &entry.record.topic);
                        topic.sent(*took, None);
                        self.shared.figures.sent();
                    }
                    Outcome::Refused(code, why) => {
                        // Its name may be anybody's word.
                        self.shared
                            .metrics
                            .topic(cluster, "")
                            .sent(*took, Some(*code));
                        reject(&self.shared, &mut self.rejected, entry, *code, why);
                    }
                }
                self.done += 1;
                self.unnoted += 1;
                *end
            }
            Item::Entry(..) => return None,
        };
        self.place = place;
        self.flights.finish();
        Some(None)
    }

    /// Something has to be sent again, and so has all behind it of which it is not known what became: or
    /// it would come after what it was before.
    async fn begin_anew(&mut self, why: &str, stop: &mut watch::Receiver<bool>) {
        self.complain(&format!("what is on its way has to be sent again: {why}"));
        tokio::time::sleep(BREATH).await;
        if let Err(why) = self.sink.renew() {
            self.complain(&why);
        }
        let ended = poll_fn(|cx| self.flights.poll_all(cx));
        // What does not come to an end is sent again, too.
        let _ = tokio::time::timeout(ENDING_ANEW, ended).await;
        if let Some(sent) = self.look(self.flights.doubtful(), stop).await {
            self.flights.take_back(&sent);
        }
    }

    /// Writes down what is done with, if it is time to, and takes away what nobody needs any more.
    fn note(&mut self, now: bool) {
        let due = now || self.unnoted >= NOTE_AFTER || self.noted_at.elapsed() >= NOTE_EVERY;
        if self.place == self.noted || !due {
            return;
        }
        self.noted_at = Instant::now();
        if let Err(error) = self.held.position.write(self.place) {
            return self.complain(&format!(
                "what is sent cannot be written down and may be sent again: {error}"
            ));
        }
        (self.noted, self.unnoted) = (self.place, 0);
        for segment in std::mem::take(&mut self.passed) {
            let path = directory::segment(&self.shared.settings.directory, segment);
            let size = std::fs::metadata(&path).map_or(0, |metadata| metadata.len());
            match std::fs::remove_file(&path) {
                Ok(()) => self.shared.free(size),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => ::log::warn!("{} stays: {error}", path.display()),
            }
        }
    }

    /// Tells how much waits, and since when.
    fn tell(&mut self) {
        if self.told_at.is_some_and(|at| at.elapsed() < TELL_EVERY) {
            return;
        }
        self.told_at = Some(Instant::now());
        let signed = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
        let done = signed(self.done);
        if let Some(all) = self.course.all_of.filter(|_| self.flights.is_empty()) {
            // What others added while it was counted may have been counted twice, or not at all.
            self.held.waiting = done - signed(all);
        }
        let added = signed(self.shared.live.borrow().appended) - done;
        let records = u64::try_from(self.held.waiting + added).unwrap_or(0);
        let bytes = directory::bytes(&self.shared.settings.directory).unwrap_or(0);
        let rejected = self.rejected.bytes().unwrap_or(0);
        let oldest = self.flights.oldest().or(self.sought);
        let oldest = oldest.unwrap_or_else(super::now);
        let age = u64::try_from(super::now() - oldest).unwrap_or(0);
        let figures = &self.shared.figures;
        figures.standing(records, bytes + rejected, Duration::from_millis(age));
    }
}

/// What is sent of an entry beside its record: its id, and when it came.
fn mark(entry: &mut Entry) {
    let id = entry.id.to_string();
    let record = &mut entry.record;
    record.headers.push((HEADER.into(), Some(id.into())));
    record.timestamp.get_or_insert(entry.time);
}

/// Keeps what brokers refused for good.
fn reject(shared: &Shared, rejected: &mut Rejected, entry: &Entry, code: Code, why: &str) {
    let directory = shared.settings.directory.display();
    let (id, topic) = (entry.id, &entry.record.topic);
    shared.figures.rejected(code);
    ::log::error!("the spool {directory}: brokers refused {id} for {topic}: {code}: {why}");
    // As its caller brought it.
    let mut entry = entry.clone();
    entry.record.headers.retain(|(name, _)| **name != *HEADER);
    for tried in 1.. {
        match rejected.keep(&entry, &format!("{code}: {why}")) {
            Ok(0) => return,
            Ok(gone) => {
                shared.figures.lost(gone);
                return ::log::error!(
                    "the spool {directory}: {gone} records that brokers refused earlier made room \
                     and are gone"
                );
            }
            Err(error) if tried == TRIES => {
                shared.figures.lost(1);
                return ::log::error!("the spool {directory}: {id} is gone: {error}");
            }
            // The thread is its own: others wait for the disk as well.
            Err(_) => std::thread::sleep(BREATH),
        }
    }
}
