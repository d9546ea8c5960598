//! A graph of which gRPC services are a part, end to end: what they are asked, what becomes of what they
//! answer, and what callers are told where they do not.

use std::net::SocketAddr;

use serde_json::{Value, json};
use weir_tests::rpc::{SHOP, Server};
use weir_tests::upstream::{Step, When};
use weir_tests::wire;
use weir_tests::{Behaviour, Gateway, Upstream};

const ORDERS: &str = r##"{
  "openapi": "3.0.3",
  "paths": { "/orders": { "get": { "operationId": "orders", "responses": { "200": { "content": { "application/json": {
    "schema": { "type": "array", "items": { "title": "Order", "$ref": "#/components/schemas/Order" } } } } } } } } },
  "components": { "schemas": { "Order": { "type": "object", "properties": {
    "id": { "type": "integer" }, "book": { "type": "string" }, "pages": { "type": "string" } } } } }
}"##;

/// A REST API beside, whose orders 1 and 2 are of one book.
async fn orders() -> Upstream {
    let behaviour = Behaviour::new(When::Whole, |_| {
        let body = json!([
            { "id": 1, "book": "books/7", "pages": "12" },
            { "id": 2, "book": "books/7", "pages": "12" },
            { "id": 3 },
        ])
        .to_string();
        let length = body.len();
        let head = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
        );
        vec![Step::Send([head, body].concat().into_bytes())]
    });
    Upstream::start(behaviour).await
}

/// A gateway whose graph has, of the services at `shop`, what `said` says.
async fn start(shop: SocketAddr, rest: SocketAddr, said: &str) -> (Gateway, SocketAddr) {
    start_with(shop, rest, said, "timeouts: { total: 2s }").await
}

async fn start_with(
    shop: SocketAddr,
    rest: SocketAddr,
    said: &str,
    upstream: &str,
) -> (Gateway, SocketAddr) {
    let document = serde_json::to_string(ORDERS).expect("a string");
    let yaml = format!(
        r#"
version: 1
listeners: [{{ name: public, address: "127.0.0.1:0" }}]
metrics: {{ address: "127.0.0.1:0" }}
server: {{ data_dir: "${{DATA_DIR}}" }}
telemetry: {{ access_log: {{ output: "${{ACCESS_LOG}}" }} }}
upstreams:
  - {{ name: shop, protocol: http2, endpoints: [{{ address: "{shop}" }}], {upstream} }}
  - {{ name: orders, endpoints: [{{ address: "{rest}" }}] }}
routes:
  - name: api
    matches: [{{ path: {{ exact: /graphql }} }}]
    graphql:
      compose:
        sources:
          - {{ kind: openapi, name: orders, upstream: orders, document: {document} }}
          - {{ kind: grpc, name: shop, upstream: shop, descriptors: ../shop.binpb, headers: [Authorization, X-Code], {said} }}
"#
    );
    let gateway = Gateway::builder(&yaml)
        .file("shop.binpb", SHOP)
        .start()
        .await;
    let public = gateway.addr("public");
    (gateway, public)
}

async fn ask(public: SocketAddr, headers: &[&str], body: &Value) -> Value {
    let headers = [&["Content-Type: application/json"], headers].concat();
    let answer = wire::request(public, "POST", "/graphql", &headers, &body.to_string()).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()
}

