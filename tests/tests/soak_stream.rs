//! Mixed traffic over faulty upstreams and reloads, for `WEIR_SOAK_SECONDS` (60 unless said):
//! afterwards nothing is left over, and every request has exactly one line.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(clippy::print_stdout, reason = "the counts are wanted in the output")]

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use weir_tests::openai::{Provider, Reply};
use weir_tests::{Behaviour, Gateway, Upstream, wait, wire};

const CLIENTS: usize = 24;

/// What resident memory may grow by between the first minute's worth and the end, in bytes.
const GROWTH: f64 = 64e6;

/// Everything an upstream can do, in turn.
fn faults() -> Vec<Behaviour> {
    let mut turns = vec![Behaviour::echo(); 6];
    turns.extend([
        Behaviour::reset_before_head(),
        Behaviour::reset_amid_head(),
        Behaviour::reset_amid_body(),
        Behaviour::close_before_head(),
        Behaviour::short_body(),
        Behaviour::short_chunks(),
        Behaviour::bad_chunk(),
        Behaviour::garbage(),
        Behaviour::close_idle_after(Duration::ZERO),
        Behaviour::slow_head(Duration::from_millis(300)),
        Behaviour::hang(),
        Behaviour::sse(Duration::from_millis(5), Some(20)),
        Behaviour::trailers("body", &["X-Trailer: 1"]),
        Behaviour::interim(103, &["Link: </a>"]),
    ]);
    turns
}

fn yaml(upstreams: &[Upstream], provider: &Provider, version: usize) -> String {
    let endpoints: Vec<_> = upstreams
        .iter()
        .map(|u| format!("{{ address: \"{}\" }}", u.addr()))
        .collect();
    format!(
        r#"version: 1
listeners: [{{ name: public, address: "127.0.0.1:0" }}]
metrics: {{ address: "127.0.0.1:0" }}
server: {{ worker_threads: 2, data_dir: "${{DATA_DIR}}" }}
telemetry: {{ access_log: {{ output: "${{ACCESS_LOG}}" }} }}
stores: [{{ name: ledger, kind: memory }}]
quotas: [{{ name: q, store: ledger, unit: tokens, limit: {{ default: 1000000000 }}, window: {{ kind: fixed, every: day }}, by: [route] }}]
upstreams:
  - name: up
    endpoints: [{}]
    timeouts: {{ first_byte: 400ms, stream_idle: 400ms }}
    retries: {{ max: 1, budget_percent: 20 }}
providers: [{{ name: p, dialect: openai, base_url: "{}" }}]
models: [{{ name: m, targets: [{{ provider: p, model: m }}] }}]
routes:
  - {{ name: llm, matches: [{{ path: {{ prefix: /v1 }} }}], policies: [{{ kind: quota, quotas: [q] }}], llm: {{ models: [m] }} }}
  - name: r
    policies: [{{ kind: headers, response: {{ set: {{ x-version: "{version}" }} }} }}]
    forward: {{ backends: [{{ upstream: up }}] }}
"#,
        endpoints.join(", "),
        provider.base_url()
    )
}

/// One client after another's fashion; counts what it asked, under its own path.
async fn client(
    number: usize,
    public: std::net::SocketAddr,
    asked: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
) {
    let mut kept = None;
    let mut turn = number;
    while !stop.load(Ordering::Relaxed) {
        turn += 1;
        let mut connection = match kept.take() {
            Some(connection) => connection,
            None => wire::Connection::open(public).await,
        };
        let id = asked.fetch_add(1, Ordering::Relaxed);
        let chat = br#"{"model":"m","stream":true,"messages":[{"role":"user","content":"hi"}]}"#;
        let (method, target, body): (_, _, &[u8]) = match turn % 4 {
            0 => ("POST", format!("/v1/chat/completions?{id}"), chat),
            1 => ("POST", format!("/r/{id}"), b"some body"),
            _ => ("GET", format!("/r/{id}"), b""),
        };
        connection
            .send(wire::message(public, method, &target, &[], body))
            .await
            .unwrap();
        if turn.is_multiple_of(13) {
            // Wait until it has begun, then leave without a word.
            let _ = connection.head().await;
            connection.reset();
            continue;
        }
        let answer = connection.response_to(method).await;
        assert!(answer.status >= 200, "{}", answer.status);
        kept = (!answer.closed && answer.broken.is_none()).then_some(connection);
    }
}

