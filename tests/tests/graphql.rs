//! GraphQL end to end: what is let through as it came, what is refused before an upstream knows of it, in
//! which words, and what is charged.

use std::net::SocketAddr;

use serde_json::{Value, json};
use weir_telemetry::Code;
use weir_tests::consumer::sha256;
use weir_tests::wire::{self, Response};
use weir_tests::{Behaviour, Gateway, Upstream};

const JSON: &str = "Content-Type: application/json";
const OWN: &str = "Accept: application/graphql-response+json";

const SCHEMA: &str = "type Query { me: User, dog: Dog, secrets: String } \
                      type Mutation { rename: User } \
                      type User { name: String, ssn: String } type Dog { name: String }";

/// A route `/graphql` with these options, and `ann` (group writers, key `ann-key`) and `bob`.
async fn start(options: &str, policies: &str) -> (Upstream, Gateway, SocketAddr) {
    let upstream = Upstream::start(Behaviour::echo()).await;
    let (ann, bob) = (sha256("ann-key"), sha256("bob-key"));
    let gateway = Gateway::start(&format!(
        r#"
version: 1
listeners: [{{ name: public, address: "127.0.0.1:0" }}]
metrics: {{ address: "127.0.0.1:0" }}
server: {{ data_dir: "${{DATA_DIR}}" }}
telemetry: {{ access_log: {{ output: "${{ACCESS_LOG}}" }} }}
stores: [{{ name: ledger, kind: memory }}]
upstreams: [{{ name: up, endpoints: [{{ address: "{}" }}] }}]
consumers:
  - {{ name: ann, groups: [writers], credentials: [{{ kind: key, id: a, sha256: "{ann}" }}] }}
  - {{ name: bob, groups: [readers], credentials: [{{ kind: key, id: b, sha256: "{bob}" }}] }}
routes:
  - name: api
    matches: [{{ path: {{ exact: /graphql }} }}]
    policies: [{policies}]
    graphql: {{ backends: [{{ upstream: up }}] {options} }}
{}
"#,
        upstream.addr(),
        match policies.contains("quotas") {
            true =>
                "quotas: [{ name: cost, store: ledger, unit: graphql_cost, limit: { default: 10 }, window: { kind: fixed, every: month }, by: [route] }]",
            false => "",
        }
    ))
    .await;
    let public = gateway.addr("public");
    (upstream, gateway, public)
}

async fn post(public: SocketAddr, headers: &[&str], body: &Value) -> Response {
    let headers = [&[JSON], headers].concat();
    wire::request(public, "POST", "/graphql", &headers, &body.to_string()).await
}

async fn ask(public: SocketAddr, query: &str) -> Response {
    post(public, &[OWN], &json!({ "query": query })).await
}

async fn get(public: SocketAddr, target: &str) -> Response {
    wire::request(public, "GET", target, &[OWN], "").await
}

fn error(answer: &Response) -> &str {
    answer.header("weir-error").unwrap_or("no error")
}

/// What an upstream was sent, by its own word.
fn sent(answer: &Response) -> (String, String, String) {
    assert_eq!(answer.status, 200, "{}", answer.text());
    let echo = answer.json();
    let text = |name: &str| echo[name].as_str().expect("text").to_owned();
    (text("method"), text("target"), text("body"))
}

fn named(hash: &str) -> Value {
    json!({ "persistedQuery": { "version": 1, "sha256Hash": hash } })
}

#[tokio::test]
async fn what_is_allowed_goes_up_byte_for_byte() {
    let (_upstream, gateway, public) = start("", "").await;
    let body = r#" {"query" : "query Mine($n:Int){a(first:$n)}", "variables":{"n": 5},"x":1} "#;
    let headers = ["Content-Type: application/json; charset=utf-8"];
    let answer = wire::request(public, "POST", "/graphql?a=1", &headers, body).await;
    let (method, target, up) = sent(&answer);
    assert_eq!((&*method, &*target, &*up), ("POST", "/graphql?a=1", body));
    let line = gateway
        .wait_for_log(|line| line["graphql"].is_object())
        .await;
    assert_eq!(
        line["graphql"],
        json!({ "operation.type": "query", "operation.name": "Mine", "operations": 1, "cost": 5 })
    );
    let target = "/graphql?query=%7Ba%7D&x=1";
    let (method, up, body) = sent(&get(public, target).await);
    assert_eq!((&*method, &*up, &*body), ("GET", target, ""));
    let labels = [
        ("weir_route", "api"),
        ("graphql_operation_type", "query"),
        ("graphql_operation_name", ""),
    ];
    let counted = gateway.metric("weir_graphql_operations_total", &labels);
    assert!((counted.await - 2.0).abs() < 0.5);
}

