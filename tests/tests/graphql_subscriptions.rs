//! Subscriptions on `graphql` routes, on WebSockets (`graphql-transport-ws`) and as events: what reaches
//! an upstream, and what is answered before.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::net::SocketAddr;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::handshake::server::{Request, Response};
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};
use weir_telemetry::Code;
use weir_tests::consumer::sha256;
use weir_tests::wire;
use weir_tests::{Behaviour, Gateway, Upstream, wait};

const PASS: &str = ", subscriptions: { kind: pass, max_in_flight: 2 }";

/// A route `/graphql` with these options and policies, in front of `upstream`; `ann` is a
/// writer, `bob` is none.
async fn gateway(upstream: SocketAddr, options: &str, policies: &str) -> (Gateway, SocketAddr) {
    let (ann, bob) = (sha256("ann-key"), sha256("bob-key"));
    let quotas = match policies.contains("quota") {
        true => {
            "quotas: [{ name: cost, store: ledger, unit: graphql_cost, limit: { default: 5 }, window: { kind: fixed, every: month }, by: [route] }]"
        }
        false => "",
    };
    let gateway = Gateway::start(&format!(
        r#"
version: 1
listeners: [{{ name: public, address: "127.0.0.1:0" }}]
metrics: {{ address: "127.0.0.1:0" }}
server: {{ data_dir: "${{DATA_DIR}}" }}
telemetry: {{ access_log: {{ output: "${{ACCESS_LOG}}" }} }}
stores: [{{ name: ledger, kind: memory }}]
upstreams: [{{ name: up, endpoints: [{{ address: "{upstream}" }}] }}]
consumers:
  - {{ name: ann, groups: [writers], credentials: [{{ kind: key, id: a, sha256: "{ann}" }}] }}
  - {{ name: bob, groups: [readers], credentials: [{{ kind: key, id: b, sha256: "{bob}" }}] }}
routes:
  - name: api
    matches: [{{ path: {{ exact: /graphql }} }}]
    policies: [{policies}]
    graphql: {{ backends: [{{ upstream: up }}] {options} }}
{quotas}
"#
    ))
    .await;
    let public = gateway.addr("public");
    (gateway, public)
}

/// One end of a connection.
struct End<S>(WebSocketStream<S>);

type Client = End<MaybeTlsStream<TcpStream>>;
type Server = End<TcpStream>;

impl<S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin> End<S> {
    async fn say(&mut self, message: &Value) {
        self.say_text(&message.to_string()).await;
    }

    async fn say_text(&mut self, text: &str) {
        self.0.send(Message::text(text)).await.unwrap();
    }

    /// What is said next, but for signs of life.
    async fn next(&mut self) -> Message {
        loop {
            let next = wait::for_end("a message", self.0.next()).await;
            match next.expect("the connection ended").unwrap() {
                Message::Ping(_) | Message::Pong(_) => {}
                message => return message,
            }
        }
    }

    async fn text(&mut self) -> String {
        match self.next().await {
            Message::Text(text) => text.to_string(),
            other => panic!("no text: {other:?}"),
        }
    }

    async fn json(&mut self) -> Value {
        serde_json::from_str(&self.text().await).unwrap()
    }

    async fn closed(&mut self) -> (u16, String) {
        match self.next().await {
            Message::Close(Some(close)) => (close.code.into(), close.reason.to_string()),
            other => panic!("no close: {other:?}"),
        }
    }
}

async fn ask(public: SocketAddr, protocols: &str) -> Result<Client, Error> {
    let url = format!("ws://{public}/graphql");
    let mut request = url.into_client_request().unwrap();
    if !protocols.is_empty() {
        let headers = request.headers_mut();
        headers.insert("sec-websocket-protocol", protocols.parse().unwrap());
    }
    let asking = tokio_tungstenite::connect_async(request);
    wait::for_end("the handshake", asking)
        .await
        .map(|(socket, _)| End(socket))
}

#[expect(clippy::result_large_err, reason = "the library's own type of answer")]
async fn accept(listener: &TcpListener) -> Server {
    let (stream, _) = wait::for_end("a connection", listener.accept())
        .await
        .unwrap();
    let choose = |_: &Request, mut answer: Response| {
        let headers = answer.headers_mut();
        headers.insert(
            "sec-websocket-protocol",
            "graphql-transport-ws".parse().unwrap(),
        );
        Ok(answer)
    };
    End(tokio_tungstenite::accept_hdr_async(stream, choose)
        .await
        .unwrap())
}

/// A connection through the gateway, acknowledged, and both of its ends.
struct Pair {
    gateway: Gateway,
    client: Client,
    server: Server,
}

async fn open(options: &str, policies: &str, protocols: &str) -> Pair {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let upstream = listener.local_addr().unwrap();
    let (gateway, public) = gateway(upstream, options, policies).await;
    let (client, server) = tokio::join!(ask(public, protocols), accept(&listener));
    Pair {
        gateway,
        client: client.unwrap(),
        server,
    }
}

