//! Fields of `Subscription` that a topic of a real Kafka feeds: what is published reaches whoever subscribed.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::net::SocketAddr;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};
use weir_telemetry::Code;
use weir_tests::child::Kind;
use weir_tests::kafka::Kafka;
use weir_tests::upstream::{Step, When};
use weir_tests::wire;
use weir_tests::{Behaviour, Gateway, Upstream, wait};

const OPENAPI: &str = r##"{
  "openapi": "3.0.3",
  "paths": { "/customers/{id}": { "get": { "operationId": "customer", "parameters": [{ "name": "id", "in": "path", "required": true, "schema": { "type": "string" } }],
    "responses": { "200": { "content": { "application/json": { "schema": { "$ref": "#/components/schemas/Customer" } } } } } } } },
  "components": { "schemas": { "Customer": { "type": "object", "properties": { "name": { "type": "string" }, "email": { "type": "string" } } } } }
}"##;

const PLACED: &str = "\"An order.\" type Placed { id: Int!, customerId: String, note: String, lines: [Line] } type Line { sku: ID!, count: Int }";

/// Customers of any id, called by it.
fn customers() -> Behaviour {
    Behaviour::new(When::Whole, |request| {
        let id = request.target.rsplit('/').next().unwrap_or_default();
        let body = json!({ "name": id }).to_string();
        let length = body.len();
        let head = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
        );
        vec![Step::Send([head, body].concat().into_bytes())]
    })
}

struct Shop {
    gateway: Gateway,
    upstream: Upstream,
    public: SocketAddr,
}

/// A gateway whose `orderPlaced` is fed by `topic`.
async fn start(bootstrap: &str, topic: &str) -> Shop {
    let upstream = Upstream::start(customers()).await;
    let document = serde_json::to_string(OPENAPI).unwrap();
    let placed = serde_json::to_string(PLACED).unwrap();
    let gateway = Gateway::start(&format!(
        r#"
version: 1
listeners: [{{ name: public, address: "127.0.0.1:0" }}]
metrics: {{ address: "127.0.0.1:0" }}
server: {{ data_dir: "${{DATA_DIR}}", drain_timeout: 1s }}
telemetry: {{ access_log: {{ output: "${{ACCESS_LOG}}" }} }}
upstreams: [{{ name: shop, endpoints: [{{ address: "{}" }}] }}]
kafka_clusters: [{{ name: events, bootstrap_servers: ["{bootstrap}"], properties: {{ message.max.bytes: 4000000 }} }}]
routes:
  - name: ingest
    matches: [{{ path: {{ exact: /orders }} }}]
    publish: {{ cluster: events, topic: {topic}, key: "{{header.x-key}}", max_body: 4MiB }}
  - name: api
    matches: [{{ path: {{ exact: /graphql }} }}]
    graphql:
      introspection: {{ kind: everybody }}
      batching: {{ kind: array }}
      subscriptions: {{ kind: pass }}
      compose:
        sources: [{{ kind: openapi, name: shop, upstream: shop, document: {document} }}]
        feeds:
          - {{ field: orderPlaced, cluster: events, topic: {topic}, type: Placed, schema: {placed} }}
          - {{ field: customerSeen, cluster: events, topic: {topic}, type: Customer }}
        links: [{{ type: Placed, field: customer, query: customer, arguments: {{ id: "{{parent.customerId}}" }} }}]
"#,
        upstream.addr(),
    ))
    .await;
    let public = gateway.addr("public");
    Shop {
        gateway,
        upstream,
        public,
    }
}

impl Shop {
    async fn publish(&self, record: impl AsRef<[u8]>) {
        let answer = wire::request(self.public, "POST", "/orders", &[], record).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
    }

    /// What a request for events is answered, where that is no stream.
    async fn refused(&self, asked: &Value, accept: &str) -> (Option<String>, String) {
        let headers = ["Content-Type: application/json", accept];
        let answer =
            wire::request(self.public, "POST", "/graphql", &headers, asked.to_string()).await;
        let code = answer.header("weir-error").map(str::to_owned);
        (code, answer.text())
    }
}