#[tokio::test]
async fn messages_are_arguments_on_their_way_up_and_objects_on_their_way_back() {
    let (server, rest) = (Server::start().await, orders().await);
    let shelves = "methods: [shop.Shelves/Get, shop.Shelves/Put, shop.Shelves/Ping]";
    let (_gateway, public) = start(server.addr(), rest.addr(), shelves).await;
    let fields = "id inner { id inner { id } } counts blob ratio room floor madeAt limit labels \
                  genres nothing";
    let shelf = json!({
        "id": 18_446_744_073_709_551_615_u64, "inner": { "id": 7, "inner": null },
        "counts": { "a": 9_007_199_254_740_993_i64 }, "blob": "aGk=", "ratio": 0.5,
        "room": null, "floor": 0, "madeAt": "2026-01-02T03:04:05Z", "limit": 5,
        "labels": { "b": [1.5, "c"] }, "genres": ["NOVEL", "UNKNOWN"], "nothing": {},
    });
    let body = json!({
        "query": format!(
            "query($id: Long, $inner: ShelfInput, $counts: JSON, $blob: String, $ratio: Float, \
             $room: String, $floor: Int, $madeAt: String, $limit: Long, $labels: JSON, \
             $genres: [Genre], $nothing: JSON) {{ get(id: $id, inner: $inner, counts: $counts, \
             blob: $blob, ratio: $ratio, room: $room, floor: $floor, madeAt: $madeAt, \
             limit: $limit, labels: $labels, genres: $genres, nothing: $nothing) {{ {fields} }} \
             again: get(id: 1) {{ {fields} }} same: get(id: \"1\") {{ id }} }}"
        ),
        "variables": shelf,
    });
    let headers = ["Authorization: Bearer caller", "Cookie: private"];
    let told = ask(public, &headers, &body).await;
    assert_eq!(told.get("errors"), None, "{told}");
    assert_eq!(told["data"]["get"], shelf);
    // What nobody sets is there as what it is then, unless it may be absent.
    let bare = json!({
        "id": 1, "inner": null, "counts": {}, "blob": "", "ratio": 0.0, "room": null, "floor": null,
        "madeAt": null, "limit": null, "labels": null, "genres": [], "nothing": null,
    });
    assert_eq!(told["data"]["again"], bare);
    assert_eq!(told["data"]["same"], json!({ "id": 1 }));

    let calls = server.calls();
    assert_eq!(calls.len(), 2, "those that are the same are made once");
    for call in &calls {
        assert_eq!(call.path, "/shop.Shelves/Get");
        assert_eq!(call.headers["content-type"], "application/grpc");
        assert_eq!(call.headers["te"], "trailers");
        assert_eq!(call.headers["authorization"], "Bearer caller");
        assert!(call.headers.contains_key("grpc-timeout"));
        for name in ["cookie", "accept"] {
            assert!(!call.headers.contains_key(name), "{name}");
        }
    }
}

#[tokio::test]
async fn what_does_not_say_that_it_only_reads_is_a_mutation_and_made_each_time() {
    let (server, rest) = (Server::start().await, orders().await);
    let shelves = "methods: [shop.Shelves/Get, shop.Shelves/Put, shop.Shelves/Ping], prefix: shop, \
                   rename: { fields: { shop.Shelves/Put: store, ShopShelf.madeAt: made } }";
    let (_gateway, public) = start(server.addr(), rest.addr(), shelves).await;
    let query = "mutation { a: shopStore(id: 1, madeAt: \"2026-01-02T03:04:05Z\") { id made } \
                 b: shopStore(id: 1) { id } shopPing }";
    let told = ask(public, &[], &json!({ "query": query })).await;
    let expected = json!({ "data": {
        "a": { "id": 1, "made": "2026-01-02T03:04:05Z" }, "b": { "id": 1 }, "shopPing": {},
    } });
    assert_eq!(told, expected);
    let paths: Vec<_> = server.calls().into_iter().map(|call| call.path).collect();
    let (put, ping) = ("/shop.Shelves/Put", "/shop.Shelves/Ping");
    assert_eq!(paths, [put, put, ping]);
}

#[tokio::test]
async fn an_object_of_a_rest_api_leads_to_what_a_service_answers() {
    let (server, rest) = (Server::start().await, orders().await);
    let link = "methods: [shop.Books/Echo] }\n        links:\n          - { type: Order, field: \
                ordered, query: echo, arguments: { name: \"{parent.book}\", pageCount: \"{parent.pages}\" }";
    let (_gateway, public) = start(server.addr(), rest.addr(), link).await;
    let query = "{ orders { id ordered { name pageCount genre } } }";
    let told = ask(public, &[], &json!({ "query": query })).await;
    let book = json!({ "name": "books/7", "pageCount": 12, "genre": "UNKNOWN" });
    assert_eq!(
        told,
        json!({ "data": { "orders": [
            { "id": 1, "ordered": book }, { "id": 2, "ordered": book }, { "id": 3, "ordered": null },
        ] } })
    );
    assert_eq!(server.calls().len(), 1);
}

/// The extensions of the only error there is.
fn only_error(told: &Value) -> &Value {
    assert_eq!(told["errors"].as_array().map(Vec::len), Some(1), "{told}");
    &told["errors"][0]["extensions"]
}

