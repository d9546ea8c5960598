//! Heads that drip: each meets its deadline, and thousands of them leave everybody else alone.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use weir_telemetry::Code;
use weir_tests::wire::{self, Connection};
use weir_tests::{Behaviour, Gateway, Upstream, wait};

async fn start(limits: &str) -> (Upstream, Gateway, SocketAddr) {
    let upstream = Upstream::start(Behaviour::echo()).await;
    let gateway = Gateway::start(&format!(
        r#"
version: 1
listeners: [{{ name: public, address: "127.0.0.1:0", limits: {{ {limits} }} }}]
metrics: {{ address: "127.0.0.1:0" }}
admin: {{ address: "127.0.0.1:0" }}
server: {{ data_dir: "${{DATA_DIR}}" }}
telemetry: {{ access_log: {{ output: "${{ACCESS_LOG}}" }} }}
upstreams: [{{ name: up, endpoints: [{{ address: "{}" }}] }}]
routes: [{{ name: all, forward: {{ backends: [{{ upstream: up }}] }} }}]
"#,
        upstream.addr()
    ))
    .await;
    let public = gateway.addr("public");
    (upstream, gateway, public)
}

const GOOD: &str = "GET /good HTTP/1.1\r\nHost: a\r\n\r\n";

#[tokio::test]
async fn a_dripping_head_meets_its_deadline() {
    let (upstream, gateway, public) = start("head_timeout: 300ms").await;
    for first in [false, true] {
        let mut connection = Connection::open(public).await;
        if !first {
            connection.send(GOOD).await.unwrap();
            assert_eq!(connection.response().await.status, 200);
        }
        // Each byte comes in good time; the head as a whole never does.
        let (stream, _) = connection.into_parts();
        let (from, mut to) = tokio::io::split(stream);
        let drip = tokio::spawn(async move {
            for byte in b"GET /bad HTTP/1.1\r\nHost: a\r\n"
                .iter()
                .chain(std::iter::repeat(&b'x'))
            {
                if to.write_all(&[*byte]).await.is_err() {
                    return;
                }
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            }
        });
        let mut reader = weir_tests::http1::Reader::new(from);
        let head = wait::for_end("the refusal", reader.head())
            .await
            .unwrap()
            .unwrap();
        assert!(head.start.starts_with("HTTP/1.1 408"), "{}", head.start);
        assert_eq!(
            head.fields.get("weir-error"),
            Some(Code::RequestHeadTimeout.slug())
        );
        drip.abort();
    }
    let slug = Code::RequestHeadTimeout.slug();
    let labels = [("listener", "public"), ("error_type", slug)];
    gateway
        .wait_for_metric("weir_requests_refused_total", &labels, |n| n as u32 == 2)
        .await;
    gateway
        .wait_for_log(|line| line["error.type"] == slug)
        .await;
    assert!(
        upstream
            .requests()
            .iter()
            .all(|request| request.target == "/good")
    );
}

/// Each connection is a file to either side; the gateway inherits the limit.
fn allow_files(count: u64) {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    if soft < count {
        setrlimit(Resource::RLIMIT_NOFILE, count.min(hard), hard).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_thousand_dripping_connections_disturb_nobody() {
    const DRIPPING: usize = 2000;
    allow_files(2 * DRIPPING as u64);
    let (_upstream, gateway, public) = start("head_timeout: 1h").await;
    let mut dripping = Vec::with_capacity(DRIPPING);
    for _ in 0..DRIPPING {
        let mut tcp = TcpStream::connect(public).await.unwrap();
        tcp.write_all(b"GET /drip HTTP/1.1\r\nHost: a\r\nX-")
            .await
            .unwrap();
        dripping.push(tcp);
    }
    let labels = [("listener", "public")];
    let all = |n: f64| n as usize >= DRIPPING;
    gateway
        .wait_for_metric("weir_connections_active", &labels, all)
        .await;

    let over = Arc::new(AtomicBool::new(false));
    let rounds = Arc::new(AtomicUsize::new(0));
    let drip = tokio::spawn({
        let (over, rounds) = (over.clone(), rounds.clone());
        async move {
            while !over.load(Ordering::Relaxed) {
                for tcp in &mut dripping {
                    tcp.write_all(b"x").await.unwrap();
                }
                rounds.fetch_add(1, Ordering::Relaxed);
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            }
            dripping
        }
    });
    // Good traffic for as long as the dripping takes a few rounds, kept alive and anew.
    let mut connection = Connection::open(public).await;
    let mut served = 0;
    while rounds.load(Ordering::Relaxed) < 3 || served < 200 {
        connection.send(GOOD).await.unwrap();
        assert_eq!(connection.response().await.status, 200);
        assert_eq!(wire::get(public, "/good").await.status, 200);
        served += 2;
    }
    over.store(true, Ordering::Relaxed);
    drop(drip.await.unwrap());
    gateway
        .wait_for_metric("weir_connections_active", &labels, |n| n < 10.0)
        .await;
}
