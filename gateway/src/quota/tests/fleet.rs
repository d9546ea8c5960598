//! Several gateways on one store, whose messages are lost, whose clock runs, and some of which are
//! killed: whatever happens, nothing is admitted beyond the limit, everything that was settled is
//! counted exactly once, and everything else comes back.
//!
//! The books are the real ones, kept in memory; time is the test's.

use std::collections::{HashMap, VecDeque};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use async_trait::async_trait;
use parking_lot::Mutex;
use proptest::prelude::*;
use tokio::time::{Instant, sleep};

use super::*;
use crate::quota::Period;
use crate::quota::book::{Book, Standing, Terms};
use crate::quota::leases::{Amend, Asked, Books, Leases, Wanted};
use crate::quota::store::{Answered, Kept};
use crate::quota::window::{Micros, SECOND};

/// How long a gateway may be silent.
const PATIENCE: Duration = Duration::from_secs(10);

/// The start of an hour.
const BEGIN: Micros = 1_800_000_000 * SECOND;

/// Where the books are.
#[derive(Debug)]
struct Shelf {
    books: Mutex<HashMap<Arc<str>, (Terms, Book)>>,
    /// As somebody saw them.
    seen: Mutex<HashMap<Arc<str>, (Terms, Book)>>,
    began: Instant,
}

impl Shelf {
    fn now(&self) -> Micros {
        BEGIN + u64::try_from(self.began.elapsed().as_micros()).unwrap()
    }

    fn enter(&self, asked: &[Asked]) -> Vec<Answered> {
        let now = self.now();
        let mut books = self.books.lock();
        let hear = |asked: &Asked| {
            let key = Arc::clone(&asked.key);
            let (_, book) = books.entry(key).or_insert((asked.terms, Book::default()));
            book.hear(asked.terms, now, &asked.entry)
        };
        let heard: Vec<u64> = asked.iter().map(hear).collect();
        let enough = asked.iter().zip(&heard).all(|(a, h)| *h >= a.entry.least);
        let grant = |(asked, heard): (&Asked, u64)| {
            let book = &mut books.get_mut(&asked.key).unwrap().1;
            let granted = if enough { heard } else { 0 };
            let answer = book.grant(asked.terms, now, &asked.entry, granted);
            let full = heard < asked.entry.least;
            Ok((answer, full.then(|| book.clone())))
        };
        asked.iter().zip(heard).map(grant).collect()
    }

    /// Somebody notes the books as they are.
    fn see(&self) {
        self.seen.lock().clone_from(&self.books.lock());
    }

    /// Somebody brings back what was noted, of which nothing has been forgotten.
    fn bring_back(&self) {
        let (now, seen) = (self.now(), self.seen.lock());
        let mut books = self.books.lock();
        for (key, (terms, seen)) in seen.iter() {
            let known = books.get_mut(key);
            known.expect("it is kept").1.merge(*terms, now, seen);
        }
    }

    /// The only key's.
    fn standing(&self) -> Standing {
        let now = self.now();
        let mut books = self.books.lock();
        let Some((terms, book)) = books.values_mut().next() else {
            return Standing::default();
        };
        book.advance(*terms, now);
        book.standing(*terms, now)
    }
}

/// What becomes of a message.
#[derive(Debug, Clone, Copy)]
enum Fate {
    /// It never arrives.
    Lost,
    /// It arrives, and its answer does not.
    Unanswered,
}

/// One gateway's way to the shelf.
#[derive(Debug)]
struct Way {
    shelf: Arc<Shelf>,
    fates: Mutex<VecDeque<Fate>>,
    dead: AtomicBool,
}

#[async_trait]
impl Books for Way {
    async fn enter(&self, asked: &[Asked]) -> Vec<Answered> {
        if self.dead.load(Ordering::Relaxed) {
            std::future::pending::<()>().await;
        }
        let fate = self.fates.lock().pop_front();
        let failed = || asked.iter().map(|_| Err("it was lost".into())).collect();
        match fate {
            Some(Fate::Lost) => failed(),
            Some(Fate::Unanswered) => {
                drop(self.shelf.enter(asked));
                failed()
            }
            None => self.shelf.enter(asked),
        }
    }