#[tokio::test]
async fn what_is_no_request_is_refused_in_graphqls_words() {
    let (upstream, _gateway, public) = start("", "").await;
    let query = r#"{"query":"{a}"}"#;
    for (method, target, headers, body, status) in [
        ("PUT", "/graphql", &[JSON][..], query, 405),
        ("HEAD", "/graphql?query=%7Ba%7D", &[], "", 405),
        ("GET", "/graphql", &[], "", 400),
        ("GET", "/graphql?query=mutation%7Ba%7D", &[], "", 405),
        ("GET", "/graphql?query=%7Ba%7D", &[JSON], query, 413),
        ("POST", "/graphql", &[], query, 400),
        (
            "POST",
            "/graphql",
            &["Content-Type: text/plain"],
            query,
            400,
        ),
        ("POST", "/graphql", &[JSON], "", 400),
        ("POST", "/graphql", &[JSON], r#"{"query":1}"#, 400),
        ("POST", "/graphql", &[JSON], r#"[{"query":"{a}"}]"#, 400),
        (
            "POST",
            "/graphql",
            &[JSON],
            r#"{"query":"{a}","Query":"{b}"}"#,
            400,
        ),
        ("POST", "/graphql?query=%7Bb%7D", &[JSON], query, 400),
    ] {
        for accept in [OWN, "Accept: application/json"] {
            let headers = [headers, &[accept]].concat();
            let answer = wire::request(public, method, target, &headers, body).await;
            assert_eq!(answer.status, status, "{method} {target} {body}");
            if method == "HEAD" {
                continue;
            }
            let media = answer.header("content-type").expect("one");
            assert!(media.starts_with(&accept[8..]), "{media}");
            let told = answer.json();
            assert_eq!(told["errors"][0]["extensions"]["code"], error(&answer));
            assert!(told.get("data").is_none(), "{told}");
        }
    }
    assert_eq!(upstream.record().requests().len(), 0);
}

#[tokio::test]
async fn what_is_wrong_with_a_document_has_the_status_of_its_media_type() {
    let (upstream, _gateway, public) = start("", "").await;
    for query in [
        "{",
        "query A{a} query B{b}",
        "{...F}",
        "{...F} fragment F on T{...F}",
    ] {
        let body = json!({ "query": query });
        for (accept, status) in [
            (OWN, 400),
            ("Accept: application/json", 200),
            ("Accept: */*", 200),
        ] {
            let answer = post(public, &[accept], &body).await;
            assert_eq!(
                error(&answer),
                Code::GraphqlDocumentInvalid.slug(),
                "{query}"
            );
            assert_eq!(answer.status, status, "{accept}");
            let extensions = &answer.json()["errors"][0]["extensions"];
            assert_eq!(
                extensions["request_id"],
                answer.header("x-request-id").expect("one")
            );
        }
    }
    assert_eq!(upstream.record().requests().len(), 0);
}

#[tokio::test]
async fn hostile_documents_never_reach_an_upstream() {
    let (upstream, _gateway, public) = start("", "").await;
    let aliases = |n: usize| {
        let fields: String = (0..n).map(|n| format!("a{n}:b ")).collect();
        format!("{{{fields}}}")
    };
    let deep = |n: usize| format!("{}a{}", "{a".repeat(n), "}".repeat(n));
    let bomb: String = (0..40)
        .map(|n| format!("fragment F{n} on T{{...F{0} ...F{0}}}", n + 1))
        .collect();
    let bomb = format!("{{...F0}}{bomb}fragment F40 on T{{a}}");
    for (document, limit) in [
        (aliases(31), "aliases"),
        (aliases(1_000), "tokens"),
        (aliases(50_000), "tokens"),
        (deep(11), "depth"),
        (deep(100), "nesting"),
        (deep(100_000), "tokens"),
        (format!("{{a{}}}", "@b".repeat(51)), "directives"),
        (format!("{{a{}}}", "@b".repeat(50_000)), "tokens"),
        (format!("{{{}}}", "a ".repeat(21)), "root_fields"),
        ("{a(first:1001)}".to_owned(), "cost"),
        ("{a(first:99999999999999999999)}".to_owned(), "cost"),
        (bomb, "root_fields"),
    ] {
        let answer = ask(public, &document).await;
        assert_eq!(error(&answer), Code::GraphqlLimitExceeded.slug(), "{limit}");
        assert_eq!(answer.status, 400);
        let told = answer.json()["errors"][0]["extensions"]["limit"]["name"].clone();
        assert!(
            told == limit || (limit == "tokens" && told == "nesting"),
            "{limit}: {told}"
        );
    }
    let circle: String = (0..99)
        .map(|n| format!("fragment F{n} on T{{...F{}}}", (n + 1) % 99))
        .collect();
    let answer = ask(public, &format!("{{...F0}}{circle}")).await;
    assert_eq!(error(&answer), Code::GraphqlDocumentInvalid.slug());
    assert_eq!(upstream.record().requests().len(), 0);
}

#[tokio::test]
async fn the_schema_is_shown_to_whom_it_is_meant_for() {
    let asks = "{__schema{types{fields{type{ofType{ofType{ofType{ofType{ofType{ofType{ofType{name}}}}}}}}}}}}";
    let circles = "{__schema{types{fields{type{fields{type{fields{type{fields{type{fields{type{fields{type{fields{type{name}}}}}}}}}}}}}}}}}";
    let (_upstream, _gateway, public) = start("", "").await;
    assert_eq!(
        error(&ask(public, asks).await),
        Code::GraphqlFieldDenied.slug()
    );
    assert_eq!(ask(public, "{__typename}").await.status, 200);
    let (_upstream, _gateway, public) = start(", introspection: { kind: everybody }", "").await;
    assert_eq!(ask(public, asks).await.status, 200);
    assert_eq!(
        error(&ask(public, circles).await),
        Code::GraphqlLimitExceeded.slug()
    );
    let groups = ", introspection: { kind: groups, groups: [writers] }";
    let (_upstream, _gateway, public) = start(groups, "{ kind: key_auth }").await;
    for (key, status) in [("ann-key", 200), ("bob-key", 403)] {
        let key = format!("Authorization: Bearer {key}");
        let answer = post(public, &[OWN, &key], &json!({ "query": asks })).await;
        assert_eq!(answer.status, status, "{key}");
    }
}

#[tokio::test]
async fn a_field_is_kept_from_who_may_not_see_it_by_whatever_way_it_is_asked_for() {
    let rule = "authorization: [{ field: User.ssn, groups: [writers] }]";
    let known = format!(", {rule}, schema: \"{SCHEMA}\"");
    let unknown = format!(", {rule}");
    for (options, of_a_dog) in [(&known, 200), (&unknown, 403)] {
        let (_upstream, _gateway, public) = start(options, "{ kind: key_auth }").await;
        for (query, bobs) in [
            ("{me{name}}", 200),
            ("{me{ssn:name}}", 200),
            ("{me{x:ssn}}", 403),
            ("mutation{rename{... {ssn}}}", 403),
            (
                "{me{...F}} fragment F on User{...G} fragment G on User{ssn}",
                403,
            ),
            ("{dog{ssn}}", of_a_dog),
        ] {
            for (key, status) in [("ann-key", 200), ("bob-key", bobs)] {
                let key = format!("Authorization: Bearer {key}");
                let answer = post(public, &[OWN, &key], &json!({ "query": query })).await;
                assert_eq!(answer.status, status, "{key} {query} {options}");
                if status == 403 {
                    assert_eq!(error(&answer), Code::GraphqlFieldDenied.slug());
                }
            }
        }
    }
}

#[tokio::test]
async fn a_document_goes_by_its_hash_once_it_was_sent() {
    let (upstream, gateway, public) = start(", documents: { kind: automatic }", "").await;
    let (text, hash) = (
        "query Q($n:Int){a(first:$n)}",
        sha256("query Q($n:Int){a(first:$n)}"),
    );
    let by_hash = json!({ "extensions": named(&hash), "variables": { "n": 2 } });
    for (accept, status) in [(OWN, 400), ("Accept: application/json", 200)] {
        let unknown = post(public, &[accept], &by_hash).await;
        assert_eq!(unknown.status, status);
        let told = &unknown.json()["errors"][0];
        assert_eq!(told["message"], "PersistedQueryNotFound");
        assert_eq!(told["extensions"]["code"], "PERSISTED_QUERY_NOT_FOUND");
    }
    let other = json!({ "query": "{b}", "extensions": named(&hash) });
    assert_eq!(
        error(&post(public, &[OWN], &other).await),
        Code::RequestBodyInvalid.slug()
    );
    let second = json!({ "query": text, "extensions": { "persistedQuery": { "version": 2, "sha256Hash": hash } } });
    assert_eq!(
        error(&post(public, &[OWN], &second).await),
        Code::RequestBodyInvalid.slug()
    );
    assert_eq!(upstream.record().requests().len(), 0);

    let whole = json!({ "query": text, "extensions": named(&hash), "variables": { "n": 2 } });
    let up = json!({ "query": text, "variables": { "n": 2 } });
    for body in [&whole, &by_hash] {
        let (method, _, body) = sent(&post(public, &[OWN], body).await);
        assert_eq!(method, "POST");
        assert_eq!(serde_json::from_str::<Value>(&body).expect("JSON"), up);
    }
    let target = format!(
        "/graphql?k=v&extensions=%7B%22persistedQuery%22%3A%7B%22version%22%3A1%2C%22sha256Hash%22%3A%22{hash}%22%7D%7D"
    );
    let (method, target, body) = sent(&get(public, &target).await);
    assert_eq!((&*method, &*target), ("POST", "/graphql?k=v"));
    assert_eq!(
        serde_json::from_str::<Value>(&body).expect("JSON"),
        json!({ "query": text })
    );
    let kept = [("weir_route", "api"), ("result", "kept")];
    assert!((gateway.metric("weir_graphql_documents_total", &kept).await - 2.0).abs() < 0.5);
}

#[tokio::test]
async fn without_documents_of_its_own_a_route_says_that_it_knows_none_by_hash() {
    let (_upstream, _gateway, public) = start("", "").await;
    let by_hash = json!({ "extensions": named(&sha256("{a}")) });
    let told = post(public, &[OWN], &by_hash).await.json();
    assert_eq!(told["errors"][0]["message"], "PersistedQueryNotSupported");
}

#[tokio::test]
async fn only_documents_on_the_list_run_by_name_or_in_full() {
    let manifest = json!({
        "format": "apollo-persisted-query-manifest", "version": 1,
        "operations": [{ "id": "mine", "name": "Q", "type": "query", "body": "query Q{a}" }],
    });
    let options = format!(", documents: {{ kind: allow_list, manifests: ['{manifest}'] }}");
    let (upstream, gateway, public) = start(&options, "").await;
    let hash = sha256("query Q{a}");
    for body in [
        json!({ "query": "query Q{a}" }),
        json!({ "documentId": "mine" }),
        json!({ "documentId": format!("sha256:{hash}") }),
        json!({ "extensions": named(&hash.to_uppercase()) }),
    ] {
        let (_, _, up) = sent(&post(public, &[OWN], &body).await);
        let up: Value = serde_json::from_str(&up).expect("JSON");
        assert_eq!(up, json!({ "query": "query Q{a}" }), "{body}");
    }
    for body in [
        json!({ "query": "query Q{a b}" }),
        json!({ "documentId": "other" }),
        json!({ "extensions": named(&sha256("{b}")) }),
    ] {
        let answer = post(public, &[OWN], &body).await;
        assert_eq!(
            error(&answer),
            Code::GraphqlDocumentNotTrusted.slug(),
            "{body}"
        );
        assert_eq!(answer.status, 403);
    }
    assert_eq!(upstream.record().requests().len(), 4);
    let labels = [
        ("weir_route", "api"),
        ("graphql_operation_type", "query"),
        ("graphql_operation_name", "Q"),
    ];
    let counted = gateway.metric("weir_graphql_operations_total", &labels);
    assert!((counted.await - 4.0).abs() < 0.5);
}

#[tokio::test]
async fn every_operation_of_a_batch_is_held_to_the_limits_and_charged() {
    let options =
        ", batching: { kind: array, max: 3 }, max_cost: 6, costs: { fields: { \"*.dear\": 4 } }";
    let (upstream, gateway, public) = start(options, "{ kind: quota, quotas: [cost] }").await;
    let one = |query: &str| json!({ "query": query });
    let batch = json!([one("{dear}"), one("{a b}")]);
    let answer = post(public, &[OWN], &batch).await;
    let (_, _, up) = sent(&answer);
    assert_eq!(up, batch.to_string());
    assert!(
        answer.header("ratelimit").expect("one").contains("r=4"),
        "{answer:?}"
    );
    let line = gateway
        .wait_for_log(|line| line["graphql"]["operations"] == 2)
        .await;
    assert_eq!(
        (&line["graphql"]["cost"], &line["weir.quotas"][0]["used"]),
        (&json!(6), &json!(6))
    );
    let too_dear = post(public, &[OWN], &json!([one("{a}"), one("{dear a b c}")])).await;
    assert_eq!(error(&too_dear), Code::GraphqlLimitExceeded.slug());
    let too_many = post(
        public,
        &[OWN],
        &json!([one("{a}"), one("{a}"), one("{a}"), one("{a}")]),
    )
    .await;
    assert_eq!(error(&too_many), Code::RequestBodyInvalid.slug());
    let exhausted = post(
        public,
        &["Accept: application/json"],
        &json!([one("{dear}"), one("{a}")]),
    )
    .await;
    assert_eq!(
        (exhausted.status, error(&exhausted)),
        (429, Code::QuotaExhausted.slug())
    );
    let told = &exhausted.json()["errors"][0]["extensions"];
    assert_eq!(told["quota"]["unit"], "graphql_cost");
    assert_eq!(upstream.record().requests().len(), 1);
    // What was refused cost nothing.
    assert_eq!(ask(public, "{dear}").await.status, 200);
}
