//! Reloads: what takes effect, what is refused, and what goes on undisturbed.

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::Value;
use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;
use tokio_tungstenite::tungstenite::Message;
use weir_tests::tls::{self, Authority, Validity};
use weir_tests::{Behaviour, Gateway, Upstream, cli, wait, wire};

const RELOADS: &str = "weir_config_reloads_total";

fn platform(more: &str) -> String {
    format!(
        r#"version: 1
listeners: [{{ name: public, address: "127.0.0.1:0" }}]
metrics: {{ address: "127.0.0.1:0" }}
admin: {{ address: "127.0.0.1:0" }}
server: {{ worker_threads: 2, data_dir: "${{DATA_DIR}}" }}
telemetry: {{ access_log: {{ output: "${{ACCESS_LOG}}" }} }}
{more}"#
    )
}

fn saying(body: &str) -> String {
    platform(&format!(
        "routes: [{{ name: r, respond: {{ body: {body} }} }}]\n"
    ))
}

/// Forwards everything, and names its version in the answer.
fn forwarding(upstream: &Upstream, version: &str) -> String {
    platform(&format!(
        r#"upstreams: [{{ name: up, endpoints: [{{ address: "{}" }}] }}]
routes:
  - name: r
    policies: [{{ kind: headers, response: {{ set: {{ x-version: {version} }} }} }}]
    forward: {{ backends: [{{ upstream: up }}] }}
"#,
        upstream.addr()
    ))
}

async fn said(gateway: &Gateway) -> String {
    wire::get(gateway.addr("public"), "/").await.text()
}

async fn ready(gateway: &Gateway) -> Value {
    let ready = wire::get(gateway.addr("metrics"), "/readyz").await;
    assert_eq!(ready.status, 200, "{}", ready.text());
    ready.json()
}

/// Waits for the reload that a change of a file brings about.
async fn reloaded(gateway: &Gateway, times: f64) {
    gateway
        .wait_for_metric(RELOADS, &[("result", "ok")], |count| count >= times)
        .await;
}

#[tokio::test]
async fn a_changed_file_takes_effect() {
    let gateway = Gateway::start(&saying("one")).await;
    let before = ready(&gateway).await;
    assert_eq!(said(&gateway).await, "one");
    assert_eq!(gateway.reload(&saying("two")).await, "ok");
    assert_eq!(said(&gateway).await, "two");
    let after = ready(&gateway).await;
    assert_ne!(before["revision"], after["revision"]);
    let log = gateway
        .wait_for_log(|line| line["weir.config.revision"] == after["revision"])
        .await;
    assert_eq!(log["weir.config.revision"].as_str().unwrap().len(), 16);
    assert_eq!(
        gateway
            .metric("weir_config_last_reload_successful", &[])
            .await,
        1.0
    );
}

#[tokio::test]
async fn sighup_reloads_though_nothing_has_changed() {
    let gateway = Gateway::start(&saying("one")).await;
    assert_eq!(gateway.reload_by_signal().await, "ok");
    gateway.wait_for_printed("nothing has changed").await;
    assert_eq!(said(&gateway).await, "one");
}

#[tokio::test]
async fn a_directory_is_one_configuration() {
    let builder = Gateway::builder(&platform("")).directory();
    let config = builder.dir().join("config");
    let route = |name: &str, body: &str| {
        let yaml = format!(
            "version: 1\nroutes: [{{ name: {name}, matches: [{{ path: {{ exact: /{name} }} }}], respond: {{ body: {body} }} }}]\n"
        );
        std::fs::write(config.join(format!("{name}.yaml")), yaml).unwrap();
    };
    route("a", "first");
    let gateway = builder.start().await;
    let public = gateway.addr("public");
    assert_eq!(wire::get(public, "/a").await.text(), "first");
    // A file that comes, one that changes, and one that goes.
    route("b", "second");
    reloaded(&gateway, 2.0).await;
    assert_eq!(wire::get(public, "/b").await.text(), "second");
    route("a", "changed");
    wait::until("the change", || async {
        (wire::get(public, "/a").await.text() == "changed").then_some(())
    })
    .await;
    std::fs::remove_file(config.join("b.yaml")).unwrap();
    wait::until("the route to go", || async {
        (wire::get(public, "/b").await.status == 404).then_some(())
    })
    .await;
    assert_eq!(gateway.reload_by_signal().await, "ok");
    assert_eq!(wire::get(public, "/a").await.text(), "changed");
}

