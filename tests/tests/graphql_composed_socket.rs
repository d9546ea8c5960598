//! A composed graph on a WebSocket (`graphql-transport-ws`): the gateway answers, and nobody is behind the
//! connection but the sources that operations ask.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::net::SocketAddr;
use std::task::Poll;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};
use weir_telemetry::Code;
use weir_tests::child::Kind;
use weir_tests::upstream::{Step, When};
use weir_tests::{Behaviour, Gateway, Upstream, wait};

const OWN: &str = "graphql-transport-ws";

/// How long the name of `long` is.
const LONG: usize = 200_000;

const SHOP: &str = r##"{
  "openapi": "3.0.3",
  "paths": {
    "/customers": { "post": { "operationId": "rename", "parameters": [{ "name": "name", "in": "query", "required": true, "schema": { "type": "string" } }],
      "responses": { "200": { "content": { "application/json": { "schema": { "$ref": "#/components/schemas/Customer" } } } } } } },
    "/customers/{id}": { "get": { "operationId": "customer", "parameters": [{ "name": "id", "in": "path", "required": true, "schema": { "type": "string" } }],
      "responses": { "200": { "content": { "application/json": { "schema": { "$ref": "#/components/schemas/Customer" } } } } } } }
  },
  "components": { "schemas": { "Customer": { "type": "object", "properties": { "name": { "type": "string" } } } } }
}"##;

fn named(name: &str) -> Vec<Step> {
    let body = json!({ "name": name }).to_string();
    let length = body.len();
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
    );
    vec![Step::Send([head, body].concat().into_bytes())]
}

/// Customers of any id, called by it; `hang` is never answered.
fn shop() -> Behaviour {
    Behaviour::new(When::Whole, |request| {
        match request.target.strip_prefix("/customers/") {
            Some("hang") => vec![Step::Hang],
            Some("long") => named(&"x".repeat(LONG)),
            Some(id) => named(id),
            None => named("new"),
        }
    })
}

struct Shop {
    upstream: Upstream,
    gateway: Gateway,
    public: SocketAddr,
}

async fn start(options: &str, policies: &str) -> Shop {
    let upstream = Upstream::start(shop()).await;
    let document = serde_json::to_string(SHOP).unwrap();
    let gateway = Gateway::start(&format!(
        r#"
version: 1
listeners: [{{ name: public, address: "127.0.0.1:0" }}]
metrics: {{ address: "127.0.0.1:0" }}
server: {{ data_dir: "${{DATA_DIR}}", drain_timeout: 1s }}
telemetry: {{ access_log: {{ output: "${{ACCESS_LOG}}" }} }}
upstreams: [{{ name: shop, endpoints: [{{ address: "{}" }}] }}]
routes:
  - name: api
    matches: [{{ path: {{ exact: /graphql }} }}]
    policies: [{policies}]
    graphql:
      subscriptions: {{ kind: pass {options} }}
      compose:
        sources: [{{ kind: openapi, name: shop, upstream: shop, document: {document}, headers: [Authorization, X-Taken] }}]
"#,
        upstream.addr(),
    ))
    .await;
    let public = gateway.addr("public");
    Shop {
        upstream,
        gateway,
        public,
    }
}

