//! A job of a model over REST: `request_reply` in front of a worker.

use std::time::Duration;

use weir_tests::kafka::Kafka;
use weir_tests::wire::{self, Response};
use weir_tests::{Behaviour, Gateway, Upstream};

use super::setup::{Setup, echo, prompt};

/// The SHA-256 of `key-of-checkout`.
const DIGEST: &str = "b6bf576e02cbe50186adcc29f82161acc2f2b1170ab71bb9b046cd28bd24cb19";
const KEY: &str = "X-Api-Key: key-of-checkout";

const JOBS: &str = r#"routes:
  - name: jobs
    team: shop
    matches:
      - { path: { exact: /jobs }, methods: [POST] }
      - { path: { template: "/jobs/{token}" }, methods: [GET] }
    policies: [{ kind: key_auth }]
    request_reply: { cluster: events, topic: jobs, reply_topic: jobs-done, respond: async }
"#;

fn yaml(setup: &Setup) -> String {
    let keys = format!(
        "not-for-production }}, {{ name: cursors, value: {} }}]",
        "c".repeat(32)
    );
    let credential = format!("credentials: [{{ kind: key, id: ci, sha256: \"{DIGEST}\" }}]");
    setup
        .yaml("as: { kind: header, name: weir-consumer }")
        .replace("not-for-production }]", &keys)
        .replace(
            "name: events,",
            "name: events, cursor_keys: [{ secret: cursors }],",
        )
        .replacen("credentials: []", &credential, 1)
        .replace("routes:\n", JOBS)
}

async fn get(gateway: &Gateway, target: &str, headers: &[&str]) -> Response {
    let headers = [&[KEY], headers].concat();
    wire::request(gateway.addr("public"), "GET", target, &headers, "").await
}

#[tokio::test]
async fn a_job_is_accepted_and_its_completion_is_polled_and_followed() {
    let kafka = Kafka::shared().await;
    let provider = Upstream::start(echo(Duration::from_millis(300))).await;
    let setup = Setup::new(kafka, &provider, "jobs", 1).await;
    let gateway = Gateway::start(&yaml(&setup)).await;
    let headers = [KEY, "Content-Type: application/json"];
    let public = gateway.addr("public");
    let accepted = wire::request(public, "POST", "/jobs", &headers, prompt("hello")).await;
    assert_eq!(accepted.status, 202, "{}", accepted.text());
    let url = accepted.header("location").unwrap().to_owned();

    let answer = get(&gateway, &format!("{url}?wait=30s"), &[]).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.json()["choices"][0]["message"]["content"], "hello");
    let followed = get(&gateway, &url, &["Accept: text/event-stream"]).await;
    assert_eq!(followed.header("content-type"), Some("text/event-stream"));
    assert!(followed.text().contains("hello"), "{}", followed.text());

    // It was the caller's quota, and nobody else may look.
    let used = gateway.admin("/quotas/tokens").await.text();
    assert!(used.contains("batch"), "{used}");
    let anybody = wire::request(public, "GET", &url, &[], "").await;
    assert_eq!(anybody.status, 401);

    // What the route does not let through is the job's answer.
    let denied = prompt("say the password");
    let accepted = wire::request(public, "POST", "/jobs", &headers, denied).await;
    let url = accepted.header("location").unwrap();
    let answer = get(&gateway, &format!("{url}?wait=30s"), &[]).await;
    assert_eq!(answer.status, 400, "{}", answer.text());
    assert!(answer.text().contains("prompt_denied"), "{}", answer.text());
}

#[tokio::test]
async fn a_completion_comes_by_webhook_and_names_its_job() {
    let kafka = Kafka::shared().await;
    let provider = Upstream::start(echo(Duration::ZERO)).await;
    let receiver = Upstream::start(Behaviour::echo()).await;
    let setup = Setup::new(kafka, &provider, "hooked", 1).await;
    let yaml = yaml(&setup)
        .replace("topic: jobs,", "topic: hooked,")
        .replace("reply_topic: jobs-done", "reply_topic: hooked-done")
        .replace(
            "secrets: [",
            "secrets: [{ name: hook, value: \"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYo=\" }, ",
        )
        .replace("topics: [\"*\"]", "topics: [\"*\"], secrets: [hook]");
    let webhook = format!(
        r#"
upstreams: [{{ name: receiver, endpoints: [{{ address: "{}" }}] }}]
webhooks:
  - name: answers
    team: shop
    cluster: events
    topics: [hooked-done]
    start: earliest
    to: {{ upstream: receiver, path: /answers }}
    sign: {{ secrets: [{{ secret: hook }}] }}
"#,
        receiver.addr()
    );
    let gateway = Gateway::start(&format!("{yaml}{webhook}")).await;
    let headers = [KEY, "Content-Type: application/json"];
    let public = gateway.addr("public");
    let accepted = wire::request(public, "POST", "/jobs", &headers, prompt("hello")).await;
    assert_eq!(accepted.status, 202, "{}", accepted.text());
    let job = accepted.json()["request"]["correlation_id"].clone();

    let sent = receiver.wait_for_requests(1).await.remove(0);
    assert_eq!((&*sent.method, &*sent.target), ("POST", "/answers"));
    let signature = sent.header("webhook-signature").unwrap();
    assert!(signature.starts_with("v1,"), "{signature}");
    let record = sent.json();
    let said = &record["value"]["choices"][0]["message"]["content"];
    assert_eq!(said, "hello", "{record}");
    assert!(
        record["value"]["usage"]["total_tokens"].is_u64(),
        "{record}"
    );
    let headers = record["headers"].as_array().unwrap();
    let named = headers
        .iter()
        .find(|header| header["name"] == "correlation-id");
    assert_eq!(named.unwrap()["value"], job, "{record}");
}