#[tokio::test]
async fn a_file_named_without_a_directory_is_watched() {
    let builder = Gateway::builder(&saying("one"));
    let script = builder.dir().join("here.sh");
    // run --config DIR/weir.yaml becomes run --config weir.yaml in DIR
    let text = format!(
        "#!/bin/sh\ncd \"$(dirname \"$3\")\" && exec {} run --config weir.yaml\n",
        cli::executable().display()
    );
    std::fs::write(&script, text).unwrap();
    std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755)).unwrap();
    let gateway = builder.executable(script).start().await;
    assert_eq!(gateway.reload(&saying("two")).await, "ok");
    assert_eq!(said(&gateway).await, "two");
}

#[tokio::test]
async fn what_others_write_beside_the_file_is_no_change() {
    let builder = Gateway::builder(&saying("one"));
    let log = builder.dir().join("config/access.log");
    let gateway = builder
        .env("ACCESS_LOG", log.to_str().unwrap())
        .start()
        .await;
    for _ in 0..50 {
        assert_eq!(said(&gateway).await, "one");
    }
    wait::until_true("the log beside the configuration", || {
        std::fs::read_to_string(&log).is_ok_and(|text| text.lines().count() == 50)
    })
    .await;
    assert_eq!(gateway.reload(&saying("two")).await, "ok");
    // The start, and the one change.
    assert_eq!(gateway.metric(RELOADS, &[]).await, 2.0);
}

#[tokio::test]
async fn a_bad_reload_keeps_the_old_one_and_says_so_everywhere() {
    let gateway = Gateway::start(&saying("one")).await;
    let bad = saying("two").replace("respond: {", "respond: { colour: red,");
    assert_eq!(gateway.reload(&bad).await, "failed");
    assert_eq!(said(&gateway).await, "one");
    assert_eq!(gateway.metric(RELOADS, &[("result", "failed")]).await, 1.0);
    assert_eq!(
        gateway
            .metric("weir_config_last_reload_successful", &[])
            .await,
        0.0
    );
    let detail = ready(&gateway).await;
    assert_eq!(detail["status"], "ready");
    assert_eq!(detail["last_reload"]["result"], "failed");
    let reason = detail["last_reload"]["reason"].as_str().unwrap().to_owned();
    assert!(
        reason.contains("routes[0].respond") && reason.contains("colour"),
        "{reason}"
    );
    gateway.wait_for_printed("reload refused").await;
    gateway.wait_for_printed("routes[0].respond").await;

    assert_eq!(gateway.reload(&saying("three")).await, "ok");
    assert_eq!(said(&gateway).await, "three");
    assert_eq!(ready(&gateway).await["last_reload"]["result"], "ok");
    assert_eq!(
        gateway
            .metric("weir_config_last_reload_successful", &[])
            .await,
        1.0
    );
}

