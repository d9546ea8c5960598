//! `weir explain`, `weir tail` and `weir evidence`, of a gateway that is really broken in each of these ways.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::net::SocketAddr;

use serde_json::Value;
use weir_tests::child::Child;
use weir_tests::scratch::Scratch;
use weir_tests::wire::{self, Response};
use weir_tests::{Behaviour, Gateway, Upstream, child, cli, ports, wait};

const TOKEN: &str = "admin-token-not-for-production";

/// A gateway in front of `upstream`, whose admin address has that port.
fn yaml(upstream: SocketAddr, admin: u16) -> String {
    format!(
        r#"
version: 1
listeners: [{{ name: public, address: "127.0.0.1:0" }}]
metrics: {{ address: "127.0.0.1:0" }}
admin: {{ address: "127.0.0.1:{admin}", token: {{ secret: admin }} }}
server: {{ data_dir: "${{DATA_DIR}}" }}
secrets: [{{ name: admin, value: {TOKEN} }}]
stores: [{{ name: counts, kind: memory }}]
teams: [{{ name: shop }}]
quotas: [{{ name: few, store: counts, unit: requests, limit: {{ default: 1 }}, window: {{ kind: fixed, every: day }}, by: [route] }}]
upstreams:
  - {{ name: up, endpoints: [{{ address: "{upstream}" }}], timeouts: {{ first_byte: 300ms }}, retries: {{ max: 1, budget_percent: 100 }} }}
routes:
  - name: orders
    team: shop
    hosts: [shop.example.com]
    matches: [{{ path: {{ prefix: /orders }}, methods: [GET, POST] }}]
    forward: {{ backends: [{{ upstream: up }}] }}
  - name: limited
    matches: [{{ path: {{ exact: /limited }} }}]
    policies: [{{ kind: quota, quotas: [few] }}]
    respond: {{ body: few }}
"#
    )
}

/// Runs `weir` beside a gateway.
async fn weir(gateway: &Gateway, arguments: &[&str]) -> cli::Output {
    let url = gateway.url("admin");
    let url = url.trim_end_matches('/').to_owned();
    let arguments: Vec<String> = arguments.iter().map(|word| (*word).to_owned()).collect();
    let run = move || {
        let all: Vec<_> = arguments
            .iter()
            .map(|word| &**word)
            .chain(["--admin", &url])
            .collect();
        cli::run_with(&all, &[("WEIR_ADMIN_TOKEN", TOKEN)])
    };
    tokio::task::spawn_blocking(run).await.unwrap()
}

async fn ask(gateway: &Gateway, method: &str, path: &str) -> Response {
    let host = ["Host: shop.example.com"];
    wire::request(gateway.addr("public"), method, path, &host, "{}").await
}

fn id(answer: &Response) -> &str {
    answer.header("x-request-id").unwrap()
}

async fn story(gateway: &Gateway, answer: &Response) -> String {
    let told = weir(gateway, &["explain", id(answer)]).await;
    assert_eq!(told.code, Some(0), "{}", told.stderr);
    told.stdout
}

fn assert_says(story: &str, words: &[&str]) {
    for word in words {
        assert!(story.contains(word), "{word:?} is not in\n{story}");
    }
}