    async fn amend(&self, amend: &Amend) -> Result<Standing, Arc<str>> {
        if self.dead.load(Ordering::Relaxed) {
            std::future::pending::<()>().await;
        }
        let now = self.shelf.now();
        let mut books = self.shelf.books.lock();
        let (_, book) = books
            .entry(Arc::clone(&amend.key))
            .or_insert((amend.terms, Book::default()));
        book.amend(amend.terms, now, &amend.amendment);
        Ok(book.standing(amend.terms, now))
    }

    async fn read(&self, _: &str) -> Result<Option<Kept>, Arc<str>> {
        unreachable!("nobody looks")
    }

    async fn list(&self, _: &Wanted, _: usize) -> Result<Vec<(String, Kept)>, Arc<str>> {
        unreachable!("nobody looks")
    }

    fn now(&self) -> Micros {
        self.shelf.now()
    }
}

/// What is known of a reservation by those who watch.
struct Made {
    node: usize,
    /// The window it was made in.
    step: u64,
    bound: u64,
    state: Fact,
}

enum Fact {
    Open(Reservation),
    /// What was used.
    Settled(u64),
    /// Its gateway was killed: nobody will ever say.
    Gone,
}

struct Node {
    way: Arc<Way>,
    ledger: super::super::Ledger,
    quota: Arc<Quota>,
    directory: PathBuf,
}

struct Fleet {
    shelf: Arc<Shelf>,
    nodes: Vec<Node>,
    made: Vec<Made>,
    limit: u64,
    window: Window,
    directory: PathBuf,
    started: usize,
}

impl Fleet {
    fn new(limit: u64, window: Window, nodes: usize) -> Self {
        static MADE: AtomicU32 = AtomicU32::new(0);
        let n = MADE.fetch_add(1, Ordering::Relaxed);
        let name = format!("weir-fleet-{}-{n}", std::process::id());
        let mut fleet = Self {
            shelf: Arc::new(Shelf {
                books: Mutex::default(),
                seen: Mutex::default(),
                began: Instant::now(),
            }),
            nodes: Vec::new(),
            made: Vec::new(),
            limit,
            window,
            directory: std::env::temp_dir().join(name),
            started: 0,
        };
        for _ in 0..nodes {
            let node = fleet.node();
            fleet.nodes.push(node);
        }
        fleet
    }

    /// A gateway with a directory of its own.
    fn node(&mut self) -> Node {
        self.started += 1;
        let directory = self.directory.join(self.started.to_string());
        let way = Arc::new(Way {
            shelf: Arc::clone(&self.shelf),
            fates: Mutex::default(),
            dead: AtomicBool::new(false),
        });
        let leases = Leases::new(
            Arc::clone(&way) as Arc<dyn Books>,
            PATIENCE,
            directory.clone(),
        );
        let mut quota = Quota::clone(&quota("fleet", self.limit, self.window, &[]));
        quota.store = Store::shared("fleet", leases);
        Node {
            way,
            ledger: super::super::Ledger::new(),
            quota: Arc::new(quota),
            directory,
        }
    }

    fn step(&self) -> u64 {
        self.window.step(self.shelf.now())
    }

    /// What was used within its bound, or may be, of what counts in the present window.
    fn counted(&self) -> u64 {
        let (window, step) = (self.window, self.step());
        let counts = self.made.iter().filter(|m| window.expiry(m.step) > step);
        counts
            .map(|made| match made.state {
                Fact::Open(_) => made.bound,
                Fact::Settled(used) => used.min(made.bound),
                Fact::Gone => 0,
            })
            .sum()
    }

