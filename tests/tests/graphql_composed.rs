//! One graph composed of REST APIs, end to end: what is called, how often, with what, and what callers
//! are told where a part of it fails.

use std::net::SocketAddr;

use serde_json::{Value, json};
use weir_telemetry::Code;
use weir_tests::upstream::{Step, When};
use weir_tests::wire::{self, Connection};
use weir_tests::{Behaviour, Gateway, Upstream, wait};

const ORDERS: &str = r##"{
  "openapi": "3.0.3",
  "servers": [{ "url": "/v1" }],
  "paths": {
    "/orders": {
      "get": { "operationId": "orders", "responses": { "200": { "content": { "application/json": { "schema":
        { "type": "array", "items": { "$ref": "#/components/schemas/Order" } } } } } } },
      "post": { "operationId": "createOrder",
        "requestBody": { "required": true, "content": { "application/json": { "schema": { "$ref": "#/components/schemas/Order" } } } },
        "responses": { "201": { "content": { "application/json": { "schema": { "$ref": "#/components/schemas/Order" } } } } } }
    },
    "/customers/{id}": { "get": { "operationId": "customer",
      "parameters": [{ "name": "id", "in": "path", "required": true, "schema": { "type": "string" } }],
      "responses": { "200": { "content": { "application/json": { "schema": { "$ref": "#/components/schemas/Customer" } } } } } } }
  },
  "components": { "schemas": {
    "Order": { "type": "object", "required": ["id"], "properties": {
      "id": { "type": "integer" }, "customer-id": { "type": "string" } } },
    "Customer": { "type": "object", "properties": { "name": { "type": "string" } } }
  } }
}"##;

fn json_answer(status: u16, body: &Value) -> Vec<Step> {
    let body = body.to_string();
    let length = body.len();
    let head = format!(
        "HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
    );
    vec![Step::Send([head, body].concat().into_bytes())]
}

/// Orders 1 to 3, of the customers a, a and b; b is broken.
fn api() -> Behaviour {
    Behaviour::new(When::Whole, |request| {
        match (request.method.as_str(), request.target.as_str()) {
            ("GET", "/v1/orders") => json_answer(
                200,
                &json!([
                    { "id": 1, "customer-id": "a" },
                    { "id": 2, "customer-id": "a" },
                    { "id": "three", "customer-id": "b" },
                ]),
            ),
            ("POST", "/v1/orders") => json_answer(201, &request.json()),
            ("GET", "/v1/customers/a") => json_answer(200, &json!({ "name": "Ann" })),
            _ => json_answer(404, &json!({ "secret": "of the source" })),
        }
    })
}

async fn start(options: &str) -> (Upstream, Gateway, SocketAddr) {
    let upstream = Upstream::start(api()).await;
    let document = serde_json::to_string(ORDERS).expect("a string");
    let gateway = Gateway::start(&format!(
        r#"
version: 1
listeners: [{{ name: public, address: "127.0.0.1:0" }}]
metrics: {{ address: "127.0.0.1:0" }}
server: {{ data_dir: "${{DATA_DIR}}" }}
telemetry: {{ access_log: {{ output: "${{ACCESS_LOG}}" }} }}
upstreams: [{{ name: orders, endpoints: [{{ address: "{}" }}] }}]
routes:
  - name: api
    matches: [{{ path: {{ exact: /graphql }} }}]
    graphql:
      compose:
        sources: [{{ kind: openapi, name: orders, upstream: orders, document: {document}, headers: [Authorization] }}]
        links: [{{ type: Order, field: customer, query: customer, arguments: {{ id: "{{parent.customer-id}}" }} }}]
        {options}
"#,
        upstream.addr(),
    ))
    .await;
    let public = gateway.addr("public");
    (upstream, gateway, public)
}

async fn ask(public: SocketAddr, body: &Value) -> Value {
    let headers = [
        "Content-Type: application/json",
        "Authorization: Bearer caller",
        "Cookie: private",
    ];
    let answer = wire::request(public, "POST", "/graphql", &headers, &body.to_string()).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()
}

#[tokio::test]
async fn what_is_asked_twice_is_called_once_and_what_fails_costs_nothing_else() {
    let (upstream, gateway, public) = start("").await;
    let query = "{ orders { id customer { name } } more: orders { id } }";
    let told = ask(public, &json!({ "query": query })).await;
    assert_eq!(
        told["data"]["orders"],
        json!([
            { "id": 1, "customer": { "name": "Ann" } },
            { "id": 2, "customer": { "name": "Ann" } },
            { "id": null, "customer": null },
        ])
    );
    let errors = told["errors"].as_array().expect("errors");
    let codes: Vec<_> = errors
        .iter()
        .map(|error| {
            (
                error["path"].to_string(),
                error["extensions"]["code"].clone(),
            )
        })
        .collect();
    assert!(
        codes.contains(&(
            r#"["orders",2,"customer"]"#.to_owned(),
            json!("source_status")
        )),
        "{told}"
    );
    assert!(
        codes.contains(&(
            r#"["more",2,"id"]"#.to_owned(),
            json!("source_answer_invalid")
        )),
        "{told}"
    );
    let missing = errors
        .iter()
        .find(|error| error["extensions"]["status"] == 404)
        .expect("one of a status");
    assert_eq!(missing["extensions"]["source"], "orders");
    assert!(!told.to_string().contains("of the source"), "{told}");

    let mut called: Vec<String> = upstream
        .requests()
        .iter()
        .map(|r| r.target.clone())
        .collect();
    called.sort();
    assert_eq!(called, ["/v1/customers/a", "/v1/customers/b", "/v1/orders"]);
    for request in upstream.requests() {
        assert_eq!(request.header("authorization"), Some("Bearer caller"));
        assert_eq!(request.header("cookie"), None);
    }
    let line = gateway
        .wait_for_log(|line| line["graphql"].is_object())
        .await;
    assert_eq!(line["graphql"]["operation.type"], "query");
}