#[tokio::test]
async fn what_cannot_change_is_refused_by_name() {
    let good = saying("one");
    let gateway = Gateway::start(&good).await;
    let log = gateway.dir().join("other.log");
    for (from, to, name) in [
        (
            "name: public, address: \"127.0.0.1:0\"",
            "name: public, address: \"127.0.0.2:0\"",
            "listeners \"public\": address",
        ),
        ("name: public", "name: outside", "listeners \"outside\""),
        (
            "metrics: { address: \"127.0.0.1:0\"",
            "metrics: { address: \"127.0.0.2:0\"",
            "metrics: address",
        ),
        ("admin: { address: \"127.0.0.1:0\" }\n", "", "admin"),
        (
            "worker_threads: 2",
            "worker_threads: 3",
            "server: worker_threads",
        ),
        (
            "telemetry: {",
            "telemetry: { otlp: { endpoint: \"http://127.0.0.1:4317\" },",
            "telemetry: otlp",
        ),
        (
            "${ACCESS_LOG}",
            log.to_str().unwrap(),
            "telemetry: access_log.output",
        ),
    ] {
        assert!(good.contains(from), "{from}");
        let refused = good.replace(from, to).replace("body: one", "body: two");
        assert_eq!(gateway.reload(&refused).await, "failed", "{name}");
        let detail = ready(&gateway).await;
        let reason = detail["last_reload"]["reason"].as_str().unwrap();
        assert!(reason.contains(name), "{name}: {reason}");
        assert_eq!(said(&gateway).await, "one");
    }
    assert_eq!(gateway.reload(&saying("two")).await, "ok");
}

#[tokio::test]
async fn a_websocket_a_stream_and_an_idle_connection_go_on() {
    let upstream = Upstream::start(Behaviour::websocket_echo()).await;
    let gateway = Gateway::start(&forwarding(&upstream, "one")).await;
    let public = gateway.addr("public");
    let (mut socket, _) = tokio_tungstenite::connect_async(format!("ws://{public}/ws"))
        .await
        .unwrap();
    upstream.set(Behaviour::sse(Duration::from_millis(5), None));
    let mut events = wire::Connection::open(public).await;
    events
        .send(wire::message(public, "GET", "/events", &[], b""))
        .await
        .unwrap();
    events.read_until("data: tick").await;
    upstream.set(Behaviour::echo());
    let mut idle = wire::Connection::open(public).await;
    idle.send(wire::message(public, "GET", "/", &[], b""))
        .await
        .unwrap();
    assert_eq!(idle.response().await.header("x-version"), Some("one"));

    for version in ["two", "three"] {
        assert_eq!(gateway.reload(&forwarding(&upstream, version)).await, "ok");
        socket.send(Message::text(version)).await.unwrap();
        assert_eq!(
            socket.next().await.unwrap().unwrap(),
            Message::text(version)
        );
        events.read_until("data: tick").await;
        idle.send(wire::message(public, "GET", "/", &[], b""))
            .await
            .unwrap();
        let answer = idle.response().await;
        assert_eq!((answer.status, answer.closed), (200, false));
        assert_eq!(answer.header("x-version"), Some(version));
    }
    assert_eq!(gateway.metric("weir_connections_active", &[]).await, 3.0);
}

#[tokio::test]
async fn a_request_keeps_the_configuration_it_began_with() {
    let upstream = Upstream::start(Behaviour::echo()).await;
    let gateway = Gateway::start(&forwarding(&upstream, "one")).await;
    let public = gateway.addr("public");
    let mut slow = wire::Connection::open(public).await;
    slow.send(wire::message(
        public,
        "POST",
        "/",
        &["Content-Length: 4"],
        b"ab",
    ))
    .await
    .unwrap();
    wait::until_true("the request to begin", || upstream.requests().len() == 1).await;
    let before = ready(&gateway).await["revision"].clone();
    assert_eq!(gateway.reload(&forwarding(&upstream, "two")).await, "ok");
    slow.send("cd").await.unwrap();
    let answer = slow.response().await;
    assert_eq!(answer.header("x-version"), Some("one"));
    assert_eq!(answer.json()["body"], "abcd");
    let log = gateway
        .wait_for_log(|line| line["http.request.method"] == "POST")
        .await;
    assert_eq!(log["weir.config.revision"], before);
    slow.send(wire::message(public, "GET", "/", &[], b""))
        .await
        .unwrap();
    assert_eq!(slow.response().await.header("x-version"), Some("two"));
}

