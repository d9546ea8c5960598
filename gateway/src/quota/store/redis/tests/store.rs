//! Several gateways on one server, and servers that fail.

use std::sync::Arc;
use std::time::Duration;

use super::server::Server;
use crate::config::stores::{Login, Redis, Topology};
use crate::quota::book::Standing;
use crate::quota::tests::{claim, quota, used};
use crate::quota::{By, Ledger, Period, Quota, Refused, Reservation, Store, Window};

const MONTH: Window = Window::Fixed {
    every: Period::Month(crate::quota::Zone::UTC),
};

/// A gateway's ledger, and the one quota it counts by.
struct Node {
    ledger: Ledger,
    quota: Arc<Quota>,
}

impl Node {
    /// A gateway with a data directory of its own, under the server's.
    fn new(server: &Server, name: &str, limit: u64, window: Window) -> Self {
        let servers = Redis {
            addresses: vec![("127.0.0.1".to_owned(), server.port)],
            topology: Topology::Standalone,
            database: 0,
            login: Login::default(),
            tls: None,
            prefix: "weir".to_owned(),
            timeout: Duration::from_millis(500),
            lease: Duration::from_secs(2),
            journal: server.dir.join(name),
        };
        let mut quota = quota("shared", limit, window, &[By::Consumer]);
        let definition = Arc::get_mut(&mut quota).unwrap();
        definition.store = Store::redis("shared", &Arc::new(servers));
        Self {
            ledger: Ledger::new(),
            quota,
        }
    }

    async fn reserve(&self, bound: u64) -> Result<Reservation, Refused> {
        let claim = claim(&self.quota, "checkout", bound);
        self.ledger.reserve(&[claim], None).await
    }

    /// Reserves as soon as the store can be had.
    async fn reserved(&self, bound: u64) -> Reservation {
        loop {
            match self.reserve(bound).await {
                Ok(reservation) => return reservation,
                Err(Refused::Unavailable(_)) => pause().await,
                Err(Refused::Exhausted(refusal)) => {
                    let books = self.quota.store.leases().unwrap().books();
                    panic!(
                        "{} {:?}",
                        refusal.remaining,
                        books.list(&|_| true, 10).await
                    )
                }
            }
        }
    }

    /// How the key stands once that is so.
    async fn stands(&self, as_wanted: impl Fn(&Standing) -> bool) -> Standing {
        let books = self.quota.store.leases().unwrap().books();
        let mut seen = None;
        for _ in 0..1_000 {
            let listed = books.list(&|_| true, 10).await.unwrap_or_default();
            if let Some((_, kept)) = listed.into_iter().next() {
                let (terms, now) = (kept.terms.read().unwrap(), books.now());
                let mut book = kept.book;
                book.advance(terms, now);
                let standing = book.standing(terms, now);
                if as_wanted(&standing) {
                    return standing;
                }
                seen = Some(standing);
            }
            pause().await;
        }
        panic!("it stands at {seen:?}");
    }
}