#[tokio::test]
async fn a_call_that_is_under_way_when_the_caller_leaves_is_told_and_counted() {
    let (upstream, gateway, public) = start("").await;
    upstream.set(Behaviour::hang());
    let query = json!({ "query": "{ orders { id } customer(id: \"a\") { name } }" }).to_string();
    let headers = ["Content-Type: application/json"];
    let mut client = Connection::open(public).await;
    let asked = wire::message(public, "POST", "/graphql", &headers, query.as_bytes());
    client.send(asked).await.expect("the gateway reads");
    upstream.wait_for_requests(2).await;
    client.reset();
    let line = gateway
        .wait_for_log(|line| line["weir.route"] == "api")
        .await;
    let left = Code::ClientDisconnected.slug();
    assert_eq!(line["error.type"], left, "{line}");
    let attempts = line["weir.attempts"].as_array().expect("attempts");
    let ended: Vec<_> = attempts.iter().map(|one| &one["error"]).collect();
    assert_eq!(ended, [left, left], "{line}");
    let labels = [("weir_upstream", "orders"), ("outcome", left)];
    let name = "http_client_request_duration_seconds_count";
    gateway
        .wait_for_metric(name, &labels, |count| (count - 2.0).abs() < 0.5)
        .await;
}

#[tokio::test]
async fn a_mutation_sends_its_input_as_often_as_it_is_asked() {
    let (upstream, _gateway, public) = start("").await;
    let body = json!({
        "query": "mutation($o: OrderInput!) { a: createOrder(input: $o) { id } b: createOrder(input: $o) { id customer { name } } }",
        "variables": { "o": { "id": 7, "customer_id": "a" } },
    });
    let told = ask(public, &body).await;
    assert_eq!(
        told,
        json!({ "data": { "a": { "id": 7 }, "b": { "id": 7, "customer": { "name": "Ann" } } } })
    );
    let posted: Vec<Value> = upstream
        .requests()
        .iter()
        .filter(|request| request.method == "POST")
        .map(|request| request.json())
        .collect();
    assert_eq!(posted, vec![json!({ "id": 7, "customer-id": "a" }); 2]);
}

#[tokio::test]
async fn what_is_not_in_the_schema_is_refused_before_anything_is_called() {
    let (upstream, _gateway, public) = start("").await;
    let headers = [
        "Content-Type: application/json",
        "Accept: application/graphql-response+json",
    ];
    for query in ["{ nothing }", "{ orders }", "{ customer { name } }"] {
        let body = json!({ "query": query }).to_string();
        let answer = wire::request(public, "POST", "/graphql", &headers, &body).await;
        assert_eq!(answer.status, 400, "{query}");
        assert_eq!(
            answer.header("weir-error"),
            Some("graphql_document_invalid")
        );
        assert!(answer.json().get("data").is_none());
    }
    assert_eq!(upstream.requests().len(), 0);
}

#[tokio::test]
async fn who_wants_events_is_answered_in_such() {
    let (_upstream, _gateway, public) = start("").await;
    let headers = [
        "Content-Type: application/json",
        "Accept: text/event-stream",
    ];
    let body = json!({ "query": "{ customer(id: \"a\") { name } }" }).to_string();
    let answer = wire::request(public, "POST", "/graphql", &headers, &body).await;
    assert_eq!(answer.header("content-type"), Some("text/event-stream"));
    let result = r#"{"data":{"customer":{"name":"Ann"}}}"#;
    let events = format!("event: next\ndata: {result}\n\nevent: complete\ndata: \n\n");
    assert_eq!((answer.status, answer.text()), (200, events));
}

#[tokio::test]
async fn who_asks_over_http2_is_answered_the_same() {
    let (upstream, _gateway, public) = start("").await;
    let tcp = tokio::net::TcpStream::connect(public).await.expect("open");
    let (client, connection) = h2::client::handshake(tcp).await.expect("HTTP/2");
    tokio::spawn(connection);
    let mut client = client.ready().await.expect("a stream");
    let request = http::Request::post("http://shop.example.com/graphql")
        .header("content-type", "application/json")
        .header("authorization", "Bearer caller")
        .body(())
        .expect("a request");
    let (answer, mut body) = client.send_request(request, false).expect("sent");
    let asked = json!({ "query": "{ customer(id: \"a\") { name } }" }).to_string();
    body.send_data(asked.into(), true).expect("sent");
    let answer = wait::for_end("an answer", answer).await.expect("one");
    let mut said = answer.into_body();
    let mut whole = Vec::new();
    while let Some(data) = wait::for_end("data", said.data()).await {
        whole.extend_from_slice(&data.expect("data"));
    }
    let told: Value = serde_json::from_slice(&whole).expect("JSON");
    assert_eq!(told, json!({ "data": { "customer": { "name": "Ann" } } }));
    let called = &upstream.requests()[0];
    assert_eq!(called.header("authorization"), Some("Bearer caller"));
}

#[tokio::test]
async fn no_request_makes_more_calls_than_it_may() {
    let (upstream, _gateway, public) = start("max_calls: 2").await;
    let query = "{ a: customer(id: \"a\") { name } b: customer(id: \"b\") { name } c: customer(id: \"c\") { name } d: customer(id: \"a\") { name } }";
    let told = ask(public, &json!({ "query": query })).await;
    assert_eq!(upstream.requests().len(), 2);
    let errors = told["errors"].as_array().expect("errors");
    let beyond = |error: &&Value| error["extensions"]["code"] == "graphql_limit_exceeded";
    assert_eq!(errors.iter().filter(beyond).count(), 1, "{told}");
}