const EVENTS: &str = "Accept: text/event-stream";

/// A subscription by events.
struct Events {
    answer: reqwest::Response,
    heard: String,
}

impl Events {
    async fn subscribe(public: SocketAddr, query: &str, name: &str) -> Events {
        let body = json!({ "query": query, "operationName": name }).to_string();
        let asking = reqwest::Client::new()
            .post(format!("http://{public}/graphql"))
            .header("content-type", "application/json")
            .header("accept", "text/event-stream")
            .body(body)
            .send();
        Self::of(asking).await
    }

    /// As a page's `EventSource` asks.
    async fn listen(public: SocketAddr, field: &str) -> Events {
        let query = format!("subscription{{{field}}}");
        let asking = reqwest::Client::new()
            .get(format!("http://{public}/graphql?query={query}"))
            .header("accept", "text/event-stream")
            .send();
        Self::of(asking).await
    }

    async fn of(asking: impl Future<Output = reqwest::Result<reqwest::Response>>) -> Events {
        let answer = wait::for_end("a stream", asking).await.unwrap();
        assert_eq!(answer.status(), 200);
        assert_eq!(answer.headers()["content-type"], "text/event-stream");
        Events {
            answer,
            heard: String::new(),
        }
    }

    async fn follow(public: SocketAddr, field: &str) -> Events {
        Self::subscribe(public, &format!("subscription S {{ {field} }}"), "S").await
    }

    /// The next event, if one comes before the stream breaks off.
    async fn event(&mut self) -> Option<String> {
        loop {
            if let Some((event, rest)) = self.heard.split_once("\n\n") {
                let event = event.to_owned();
                self.heard = rest.to_owned();
                return Some(event);
            }
            let chunk = wait::for_end("an event", self.answer.chunk()).await;
            let chunk = chunk.ok()?.expect("a stream has no clean end");
            self.heard.push_str(std::str::from_utf8(&chunk).unwrap());
        }
    }

    /// The text of the next result.
    async fn text(&mut self) -> String {
        let event = self.event().await.expect("it broke off");
        let data = event.strip_prefix("event: next\ndata: ");
        data.unwrap_or_else(|| panic!("no result: {event}"))
            .to_owned()
    }

    async fn next(&mut self) -> Value {
        serde_json::from_str(&self.text().await).unwrap()
    }
}