#[tokio::test]
async fn counters_and_quotas_survive() {
    let metered = |body: &str| {
        platform(&format!(
            r#"stores: [{{ name: ledger, kind: memory }}]
quotas:
  - name: three
    store: ledger
    unit: requests
    limit: {{ default: 3 }}
    window: {{ kind: fixed, every: day }}
    by: [client_address]
routes: [{{ name: r, policies: [{{ kind: quota, quotas: [three] }}], respond: {{ body: {body} }} }}]
"#
        ))
    };
    let gateway = Gateway::start(&metered("one")).await;
    for _ in 0..2 {
        assert_eq!(said(&gateway).await, "one");
    }
    assert_eq!(gateway.reload(&metered("two")).await, "ok");
    assert_eq!(said(&gateway).await, "two");
    let fourth = wire::get(gateway.addr("public"), "/").await;
    assert_eq!(fourth.status, 429);
    assert_eq!(fourth.header("weir-error"), Some("quota_exhausted"));
    let served = [("weir_route", "r"), ("http_response_status_code", "200")];
    let count = gateway
        .metric("http_server_request_duration_seconds_count", &served)
        .await;
    assert_eq!(count, 3.0);
}

#[tokio::test]
async fn a_file_with_a_secret_is_watched() {
    let upstream = Upstream::start(Behaviour::echo()).await;
    let yaml = format!(
        r#"secrets: [{{ name: key, value: "${{file:${{SECRET}}}}" }}]
providers: [{{ name: p, dialect: openai, base_url: "{}", api_key: {{ secret: key }} }}]
models: [{{ name: m, targets: [{{ provider: p, model: m }}] }}]
routes: [{{ name: r, llm: {{ models: [m] }} }}]
"#,
        upstream.url("/v1")
    );
    let builder = Gateway::builder("").file("secret", "first-key");
    let secret = builder.dir().join("secret");
    let yaml = platform(&yaml).replace("${SECRET}", secret.to_str().unwrap());
    std::fs::write(builder.dir().join("config/weir.yaml"), yaml).unwrap();
    let gateway = builder.start().await;
    let ask = || async {
        let body = br#"{"model":"m","messages":[{"role":"user","content":"hi"}]}"#;
        wire::request(
            gateway.addr("public"),
            "POST",
            "/v1/chat/completions",
            &[],
            body,
        )
        .await;
        upstream
            .requests()
            .last()
            .unwrap()
            .header("authorization")
            .unwrap()
            .to_owned()
    };
    assert_eq!(ask().await, "Bearer first-key");
    std::fs::write(&secret, "second-key").unwrap();
    reloaded(&gateway, 2.0).await;
    assert_eq!(ask().await, "Bearer second-key");
}

#[tokio::test]
async fn a_certificate_file_is_watched() {
    let (first, second) = (Authority::new(), Authority::new());
    let issue = |authority: &Authority| authority.issue(&["localhost"], Validity::Current);
    let builder = Gateway::builder("");
    let dir = builder.dir().to_owned();
    let (cert, key) = issue(&first).write(&dir, "server");
    let tls = format!(
        "tls: {{ certificates: [{{ cert: \"{}\", key: \"{}\" }}] }} }}]",
        cert.display(),
        key.display()
    );
    let yaml = saying("one").replacen("\"127.0.0.1:0\" }]", &format!("\"127.0.0.1:0\", {tls}"), 1);
    std::fs::write(dir.join("config/weir.yaml"), yaml).unwrap();
    let gateway = builder.start().await;
    let public = gateway.addr("public");
    let open = async |authority: &Authority| {
        let client = tls::Client {
            name: "localhost",
            authority: Some(authority.pem()),
            ..tls::Client::default()
        };
        wire::Connection::open_tls(public, &client).await
    };
    let mut old = open(&first).await.unwrap();
    assert!(open(&second).await.is_err());

    // Certificate and key are two files: in between they do not fit, and the old pair stays.
    issue(&second).write(&dir, "server");
    wait::until("the new certificate", || async {
        open(&second).await.is_ok().then_some(())
    })
    .await;
    assert!(open(&first).await.is_err());
    // A connection that was open keeps what it has.
    old.send(wire::message(public, "GET", "/", &[], b""))
        .await
        .unwrap();
    assert_eq!(old.response().await.text(), "one");
}