#[tokio::test]
async fn a_story_has_the_route_the_attempts_the_cause_and_what_is_next() {
    let upstream = Upstream::start(Behaviour::close_before_head()).await;
    let gateway = Gateway::start(&yaml(upstream.addr(), 0)).await;
    let answer = ask(&gateway, "POST", "/orders/7?card=4111").await;
    assert_eq!(answer.status, 502);
    let told = story(&gateway, &answer).await;
    assert_says(
        &told,
        &[
            "POST /orders/7 on shop.example.com",
            "route orders (forward), which is for host shop.example.com, path /orders or below, method GET or POST; team shop",
            ", still in force",
            "attempt 1: connecting to",
            "bytes sent",
            "not tried again: the endpoint may have done it, and the method is not idempotent",
            "Likely cause: ",
            "ended a new connection after",
            "Look at: weir tail --upstream up",
            "runbooks/connection_terminated.md",
        ],
    );
    assert!(!told.contains("4111"), "{told}");
    // What is safe to repeat was repeated, once.
    let told = story(&gateway, &ask(&gateway, "GET", "/orders/7").await).await;
    assert_says(
        &told,
        &[
            "tried again: idempotent",
            "attempt 2",
            "as often as `retries.max` allows",
        ],
    );
    // By its trace it is the same.
    let json = weir(&gateway, &["explain", "--json", id(&answer)]).await;
    let json: Value = serde_json::from_str(&json.stdout).unwrap();
    let trace = json["trace_id"].as_str().unwrap();
    let by_trace = weir(&gateway, &["explain", trace]).await;
    assert_says(&by_trace.stdout, &[id(&answer)]);
    assert_eq!(json["timeline"][1]["whose"], "upstream");
    assert_eq!(json["weir.attempts"][0]["not_retried"], "method");
}

#[tokio::test]
async fn each_failure_has_its_cause_and_an_old_configuration_is_told() {
    let upstream = Upstream::start(Behaviour::hang()).await;
    let yaml = yaml(upstream.addr(), 0);
    let gateway = Gateway::start(&yaml).await;
    let late = ask(&gateway, "GET", "/orders").await;
    assert_eq!(late.status, 504);
    assert_says(
        &story(&gateway, &late).await,
        &[
            "sent, waiting in vain",
            "as long as `timeouts.first_byte` waits",
        ],
    );
    upstream.stop().await;
    let refused = ask(&gateway, "GET", "/orders").await;
    assert_eq!(refused.status, 502);
    assert_says(
        &story(&gateway, &refused).await,
        &["its process is down", "connecting, in vain"],
    );
    assert_eq!(ask(&gateway, "GET", "/limited").await.status, 200);
    let exhausted = ask(&gateway, "GET", "/limited").await;
    assert_eq!(exhausted.status, 429);
    assert_says(
        &story(&gateway, &exhausted).await,
        &[
            "policy quota: quota_exhausted",
            "As configured: a policy said no.",
            "Look at: weir quota show",
        ],
    );
    let lost = ask(&gateway, "GET", "/nowhere").await;
    assert_eq!(lost.status, 404);
    assert_says(
        &story(&gateway, &lost).await,
        &[
            "no route (listener public)",
            "weir route GET 'http://shop.example.com/nowhere'",
        ],
    );
    gateway
        .reload(&yaml.replace("body: few", "body: more"))
        .await;
    assert_says(&story(&gateway, &refused).await, &["since replaced by"]);
    // A code is explained with those who met it, and without a gateway too.
    let about = weir(&gateway, &["explain", "connection_refused"]).await;
    assert_says(
        &about.stdout,
        &[
            "status 502, fault upstream",
            "In sixty seconds:",
            id(&refused),
        ],
    );
    assert!(!about.stdout.contains(id(&late)));
    let alone = cli::run(&["explain", "gateway_absent", "--admin", "http://127.0.0.1:1"]);
    assert_eq!(alone.code, Some(0));
    assert_says(&alone.stdout, &["In sixty seconds:"]);
    let page = cli::run(&["explain", "--page", "connection_refused"]);
    assert!(page.stdout.starts_with("# connection_refused\n"));
    let unknown = weir(&gateway, &["explain", "nobody"]).await;
    assert_eq!(unknown.code, Some(1));
    assert_says(
        &unknown.stderr,
        &["\"nobody\" is not recorded", "access log"],
    );
}