async fn pause() {
    tokio::time::sleep(Duration::from_millis(20)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_gateways_spend_one_limit_between_them() {
    let server = Server::start(&[]);
    let nodes = [
        Node::new(&server, "a", 1_000, MONTH),
        Node::new(&server, "b", 1_000, MONTH),
    ];
    let mut spent = 0;
    let mut open = true;
    while open {
        open = false;
        for node in &nodes {
            loop {
                match node.reserve(7).await {
                    Ok(reservation) => {
                        drop(reservation.settle(|_, _| used(7)));
                        spent += 7;
                        open = true;
                    }
                    Err(Refused::Unavailable(_)) => {
                        pause().await;
                        continue;
                    }
                    Err(Refused::Exhausted(_)) => {}
                }
                break;
            }
        }
    }
    assert!((990..=1_000).contains(&spent), "{spent}");
    let standing = nodes[0].stands(|s| s.settled == spent).await;
    assert_eq!(standing.debt, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_given_back_by_one_is_for_the_other() {
    let server = Server::start(&[]);
    let [one, other] = ["a", "b"].map(|name| Node::new(&server, name, 100, MONTH));
    let reservation = one.reserved(100).await;
    loop {
        match other.reserve(60).await {
            Err(Refused::Exhausted(refusal)) => {
                assert_eq!((refusal.remaining, refusal.requested), (0, 60));
                break;
            }
            Err(Refused::Unavailable(_)) => pause().await,
            Ok(_) => panic!("there was nothing left"),
        }
    }
    drop(reservation.settle(|_, _| used(30)));
    one.stands(|s| s.settled == 30 && s.room == 70).await;
    drop(other.reserved(60).await.settle(|_, _| used(75)));
    // Fifteen more than was reserved: ten fill the month, five are owed.
    one.stands(|s| s.settled == 90 && s.debt == 15 && s.room == 0)
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_forgot_everything_is_told_again() {
    let mut server = Server::start(&[]);
    let [one, other] = ["a", "b"].map(|name| Node::new(&server, name, 1_000, MONTH));
    drop(one.reserved(300).await.settle(|_, _| used(300)));
    drop(other.reserved(200).await.settle(|_, _| used(250)));
    let open = other.reserved(100).await;
    one.stands(|s| s.settled == 500 && s.debt == 50).await;
    server.crash();
    one.stands(|s| s.settled == 500 && s.debt == 50).await;
    // What is open is still held, and is settled as if nothing had been.
    drop(open.settle(|_, _| used(100)));
    one.stands(|s| s.settled == 600 && s.debt == 50 && s.room + s.reserved == 350)
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_emptied_server_is_told_again() {
    let server = Server::start(&[]);
    let one = Node::new(&server, "a", 1_000, MONTH);
    drop(one.reserved(300).await.settle(|_, _| used(300)));
    one.stands(|s| s.settled == 300).await;
    let _: () = redis::cmd("FLUSHALL").query(&mut server.connect()).unwrap();
    one.stands(|s| s.settled == 300).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn servers_nobody_reached_for_long_begin_an_epoch() {
    let server = Server::start(&[]);
    let one = Node::new(&server, "a", 1_000, MONTH);
    drop(one.reserved(300).await.settle(|_, _| used(300)));
    let mut connection = server.connect();
    let mut epoch = |set: Option<u64>| -> u64 {
        if let Some(asked) = set {
            let mut set = redis::cmd("HSET");
            set.arg("weir:epoch").arg("asked").arg(asked);
            let _: u64 = set.query(&mut connection).unwrap();
        }
        let mut get = redis::cmd("HGET");
        get.arg("weir:epoch").arg("epoch");
        get.query(&mut connection).unwrap()
    };
    let before = epoch(None);
    // It is looked at every second, which is no gap.
    tokio::time::sleep(Duration::from_millis(2_500)).await;
    assert_eq!(epoch(None), before);
    // As if the last look was in 1970.
    let mut now = epoch(Some(1));
    for _ in 0..1_000 {
        if now != before {
            break;
        }
        pause().await;
        now = epoch(None);
    }
    assert_eq!(now, before + 1);
    one.stands(|s| s.settled == 300).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restarted_gateway_brings_back_what_the_one_before_knew() {
    let mut server = Server::start(&[]);
    let first = Node::new(&server, "a", 1_000, MONTH);
    drop(first.reserved(300).await.settle(|_, _| used(300)));
    first.stands(|s| s.settled == 300).await;
    tokio::time::sleep(2 * super::super::journal::WRITE_EVERY).await;
    drop(first);
    // As a process that ends does, it lets go of its journal.
    pause().await;
    server.crash();
    let second = Node::new(&server, "a", 1_000, MONTH);
    let _open = second.reserved(10).await;
    second.stands(|s| s.settled == 300).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_gone_gateway_held_comes_back() {
    let server = Arc::new(Server::start(&[]));
    let other = Node::new(&server, "b", 3, Window::Held);
    let killed = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    let there = Arc::clone(&server);
    let holding = killed.spawn(async move {
        let one = Node::new(&there, "a", 3, Window::Held);
        let held = one.reserved(3).await;
        (one, held)
    });
    let (one, held) = holding.await.unwrap();
    other.stands(|s| s.room == 0).await;
    // Nothing is given back and nothing is said any more.
    killed.shutdown_background();
    other.stands(|s| s.room == 3).await;
    drop(other.reserved(3).await);
    drop((one, held));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_down_or_stuck_is_said_to_be_and_forgiven() {
    let mut server = Server::start(&["--appendonly", "yes", "--appendfsync", "always"]);
    let one = Node::new(&server, "a", 1_000_000, MONTH);
    drop(one.reserved(10).await.settle(|_, _| used(10)));
    server.kill();
    let why = match one.reserve(900_000).await {
        Err(Refused::Unavailable(why)) => why,
        Err(Refused::Exhausted(refusal)) => panic!("{refusal:?}"),
        Ok(_) => panic!("nobody granted that"),
    };
    assert!(why.why.contains("Redis"), "{}", why.why);
    server.crash();
    drop(one.reserved(900_000).await.settle(|_, _| used(5)));
    one.stands(|s| s.settled == 15 && s.debt == 0).await;
}
