//! A server that is frozen or far away: decisions end when their time is up, and nobody else
//! notices.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, sleep_until};
use weir_tests::metered::Speaker;
use weir_tests::openai::Provider;
use weir_tests::redis::Redis;
use weir_tests::{Gateway, wait, wire};

use crate::callers::{Callers, Told, call};
use crate::{PLENTY, at, comes_to, config};

/// Stands between the gateway and the server, and lets what comes from there wait.
struct Distance {
    address: SocketAddr,
    /// In milliseconds.
    delay: Arc<AtomicU64>,
}

impl Distance {
    async fn from(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let delay = Arc::new(AtomicU64::new(0));
        let of_each = Arc::clone(&delay);
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                tokio::spawn(carry(near, server, Arc::clone(&of_each)));
            }
        });
        Self { address, delay }
    }

    fn is(&self, delay: Duration) {
        let delay = u64::try_from(delay.as_millis()).unwrap();
        self.delay.store(delay, Ordering::Relaxed);
    }
}

async fn carry(near: TcpStream, server: SocketAddr, delay: Arc<AtomicU64>) {
    let Ok(far) = TcpStream::connect(server).await else {
        return;
    };
    let (mut from_near, mut to_near) = near.into_split();
    let (mut from_far, mut to_far) = far.into_split();
    let (send, mut arrives) = mpsc::channel::<(Instant, Vec<u8>)>(1_024);
    let there = tokio::io::copy(&mut from_near, &mut to_far);
    let leaves = async {
        let mut buffer = vec![0; 65_536];
        while let Ok(count) = from_far.read(&mut buffer).await
            && count > 0
        {
            let after = Duration::from_millis(delay.load(Ordering::Relaxed));
            let due = (Instant::now() + after, buffer[..count].to_vec());
            if send.send(due).await.is_err() {
                break;
            }
        }
    };
    let back = async {
        while let Some((due, bytes)) = arrives.recv().await {
            sleep_until(due).await;
            if to_near.write_all(&bytes).await.is_err() {
                break;
            }
        }
    };
    tokio::select! {
        _ = there => {}
        () = leaves => {}
        () = back => {}
    }
}

/// A gateway with one thread for all requests, and a route `/plain` that counts nothing.
async fn gateway(provider: &Provider, store: &str) -> Gateway {
    let yaml = config(provider, store, PLENTY, PLENTY);
    let yaml = yaml.replace(
        "server: { data_dir: \"${DATA_DIR}\" }",
        "server: { data_dir: \"${DATA_DIR}\", worker_threads: 1 }",
    );
    assert!(yaml.contains("worker_threads"));
    let plain = "routes:\n  - { name: plain, matches: [{ path: { exact: /plain } }], respond: { status: 200, body: served } }\n";
    Gateway::start(&yaml.replace("routes:\n", plain)).await
}

async fn served(gateway: &Gateway, consumer: &str) {
    wait::until(format!("{consumer} to be served"), || async {
        let mut told = Told::default();
        let response = call(gateway.addr("public"), consumer, &mut told).await;
        (response.status == 200).then_some(())
    })
    .await;
}

/// Calls that find nothing on lease, 64 at a time, until each has had some answers.
async fn all_are_denied(gateway: &Gateway, what: &str) {
    wait::until("what is on lease to be spent", || async {
        let mut told = Told::default();
        let response = call(gateway.addr("public"), "ann", &mut told).await;
        (response.status != 200).then_some(())
    })
    .await;
    let callers = Callers::start(&[gateway.addr("public")], &["ann", "cyd"], 32);
    wait::until_true("each to be answered several times", || {
        callers.told().all() >= 640
    })
    .await;
    let told = callers.stop().await;
    told.print(what);
    print_own_time(gateway, what);
    assert_eq!(
        told.count(503, "quota_store_unavailable"),
        told.all(),
        "{:?}",
        told.answers
    );
}

