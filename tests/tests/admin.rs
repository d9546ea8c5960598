//! The two addresses for operators: what they show, to whom, and what they never show.

use weir_tests::openai::{Provider, Reply};
use weir_tests::otlp::Collector;
use weir_tests::{Behaviour, Gateway, Upstream, cli, wire};

fn platform(admin: &str, more: &str) -> String {
    format!(
        r#"version: 1
listeners: [{{ name: public, address: "127.0.0.1:0" }}]
metrics: {{ address: "127.0.0.1:0" }}
admin: {{ address: {admin} }}
server: {{ worker_threads: 1, data_dir: "${{DATA_DIR}}" }}
telemetry: {{ access_log: {{ output: "${{ACCESS_LOG}}" }} }}
{more}"#
    )
}

fn failing() -> (weir_tests::upstream::Refusing, String) {
    let refusing = Upstream::refusing();
    let yaml = format!(
        "upstreams: [{{ name: up, endpoints: [{{ address: \"{}\" }}] }}]\nroutes: [{{ name: r, forward: {{ backends: [{{ upstream: up }}] }} }}]\n",
        refusing.addr()
    );
    (refusing, platform("\"127.0.0.1:0\"", &yaml))
}

#[tokio::test]
async fn the_metrics_address_shows_three_things_and_no_more() {
    let gateway = Gateway::start(&failing().1).await;
    let metrics = gateway.addr("metrics");
    assert_eq!(wire::get(metrics, "/healthz").await.status, 200);
    assert_eq!(
        wire::get(metrics, "/readyz").await.json()["status"],
        "ready"
    );
    let text = wire::get(metrics, "/metrics").await;
    assert!(
        text.header("content-type")
            .unwrap()
            .starts_with("text/plain; version=0.0.4")
    );
    assert!(text.text().contains("weir_build_info{version="));
    for path in ["/config", "/requests", "/routes", "/upstreams", "/"] {
        assert_eq!(wire::get(metrics, path).await.status, 404, "{path}");
    }
    let posted = wire::request(metrics, "POST", "/metrics", &[], b"x").await;
    assert_eq!(posted.status, 405);
    // The admin address shows these too.
    assert_eq!(gateway.admin("/healthz").await.status, 200);
}

#[tokio::test]
async fn the_flight_recorder_explains_a_failure() {
    let (_refusing, yaml) = failing();
    let gateway = Gateway::start(&yaml).await;
    let failed = wire::get(gateway.addr("public"), "/lost?token=s3cret").await;
    assert_eq!(failed.status, 502);
    let id = failed.header("x-request-id").unwrap().to_owned();
    let list = gateway.admin("/requests").await.json();
    assert_eq!(list["failed"][0]["request_id"], *id);
    let told = gateway.admin(&format!("/requests/{id}")).await;
    assert_eq!(told.status, 200);
    let told = told.json();
    assert_eq!(told["error.type"], "connection_refused");
    assert_eq!(told["runbook"], "runbooks/connection_refused.md");
    assert!(!told["explanation"].as_str().unwrap().is_empty());
    assert!(!told.to_string().contains("s3cret"));
    assert_eq!(gateway.admin("/requests/nobody").await.status, 404);
    let upstreams = gateway.admin("/upstreams").await.json();
    assert_eq!(upstreams[0]["upstream"], "up");
}

#[tokio::test]
async fn a_token_is_asked_for_where_one_is_set() {
    let token = ", token: { secret: admin } }";
    let yaml = platform(
        "\"127.0.0.1:0\"",
        "secrets: [{ name: admin, value: \"${TOKEN}\" }]\n",
    )
    .replace(
        "admin: { address: \"127.0.0.1:0\" }",
        &format!("admin: {{ address: \"127.0.0.1:0\"{token}"),
    );
    let gateway = Gateway::builder(&yaml)
        .env("TOKEN", "open-sesame")
        .start()
        .await;
    let admin = gateway.addr("admin");
    for wrong in [
        &[][..],
        &["Authorization: Bearer open-sesam"],
        &["Authorization: Basic open-sesame"],
    ] {
        for path in ["/config", "/metrics", "/nothing"] {
            let refused = wire::request(admin, "GET", path, wrong, b"").await;
            assert_eq!(refused.status, 401, "{path} {wrong:?}");
            assert!(
                refused
                    .header("www-authenticate")
                    .unwrap()
                    .starts_with("Bearer")
            );
        }
    }
    let right = ["Authorization: Bearer open-sesame"];
    assert_eq!(
        wire::request(admin, "GET", "/config", &right, b"")
            .await
            .status,
        200
    );
    // The read-only address asks nobody.
    assert_eq!(
        wire::get(gateway.addr("metrics"), "/metrics").await.status,
        200
    );
}

