//! Policies end to end: `key_auth` and `quota`.

use std::net::SocketAddr;

use weir_telemetry::Code;
use weir_tests::consumer::sha256;
use weir_tests::wire::{self, Response};
use weir_tests::{Behaviour, Gateway, Upstream};

/// Consumers `ann` (team shop, group writers; keys `old-key`, `new-key` and one expired) and
/// `bob` (key `bob-key`).
fn consumers() -> String {
    format!(
        r#"
teams: [{{ name: shop, organisation: acme }}]
consumers:
  - name: ann
    team: shop
    groups: [writers]
    credentials:
      - {{ kind: key, id: old, sha256: "{}", expires: 2999-01-01 }}
      - {{ kind: key, id: new, sha256: "{}" }}
      - {{ kind: key, id: gone, sha256: "{}", expires: 2020-01-01 }}
  - name: bob
    credentials: [{{ kind: key, id: only, sha256: "{}" }}]
"#,
        sha256("old-key"),
        sha256("new-key"),
        sha256("expired-key"),
        sha256("bob-key"),
    )
}

async fn start(policies: &str, more: &str) -> (Upstream, Gateway, SocketAddr) {
    let upstream = Upstream::start(Behaviour::echo()).await;
    let gateway = Gateway::start(&format!(
        r#"
version: 1
listeners: [{{ name: public, address: "127.0.0.1:0" }}]
metrics: {{ address: "127.0.0.1:0" }}
server: {{ data_dir: "${{DATA_DIR}}" }}
telemetry: {{ access_log: {{ output: "${{ACCESS_LOG}}" }} }}
upstreams: [{{ name: up, endpoints: [{{ address: "{}" }}] }}]
routes: [{{ name: all, policies: [{policies}], forward: {{ backends: [{{ upstream: up }}] }} }}]
{}
{more}
"#,
        upstream.addr(),
        consumers()
    ))
    .await;
    let public = gateway.addr("public");
    (upstream, gateway, public)
}

async fn ask(public: SocketAddr, target: &str, headers: &[&str]) -> Response {
    wire::request(public, "GET", target, headers, "").await
}

fn error(answer: &Response) -> &str {
    answer.header("weir-error").unwrap_or("no error")
}

#[tokio::test]
async fn a_caller_is_known_by_its_key_wherever_the_route_looks_for_it() {
    let policy = "{ kind: key_auth, sources: [{ kind: bearer }, { kind: header, name: x-key }, { kind: query, name: key }] }";
    let (upstream, gateway, public) = start(policy, "").await;
    for (target, headers) in [
        ("/bearer", &["Authorization: Bearer new-key"][..]),
        ("/lower", &["authorization: bearer new-key"]),
        ("/header", &["X-Key: new-key"]),
        ("/query?a=1&key=new-key&b=2", &[]),
        ("/encoded?key=new%2Dkey", &[]),
    ] {
        let answer = ask(
            public,
            target,
            &[headers, &["Weir-Consumer: root"]].concat(),
        )
        .await;
        assert_eq!(answer.status, 200, "{target}: {}", error(&answer));
        let seen = upstream.requests().pop().unwrap();
        assert_eq!(
            seen.headers.all("weir-consumer").collect::<Vec<_>>(),
            ["ann"]
        );
        assert_eq!(seen.headers.all("weir-team").collect::<Vec<_>>(), ["shop"]);
        // The key goes no further.
        assert_eq!(
            (seen.header("authorization"), seen.header("x-key")),
            (None, None)
        );
        assert!(!seen.target.contains("key"), "{}", seen.target);
    }
    assert_eq!(upstream.requests()[3].target, "/query?a=1&b=2");
    let line = gateway
        .wait_for_log(|line| line["url.path"] == "/query")
        .await;
    assert_eq!(
        (&line["weir.consumer"], &line["weir.team"]),
        (&"ann".into(), &"shop".into())
    );
    // A consumer without a team has none to tell.
    assert_eq!(ask(public, "/bob", &["X-Key: bob-key"]).await.status, 200);
    let seen = upstream.requests().pop().unwrap();
    assert_eq!(
        (seen.header("weir-consumer"), seen.header("weir-team")),
        (Some("bob"), None)
    );
    let log = std::fs::read_to_string(gateway.dir().join("access.log")).unwrap();
    assert!(!log.contains("new-key") && !gateway.log().join("\n").contains("new-key"));
}