/// What the gateway itself says that refusals took it.
#[expect(clippy::print_stdout, reason = "times are to be read, not judged")]
fn print_own_time(gateway: &Gateway, what: &str) {
    let log = gateway.access_log().into_iter();
    let refused = log.filter(|line| line["error.type"] == "quota_store_unavailable");
    let mut took: Vec<f64> = refused
        .filter_map(|line| line["weir.gateway.duration"].as_f64())
        .collect();
    took.sort_unstable_by(f64::total_cmp);
    let p99 = took.get(took.len() * 99 / 100);
    println!(
        "{what}, in the gateway: p99 {p99:?}, all {:?} s",
        took.last()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_far_away_is_not_waited_for() {
    let redis = Redis::start().await;
    let distance = Distance::from(redis.addr()).await;
    let provider = Speaker::new(40).start().await;
    let store = at(&[distance.address.to_string()]);
    let gateway = gateway(&provider, &format!("{store}, timeout: 100ms")).await;
    served(&gateway, "ann").await;
    distance.is(Duration::from_millis(500));
    all_are_denied(&gateway, "500 ms away").await;
    distance.is(Duration::ZERO);
    served(&gateway, "ann").await;
    served(&gateway, "cyd").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frozen_server_is_not_waited_for() {
    let redis = Redis::start().await;
    let provider = Speaker::new(40).start().await;
    let store = at(&[redis.addr().to_string()]);
    let gateway = gateway(&provider, &format!("{store}, timeout: 100ms")).await;
    served(&gateway, "ann").await;
    redis.pause();
    all_are_denied(&gateway, "frozen").await;
    redis.resume();
    served(&gateway, "ann").await;
    served(&gateway, "cyd").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn where_that_is_allowed_all_pass_a_server_far_away_and_are_counted_afterwards() {
    let redis = Redis::start().await;
    let distance = Distance::from(redis.addr()).await;
    let provider = Speaker::new(40).start().await;
    let store = at(&[distance.address.to_string()]);
    let yaml = config(
        &provider,
        &format!("{store}, timeout: 100ms"),
        PLENTY,
        PLENTY,
    );
    let gateway =
        Gateway::start(&yaml.replace(", by: [", ", on_store_failure: allow, by: [")).await;
    served(&gateway, "ann").await;
    distance.is(Duration::from_millis(500));
    let callers = Callers::start(&[gateway.addr("public")], &["ann", "cyd"], 32);
    wait::until_true("each to be answered several times", || {
        callers.told().all() >= 640
    })
    .await;
    let told = callers.stop().await;
    told.print("500 ms away, allowed");
    assert_eq!(told.served(), told.all(), "{:?}", told.answers);
    distance.is(Duration::ZERO);
    comes_to(&gateway, "all", "acme", told.tokens + 9).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_within_the_time_is_waited_for_and_counts_exactly() {
    let redis = Redis::start().await;
    let distance = Distance::from(redis.addr()).await;
    distance.is(Duration::from_millis(20));
    let provider = Speaker::new(40).start().await;
    let store = at(&[distance.address.to_string()]);
    let gateway = gateway(&provider, &format!("{store}, timeout: 1s")).await;
    served(&gateway, "ann").await;
    let callers = Callers::start(&[gateway.addr("public")], &["ann", "cyd"], 8);
    wait::until_true("some to be served", || callers.told().served() >= 200).await;
    let told = callers.stop().await;
    assert_eq!(told.served(), told.all(), "{:?}", told.answers);
    comes_to(&gateway, "all", "acme", told.tokens + 9).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_for_the_server_holds_up_nobody_else() {
    const CLIENTS: usize = 64;
    let redis = Redis::start().await;
    let provider = Speaker::new(40).start().await;
    let store = at(&[redis.addr().to_string()]);
    let patient = format!("{store}, timeout: 8s, lease: 60s");
    let gateway = gateway(&provider, &patient).await;
    let public = gateway.addr("public");
    served(&gateway, "ann").await;
    redis.pause();
    let answered = Arc::new(AtomicU64::new(0));
    let done = Arc::new(AtomicBool::new(false));
    let waiting: Vec<_> = (0..CLIENTS)
        .map(|_| {
            let (answered, done) = (Arc::clone(&answered), Arc::clone(&done));
            tokio::spawn(async move {
                let mut told = Told::default();
                // Spends what is on lease, and then waits.
                while !done.load(Ordering::Relaxed) {
                    let status = call(public, "cyd", &mut told).await.status;
                    answered.fetch_add(1, Ordering::Relaxed);
                    if status != 200 {
                        return status;
                    }
                }
                0
            })
        })
        .collect();
    // Nobody of them is answered while they wait.
    let quiet = async {
        loop {
            let before = answered.load(Ordering::Relaxed);
            sleep(Duration::from_millis(500)).await;
            if answered.load(Ordering::Relaxed) == before {
                return before;
            }
        }
    };
    let before = quiet.await;
    for _ in 0..20 {
        let plain = wire::get(public, "/plain").await;
        assert_eq!((plain.status, plain.text().as_str()), (200, "served"));
    }
    assert_eq!(
        answered.load(Ordering::Relaxed),
        before,
        "they still waited when the others had been served"
    );
    for client in waiting {
        assert_eq!(client.await.unwrap(), 503);
    }
    redis.resume();
    served(&gateway, "cyd").await;
}