#[tokio::test]
async fn evidence_is_one_file_that_explains_itself() {
    let refusing = Upstream::refusing();
    let gateway = Gateway::start(&yaml(refusing.addr(), 0)).await;
    let answer = ask(&gateway, "GET", "/orders?card=4111").await;
    let dir = Scratch::new("evidence");
    let path = dir.path().join("evidence.json");
    let file = path.to_str().unwrap();
    let written = weir(&gateway, &["evidence", "--out", file]).await;
    assert_eq!(written.code, Some(0), "{}", written.stderr);
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(!text.contains(TOKEN) && !text.contains("4111"));
    let evidence: Value = serde_json::from_str(&text).unwrap();
    for part in [
        "version",
        "readyz",
        "config",
        "routes",
        "upstreams",
        "quotas",
        "requests",
    ] {
        assert!(!evidence[part].is_null(), "{part}");
    }
    assert!(
        evidence["metrics"]
            .as_str()
            .unwrap()
            .contains("weir_errors_total")
    );
    let mode = std::os::unix::fs::PermissionsExt::mode(&path.metadata().unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
    // Nobody's file is written over, and who was named and is not there is told.
    let again = weir(&gateway, &["evidence", "nobody", "--out", file]).await;
    assert_eq!(again.code, Some(1));
    assert_says(&again.stderr, &["\"nobody\" is not recorded", "exists"]);
    drop(gateway);
    let told = cli::run(&["explain", id(&answer), "--from", file]);
    assert_says(
        &told.stdout,
        &["its process is down", "runbooks/connection_refused.md"],
    );
    let about = cli::run(&["explain", "connection_refused", "--from", file]);
    assert_says(&about.stdout, &[id(&answer)]);
    let other = cli::run(&["explain", "nobody", "--from", file]);
    assert_eq!(other.code, Some(1));
}

fn tail(gateway: &Gateway, arguments: &[&str]) -> Child {
    let mut command = child::command(cli::executable());
    let url = gateway.url("admin");
    command
        .arg("tail")
        .args(arguments)
        .args(["--admin", url.trim_end_matches('/')])
        .env("WEIR_ADMIN_TOKEN", TOKEN);
    Child::start("tail", command)
}

async fn wait_for_line(tail: &Child, words: &str) {
    wait::until_true(format!("{words:?} of weir tail"), || {
        tail.transcript().contains(words)
    })
    .await;
}

#[tokio::test]
async fn failures_are_told_as_they_happen_over_a_restart() {
    let refusing = Upstream::refusing();
    let yaml = yaml(refusing.addr(), ports::free());
    let gateway = Gateway::start(&yaml).await;
    let all = tail(&gateway, &["--verbose"]);
    let some = tail(
        &gateway,
        &[
            "--code",
            "quota_exhausted",
            "--fault",
            "policy,client",
            "--json",
        ],
    );
    for tail in [&all, &some] {
        wait_for_line(tail, "watching").await;
    }
    let refused = ask(&gateway, "GET", "/orders?card=4111").await;
    for _ in 0..2 {
        ask(&gateway, "GET", "/limited").await;
    }
    wait_for_line(&all, &format!("/orders {}", id(&refused))).await;
    wait_for_line(&all, "its process is down").await;
    wait_for_line(&some, "\"error.type\":\"quota_exhausted\"").await;
    assert!(!some.transcript().contains("connection_refused"));
    assert!(!all.transcript().contains("4111"));
    assert!(
        gateway.stop().await.success(),
        "who watches holds up no shutdown"
    );
    wait_for_line(&all, "the gateway is gone").await;
    let gateway = Gateway::start(&yaml).await;
    wait::until_true("both watch again", || {
        all.transcript().matches("watching").count() == 2
    })
    .await;
    let refused = ask(&gateway, "GET", "/orders").await;
    wait_for_line(&all, id(&refused)).await;
    let wrong = weir(&gateway, &["tail", "--fault", "somebody"]).await;
    assert_eq!(wrong.code, Some(1));
    assert_says(
        &wrong.stderr,
        &[
            "nothing is the fault of",
            "client, policy, gateway or upstream",
        ],
    );
}
