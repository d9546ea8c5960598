//! Policies end to end: `cors`, `ip_restriction`, `headers`, and the order they run in. Keys and
//! quotas are in `policies_identity.rs`.

use std::net::SocketAddr;

use weir_telemetry::Code;
use weir_tests::wire::{self, Response};
use weir_tests::{Behaviour, Gateway, Upstream};

async fn start(sections: &str) -> (Upstream, Gateway, SocketAddr) {
    let upstream = Upstream::start(Behaviour::echo()).await;
    let gateway = Gateway::start(&format!(
        r#"
version: 1
listeners: [{{ name: public, address: "127.0.0.1:0" }}]
metrics: {{ address: "127.0.0.1:0" }}
telemetry: {{ access_log: {{ output: "${{ACCESS_LOG}}" }} }}
upstreams: [{{ name: up, endpoints: [{{ address: "{}" }}] }}]
{sections}
"#,
        upstream.addr()
    ))
    .await;
    let public = gateway.addr("public");
    (upstream, gateway, public)
}

fn route(policies: &str) -> String {
    format!(
        "server: {{ data_dir: \"${{DATA_DIR}}\" }}\n\
         routes: [{{ name: all, policies: [{policies}], forward: {{ backends: [{{ upstream: up }}] }} }}]"
    )
}

fn list<'a>(answer: &'a Response, name: &'a str) -> Vec<&'a str> {
    answer.headers.all(name).collect()
}

const CORS: &str = "{ kind: cors, origins: [\"https://shop.example.com\", \"https://*.dev.example.com\"], \
    methods: [GET, POST], headers: [x-a, content-type], expose: [x-total], credentials: true, max_age: 1m }";

#[tokio::test]
async fn a_preflight_is_answered_before_anyone_is_asked() {
    // The key is asked for of everybody else.
    let (upstream, _gateway, public) =
        start(&route(&format!("{{ kind: key_auth }}, {CORS}"))).await;
    for origin in ["https://shop.example.com", "https://me.dev.example.com"] {
        let headers = [
            &format!("Origin: {origin}"),
            "Access-Control-Request-Method: POST",
            "Access-Control-Request-Headers: x-a",
        ];
        let answer = wire::request(public, "OPTIONS", "/p", &headers, "").await;
        assert_eq!((answer.status, answer.body.len()), (204, 0), "{origin}");
        assert_eq!(list(&answer, "access-control-allow-origin"), [origin]);
        assert_eq!(
            answer.header("access-control-allow-credentials"),
            Some("true")
        );
        assert_eq!(
            answer.header("access-control-allow-methods"),
            Some("GET, POST")
        );
        assert_eq!(
            answer.header("access-control-allow-headers"),
            Some("x-a, content-type")
        );
        assert_eq!(answer.header("access-control-max-age"), Some("60"));
        assert_eq!(answer.header("vary"), Some("origin"));
    }
    let stranger = [
        "Origin: https://evil.example",
        "Access-Control-Request-Method: POST",
    ];
    let answer = wire::request(public, "OPTIONS", "/p", &stranger, "").await;
    assert_eq!(answer.header("access-control-allow-origin"), None);
    assert!(upstream.requests().is_empty());
}

#[tokio::test]
async fn a_preflight_is_matched_as_the_request_it_asks_about() {
    let sections = format!(
        "server: {{ data_dir: \"${{DATA_DIR}}\" }}\nroutes:\n  \
         - {{ name: posts, matches: [{{ path: {{ exact: /p }}, methods: [POST] }}], policies: [{CORS}], \
         forward: {{ backends: [{{ upstream: up }}] }} }}\n"
    );
    let (_upstream, _gateway, public) = start(&sections).await;
    let ask = |method: &str| {
        vec![
            "Origin: https://shop.example.com".to_owned(),
            format!("Access-Control-Request-Method: {method}"),
        ]
    };
    for (method, status) in [("POST", 204), ("DELETE", 405)] {
        let headers = ask(method);
        let headers: Vec<&str> = headers.iter().map(String::as_str).collect();
        let answer = wire::request(public, "OPTIONS", "/p", &headers, "").await;
        assert_eq!(answer.status, status, "{method}");
    }
}

#[tokio::test]
async fn answers_and_errors_are_readable_by_the_origins_allowed() {
    let (upstream, _gateway, public) =
        start(&route(&format!("{CORS}, {{ kind: key_auth }}"))).await;
    let origin = ["Origin: https://shop.example.com"];
    let refused = wire::request(public, "GET", "/", &origin, "").await;
    assert_eq!(
        refused.header("weir-error"),
        Some(Code::CredentialMissing.slug())
    );
    assert_eq!(
        list(&refused, "access-control-allow-origin"),
        ["https://shop.example.com"]
    );
    assert_eq!(
        refused.header("access-control-expose-headers"),
        Some("x-total")
    );
    drop(upstream);

    let (upstream, _gateway, public) = start(&route(CORS)).await;
    // The upstream's own word would make two, which browsers refuse.
    let own = [
        "Access-Control-Allow-Origin: *",
        "Access-Control-Allow-Credentials: true",
        "X-Total: 3",
    ];
    upstream.set(Behaviour::answer(200, &own, "x"));
    let answer = wire::request(public, "GET", "/", &origin, "").await;
    assert_eq!(
        list(&answer, "access-control-allow-origin"),
        ["https://shop.example.com"]
    );
    assert_eq!(list(&answer, "access-control-allow-credentials"), ["true"]);
    assert_eq!(answer.header("vary"), Some("origin"));
    let stranger = wire::request(public, "GET", "/", &["Origin: https://evil.example"], "").await;
    assert_eq!(
        (
            stranger.status,
            stranger.header("access-control-allow-origin")
        ),
        (200, None)
    );
    // An upstream that cannot be reached is an error browsers may read too.
    upstream.stop().await;
    let broken = wire::request(public, "GET", "/", &origin, "").await;
    assert_eq!(broken.status, 502);
    assert_eq!(
        list(&broken, "access-control-allow-origin"),
        ["https://shop.example.com"]
    );
}