struct Client(WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Client {
    async fn ask(public: SocketAddr) -> Client {
        let mut request = format!("ws://{public}/graphql")
            .into_client_request()
            .unwrap();
        let headers = request.headers_mut();
        headers.insert("authorization", "Bearer caller".parse().unwrap());
        headers.insert("x-taken", "away".parse().unwrap());
        headers.insert("sec-websocket-protocol", OWN.parse().unwrap());
        let asking = tokio_tungstenite::connect_async(request);
        let (socket, answer) = wait::for_end("the handshake", asking).await.unwrap();
        assert_eq!(answer.headers()["sec-websocket-protocol"], OWN);
        Client(socket)
    }

    /// One that is acknowledged.
    async fn connect(public: SocketAddr) -> Client {
        let mut client = Client::ask(public).await;
        client.say(&json!({ "type": "connection_init" })).await;
        assert_eq!(client.json().await, json!({ "type": "connection_ack" }));
        client
    }

    async fn say(&mut self, message: &Value) {
        self.send(Message::text(message.to_string())).await;
    }

    async fn send(&mut self, message: Message) {
        wait::for_end("it to be taken", self.0.send(message))
            .await
            .unwrap();
    }

    async fn subscribe(&mut self, id: &str, query: &str) {
        self.say(&subscribe(id, query)).await;
    }

    async fn next(&mut self) -> Message {
        let next = wait::for_end("a message", self.0.next()).await;
        next.expect("the connection ended").unwrap()
    }

    async fn json(&mut self) -> Value {
        match self.next().await {
            Message::Text(text) => serde_json::from_str(&text).unwrap(),
            other => panic!("no text: {other:?}"),
        }
    }

    /// What an operation gives, of which nothing else is in flight.
    async fn result(&mut self, id: &str) -> Value {
        let told = self.json().await;
        assert_eq!((&told["id"], &told["type"]), (&json!(id), &json!("next")));
        let end = json!({ "id": id, "type": "complete" });
        assert_eq!(self.json().await, end);
        told["payload"].clone()
    }

    /// The code by which an operation is refused.
    async fn refused(&mut self, id: &str) -> String {
        let told = self.json().await;
        assert_eq!((&told["id"], &told["type"]), (&json!(id), &json!("error")));
        let extensions = &told["payload"][0]["extensions"];
        assert!(extensions["request_id"].is_string(), "{told}");
        extensions["code"].as_str().unwrap().to_owned()
    }

    async fn closed(&mut self) -> (u16, String) {
        match self.next().await {
            Message::Close(Some(close)) => (close.code.into(), close.reason.to_string()),
            other => panic!("no close: {other:?}"),
        }
    }
}

fn subscribe(id: &str, query: &str) -> Value {
    json!({ "id": id, "type": "subscribe", "payload": { "query": query } })
}

const HANG: &str = r#"{ customer(id: "hang") { name } }"#;

#[tokio::test]
async fn queries_and_mutations_are_answered_and_the_connection_is_told_of() {
    let remove = "{ kind: headers, request: { remove: [X-Taken] } }";
    let shop = start("", remove).await;
    let mut client = Client::connect(shop.public).await;
    client.say(&json!({ "type": "ping" })).await;
    assert_eq!(client.json().await, json!({ "type": "pong" }));
    let asked = json!({ "id": "\u{e4}\"", "type": "subscribe", "payload": {
        "query": "query Named($id: String!) { b: customer(id: $id) { name } a: customer(id: \"a\") { name } }",
        "variables": { "id": "b" } } });
    client.say(&asked).await;
    let told = client.result("\u{e4}\"").await;
    let expected = json!({ "data": { "b": { "name": "b" }, "a": { "name": "a" } } });
    assert_eq!(told.to_string(), expected.to_string());
    client
        .subscribe("2", "mutation { rename(name: \"n\") { name } }")
        .await;
    let told = client.result("2").await;
    assert_eq!(told, json!({ "data": { "rename": { "name": "new" } } }));
    for request in shop.upstream.requests() {
        assert_eq!(request.header("authorization"), Some("Bearer caller"));
        // What policies take away of the caller's head does not go along.
        assert_eq!(request.header("x-taken"), None);
        assert_eq!(request.header("upgrade"), None);
    }
    client.0.close(None).await.unwrap();
    assert!(matches!(client.next().await, Message::Close(_)));
    let line = shop
        .gateway
        .wait_for_log(|line| line["graphql"].is_object())
        .await;
    let graphql =
        json!({ "operation.type": "query", "operation.name": "Named", "operations": 2, "cost": 6 });
    assert_eq!(line["graphql"], graphql, "{line}");
    assert_eq!(line["error.type"], Value::Null, "{line}");
    assert_eq!(line["weir.websocket"]["subprotocol"], OWN, "{line}");
    assert_eq!(line["weir.attempts"].as_array().unwrap().len(), 3, "{line}");
    let metric = shop
        .gateway
        .metric("weir_graphql_operations_total", &[])
        .await;
    assert!((metric - 2.0).abs() < 0.5);
}

#[tokio::test]
async fn several_run_at_once_and_what_is_given_up_is_told_no_more() {
    let shop = start(", max_in_flight: 2", "").await;
    let mut client = Client::connect(shop.public).await;
    client.subscribe("1", HANG).await;
    shop.upstream.wait_for_requests(1).await;
    client
        .subscribe("2", "{ customer(id: \"a\") { name } }")
        .await;
    assert_eq!(client.result("2").await["data"]["customer"]["name"], "a");
    client.subscribe("2", HANG).await;
    client.subscribe("3", HANG).await;
    assert_eq!(client.refused("3").await, Code::GraphqlLimitExceeded.slug());
    let complete = json!({ "id": "1", "type": "complete" });
    client.say(&complete).await;
    // The same id again, right after: what is told of it is told of this one.
    client
        .subscribe("1", "{ customer(id: \"b\") { name } }")
        .await;
    assert_eq!(client.result("1").await["data"]["customer"]["name"], "b");
    // A call that nobody waits for any more is dropped, and counted while the connection goes on.
    let labels = [
        ("weir_upstream", "shop"),
        ("outcome", Code::ClientDisconnected.slug()),
    ];
    client.subscribe("4", "{ __typename }").await;
    assert_eq!(client.result("4").await["data"]["__typename"], "Query");
    let name = "http_client_request_duration_seconds_count";
    let counted = shop.gateway.metric(name, &labels).await;
    assert!((counted - 1.0).abs() < 0.5, "{counted}");
}

#[tokio::test]
async fn what_is_refused_costs_no_call_and_not_the_connection() {
    let shop = start(", max_message: 1KiB", "").await;
    let mut client = Client::connect(shop.public).await;
    for (query, code) in [
        ("{", Code::GraphqlDocumentInvalid),
        ("{ nothing }", Code::GraphqlDocumentInvalid),
        ("{ customer { name } }", Code::GraphqlDocumentInvalid),
        ("{ __schema { types { name } } }", Code::GraphqlFieldDenied),
        (
            "subscription { customer }",
            Code::GraphqlSubscriptionRefused,
        ),
    ] {
        client.subscribe("same", query).await;
        assert_eq!(client.refused("same").await, code.slug(), "{query}");
    }
    assert_eq!(shop.upstream.requests().len(), 0);
    client
        .subscribe("same", "{ customer(id: \"long\") { name } }")
        .await;
    let code = client.refused("same").await;
    assert_eq!(code, Code::GraphqlLimitExceeded.slug());
    client
        .subscribe("same", "{ customer(id: \"a\") { name } }")
        .await;
    assert_eq!(client.result("same").await["data"]["customer"]["name"], "a");
    let all = shop.gateway.metric("weir_errors_total", &[]).await;
    assert!((all - 6.0).abs() < 0.5, "{all}");
}

#[tokio::test]
async fn what_breaks_a_protocol_is_closed_with_its_code() {
    let init = || Message::text(r#"{"type":"connection_init"}"#);
    let asked = || Message::text(subscribe("1", HANG).to_string());
    let shop = start(", max_message: 1KiB", "").await;
    for (said, code, slug) in [
        (vec![], 4408, Code::WebsocketMessageInvalid),
        (
            vec![Message::text("hello")],
            4400,
            Code::WebsocketMessageInvalid,
        ),
        (vec![asked()], 4401, Code::WebsocketMessageInvalid),
        (vec![init(), init()], 4429, Code::WebsocketMessageInvalid),
        (
            vec![init(), asked(), asked()],
            4409,
            Code::WebsocketMessageInvalid,
        ),
        (
            vec![Message::binary("x")],
            1003,
            Code::WebsocketMessageInvalid,
        ),
        (
            vec![Message::text("x".repeat(1025))],
            1009,
            Code::WebsocketMessageTooLarge,
        ),
    ] {
        let mut client = Client::ask(shop.public).await;
        for message in said {
            client.send(message).await;
        }
        let mut next = client.next().await;
        if let Message::Text(_) = next {
            next = client.next().await;
        }
        let Message::Close(Some(close)) = next else {
            panic!("{code}: no close: {next:?}");
        };
        assert_eq!(u16::from(close.code), code, "{}", close.reason);
        assert!(close.reason.starts_with(slug.slug()), "{}", close.reason);
        let closed = |line: &Value| line["weir.websocket"]["close.code"] == code;
        let line = shop.gateway.wait_for_log(closed).await;
        assert_eq!(line["error.type"], slug.slug(), "{line}");
    }
}

#[tokio::test]
async fn signs_of_life_and_closes_are_answered() {
    let shop = start("", "").await;
    let mut client = Client::ask(shop.public).await;
    client.send(Message::Ping("there?".into())).await;
    assert_eq!(client.next().await, Message::Pong("there?".into()));
    let code = 4321.into();
    let reason = "enough".into();
    let close = tokio_tungstenite::tungstenite::protocol::CloseFrame { code, reason };
    client.send(Message::Close(Some(close))).await;
    assert_eq!(client.closed().await, (4321, String::new()));
    let line = shop
        .gateway
        .wait_for_log(|line| line["weir.route"] == "api")
        .await;
    assert_eq!(line["error.type"], Value::Null, "{line}");
    assert_eq!(
        line["weir.websocket"]["close.initiator"], "client",
        "{line}"
    );
    let mut client = Client::connect(shop.public).await;
    client.subscribe("1", HANG).await;
    shop.upstream.wait_for_requests(1).await;
    drop(client);
    let left = |line: &Value| line["error.type"] == Code::ClientDisconnected.slug();
    let line = shop.gateway.wait_for_log(left).await;
    assert_eq!(
        line["weir.attempts"][0]["error"],
        Code::ClientDisconnected.slug()
    );
}

/// More waits for it than sockets hold: it holds up itself and nobody else, and loses nothing.
#[tokio::test]
async fn a_caller_that_reads_slowly_gets_all_of_it() {
    let shop = start("", "").await;
    let mut slow = Client::connect(shop.public).await;
    let many = 80;
    for id in 0..many {
        let query = "{ customer(id: \"long\") { name } }";
        slow.subscribe(&id.to_string(), query).await;
    }
    let mut other = Client::connect(shop.public).await;
    other
        .subscribe("1", "{ customer(id: \"a\") { name } }")
        .await;
    assert_eq!(other.result("1").await["data"]["customer"]["name"], "a");
    let mut told = vec![0; many];
    let mut over = 0;
    while over < many {
        let message = slow.json().await;
        let id: usize = message["id"].as_str().unwrap().parse().unwrap();
        if message["type"] == "complete" {
            assert_eq!(told[id], 1, "{id}");
            over += 1;
            continue;
        }
        let name = message["payload"]["data"]["customer"]["name"].as_str();
        assert_eq!(name.unwrap().len(), LONG);
        told[id] += 1;
    }
}

#[tokio::test]
async fn connections_are_told_when_the_process_goes_down() {
    let shop = start("", "").await;
    let mut idle = Client::connect(shop.public).await;
    let mut busy = Client::connect(shop.public).await;
    busy.subscribe("1", HANG).await;
    shop.upstream.wait_for_requests(1).await;
    shop.gateway.signal(Kind::SIGTERM);
    for client in [&mut idle, &mut busy] {
        assert_eq!(client.closed().await, (1001, "draining".to_owned()));
    }
    shop.gateway.wait_exit().await;
    let lines = shop
        .gateway
        .wait_for_logs(2, |line| line["weir.route"] == "api")
        .await;
    for line in lines {
        assert_eq!(line["error.type"], Code::Draining.slug(), "{line}");
    }
}

/// A connection may make any number of calls: all are counted, and not all are kept.
#[tokio::test]
async fn of_many_calls_the_first_are_told_and_all_are_counted() {
    let shop = start("", "").await;
    let mut client = Client::connect(shop.public).await;
    for _ in 0..120 {
        client
            .subscribe("1", "{ customer(id: \"a\") { name } }")
            .await;
        client.result("1").await;
    }
    client.0.close(None).await.unwrap();
    let line = shop
        .gateway
        .wait_for_log(|line| line["weir.route"] == "api")
        .await;
    assert_eq!(line["weir.attempts"].as_array().unwrap().len(), 100);
    assert_eq!(line["graphql"]["operations"], 120);
    let name = "http_client_request_duration_seconds_count";
    let counted = shop
        .gateway
        .metric(name, &[("weir_upstream", "shop")])
        .await;
    assert!((counted - 120.0).abs() < 0.5, "{counted}");
}

/// RFC 8441: the same on a stream of HTTP/2.
#[tokio::test]
async fn a_stream_of_http2_is_a_connection_too() {
    let shop = start("", "").await;
    let tcp = TcpStream::connect(shop.public).await.unwrap();
    let (mut client, mut connection) = h2::client::handshake(tcp).await.unwrap();
    let settled = std::future::poll_fn(|cx| {
        let _ = Future::poll(std::pin::Pin::new(&mut connection), cx);
        let enabled = client.is_extended_connect_protocol_enabled();
        if enabled {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    });
    wait::for_end("the setting", settled).await;
    tokio::spawn(connection);
    let request = http::Request::builder()
        .method("CONNECT")
        .uri("http://shop.example.com/graphql")
        .extension(h2::ext::Protocol::from_static("websocket"))
        .header("sec-websocket-version", "13")
        .header("sec-websocket-protocol", OWN)
        .body(())
        .unwrap();
    let (answer, mut up) = client.send_request(request, false).unwrap();
    let answer = wait::for_end("an answer", answer).await.unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.headers()["sec-websocket-protocol"], OWN);
    let mut down = answer.into_body();
    // Masked with zeros.
    let frame = |first: u8, text: &str| {
        let head = [first, 0x80 | u8::try_from(text.len()).unwrap(), 0, 0, 0, 0];
        bytes::Bytes::from([&head[..], text.as_bytes()].concat())
    };
    let init = frame(0x81, r#"{"type":"connection_init"}"#);
    up.send_data(init, false).unwrap();
    let asked = subscribe("1", "{customer(id:\"a\"){name}}").to_string();
    let mut said = Vec::new();
    let mut asked = Some(frame(0x81, &asked));
    while !String::from_utf8_lossy(&said).contains("complete") {
        let data = wait::for_end("data", down.data()).await.unwrap().unwrap();
        said.extend_from_slice(&data);
        if let Some(asked) = asked.take() {
            up.send_data(asked, false).unwrap();
        }
    }
    let said = String::from_utf8_lossy(&said);
    assert!(said.contains(r#"{"name":"a"}"#), "{said}");
    up.send_data(frame(0x88, ""), true).unwrap();
    let bye = wait::for_end("data", down.data()).await.unwrap().unwrap();
    assert_eq!(&bye[..], [0x88, 0]);
    let line = shop
        .gateway
        .wait_for_log(|line| line["weir.route"] == "api")
        .await;
    assert_eq!(line["error.type"], Value::Null, "{line}");
}