#[test]
fn off_loopback_a_token_is_demanded() {
    let dir = weir_tests::scratch::Scratch::new("admin");
    let yaml = platform("\"0.0.0.0:9901\"", "")
        .replace("${DATA_DIR}", "data")
        .replace("${ACCESS_LOG}", "stdout");
    let file = dir.write("weir.yaml", yaml);
    let checked = cli::run(&["check", file.to_str().unwrap()]);
    assert_eq!(checked.code, Some(1));
    assert!(
        checked.stderr.contains("admin: ") && checked.stderr.contains("token"),
        "{}",
        checked.stderr
    );
}

/// A secret, put wherever a configuration takes one, is looked for wherever the gateway speaks.
#[tokio::test]
async fn no_secret_is_shown_anywhere() {
    const CANARY: &str = "c4nary-7f3a9";
    let collector = Collector::start().await;
    let provider = Provider::start(Reply::completion(&["hi"], 1, 1)).await;
    let upstream = Upstream::start(Behaviour::echo()).await;
    let yaml = platform("\"127.0.0.1:0\", token: { secret: canary }", &format!(
        r#"secrets: [{{ name: canary, value: "${{CANARY}}" }}, {{ name: filed, value: "${{file:canary}}" }}, {{ name: plain, value: {CANARY} }}]
providers: [{{ name: p, dialect: openai, base_url: "{}", api_key: {{ secret: canary }} }}, {{ name: q, dialect: openai, base_url: "{}", api_key: {{ secret: plain }} }}]
models: [{{ name: m, targets: [{{ provider: p, model: m }}] }}]
upstreams: [{{ name: up, endpoints: [{{ address: "{}" }}] }}]
routes:
  - {{ name: llm, matches: [{{ path: {{ prefix: /v1 }} }}], llm: {{ models: [m] }} }}
  - name: r
    policies: [{{ kind: headers, request: {{ set: {{ x-secret: "${{CANARY}}" }} }} }}]
    forward: {{ backends: [{{ upstream: up }}] }}
"#,
        provider.base_url(), provider.base_url(), upstream.addr()
    )).replace("telemetry: {", &format!("telemetry: {{ otlp: {{ endpoint: \"{}\", sample_ratio: 1.0, headers: {{ x-key: {{ secret: filed }} }} }},", collector.endpoint()));
    let builder = Gateway::builder(&yaml).env("CANARY", CANARY);
    std::fs::write(builder.dir().join("config/canary"), CANARY).unwrap();
    let gateway = builder.start().await;
    let public = gateway.addr("public");
    let body = br#"{"model":"m","messages":[{"role":"user","content":"hi"}]}"#;
    let chat = wire::request(public, "POST", "/v1/chat/completions", &[], body).await;
    assert_eq!(chat.status, 200);
    // It was used, so it could have been told.
    let sent = provider.requests()[0]
        .header("authorization")
        .unwrap()
        .to_owned();
    assert_eq!(sent, format!("Bearer {CANARY}"));
    provider.set(Reply::error(401));
    let refused = wire::request(public, "POST", "/v1/chat/completions", &[], body).await;
    assert_eq!(
        refused.header("weir-error"),
        Some("provider_credential_rejected")
    );
    assert_eq!(wire::get(public, "/r").await.status, 200);
    assert_eq!(upstream.requests()[0].header("x-secret"), Some(CANARY));
    // A reload that fails where the secret stands.
    let bad = yaml.replace("upstream: up }", "upstream: \"${CANARY}\" }");
    assert_eq!(gateway.reload(&bad).await, "failed");

    let bearer = format!("Authorization: Bearer {CANARY}");
    let admin = gateway.addr("admin");
    let mut said = vec![
        chat.text(),
        refused.text(),
        format!("{:?}", refused.headers),
    ];
    for path in ["/config", "/requests", "/upstreams", "/metrics", "/readyz"] {
        let shown = wire::request(admin, "GET", path, &[&bearer], b"").await;
        assert!(matches!(shown.status, 200), "{path}");
        said.push(shown.text());
    }
    assert!(
        said[3].contains("***") && said[3].contains("${CANARY}"),
        "{}",
        said[3]
    );
    gateway.wait_for_log(|l| l["weir.route"] == "r").await;
    said.extend(gateway.access_log().iter().map(ToString::to_string));
    collector
        .wait_for(|s| s.attribute("weir.route") == "r")
        .await;
    said.push(format!("{:?}", collector.spans()));
    gateway.stop().await;
    said.extend(gateway.log());
    for text in said {
        assert!(!text.contains(CANARY), "{text}");
    }
}
