//! Replacing the running binary: no request fails, and a failed attempt changes nothing.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(clippy::print_stdout, reason = "the counts are wanted in the output")]

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use tokio_tungstenite::tungstenite::Message;
use weir_tests::child::Kind;
use weir_tests::{Behaviour, Gateway, Upstream, wait, wire};

fn yaml(upstream: &Upstream, version: &str) -> String {
    format!(
        r#"version: 1
listeners: [{{ name: public, address: "127.0.0.1:0" }}]
metrics: {{ address: "127.0.0.1:0" }}
admin: {{ address: "127.0.0.1:0" }}
server: {{ worker_threads: 2, data_dir: "${{DATA_DIR}}", drain_timeout: 2m }}
telemetry: {{ access_log: {{ output: "${{ACCESS_LOG}}" }} }}
upstreams: [{{ name: up, endpoints: [{{ address: "{}" }}] }}]
routes:
  - name: r
    policies: [{{ kind: headers, response: {{ set: {{ x-version: {version} }} }} }}]
    forward: {{ backends: [{{ upstream: up }}] }}
"#,
        upstream.addr()
    )
}

fn pid(gateway: &Gateway) -> String {
    std::fs::read_to_string(gateway.dir().join("data/weir.pid")).unwrap_or_default()
}

async fn version(address: SocketAddr) -> String {
    wire::get(address, "/")
        .await
        .header("x-version")
        .unwrap()
        .to_owned()
}

/// Keep-alive clients that never retry, at a steady rate, until told to stop.
struct Load {
    served: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
    clients: Vec<tokio::task::JoinHandle<Vec<String>>>,
}

impl Load {
    /// `clients` connections with ten requests a second each.
    fn start(address: SocketAddr, clients: usize) -> Load {
        let (served, stop) = (Arc::<AtomicU64>::default(), Arc::<AtomicBool>::default());
        let client = |_| tokio::spawn(client(address, served.clone(), stop.clone()));
        let clients = (0..clients).map(client).collect();
        Load {
            served,
            stop,
            clients,
        }
    }

    fn served(&self) -> u64 {
        self.served.load(Ordering::Relaxed)
    }

    /// Waits for so many answers more.
    async fn go_on(&self, more: u64) {
        let wanted = self.served() + more;
        wait::until_true("the load to go on", || self.served() >= wanted).await;
    }

    /// What failed.
    async fn stop(self) -> (u64, Vec<String>) {
        self.stop.store(true, Ordering::Relaxed);
        let mut failures = Vec::new();
        for client in self.clients {
            failures.extend(client.await.unwrap());
        }
        (self.served.load(Ordering::Relaxed), failures)
    }
}