async fn connect(options: &str, policies: &str, protocols: &str) -> Pair {
    let mut pair = open(options, policies, protocols).await;
    let init = r#" {"type": "connection_init", "payload": {"token": "t"}} "#;
    pair.client.say_text(init).await;
    assert_eq!(pair.server.text().await, init);
    pair.server.say(&json!({ "type": "connection_ack" })).await;
    assert_eq!(pair.client.json().await["type"], "connection_ack");
    pair
}

const OWN: &str = "graphql-transport-ws";

fn subscribe(id: &str, query: &str) -> Value {
    json!({ "id": id, "type": "subscribe", "payload": { "query": query } })
}

/// The code of the refusal that a caller is told of under an id.
fn refused(told: &Value, id: &str) -> String {
    assert_eq!((&told["type"], &told["id"]), (&json!("error"), &json!(id)));
    let code = &told["payload"][0]["extensions"]["code"];
    code.as_str().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn an_operation_and_its_results_pass_as_they_came() {
    let mut pair = connect(PASS, "", OWN).await;
    for text in [
        r#"{"type":"ping","payload":{"a":1}}"#,
        r#" { "payload" : {"query":"subscription Ticks($n:Int){ticks(first:$n)}","variables":{"n":3}},"type":"subscribe","id":"1" }"#,
        r#"{"id":"2","type":"subscribe","payload":{"query":"{a}","extensions":{"x":1}}}"#,
    ] {
        pair.client.say_text(text).await;
        assert_eq!(pair.server.text().await, text);
    }
    let long = "x".repeat(200_000);
    for told in [
        json!({ "type": "pong" }),
        json!({ "id": "1", "type": "next", "payload": { "data": { "ticks": long } } }),
        json!({ "id": "1", "type": "complete" }),
    ] {
        pair.server.say(&told).await;
        assert_eq!(pair.client.json().await, told);
    }
    pair.client.0.close(None).await.unwrap();
    let line = pair
        .gateway
        .wait_for_log(|line| line["graphql"].is_object())
        .await;
    assert_eq!(
        line["graphql"],
        json!({ "operation.type": "subscription", "operation.name": "Ticks", "operations": 2, "cost": 4 })
    );
    assert_eq!(line["weir.websocket"]["subprotocol"], OWN, "{line}");
    let labels = [
        ("weir_route", "api"),
        ("graphql_operation_type", "subscription"),
        ("graphql_operation_name", ""),
    ];
    let counted = pair
        .gateway
        .metric("weir_graphql_operations_total", &labels);
    assert!((counted.await - 1.0).abs() < 0.5);
}

#[tokio::test]
async fn what_is_refused_is_answered_here_and_the_connection_goes_on() {
    let mut pair = connect(PASS, "", OWN).await;
    let deep = format!("subscription{}a{}", "{a".repeat(11), "}".repeat(11));
    for (query, code) in [
        ("subscription{", Code::GraphqlDocumentInvalid),
        (&deep, Code::GraphqlLimitExceeded),
        ("subscription{a(first:1001)}", Code::GraphqlLimitExceeded),
        ("{__schema{types{name}}}", Code::GraphqlFieldDenied),
    ] {
        pair.client.say(&subscribe("same", query)).await;
        let told = pair.client.json().await;
        assert_eq!(refused(&told, "same"), code.slug(), "{query}: {told}");
        let extensions = &told["payload"][0]["extensions"];
        assert!(extensions["request_id"].is_string(), "{told}");
    }
    let unknown = json!({ "id": "p", "type": "subscribe", "payload": {
        "extensions": { "persistedQuery": { "version": 1, "sha256Hash": sha256("{a}") } } } });
    pair.client.say(&unknown).await;
    let told = pair.client.json().await;
    assert_eq!(refused(&told, "p"), "PERSISTED_QUERY_NOT_SUPPORTED");
    let good = subscribe("same", "subscription{a}");
    pair.client.say(&good).await;
    // Nothing of what was refused came before it.
    assert_eq!(pair.server.json().await, good);
    pair.client.0.close(None).await.unwrap();
    let line = pair
        .gateway
        .wait_for_log(|line| line["weir.route"] == "api")
        .await;
    assert_eq!(line["error.type"], Value::Null, "{line}");
    let detail = line["weir.error.detail"].as_str().unwrap();
    assert!(
        detail.contains(Code::GraphqlDocumentInvalid.slug()),
        "{detail}"
    );
    for (code, count) in [
        (Code::GraphqlDocumentInvalid, 1.0),
        (Code::GraphqlLimitExceeded, 2.0),
        (Code::GraphqlFieldDenied, 1.0),
    ] {
        let labels = [("weir_route", "api"), ("error_type", code.slug())];
        let counted = pair.gateway.metric("weir_errors_total", &labels).await;
        assert!((counted - count).abs() < 0.5, "{code}: {counted}");
    }
    let all = pair.gateway.metric("weir_errors_total", &[]).await;
    assert!((all - 4.0).abs() < 0.5, "{all}");
}

#[tokio::test]
async fn who_calls_is_known_before_the_connection_and_fields_are_kept_from_others() {
    let rule = format!("{PASS}, authorization: [{{ field: '*.ssn', groups: [writers] }}]");
    let key_auth = "{ kind: key_auth, sources: [{ kind: subprotocol }] }";
    let asked = subscribe("1", "subscription{me{...{x:ssn}}}");
    // The keys are in Base64 for URLs.
    let mut pair = connect(&rule, key_auth, &format!("{OWN}, weir.key.Ym9iLWtleQ")).await;
    pair.client.say(&asked).await;
    let told = pair.client.json().await;
    assert_eq!(refused(&told, "1"), Code::GraphqlFieldDenied.slug());
    let mut pair = connect(&rule, key_auth, &format!("{OWN}, weir.key.YW5uLWtleQ")).await;
    pair.client.say(&asked).await;
    assert_eq!(pair.server.json().await, asked);
    let Err(Error::Http(answer)) = ask(pair.gateway.addr("public"), OWN).await else {
        panic!("nobody may open a connection without a key");
    };
    assert_eq!(answer.status(), 401);
}

#[tokio::test]
async fn a_document_that_was_named_goes_up_in_full() {
    let text = "subscription S{a}";
    let manifest = json!({ "s1": text }).to_string();
    let options = format!("{PASS}, documents: {{ kind: allow_list, manifests: ['{manifest}'] }}");
    let mut pair = connect(&options, "", OWN).await;
    let named = json!({ "id": "\u{e4}\"", "type": "subscribe", "payload": {
        "documentId": "s1", "variables": { "n": 1 } } });
    pair.client.say(&named).await;
    let expected = json!({ "id": "\u{e4}\"", "type": "subscribe", "payload": {
        "query": text, "variables": { "n": 1 } } });
    assert_eq!(pair.server.json().await, expected);
    pair.client.say(&subscribe("2", "subscription{b}")).await;
    let told = pair.client.json().await;
    assert_eq!(refused(&told, "2"), Code::GraphqlDocumentNotTrusted.slug());
}

#[tokio::test]
async fn each_operation_is_charged_as_it_comes() {
    let quota = "{ kind: quota, quotas: [cost] }";
    let mut pair = connect(PASS, quota, OWN).await;
    for id in ["1", "2"] {
        let asked = subscribe(id, "subscription{a(first:2)}");
        pair.client.say(&asked).await;
        assert_eq!(pair.server.json().await, asked);
        pair.client
            .say(&json!({ "id": id, "type": "complete" }))
            .await;
        assert_eq!(pair.server.json().await["type"], "complete");
    }
    pair.client
        .say(&subscribe("3", "subscription{a(first:2)}"))
        .await;
    let told = pair.client.json().await;
    assert_eq!(refused(&told, "3"), Code::QuotaExhausted.slug());
    let cheap = subscribe("4", "subscription{a}");
    pair.client.say(&cheap).await;
    assert_eq!(pair.server.json().await, cheap);
}

#[tokio::test]
async fn only_so_many_operations_are_in_flight() {
    let mut pair = connect(PASS, "", OWN).await;
    for id in ["1", "2"] {
        pair.client.say(&subscribe(id, "subscription{a}")).await;
        assert_eq!(pair.server.json().await["id"], id);
    }
    pair.client.say(&subscribe("3", "subscription{a}")).await;
    let told = pair.client.json().await;
    assert_eq!(refused(&told, "3"), Code::GraphqlLimitExceeded.slug());
    let limit = &told["payload"][0]["extensions"]["limit"];
    assert_eq!(limit, &json!({ "name": "in_flight", "max": 2, "found": 3 }));
    let over = json!({ "id": "1", "type": "error", "payload": [{ "message": "no" }] });
    pair.server.say(&over).await;
    assert_eq!(pair.client.json().await, over);
    pair.client.say(&subscribe("3", "subscription{a}")).await;
    assert_eq!(pair.server.json().await["id"], "3");
}

#[tokio::test]
async fn what_breaks_the_protocol_is_closed_with_its_code() {
    let init = r#"{"type":"connection_init"}"#.to_owned();
    let asked = |id: &str| subscribe(id, "subscription{a}").to_string();
    for (said, code) in [
        (vec!["hello".to_owned()], 4400),
        (vec![r#"{"type":"start","id":"1"}"#.to_owned()], 4400),
        (vec![asked("1")], 4401),
        (vec![init.clone(), asked("1")], 4401),
        (vec![init.clone(), init], 4429),
    ] {
        let mut pair = open(PASS, "", OWN).await;
        for text in &said {
            pair.client.say_text(text).await;
        }
        let (closed, why) = pair.client.closed().await;
        assert_eq!(closed, code, "{said:?}: {why}");
        assert!(
            why.starts_with(Code::WebsocketMessageInvalid.slug()),
            "{why}"
        );
        let line = pair
            .gateway
            .wait_for_log(|line| line["weir.route"] == "api")
            .await;
        assert_eq!(line["error.type"], Code::WebsocketMessageInvalid.slug());
    }
    let mut pair = connect(PASS, "", OWN).await;
    pair.client.say_text(&asked("1")).await;
    pair.client.say_text(&asked("1")).await;
    assert_eq!(pair.client.closed().await.0, 4409);
}

#[tokio::test]
async fn other_subprotocols_are_refused() {
    let (_gateway, public) = gateway(([127, 0, 0, 1], 1).into(), PASS, "").await;
    for protocols in ["", "graphql-ws", "chat, soap"] {
        let Err(Error::Http(answer)) = ask(public, protocols).await else {
            panic!("{protocols:?} is no subprotocol of this route");
        };
        assert_eq!(answer.status(), 400);
        let code = answer.headers()["weir-error"].to_str().unwrap();
        assert_eq!(code, Code::WebsocketHandshakeInvalid.slug());
    }
}

const EVENTS: &str = "Accept: text/event-stream";
const JSON: &str = "Content-Type: application/json";

#[tokio::test]
async fn a_route_takes_no_subscriptions_unless_it_says_so() {
    let upstream = Upstream::start(Behaviour::echo()).await;
    let (_gateway, public) = gateway(upstream.addr(), "", "").await;
    let Err(Error::Http(answer)) = ask(public, OWN).await else {
        panic!("the route takes no connections");
    };
    let code = answer.headers()["weir-error"].to_str().unwrap();
    assert_eq!(code, Code::GraphqlSubscriptionRefused.slug());
    assert_eq!(answer.status(), 403);
    let body = json!({ "query": "subscription{a}" }).to_string();
    for (accept, status) in [
        ("Accept: application/graphql-response+json", 403),
        ("Accept: application/json", 200),
        (EVENTS, 200),
    ] {
        let answer = wire::request(public, "POST", "/graphql", &[JSON, accept], &body).await;
        assert_eq!(answer.status, status, "{accept}");
        let code = Code::GraphqlSubscriptionRefused.slug();
        assert_eq!(answer.header("weir-error"), Some(code), "{accept}");
    }
    assert_eq!(upstream.record().requests().len(), 0);
}

#[tokio::test]
async fn events_pass_as_they_come_and_what_is_refused_is_told_in_such() {
    let events = "event: next\ndata: {\"data\":{\"a\":1}}\n\nevent: complete\ndata: \n\n";
    let behaviour = Behaviour::answer(200, &["Content-Type: text/event-stream"], events);
    let upstream = Upstream::start(behaviour).await;
    let (_gateway, public) = gateway(upstream.addr(), PASS, "").await;
    let body = json!({ "query": "subscription{a}" }).to_string();
    for (method, target, headers, body) in [
        ("POST", "/graphql", &[JSON, EVENTS][..], &*body),
        ("GET", "/graphql?query=subscription%7Ba%7D", &[EVENTS], ""),
    ] {
        let answer = wire::request(public, method, target, headers, body).await;
        assert_eq!((answer.status, answer.text()), (200, events.to_owned()));
    }
    assert_eq!(upstream.record().requests().len(), 2);
    for (query, code, status) in [
        (
            "subscription{a(first:1001)}",
            Code::GraphqlLimitExceeded,
            200,
        ),
        ("subscription{", Code::GraphqlDocumentInvalid, 200),
    ] {
        let body = json!({ "query": query }).to_string();
        let answer = wire::request(public, "POST", "/graphql", &[JSON, EVENTS], &body).await;
        assert_eq!(answer.status, status, "{query}");
        assert_eq!(answer.header("content-type"), Some("text/event-stream"));
        assert_eq!(answer.header("weir-error"), Some(code.slug()));
        let text = answer.text();
        let told = text.strip_prefix("event: next\ndata: ").unwrap();
        let told = told
            .strip_suffix("\n\nevent: complete\ndata: \n\n")
            .unwrap();
        let told: Value = serde_json::from_str(told).unwrap();
        assert_eq!(told["errors"][0]["extensions"]["code"], code.slug());
    }
    let target = "/graphql?query=mutation%7Ba%7D";
    let answer = wire::request(public, "GET", target, &[EVENTS], "").await;
    assert_eq!(answer.status, 405);
    assert_eq!(upstream.record().requests().len(), 2);
}
