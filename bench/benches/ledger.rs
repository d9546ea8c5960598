//! What a decision of the ledger costs, by itself: reserving, and settling, in a hierarchy of three
//! quotas (organisation, team, consumer), from books in memory and from leases of books in a file;
//! and how much memory a hundred thousand keys take.
#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a measurement is read by people"
)]

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion};
use futures_util::FutureExt as _;
use mimalloc::MiMalloc;
use weir::quota::{
    By, Claim, Ledger, Limit, Narrowed, OnExhausted, OnStoreFailure, Period, Provenance, Quota,
    Reservation, Store, Subject, Unit, Used, Window, Zone,
};

#[global_allocator]
static GLOBAL: MiMalloc = MiMalloc;

/// Active keys whose memory is measured.
const KEYS: usize = 100_000;

/// Reservations open at a time.
const OPEN: u64 = 64;

fn quota(name: &str, store: &Store, by: By) -> Arc<Quota> {
    Arc::new(Quota {
        name: name.into(),
        store: store.clone(),
        unit: Unit::Tokens,
        limit: Limit {
            default: u64::MAX >> 12,
            overrides: Default::default(),
        },
        window: Window::Fixed {
            every: Period::Month(Zone::UTC),
        },
        by: vec![by],
        narrowed: Narrowed::default(),
        enforce: true,
        on_exhausted: OnExhausted::Refuse,
        on_store_failure: OnStoreFailure::Deny,
    })
}

fn hierarchy(store: &Store) -> [Arc<Quota>; 3] {
    [
        quota("organisation", store, By::Organisation),
        quota("team", store, By::Team),
        quota("consumer", store, By::Consumer),
    ]
}

fn subject(consumer: &str) -> Subject<'_> {
    Subject {
        organisation: Some("acme"),
        team: Some("shop"),
        consumer: Some(consumer),
        ..Subject::default()
    }
}

/// `None` where the store has to be waited for.
fn reserve(ledger: &Ledger, quotas: &[Arc<Quota>; 3], consumer: &str) -> Option<Reservation> {
    let claims = quotas.each_ref().map(|quota| Claim {
        quota,
        subject: subject(consumer),
        bound: 1_000,
    });
    let reserved = ledger.reserve(&claims, None).now_or_never();
    reserved.and_then(Result::ok)
}

fn settle(reservation: Reservation) {
    let settled = reservation.settle(|_, _| Used {
        amount: 400,
        provenance: Provenance::Provider,
    });
    black_box(settled);
}

fn decide(ledger: &Ledger, quotas: &[Arc<Quota>; 3], consumer: &str) -> bool {
    let reserved = reserve(ledger, quotas, consumer);
    reserved.map(settle).is_some()
}

/// How long so many decisions take, without what becomes of them.
fn time_to_reserve(ledger: &Ledger, quotas: &[Arc<Quota>; 3], times: u64) -> Duration {
    let mut took = Duration::ZERO;
    let mut left = times;
    while left > 0 {
        let now = left.min(OPEN);
        left -= now;
        let began = Instant::now();
        let reserved: Vec<_> = (0..now)
            .filter_map(|_| reserve(ledger, quotas, "checkout"))
            .collect();
        took += began.elapsed();
        reserved.into_iter().for_each(settle);
    }
    took
}

fn decisions(criterion: &mut Criterion) {
    let directory = tempfile::tempdir().expect("a directory");
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("a runtime");
    let _inside = runtime.enter();
    let stores = [
        ("memory", Store::memory("bench")),
        (
            "local",
            Store::local("bench", directory.path().join("ledger.redb")),
        ),
    ];
    let mut group = criterion.benchmark_group("three levels");
    for (kind, store) in stores {
        let ledger = Ledger::new();
        let quotas = hierarchy(&store);
        // Until the file is open and something is booked ahead.
        for _ in 0..2_000 {
            if !decide(&ledger, &quotas, "checkout") {
                std::thread::sleep(Duration::from_millis(5));
            }
        }
        let (mut made, mut waited) = (0_u64, 0_u64);
        group.bench_function(BenchmarkId::new("reserve and settle", kind), |bencher| {
            bencher.iter(|| {
                made += 1;
                if !decide(&ledger, &quotas, "checkout") {
                    waited += 1;
                }
            });
        });
        group.bench_function(BenchmarkId::new("reserve", kind), |bencher| {
            bencher.iter_custom(|times| time_to_reserve(&ledger, &quotas, times));
        });
        println!("{kind}: {waited} of {made} decisions had to wait for the store");
    }
    group.finish();
}

fn memory() {
    let ledger = Ledger::new();
    let store = Store::memory("keys");
    let quotas = [quota("consumer", &store, By::Consumer)];
    let names: Vec<String> = (0..KEYS).map(|n| format!("consumer-{n}")).collect();
    let before = resident();
    for name in &names {
        let claim = Claim {
            quota: &quotas[0],
            subject: subject(name),
            bound: 1_000,
        };
        let reserved = ledger.reserve(&[claim], None).now_or_never();
        let reservation = reserved.and_then(Result::ok).expect("there is room");
        drop(reservation.settle(|_, _| Used {
            amount: 400,
            provenance: Provenance::Provider,
        }));
    }
    let each = (resident() - before) / KEYS;
    println!("{KEYS} keys in memory: {each} bytes each");
}

/// Memory of this process, in bytes.
fn resident() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = statm.split(' ').nth(1).and_then(|pages| pages.parse().ok());
    pages.unwrap_or(0) * 4_096
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    decisions(&mut criterion);
    criterion.final_summary();
    memory();
}