    /// Whether it was admitted.
    async fn reserve(&mut self, node: usize, bound: u64) -> Result<bool, TestCaseError> {
        let at = &self.nodes[node];
        let claim = Claim {
            quota: &at.quota,
            subject: Subject::default(),
            bound,
        };
        let Ok(reservation) = at.ledger.reserve(&[claim], None).await else {
            return Ok(false);
        };
        let step = self.step();
        let state = Fact::Open(reservation);
        self.made.push(Made {
            node,
            step,
            bound,
            state,
        });
        let counted = self.counted();
        prop_assert!(counted <= self.limit, "{counted} are admitted");
        Ok(true)
    }

    /// As [`reserve`](Self::reserve), where everything said arrives: a refusal that stands, once
    /// everybody has heard of what came back meanwhile, is for want of room. But for what is on
    /// lease, as much as was asked was not there.
    async fn reserve_while_there_is_room(
        &mut self,
        node: usize,
        bound: u64,
    ) -> Result<(), TestCaseError> {
        if self.reserve(node, bound).await? {
            return Ok(());
        }
        sleep(Duration::from_millis(200)).await;
        if self.reserve(node, bound).await? {
            return Ok(());
        }
        let free = self.limit - self.counted();
        let leases = self.nodes.len() as u64 * self.limit / 16;
        prop_assert!(free < bound + leases, "{free} were free");
        Ok(())
    }

    fn settle(&mut self, which: usize, percent: u64) {
        let open = |made: &&mut Made| matches!(made.state, Fact::Open(_));
        let mut open: Vec<&mut Made> = self.made.iter_mut().filter(open).collect();
        if open.is_empty() {
            return;
        }
        let which = which % open.len();
        let made = &mut *open[which];
        let amount = made.bound * percent / 100;
        if let Fact::Open(reservation) = std::mem::replace(&mut made.state, Fact::Settled(amount)) {
            drop(reservation.settle(|_, _| used(amount)));
        }
    }

    /// Nothing of it is ever heard again but what it wrote; another one starts in its place.
    fn kill(&mut self, node: usize) {
        let next = self.node();
        let dead = std::mem::replace(&mut self.nodes[node], next);
        dead.way.dead.store(true, Ordering::Relaxed);
        for made in self.made.iter_mut().filter(|made| made.node == node) {
            if matches!(made.state, Fact::Open(_)) {
                std::mem::forget(std::mem::replace(&mut made.state, Fact::Gone));
            }
        }
        for file in std::fs::read_dir(&dead.directory).unwrap().flatten() {
            let name = format!("left-{}", file.file_name().display());
            std::fs::copy(file.path(), self.nodes[node].directory.join(name)).unwrap();
        }
        // No destructor runs when a process is killed.
        std::mem::forget(dead);
    }

    /// Once nothing is open and everything has been told, the book is exact.
    async fn end(&mut self) -> Result<(), TestCaseError> {
        while self
            .made
            .iter()
            .any(|made| matches!(made.state, Fact::Open(_)))
        {
            self.settle(0, 100);
        }
        sleep(3 * PATIENCE).await;
        let standing = self.shelf.standing();
        prop_assert_eq!(standing.settled, self.counted());
        prop_assert_eq!(standing.reserved, 0);
        let entered = standing != Standing::default();
        if entered
            && matches!(
                self.window,
                Window::Fixed {
                    every: Period::Hour
                }
            )
        {
            prop_assert_eq!(standing.debt, self.overrun());
            let counted = standing.settled + standing.debt;
            prop_assert_eq!(standing.room, self.limit.saturating_sub(counted));
        }
        Ok(())
    }

    /// What was used beyond what was reserved.
    fn overrun(&self) -> u64 {
        let over = self.made.iter().map(|made| match made.state {
            Fact::Settled(used) => used.saturating_sub(made.bound),
            Fact::Open(_) | Fact::Gone => 0,
        });
        over.sum()
    }

