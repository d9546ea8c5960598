//! Some fifty secrets, planted wherever a gateway meets any: in its configuration, in what callers send, and in
//! what upstreams answer. None may stand in what operators see of it, nor in an error told to a caller.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use weir_tests::otlp::Collector;
use weir_tests::upstream::{Behaviour, Step, When};
use weir_tests::wire::{self, Response};
use weir_tests::{Gateway, Upstream, cli, wait};

/// How many there are.
const COUNT: usize = 52;

/// One of them: no part of it means anything to anybody.
fn secret(number: usize) -> String {
    assert!(number < COUNT, "there are fewer");
    format!(
        "zq{number:02}x{:08x}v",
        (number as u32 + 1).wrapping_mul(0x9e37_79b1)
    )
}

/// Hands out secrets, each once.
#[derive(Default)]
struct Planted(usize);

impl Planted {
    fn next(&mut self) -> String {
        self.0 += 1;
        secret(self.0 - 1)
    }
}

/// An upstream whose every answer holds secrets, and which fails where the path says so.
fn upstream(planted: &mut Planted) -> Behaviour {
    let (header, cookie, body, error) = (
        planted.next(),
        planted.next(),
        planted.next(),
        planted.next(),
    );
    Behaviour::new(When::Whole, move |request| {
        let (status, body) = match request.target.contains("fail") {
            true => (500, &error),
            false => (200, &body),
        };
        let head = format!(
            "HTTP/1.1 {status} No\r\nX-Internal-Token: {header}\r\nSet-Cookie: session={cookie}\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        vec![Step::Send(head.into_bytes())]
    })
}

/// A provider of models: answers, refuses our key, or breaks, as the prompt says; each with secrets.
fn provider(planted: &mut Planted) -> Behaviour {
    let (completion, refusal, garbage) = (planted.next(), planted.next(), planted.next());
    Behaviour::new(When::Whole, move |request| {
        let asked = request.text();
        let (status, body) = if asked.contains("refuse") {
            (401, json!({ "error": { "message": format!("Incorrect API key provided: {refusal}"), "type": "invalid_request_error" } }).to_string())
        } else if asked.contains("break") {
            (
                200,
                format!("{{\"not what a dialect allows\": \"{garbage}\""),
            )
        } else {
            let message = json!({ "role": "assistant", "content": completion });
            (200, json!({ "id": "c-1", "object": "chat.completion", "model": "m", "choices": [{ "index": 0, "message": message, "finish_reason": "stop" }], "usage": { "prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2 } }).to_string())
        };
        let head = format!(
            "HTTP/1.1 {status} No\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        vec![Step::Send(head.into_bytes())]
    })
}

struct Scene {
    gateway: Gateway,
    admin: String,
    yaml: String,
    collector: Collector,
    _upstreams: [Upstream; 3],
}

async fn start(planted: &mut Planted) -> Scene {
    let collector = Collector::start().await;
    let plain = Upstream::start(upstream(planted)).await;
    let models = Upstream::start(provider(planted)).await;
    let socket = Upstream::start(Behaviour::websocket_echo()).await;
    let admin = planted.next();
    let yaml = format!(
        r#"
version: 1
listeners: [{{ name: public, address: "127.0.0.1:0" }}]
metrics: {{ address: "127.0.0.1:0" }}
admin: {{ address: "127.0.0.1:0", token: {{ secret: admin }} }}
server: {{ data_dir: "${{DATA_DIR}}" }}
telemetry: {{ access_log: {{ output: "${{ACCESS_LOG}}" }}, slow_after: 1ms, otlp: {{ endpoint: "{}", sample_ratio: 1.0, headers: {{ x-otlp: {{ secret: otlp }}, x-plain: "{}" }}, logs: true, metrics: {{ interval: 1s }} }} }}
secrets:
  - {{ name: admin, value: {admin} }}
  - {{ name: otlp, value: "${{OTLP_SECRET}}" }}
  - {{ name: model-key, value: "${{file:model-key}}" }}
  - {{ name: unused, value: {} }}
  - {{ name: kafka, value: {} }}
  - {{ name: cursors, value: "{}{}padding" }}
  - {{ name: webhook, value: "whsec_{}" }}
stores: [{{ name: counts, kind: memory }}]
providers: [{{ name: p, dialect: openai, base_url: "http://{}/v1", api_key: {{ secret: model-key }} }}]
models: [{{ name: m, targets: [{{ provider: p, model: m }}] }}]
kafka_clusters:
  - {{ name: events, bootstrap_servers: ["127.0.0.1:1"], delivery_timeout: 1s, cursor_keys: [{{ secret: cursors }}], properties: {{ security.protocol: sasl_plaintext, sasl.mechanism: PLAIN, sasl.username: gateway, sasl.password: {{ secret: kafka }} }} }}
upstreams:
  - {{ name: up, endpoints: [{{ address: "{}" }}] }}
  - {{ name: socket, endpoints: [{{ address: "{}" }}] }}
  - {{ name: nobody, endpoints: [{{ address: "127.0.0.1:1" }}] }}
routes:
  - {{ name: chat, matches: [{{ path: {{ prefix: /v1 }} }}], llm: {{ models: [m] }} }}
  - {{ name: events, matches: [{{ path: {{ exact: /events }} }}], publish: {{ cluster: events, topic: t, key: "{{header.x-key}}", headers: {{ by: "{{header.x-by}}" }} }} }}
  - {{ name: graph, matches: [{{ path: {{ exact: /graphql }} }}], graphql: {{ backends: [{{ upstream: up }}], max_depth: 3 }} }}
  - {{ name: socket, matches: [{{ path: {{ exact: /socket }} }}], websocket: {{ backends: [{{ upstream: socket }}], max_message: 64KiB }} }}
  - {{ name: keyed, matches: [{{ path: {{ prefix: /keyed }} }}], policies: [{{ kind: key_auth }}], forward: {{ backends: [{{ upstream: up }}] }} }}
  - {{ name: lost, matches: [{{ path: {{ prefix: /lost }} }}], forward: {{ backends: [{{ upstream: nobody }}] }} }}
  - name: plain
    matches: [{{ path: {{ prefix: / }} }}]
    policies: [{{ kind: headers, request: {{ set: {{ x-upstream-password: "${{UPSTREAM_SECRET}}" }} }} }}]
    forward: {{ backends: [{{ upstream: up }}] }}
"#,
        collector.endpoint(),
        planted.next(),
        planted.next(),
        planted.next(),
        planted.next(),
        planted.next(),
        planted.next(),
        models.addr(),
        plain.addr(),
        socket.addr(),
    );
    let builder = Gateway::builder(&yaml)
        .env("OTLP_SECRET", &planted.next())
        .env("UPSTREAM_SECRET", &planted.next());
    std::fs::write(builder.dir().join("config/model-key"), planted.next()).unwrap();
    Scene {
        gateway: builder.start().await,
        admin,
        yaml,
        collector,
        _upstreams: [plain, models, socket],
    }
}

/// Sends what holds secrets in every place that a request has; gives the errors that callers were told.
async fn send(scene: &Scene, planted: &mut Planted) -> Vec<Response> {
    let public = scene.gateway.addr("public");
    let mut told = Vec::new();
    // In heads, queries and bodies, where it goes well and where it fails.
    for path in ["/orders", "/orders/fail", "/lost", "/keyed"] {
        let target = format!("{path}?token={}&{}=1", planted.next(), planted.next());
        let headers = [
            format!("Authorization: Bearer {}", planted.next()),
            format!("Cookie: session={}", planted.next()),
            format!("X-Api-Key: {}", planted.next()),
        ];
        let headers: Vec<_> = headers.iter().map(String::as_str).collect();
        let body = json!({ "password": planted.next() }).to_string();
        told.push(wire::request(public, "POST", &target, &headers, body).await);
    }
    // In prompts, however they end.
    for word in ["answer", "refuse", "break"] {
        let prompt = format!("{word} {}", planted.next());
        let body = json!({ "model": "m", "messages": [{ "role": "user", "content": prompt }] });
        let path = "/v1/chat/completions";
        told.push(wire::request(public, "POST", path, &[], body.to_string()).await);
    }
    // In what is no call at all, in a document, and in variables.
    let broken = format!("{{\"model\": \"{}\", nonsense", planted.next());
    told.push(wire::request(public, "POST", "/v1/chat/completions", &[], broken).await);
    let json_type = ["Content-Type: application/json"];
    let deep = format!(
        "{{ a(card: \"{}\") {{ b {{ c {{ d }} }} }} }}",
        planted.next()
    );
    let body = json!({ "query": deep, "variables": { "pin": planted.next() } });
    told.push(wire::request(public, "POST", "/graphql", &json_type, body.to_string()).await);
    // In records that no broker takes.
    let (key, by) = (
        format!("X-Key: {}", planted.next()),
        format!("X-By: {}", planted.next()),
    );
    told.push(wire::request(public, "POST", "/events", &[&key, &by], planted.next()).await);
    // In a head that is none.
    let head = format!(
        "GET / HTTP/1.1\r\nHost: x\r\nBad Name: {}\r\n\r\n",
        planted.next()
    );
    told.push(wire::exchange(public, head).await);
    // In messages.
    let request = format!("ws://{public}/socket")
        .into_client_request()
        .unwrap();
    let (mut socket, _) = tokio_tungstenite::connect_async(request).await.unwrap();
    socket.send(Message::text(planted.next())).await.unwrap();
    socket.next().await.unwrap().unwrap();
    socket.close(None).await.unwrap();
    told
}

/// All that operators see.
async fn seen(scene: &Scene) -> String {
    let gateway = &scene.gateway;
    let bearer = format!("Authorization: Bearer {}", scene.admin);
    let mut seen = String::new();
    let mut ids = Vec::new();
    for path in [
        "/",
        "/config",
        "/requests",
        "/routes",
        "/upstreams",
        "/targets",
        "/webhooks",
        "/llm_workers",
        "/quotas",
        "/metrics",
        "/readyz",
        "/evidence",
    ] {
        let shown = wire::request(gateway.addr("admin"), "GET", path, &[&bearer], "").await;
        assert_eq!(shown.status, 200, "{path}");
        if path == "/requests" {
            let list = shown.json();
            let all = ["failed", "refused", "slowest"].into_iter();
            let all = all.flat_map(|kind| list[kind].as_array().unwrap().clone());
            ids.extend(all.map(|request| request["request_id"].as_str().unwrap().to_owned()));
        }
        seen.push_str(&shown.text());
    }
    assert!(ids.len() > 10, "{ids:?}");
    let url = gateway.url("admin").trim_end_matches('/').to_owned();
    let admin = scene.admin.clone();
    let explain = move || {
        let one = |id: &String| {
            cli::run_with(
                &["explain", id, "--admin", &url],
                &[("WEIR_ADMIN_TOKEN", &admin)],
            )
        };
        let told = ids.iter().map(one).map(|told| told.stdout + &told.stderr);
        told.collect::<Vec<_>>().concat()
    };
    seen.push_str(&tokio::task::spawn_blocking(explain).await.unwrap());
    let collector = &scene.collector;
    let exported = (collector.spans(), collector.logs(), collector.metrics());
    seen.push_str(&format!("{exported:?}"));
    seen.push_str(&gateway.log().concat());
    seen.push_str(
        &gateway
            .access_log()
            .iter()
            .map(Value::to_string)
            .collect::<String>(),
    );
    seen
}

#[tokio::test(flavor = "multi_thread")]
async fn none_of_fifty_is_told_to_anybody() {
    let mut planted = Planted::default();
    let scene = start(&mut planted).await;
    let told = send(&scene, &mut planted).await;
    // A reload that fails beside one, and a check that does.
    let wrong = scene.yaml.replace(
        "upstream: nobody",
        &format!("upstream: \"{}\"", "${UPSTREAM_SECRET}"),
    );
    assert_eq!(scene.gateway.reload(&wrong).await, "failed");
    assert_eq!(planted.0, COUNT, "so many were planted");
    scene
        .gateway
        .wait_for_log(|line| line["weir.route"] == "socket")
        .await;
    let collector = &scene.collector;
    wait::until_true("the spans of all", || collector.spans().len() > 12).await;
    wait::until_true("their log records", || collector.logs().len() > 8).await;
    wait::until_true("a reading", || !collector.metrics().is_empty()).await;

    let seen = seen(&scene).await;
    // Where a secret stood it is told that one did: these were looked at.
    assert!(
        seen.contains("***")
            && seen.contains("REDACTED")
            && seen.contains("provider_credential_rejected")
    );
    let errors = told
        .iter()
        .filter(|answer| answer.header("weir-error").is_some());
    let errors: String = errors
        .map(|answer| format!("{:?}{}", answer.headers, answer.text()))
        .collect();
    assert!(errors.contains("connection_refused") && errors.contains("request_head_malformed"));
    let told = seen + &errors;
    let leaked: Vec<_> = (0..COUNT)
        .filter(|number| told.contains(&secret(*number)))
        .collect();
    let around = |number: &usize| {
        let at = told.find(&secret(*number)).unwrap();
        told[at.saturating_sub(200)..(at + 60).min(told.len())].to_owned()
    };
    assert!(
        leaked.is_empty(),
        "{leaked:?}: {:#?}",
        leaked.iter().map(around).collect::<Vec<_>>()
    );
}