#[tokio::test]
async fn a_call_that_fails_costs_its_field_and_says_why() {
    let (server, rest) = (Server::start().await, orders().await);
    let books = "methods: [shop.Books/Fail, shop.Books/Echo, shop.Books/Hang, shop.Misfit/Echo], \
                 rename: { fields: { shop.Misfit/Echo: misfit } }";
    let (gateway, public) = start(server.addr(), rest.addr(), books).await;
    for (code, name) in [
        (5, "NOT_FOUND"),
        (7, "PERMISSION_DENIED"),
        (14, "UNAVAILABLE"),
    ] {
        let header = format!("X-Code: {code}");
        let query = "{ fail { name } echo(name: \"a\") { name } }";
        let told = ask(public, &[&header], &json!({ "query": query })).await;
        assert_eq!(
            told["data"],
            json!({ "fail": null, "echo": { "name": "a" } })
        );
        let error = only_error(&told);
        assert_eq!(error["code"], "source_status");
        assert_eq!(error["grpc_status"], name);
        assert_eq!(error["source"], "shop");
        assert!(!told.to_string().contains("told to fail"), "{told}");
    }
    let ended = |line: &Value, how: &str| {
        let attempts = line["weir.attempts"].as_array();
        attempts.is_some_and(|all| all.iter().any(|one| one["rpc_status"] == how))
    };
    let both = |line: &Value| ended(line, "UNAVAILABLE") && ended(line, "OK");
    gateway.wait_for_log(both).await;

    let query = "mutation { misfit(name: \"a\") { name } }";
    let told = ask(public, &[], &json!({ "query": query })).await;
    assert_eq!(only_error(&told)["code"], "grpc_message_invalid");
    let told = ask(public, &[], &json!({ "query": "{ hang { name } }" })).await;
    let error = only_error(&told);
    // The server holds the same deadline, and may be the first to say that it has passed.
    let ours = error["code"] == "request_deadline_exceeded";
    let theirs = ["CANCELLED", "DEADLINE_EXCEEDED"].map(|name| error["grpc_status"] == name);
    assert!(ours || theirs.contains(&true), "{told}");
    drop(gateway);

    let dead = Upstream::refusing();
    let (_gateway, public) = start(dead.addr(), rest.addr(), books).await;
    let told = ask(public, &[], &json!({ "query": "{ hang { name } }" })).await;
    assert_eq!(only_error(&told)["code"], "connection_refused");
}

#[tokio::test]
async fn what_is_no_message_is_told_and_not_sent() {
    let (server, rest) = (Server::start().await, orders().await);
    let shelves = "methods: [shop.Shelves/Get]";
    let (_gateway, public) = start(server.addr(), rest.addr(), shelves).await;
    for (arguments, message) in [
        (
            "id: -1",
            "In the arguments, id is to be a whole number of 64 bits, not negative.",
        ),
        (
            "inner: { blob: \"%\" }",
            "In the arguments, inner.blob is to be a text in base64.",
        ),
        (
            "room: \"a\", floor: 1",
            "cannot be there together with another field that is.",
        ),
    ] {
        let query = format!("{{ get({arguments}) {{ id }} }}");
        let told = ask(public, &[], &json!({ "query": query })).await;
        assert_eq!(only_error(&told)["code"], "request_body_invalid");
        let said = told["errors"][0]["message"].as_str().unwrap_or_default();
        assert!(said.ends_with(message), "{said}");
    }
    assert!(server.calls().is_empty());
}

#[tokio::test]
async fn statuses_that_speak_of_the_server_open_its_breaker() {
    let (server, rest) = (Server::start().await, orders().await);
    let breaker = "breaker: { error_percent: 1, minimum_requests: 1, open_for: 1h }";
    let books = "methods: [shop.Books/Fail]";
    let (_gateway, public) = start_with(server.addr(), rest.addr(), books, breaker).await;
    let query = json!({ "query": "{ fail { name } }" });
    for (code, said) in [
        ("X-Code: 5", "source_status"),
        ("X-Code: 14", "source_status"),
        ("X-Code: 5", "breaker_open"),
    ] {
        let told = ask(public, &[code], &query).await;
        assert_eq!(only_error(&told)["code"], said, "{told}");
    }
    assert_eq!(server.calls().len(), 2);
}