    async fn act(&mut self, act: Act) -> Result<(), TestCaseError> {
        match act {
            Act::Reserve { node, bound } => drop(self.reserve(node % NODES, bound).await?),
            Act::Settle { which, percent } => self.settle(which, percent),
            Act::Kill { node } => self.kill(node % NODES),
            Act::Fate { node, fate } => self.nodes[node % NODES].way.fates.lock().push_back(fate),
            Act::See => self.shelf.see(),
            Act::BringBack => self.shelf.bring_back(),
            Act::Pass(millis) => sleep(Duration::from_millis(millis)).await,
        }
        Ok(())
    }
}

const NODES: usize = 3;

#[derive(Debug, Clone)]
enum Act {
    Reserve { node: usize, bound: u64 },
    Settle { which: usize, percent: u64 },
    Kill { node: usize },
    Fate { node: usize, fate: Fate },
    See,
    BringBack,
    Pass(u64),
}

fn acts() -> impl Strategy<Value = Act> {
    let node = 0..NODES;
    let percent = prop_oneof![4 => 0..=100_u64, 1 => 100..400_u64];
    let fate = prop_oneof![Just(Fate::Lost), Just(Fate::Unanswered)];
    let pass = prop_oneof![3 => 0..150_u64, 1 => 0..6_000_u64];
    prop_oneof![
        8 => (node.clone(), 0..40_u64).prop_map(|(node, bound)| Act::Reserve { node, bound }),
        6 => (0..32_usize, percent).prop_map(|(which, percent)| Act::Settle { which, percent }),
        1 => node.clone().prop_map(|node| Act::Kill { node }),
        1 => (node, fate).prop_map(|(node, fate)| Act::Fate { node, fate }),
        1 => Just(Act::See),
        1 => Just(Act::BringBack),
        4 => pass.prop_map(Act::Pass),
    ]
}

/// Among gateways that all live and hear each other, and calls that keep to their bounds.
fn orderly_acts() -> impl Strategy<Value = Act> {
    prop_oneof![
        8 => (0..NODES, 0..40_u64).prop_map(|(node, bound)| Act::Reserve { node, bound }),
        6 => (0..32_usize, 0..=100_u64).prop_map(|(which, percent)| Act::Settle { which, percent }),
        4 => (0..150_u64).prop_map(Act::Pass),
    ]
}

fn windows() -> impl Strategy<Value = Window> {
    prop_oneof![
        3 => Just(Window::Fixed { every: Period::Hour }),
        1 => Just(Window::Fixed { every: Period::Minute }),
        1 => Just(Window::Sliding { every: Duration::from_secs(60) }),
    ]
}

/// Time passes as fast as nothing happens in it.
fn in_its_own_time(
    test: impl Future<Output = Result<(), TestCaseError>>,
) -> Result<(), TestCaseError> {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_time().start_paused(true).build().unwrap();
    runtime.block_on(test)
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn nobody_is_refused_while_more_is_free_than_a_lease_of_each(
        limit in 64..2_000_u64,
        acts in prop::collection::vec(orderly_acts(), 1..300),
    ) {
        in_its_own_time(async {
            let window = Window::Fixed { every: Period::Hour };
            let mut fleet = Fleet::new(limit, window, NODES);
            for act in acts {
                match act {
                    Act::Reserve { node, bound } => {
                        fleet.reserve_while_there_is_room(node, bound).await?;
                    }
                    act => fleet.act(act).await?,
                }
            }
            Ok(())
        })?;
    }

    #[test]
    fn nothing_is_admitted_beyond_the_limit_and_what_was_settled_is_counted_once(
        limit in 1..400_u64,
        window in windows(),
        acts in prop::collection::vec(acts(), 1..120),
    ) {
        in_its_own_time(async {
            let mut fleet = Fleet::new(limit, window, NODES);
            for act in acts {
                fleet.act(act).await?;
            }
            fleet.end().await
        })?;
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}