#[tokio::test]
async fn addresses_are_let_in_or_not() {
    let sections = r#"
server: { data_dir: "${DATA_DIR}", trusted_proxies: [127.0.0.1/32] }
routes:
  - name: all
    policies: [{ kind: ip_restriction, allow: [10.0.0.0/8, "2001:db8::/32"], deny: [10.6.6.6] }]
    forward: { backends: [{ upstream: up }] }
"#;
    let (upstream, gateway, public) = start(sections).await;
    for (from, admitted) in [
        ("10.1.2.3", true),
        ("2001:db8::1", true),
        ("::ffff:10.1.2.3", true),
        ("10.6.6.6", false),
        ("192.0.2.1", false),
    ] {
        let headers = [&*format!("X-Forwarded-For: {from}")];
        let answer = wire::request(public, "GET", "/ip", &headers, "").await;
        assert_eq!(answer.status, if admitted { 200 } else { 403 }, "{from}");
    }
    // Without a proxy in between it is the peer that counts.
    let code = Code::AddressDenied;
    let answer = wire::get(public, "/ip").await;
    assert_eq!(
        (answer.status, answer.header("weir-error")),
        (403, Some(code.slug()))
    );
    assert!(
        !answer.text().contains("127.0.0.1"),
        "the caller need not learn what we think it is"
    );
    assert_eq!(upstream.requests().len(), 3);
    let line = gateway
        .wait_for_log(|line| line["error.type"] == code.slug())
        .await;
    assert_eq!(line["weir.fault"], "policy");
    let labels = [
        ("weir_route", "all"),
        ("error_type", code.slug()),
        ("fault", "policy"),
    ];
    gateway
        .wait_for_metric("weir_errors_total", &labels, |n| n as u32 == 3)
        .await;
}

#[tokio::test]
async fn header_fields_are_removed_set_and_added_both_ways() {
    let policy = "{ kind: headers, \
        request: { remove: [x-gone], set: { x-set: new }, add: { x-add: b } }, \
        response: { remove: [server], set: { x-set: down }, add: { x-add: d } } }";
    let (upstream, _gateway, public) = start(&route(policy)).await;
    upstream.set(Behaviour::answer(
        200,
        &["Server: secret/1.0", "X-Set: old", "X-Add: c"],
        "x",
    ));
    let headers = ["X-Gone: 1", "X-Set: old", "X-Set: older", "X-Add: a"];
    let answer = wire::request(public, "GET", "/", &headers, "").await;
    let seen = &upstream.requests()[0];
    assert_eq!(seen.header("x-gone"), None);
    assert_eq!(seen.headers.all("x-set").collect::<Vec<_>>(), ["new"]);
    assert_eq!(seen.headers.all("x-add").collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!(answer.header("server"), None);
    assert_eq!(list(&answer, "x-set"), ["down"]);
    assert_eq!(list(&answer, "x-add"), ["c", "d"]);
}

#[tokio::test]
async fn policies_run_by_stage_enforced_before_default_before_the_routes_own() {
    let sections = r#"
server: { data_dir: "${DATA_DIR}" }
stores: [{ name: here, kind: memory }]
quotas: [{ name: all, store: here, unit: requests, limit: { default: 1000 }, window: { kind: fixed, every: hour } }]
policies:
  enforced: [{ kind: headers, request: { set: { x-order: enforced } } }]
  default: [{ kind: ip_restriction, deny: [192.0.2.1] }, { kind: request_size, max: 1MiB }]
routes:
  - name: all
    policies:
      - { kind: headers, request: { set: { x-order: route } } }
      - { kind: quota, quotas: [all] }
      - { kind: request_size, max: 10 }
      - { kind: cors, origins: ["*"] }
    forward: { backends: [{ upstream: up }] }
"#;
    let (upstream, gateway, public) = start(sections).await;
    assert_eq!(wire::get(public, "/order").await.status, 200);
    let line = gateway
        .wait_for_log(|line| line["url.path"] == "/order")
        .await;
    let kinds: Vec<_> = line["weir.policies"]
        .as_array()
        .unwrap()
        .iter()
        .map(|p| p["kind"].clone())
        .collect();
    let stages = [
        "cors",
        "ip_restriction",
        "quota",
        "request_size",
        "headers",
        "headers",
    ];
    assert_eq!(kinds.len(), stages.len(), "{line}");
    let place = |kind: &str| kinds.iter().position(|k| k == kind).unwrap();
    // Whoever answers browsers comes before whoever refuses, and changes come last.
    assert!(
        place("cors") < place("quota") && place("ip_restriction") < place("quota"),
        "{kinds:?}"
    );
    assert!(
        place("quota") < place("headers") && place("request_size") < place("headers"),
        "{kinds:?}"
    );
    assert_eq!(
        upstream.requests()[0].header("x-order"),
        Some("route"),
        "enforced runs first"
    );
    // The route's own replaces the default of its kind.
    let large = wire::request(public, "POST", "/", &[], "12345678901").await;
    assert_eq!(
        large.header("weir-error"),
        Some(Code::RequestTooLarge.slug())
    );
}