#[tokio::test]
async fn a_caller_without_a_valid_key_is_refused_with_a_challenge() {
    let (upstream, gateway, public) = start("{ kind: key_auth }", "").await;
    for (headers, code) in [
        (&[][..], Code::CredentialMissing),
        (
            &["Authorization: Basic bmV3LWtleQ=="],
            Code::CredentialMissing,
        ),
        (&["Authorization: Bearer new-ke"], Code::CredentialInvalid),
        (&["Authorization: Bearer "], Code::CredentialInvalid),
        (&["X-Api-Key: wrong"], Code::CredentialInvalid),
        (&["X-Api-Key: expired-key"], Code::CredentialExpired),
    ] {
        let answer = ask(public, "/", headers).await;
        // A field that holds nothing is as good as none.
        let blank = headers == ["Authorization: Bearer "] && error(&answer) == "credential_missing";
        assert!(
            blank || error(&answer) == code.slug(),
            "{headers:?}: {}",
            error(&answer)
        );
        assert_eq!(
            (answer.status, answer.json()["status"].as_u64()),
            (401, Some(401))
        );
        assert!(
            answer
                .header("www-authenticate")
                .unwrap()
                .starts_with("Bearer")
        );
        gateway
            .wait_for_log(|line| line["error.type"] == error(&answer))
            .await;
    }
    assert!(upstream.requests().is_empty());
    let labels = [
        ("weir_route", "all"),
        ("error_type", "credential_expired"),
        ("fault", "client"),
    ];
    gateway
        .wait_for_metric("weir_errors_total", &labels, |n| n as u32 == 1)
        .await;
}

#[tokio::test]
async fn two_keys_of_a_consumer_are_valid_while_one_replaces_the_other() {
    let (upstream, _gateway, public) = start("{ kind: key_auth, hide: false }", "").await;
    for key in ["old-key", "new-key"] {
        let header = format!("Authorization: Bearer {key}");
        assert_eq!(ask(public, "/", &[&header]).await.status, 200, "{key}");
        let seen = upstream.requests().pop().unwrap();
        assert_eq!(seen.header("weir-consumer"), Some("ann"));
        assert_eq!(
            seen.header("authorization"),
            Some(&header[15..]),
            "not hidden"
        );
    }
}

#[tokio::test]
async fn a_route_admits_whom_it_names() {
    let (_upstream, gateway, public) = start("{ kind: key_auth, groups: [writers] }", "").await;
    assert_eq!(ask(public, "/", &["X-Api-Key: new-key"]).await.status, 200);
    let denied = ask(public, "/", &["X-Api-Key: bob-key"]).await;
    assert_eq!(
        (denied.status, error(&denied)),
        (403, Code::ConsumerDenied.slug())
    );
    let line = gateway
        .wait_for_log(|line| line["error.type"] == Code::ConsumerDenied.slug())
        .await;
    assert_eq!(line["weir.fault"], "policy");
    let (_upstream, _gateway, public) = start("{ kind: key_auth, consumers: [bob] }", "").await;
    assert_eq!(ask(public, "/", &["X-Api-Key: bob-key"]).await.status, 200);
    assert_eq!(ask(public, "/", &["X-Api-Key: new-key"]).await.status, 403);
}