#[tokio::test]
async fn each_record_is_an_event_and_is_run_by_itself() {
    let kafka = Kafka::shared().await;
    kafka.create_topic("by-events", 1).await;
    let shop = start(&kafka.bootstrap(), "by-events").await;
    shop.publish(r#"{"id":0}"#).await;
    // What is not run of a document is held against another root.
    let query =
        "subscription S { o: orderPlaced { ...L id customer { name } again: customer { name } } }
        fragment L on Placed { lines { count sku } }
        query Q { customer(id: 1) { ...N } } fragment N on Customer { name }";
    let mut events = Events::subscribe(shop.public, query, "S").await;
    for (id, customer) in [(1, "ann"), (2, "ann"), (3, "bob")] {
        let lines = json!([{ "sku": "a", "count": 2 }, null]);
        let record = json!({ "id": id, "customerId": customer, "lines": lines, "more": 1 });
        shop.publish(record.to_string()).await;
        let expected = format!(
            r#"{{"data":{{"o":{{"lines":[{{"count":2,"sku":"a"}},null],"id":{id},"customer":{{"name":"{customer}"}},"again":{{"name":"{customer}"}}}}}}}}"#
        );
        assert_eq!(events.text().await, expected);
    }
    assert_eq!(shop.upstream.requests().len(), 3, "once for each event");

    // Neither of these is an order, and the stream goes on.
    shop.publish("no JSON").await;
    let wrong = events.next().await;
    assert_eq!(wrong["data"], json!({ "o": null }));
    let extensions = &wrong["errors"][0]["extensions"];
    assert_eq!(extensions["code"], "source_answer_invalid");
    shop.publish(r#"{"id":"text","lines":[]}"#).await;
    let wrong = events.next().await;
    assert_eq!(wrong["data"]["o"]["id"], Value::Null);
    assert_eq!(wrong["errors"][0]["path"], json!(["o", "id"]));
    shop.publish("null").await;
    assert_eq!(events.next().await, json!({ "data": { "o": null } }));

    let labels = [("messaging_destination_name", "by-events")];
    let read = "messaging_client_consumed_messages_total";
    shop.gateway
        .wait_for_metric(read, &labels, |n| n == 6.0)
        .await;
    drop(events);
    let line = shop
        .gateway
        .wait_for_log(|line| line["graphql"]["operation.type"] == "subscription")
        .await;
    assert_eq!(line["error.type"], Code::ClientDisconnected.slug());
    assert_eq!(line["graphql"]["operation.name"], "S");
}

/// A connection of graphql-transport-ws.
struct Socket(WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Socket {
    async fn connect(public: SocketAddr) -> Socket {
        let mut request = format!("ws://{public}/graphql")
            .into_client_request()
            .unwrap();
        let own = "graphql-transport-ws".parse().unwrap();
        request.headers_mut().insert("sec-websocket-protocol", own);
        let asking = tokio_tungstenite::connect_async(request);
        let (socket, _) = wait::for_end("the handshake", asking).await.unwrap();
        let mut socket = Socket(socket);
        socket.say(json!({ "type": "connection_init" })).await;
        assert_eq!(socket.next().await, json!({ "type": "connection_ack" }));
        socket
    }

    async fn say(&mut self, message: Value) {
        self.0
            .send(Message::text(message.to_string()))
            .await
            .unwrap();
    }

    async fn ask(&mut self, id: &str, query: &str) {
        let payload = json!({ "query": query });
        self.say(json!({ "id": id, "type": "subscribe", "payload": payload }))
            .await;
    }

    async fn next(&mut self) -> Value {
        loop {
            match wait::for_end("a message", self.0.next())
                .await
                .unwrap()
                .unwrap()
            {
                Message::Text(text) => return serde_json::from_str(&text).unwrap(),
                Message::Ping(_) | Message::Pong(_) => {}
                other => panic!("no text: {other:?}"),
            }
        }
    }

    /// What so many messages say, by the ids of their operations.
    async fn several(&mut self, many: usize) -> Vec<(String, Value)> {
        let mut all = Vec::new();
        for _ in 0..many {
            let next = self.next().await;
            all.push((
                next["id"].as_str().unwrap().to_owned(),
                next["payload"]["data"].clone(),
            ));
        }
        all.sort_by(|(one, _), (other, _)| one.cmp(other));
        all
    }
}

#[tokio::test]
async fn subscriptions_share_a_connection_with_queries_and_each_other() {
    let kafka = Kafka::shared().await;
    kafka.create_topic("by-socket", 2).await;
    let shop = start(&kafka.bootstrap(), "by-socket").await;
    let mut socket = Socket::connect(shop.public).await;
    // As somebody follows the topic, who asks for it too does so before a call of a source is over.
    let mut keeps = Events::follow(shop.public, "orderPlaced { id }").await;
    socket.ask("a", "subscription { orderPlaced { id } }").await;
    socket
        .ask("b", "subscription { orderPlaced { customer { name } } }")
        .await;
    socket.ask("q", "{ customer(id: \"eve\") { name } }").await;
    assert_eq!(
        socket.next().await["payload"]["data"]["customer"]["name"],
        "eve"
    );
    assert_eq!(
        socket.next().await,
        json!({ "id": "q", "type": "complete" })
    );
    shop.publish(r#"{"id":1,"customerId":"ann"}"#).await;
    let expected = [
        ("a".to_owned(), json!({ "orderPlaced": { "id": 1 } })),
        (
            "b".to_owned(),
            json!({ "orderPlaced": { "customer": { "name": "ann" } } }),
        ),
    ];
    assert_eq!(socket.several(2).await, expected);
    socket.say(json!({ "id": "b", "type": "complete" })).await;
    // The same id may be used again.
    socket.ask("b", "{ customer(id: \"dan\") { name } }").await;
    assert_eq!(
        socket.next().await["payload"]["data"]["customer"]["name"],
        "dan"
    );
    assert_eq!(
        socket.next().await,
        json!({ "id": "b", "type": "complete" })
    );
    shop.publish(r#"{"id":2,"customerId":"ann"}"#).await;
    shop.publish(r#"{"id":3,"customerId":"ann"}"#).await;
    let mut ids = Vec::new();
    for _ in 0..2 {
        ids.push(
            socket.next().await["payload"]["data"]["orderPlaced"]["id"]
                .as_i64()
                .unwrap(),
        );
    }
    ids.sort_unstable();
    assert_eq!(ids, [2, 3], "of two partitions, in any order");
    assert!(keeps.next().await["data"]["orderPlaced"]["id"].is_i64());
}

#[tokio::test]
async fn what_means_no_feed_is_refused_at_once() {
    let kafka = Kafka::shared().await;
    kafka.create_topic("refusals", 1).await;
    let shop = start(&kafka.bootstrap(), "refusals").await;
    let invalid = Code::GraphqlDocumentInvalid.slug();
    for (query, says) in [
        ("subscription { orderPlacd { id } }", "orderPlaced"),
        ("subscription { orderPlaced { nothing } }", "nothing"),
        (
            "subscription { orderPlaced { id } customerSeen { name } }",
            "one field",
        ),
        (
            "subscription { a: orderPlaced { id } b: orderPlaced { id } }",
            "one field",
        ),
        ("subscription { __typename }", "one field"),
        (
            "subscription { orderPlaced { id } __typename }",
            "one field",
        ),
        (
            "subscription { orderPlaced @skip(if: true) { id } }",
            "one field",
        ),
        (
            "subscription($x: Int!) { orderPlaced @include(if: $x) { id } }",
            "",
        ),
    ] {
        let (code, text) = shop.refused(&json!({ "query": query }), EVENTS).await;
        assert_eq!(code.as_deref(), Some(invalid), "{query}: {text}");
        assert!(text.contains(says), "{query}: {text}");
    }
    let query = json!({ "query": "subscription { orderPlaced { id } }" });
    let denied = Code::GraphqlSubscriptionRefused.slug();
    for (asked, accept) in [
        (&query, "Accept: application/json"),
        (&json!([query]), "Accept: application/json"),
    ] {
        let (code, text) = shop.refused(asked, accept).await;
        assert_eq!(code.as_deref(), Some(denied), "{text}");
        assert!(text.contains("text/event-stream"), "{text}");
    }
    let (code, text) = shop.refused(&json!([query]), EVENTS).await;
    assert_eq!(code.as_deref(), Some(invalid), "{text}");

    let schema = json!({ "query": "{ __schema { subscriptionType { name fields { name type { name } } } } }" });
    let (_, text) = shop.refused(&schema, "Accept: application/json").await;
    let shown: Value = serde_json::from_str(&text).unwrap();
    let fields = &shown["data"]["__schema"]["subscriptionType"]["fields"];
    assert_eq!(
        *fields,
        json!([{ "name": "customerSeen", "type": { "name": "Customer" } }, { "name": "orderPlaced", "type": { "name": "Placed" } }])
    );
}

#[tokio::test]
async fn a_topic_that_is_not_there_and_a_broker_that_is_not_are_told_apart() {
    let kafka = Kafka::shared().await;
    let shop = start(&kafka.bootstrap(), "nobody-made-it").await;
    let query = json!({ "query": "subscription { orderPlaced { id } }" });
    let (code, text) = shop.refused(&query, EVENTS).await;
    assert_eq!(
        code.as_deref(),
        Some(Code::KafkaTopicUnknown.slug()),
        "{text}"
    );
    // It may be made meanwhile.
    kafka.create_topic("nobody-made-it", 1).await;
    let mut events = Events::follow(shop.public, "orderPlaced { id }").await;
    shop.publish(r#"{"id":1}"#).await;
    assert_eq!(events.next().await["data"]["orderPlaced"]["id"], 1);

    let nobody = format!("127.0.0.1:{}", weir_tests::ports::free());
    let shop = start(&nobody, "any").await;
    let (code, text) = shop.refused(&query, EVENTS).await;
    assert_eq!(
        code.as_deref(),
        Some(Code::KafkaUnavailable.slug()),
        "{text}"
    );
}

#[tokio::test]
async fn a_broker_that_comes_back_goes_on_where_it_was() {
    let mut kafka = Kafka::start().await;
    kafka.create_topic("comes-back", 1).await;
    let shop = start(&kafka.bootstrap(), "comes-back").await;
    let mut events = Events::follow(shop.public, "orderPlaced { id }").await;
    shop.publish(r#"{"id":1}"#).await;
    assert_eq!(events.next().await["data"]["orderPlaced"]["id"], 1);
    kafka.restart().await;
    for id in 2..5 {
        let record = format!(r#"{{"id":{id}}}"#);
        wait::until("a record to be taken", || async {
            let answer = wire::request(shop.public, "POST", "/orders", &[], &record).await;
            (answer.status == 200).then_some(())
        })
        .await;
    }
    for id in 2..5 {
        assert_eq!(events.next().await["data"]["orderPlaced"]["id"], id);
    }
}

#[tokio::test]
async fn who_reads_too_slowly_is_told_and_delays_nobody() {
    let kafka = Kafka::shared().await;
    kafka.create_topic("slowly", 1).await;
    let shop = start(&kafka.bootstrap(), "slowly").await;
    let mut slow = Events::follow(shop.public, "orderPlaced { id note }").await;
    let mut quick = Events::follow(shop.public, "orderPlaced { id }").await;
    let note = "x".repeat(900_000);
    let many = 40;
    for id in 0..many {
        shop.publish(json!({ "id": id, "note": note }).to_string())
            .await;
        assert_eq!(quick.next().await["data"]["orderPlaced"]["id"], id);
    }
    let mut seen = 0;
    let last = loop {
        let next = slow.next().await;
        if next["data"] == Value::Null {
            break next;
        }
        assert_eq!(
            next["data"]["orderPlaced"]["id"], seen,
            "none is left out before"
        );
        seen += 1;
    };
    assert!(seen < many);
    let extensions = &last["errors"][0]["extensions"];
    assert_eq!(extensions["code"], Code::SubscriberTooSlow.slug());
    // It breaks off: a clean end would say that there was no more.
    assert_eq!(slow.event().await, None);
    let line = shop
        .gateway
        .wait_for_log(|line| line["error.type"] == Code::SubscriberTooSlow.slug())
        .await;
    assert_eq!(line["weir.route"], "api");
}

#[tokio::test]
async fn a_silent_stream_lives_on_until_the_gateway_goes() {
    let kafka = Kafka::shared().await;
    kafka.create_topic("silent", 1).await;
    let shop = start(&kafka.bootstrap(), "silent").await;
    let mut events = Events::listen(shop.public, "orderPlaced{id}").await;
    assert_eq!(events.event().await.as_deref(), Some(":"));
    shop.gateway.signal(Kind::SIGTERM);
    let last = events.next().await;
    assert_eq!(
        last["errors"][0]["extensions"]["code"],
        Code::Draining.slug()
    );
}