async fn client(address: SocketAddr, served: Arc<AtomicU64>, stop: Arc<AtomicBool>) -> Vec<String> {
    let mut failures = Vec::new();
    let mut open = None;
    let mut tick = tokio::time::interval(Duration::from_millis(100));
    while !stop.load(Ordering::Relaxed) {
        tick.tick().await;
        let mut connection = match open.take() {
            Some(connection) => connection,
            None => wire::Connection::open(address).await,
        };
        let request = wire::message(address, "POST", "/load", &[], b"some body");
        if let Err(error) = connection.send(request).await {
            failures.push(format!("sending: {error}"));
            continue;
        }
        match connection.try_response_to("POST").await {
            Ok(answer) if answer.status == 200 && answer.broken.is_none() => {
                served.fetch_add(1, Ordering::Relaxed);
                open = (!answer.closed).then_some(connection);
            }
            Ok(answer) => failures.push(format!("{}: {}", answer.status, answer.text())),
            Err(error) => failures.push(error.to_string()),
        }
    }
    failures
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_request_fails_through_twenty_reloads_and_an_upgrade() {
    let upstream = Upstream::start(Behaviour::echo()).await;
    let old = Gateway::start(&yaml(&upstream, "v0")).await;
    let public = old.addr("public");
    let load = Load::start(public, 20);
    for number in 1..=10 {
        assert_eq!(
            old.reload(&yaml(&upstream, &format!("v{number}"))).await,
            "ok"
        );
        load.go_on(100).await;
    }
    let new = old.successor().arg("--upgrade").start().await;
    load.go_on(200).await;
    assert_eq!(old.wait_exit().await.code(), Some(0));
    for number in 11..=20 {
        assert_eq!(
            new.reload(&yaml(&upstream, &format!("v{number}"))).await,
            "ok"
        );
        load.go_on(100).await;
    }
    let (served, failures) = load.stop().await;
    println!("{served} requests, {} failures", failures.len());
    assert_eq!(failures, Vec::<String>::new());
    assert_eq!(version(public).await, "v20");
    // What the clients saw served is what the log says, over both processes.
    assert_eq!(new.stop().await.code(), Some(0));
    let lines = new.access_log();
    let load = lines
        .iter()
        .filter(|l| l["url.path"] == "/load" && l["http.response.status_code"] == 200);
    assert_eq!(load.count() as u64, served);
}

#[tokio::test]
async fn every_socket_is_handed_over_and_the_old_process_ends_after_its_streams() {
    let upstream = Upstream::start(Behaviour::websocket_echo()).await;
    let old = Gateway::start(&yaml(&upstream, "old")).await;
    let public = old.addr("public");
    assert_eq!(pid(&old), old.pid().to_string());
    let (mut socket, _) = tokio_tungstenite::connect_async(format!("ws://{public}/ws"))
        .await
        .unwrap();
    upstream.set(Behaviour::echo());

    std::fs::write(old.dir().join("config/weir.yaml"), yaml(&upstream, "new")).unwrap();
    let new = old.successor().arg("--upgrade").start().await;
    for name in ["public", "metrics", "admin"] {
        assert_eq!(new.addr(name), old.addr(name), "{name}");
    }
    assert_eq!(pid(&new), new.pid().to_string());
    // Once the old one accepts no more, it is the new one that answers, everywhere.
    old.wait_for_printed("draining 1 requests").await;
    wait::until("the new process alone to answer", || async {
        (version(public).await == "new").then_some(())
    })
    .await;
    let revision = |text: String| text.lines().any(|l| l.starts_with("weir_draining 1"));
    wait::until("the new process alone to be scraped", || async {
        (!revision(new.metrics().await)).then_some(())
    })
    .await;
    assert_eq!(new.admin("/config").await.status, 200);

    // The WebSocket lives on in the old process, which waits for it.
    for _ in 0..3 {
        socket.send(Message::text("still here")).await.unwrap();
        assert_eq!(
            socket.next().await.unwrap().unwrap(),
            Message::text("still here")
        );
    }
    assert!(!old.log().iter().any(|line| line.contains("did not end")));
    socket.close(None).await.unwrap();
    while socket.next().await.is_some_and(|m| m.is_ok()) {}
    assert_eq!(old.wait_exit().await.code(), Some(0));
    assert_eq!(pid(&new), new.pid().to_string());
    assert_eq!(version(public).await, "new");
    assert_eq!(new.stop().await.code(), Some(0));
    assert_eq!(pid(&new), "");
}

#[tokio::test]
async fn an_upgrade_of_nothing_says_so() {
    let upstream = Upstream::start(Behaviour::echo()).await;
    let failed = Gateway::builder(&yaml(&upstream, "v"))
        .arg("--upgrade")
        .try_start()
        .await;
    let failed = failed.unwrap_err();
    assert_eq!(failed.status.code(), Some(1));
    assert!(
        failed
            .log
            .iter()
            .any(|line| line.contains("is the gateway running")),
        "{failed:?}"
    );
}

#[tokio::test]
async fn the_id_of_a_process_that_died_is_not_signalled() {
    let upstream = Upstream::start(Behaviour::echo()).await;
    let gateway = Gateway::start(&yaml(&upstream, "v")).await;
    gateway.signal(Kind::SIGKILL);
    gateway.wait_exit().await;
    // Its number is somebody else's by now: this test's own, which SIGQUIT would end.
    std::fs::write(
        gateway.dir().join("data/weir.pid"),
        std::process::id().to_string(),
    )
    .unwrap();
    let failed = gateway
        .successor()
        .arg("--upgrade")
        .try_start()
        .await
        .unwrap_err();
    assert_eq!(failed.status.code(), Some(1));
    assert!(
        failed
            .log
            .iter()
            .any(|line| line.contains("no longer runs")),
        "{failed:?}"
    );
    // A fresh start is not in its way.
    let fresh = gateway.successor().start().await;
    assert_eq!(version(fresh.addr("public")).await, "v");
}

#[tokio::test]
async fn a_failed_upgrade_leaves_the_old_process_serving() {
    let upstream = Upstream::start(Behaviour::echo()).await;
    let good = yaml(&upstream, "old");
    let old = Gateway::start(&good).await;
    let public = old.addr("public");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().map(|at| (taken, at)).unwrap();
    let second = format!(
        "[{{ name: second, address: \"{}\" }}, {{ name: public",
        taken.1
    );
    for (bad, why) in [
        // Refused before anybody is asked.
        (good.replace("forward:", "fourward:"), "fourward"),
        (
            good.replace("${ACCESS_LOG}", "/nowhere/at/all.log"),
            "access_log",
        ),
        // Fails with the sockets already in its hands.
        (good.replace("[{ name: public", &second), "cannot listen"),
    ] {
        std::fs::write(old.dir().join("config/weir.yaml"), bad).unwrap();
        let failed = old
            .successor()
            .arg("--upgrade")
            .try_start()
            .await
            .unwrap_err();
        assert_eq!(failed.status.code(), Some(1));
        assert!(
            failed.log.iter().any(|line| line.contains(why)),
            "{why}: {failed:?}"
        );
        assert_eq!(version(public).await, "old");
        assert_eq!(pid(&old), old.pid().to_string());
    }
    // SIGQUIT without a new process is no reason to end either.
    old.wait_for_printed("never served").await;
    old.signal(Kind::SIGQUIT);
    old.wait_for_printed("upgrade: ").await;
    // A later attempt succeeds.
    std::fs::write(
        old.dir().join("config/weir.yaml"),
        good.replace("x-version: old", "x-version: new"),
    )
    .unwrap();
    let new = old.successor().arg("--upgrade").start().await;
    assert_eq!(old.wait_exit().await.code(), Some(0));
    assert_eq!(version(public).await, "new");
    assert_eq!(new.addr("public"), public);
}

#[tokio::test]
async fn an_upgrade_can_move_a_listener() {
    let upstream = Upstream::start(Behaviour::echo()).await;
    let old = Gateway::start(&yaml(&upstream, "v")).await;
    let moved = yaml(&upstream, "v").replace(
        "name: public, address: \"127.0.0.1:0\"",
        "name: public, address: \"127.0.0.2:0\"",
    );
    std::fs::write(old.dir().join("config/weir.yaml"), moved).unwrap();
    let new = old.successor().arg("--upgrade").start().await;
    assert_eq!(new.addr("public").ip().to_string(), "127.0.0.2");
    assert_eq!(version(new.addr("public")).await, "v");
    assert_eq!(new.addr("metrics"), old.addr("metrics"));
    assert_eq!(old.wait_exit().await.code(), Some(0));
    assert!(
        tokio::net::TcpStream::connect(old.addr("public"))
            .await
            .is_err()
    );
}