const QUOTA: &str = r#"
stores: [{ name: here, kind: memory }]
quotas:
  - { name: each, store: here, unit: requests, limit: { default: 3, overrides: { bob: 1 } }, window: { kind: sliding, every: 1h }, by: [consumer] }
  - { name: together, store: here, unit: requests, limit: { default: 100 }, window: { kind: fixed, every: month } }
"#;

#[tokio::test]
async fn requests_are_counted_per_consumer_and_refused_beyond_the_limit() {
    let policies = "{ kind: key_auth }, { kind: quota, quotas: [each, together] }";
    let (upstream, gateway, public) = start(policies, QUOTA).await;
    for left in [2, 1, 0] {
        let answer = ask(public, "/", &["X-Api-Key: new-key"]).await;
        assert_eq!(answer.status, 200);
        let remaining = answer.header("ratelimit").unwrap();
        assert!(
            remaining.contains(&format!("\"each\";r={left}")),
            "{remaining}"
        );
        assert!(remaining.contains("\"together\";r="), "{remaining}");
        let policy = answer.header("ratelimit-policy").unwrap();
        assert!(policy.contains("\"each\";q=3;w=3600"), "{policy}");
    }
    // The other key is the same consumer's.
    let refused = ask(public, "/over", &["X-Api-Key: old-key"]).await;
    let code = Code::QuotaExhausted;
    assert_eq!((refused.status, error(&refused)), (429, code.slug()));
    assert_eq!(refused.json()["code"], code.slug());
    let wait: u32 = refused.header("retry-after").unwrap().parse().unwrap();
    // A sliding window forgets in steps, never too early.
    assert!((1..=3720).contains(&wait), "{wait}");
    assert!(
        refused
            .header("ratelimit")
            .unwrap()
            .contains("\"each\";r=0")
    );
    // Nobody else is measured by it, and an override is.
    assert_eq!(ask(public, "/", &["X-Api-Key: bob-key"]).await.status, 200);
    assert_eq!(ask(public, "/", &["X-Api-Key: bob-key"]).await.status, 429);
    assert_eq!(upstream.requests().len(), 4);
    let line = gateway
        .wait_for_log(|line| line["url.path"] == "/over")
        .await;
    assert_eq!(
        (&line["error.type"], &line["weir.fault"]),
        (&code.slug().into(), &"policy".into())
    );
    for (quota, decision, count) in [
        ("each", "allowed", 4),
        ("each", "refused", 2),
        ("together", "allowed", 4),
    ] {
        let labels = [("quota", quota), ("decision", decision)];
        let all = |n: f64| n as u32 == count;
        gateway
            .wait_for_metric("weir_quota_decisions_total", &labels, all)
            .await;
    }
}

#[tokio::test]
async fn a_quota_that_refuses_takes_nothing_from_the_others() {
    let more = QUOTA.replace("default: 100 }", "default: 1 }");
    let policies = "{ kind: key_auth }, { kind: quota, quotas: [each, together] }";
    let (_upstream, _gateway, public) = start(policies, &more).await;
    assert_eq!(ask(public, "/", &["X-Api-Key: new-key"]).await.status, 200);
    for _ in 0..5 {
        let refused = ask(public, "/", &["X-Api-Key: bob-key"]).await;
        let told = refused.header("ratelimit").unwrap();
        assert!(
            refused.status == 429 && told.contains("\"together\""),
            "{told}"
        );
    }
}

#[tokio::test]
async fn a_request_that_fails_later_has_been_counted_and_is_told_so() {
    let policies = "{ kind: key_auth }, { kind: quota, quotas: [each, together] }";
    let (upstream, _gateway, public) = start(policies, QUOTA).await;
    upstream.stop().await;
    let answer = ask(public, "/", &["X-Api-Key: new-key"]).await;
    assert_eq!(
        (answer.status, error(&answer)),
        (502, Code::ConnectionRefused.slug())
    );
    assert!(answer.header("ratelimit").unwrap().contains("\"each\";r=2"));
}