/// Open files and resident bytes, as the process shows them.
async fn held(gateway: &Gateway) -> (f64, f64) {
    let files = gateway.metric("process_open_fds", &[]).await;
    (
        files,
        gateway.metric("process_resident_memory_bytes", &[]).await,
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_left_over() {
    let seconds = std::env::var("WEIR_SOAK_SECONDS").map_or(60, |text| text.parse().unwrap());
    let duration = Duration::from_secs(seconds);
    let mut upstreams = Vec::new();
    for _ in 0..3 {
        upstreams.push(Upstream::start(Behaviour::echo()).await);
    }
    let reply = Reply::completion(&["a", "b", "c"], 3, 3);
    let provider = Provider::start(reply.clone()).await;
    let gateway = Gateway::start(&yaml(&upstreams, &provider, 0)).await;
    let public = gateway.addr("public");
    wire::get(public, "/r/first").await;
    let (files, _) = held(&gateway).await;

    let (asked, stop) = (Arc::<AtomicU64>::default(), Arc::<AtomicBool>::default());
    let clients: Vec<_> = (0..CLIENTS)
        .map(|number| tokio::spawn(client(number, public, asked.clone(), stop.clone())))
        .collect();
    let began = std::time::Instant::now();
    let (mut round, mut early) = (0, None);
    while began.elapsed() < duration {
        round += 1;
        for upstream in &upstreams {
            upstream.set_sequence(faults().into_iter().cycle().skip(round).take(200));
        }
        let cut = usize::is_multiple_of(round, 3);
        provider.set(if cut {
            reply.clone().cut_after(2)
        } else {
            reply.clone()
        });
        assert_eq!(
            gateway.reload(&yaml(&upstreams, &provider, round)).await,
            "ok"
        );
        tokio::time::sleep(Duration::from_secs(1)).await;
        if early.is_none() && began.elapsed() > duration / 3 {
            early = Some(held(&gateway).await.1);
        }
    }
    stop.store(true, Ordering::Relaxed);
    for client in clients {
        client.await.unwrap();
    }
    let asked = asked.load(Ordering::Relaxed) + 1;
    for gauge in [
        "weir_requests_active",
        "weir_upstream_requests_active",
        "weir_connections_active",
    ] {
        gateway
            .wait_for_metric(gauge, &[], |left| left == 0.0)
            .await;
    }
    wait::until("a line for each request", || async {
        (gateway.access_log().len() as u64 >= asked).then_some(())
    })
    .await;
    let (_, memory) = held(&gateway).await;
    let early = early.unwrap_or(memory);
    println!("{asked} requests, {round} reloads, {early} then {memory} bytes resident");
    assert!(
        memory - early < GROWTH,
        "memory grew from {early} to {memory}"
    );
    // Upstreams that go take the pooled connections with them: then only the start's files are left.
    for upstream in upstreams {
        upstream.stop().await;
    }
    drop(provider);
    gateway
        .wait_for_metric("process_open_fds", &[], |now| now <= files + 2.0)
        .await;
    assert_eq!(gateway.stop().await.code(), Some(0));
    let mut ids: HashMap<String, u32> = HashMap::new();
    for line in gateway.access_log() {
        *ids.entry(line["request_id"].as_str().unwrap().to_owned())
            .or_default() += 1;
    }
    assert_eq!(ids.len() as u64, asked);
    assert!(ids.values().all(|lines| *lines == 1));
}
