//! A gateway of everything there is, all of it well and in use, so that whatever is drawn has something to
//! be drawn of; and one with more routes than figures are kept apart for.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::json;
use tokio::task::{AbortHandle, JoinSet};
use weir_tests::kafka::Kafka;
use weir_tests::tls::{Authority, Validity};
use weir_tests::upstream::{Step, When};
use weir_tests::wire::{self, Connection};
use weir_tests::{Behaviour, Gateway, Upstream, rpc};

use crate::asked;

/// Routes of the gateway that has too many.
const MANY: usize = 2_100;

pub(crate) struct House {
    pub(crate) gateway: Gateway,
    pub(crate) many: Gateway,
    _calls: rpc::Server,
    _upstreams: Vec<Upstream>,
}

/// A model that says three words, streamed if it is asked so.
fn model() -> Behaviour {
    Behaviour::new(When::Whole, |request| {
        let usage = json!({
            "prompt_tokens": 21, "completion_tokens": 9, "total_tokens": 30,
            "prompt_tokens_details": { "cached_tokens": 5 },
            "completion_tokens_details": { "reasoning_tokens": 2 },
        });
        if !request.text().contains("\"stream\":true") {
            let message = json!({ "role": "assistant", "content": "Write to who@example.com." });
            let choices = json!([{ "index": 0, "message": message, "finish_reason": "stop" }]);
            let body = json!({ "id": "c-1", "object": "chat.completion", "model": "m", "choices": choices, "usage": usage });
            return answer("application/json", &body.to_string());
        }
        let event = |choices: serde_json::Value, usage: serde_json::Value| {
            let data = json!({ "id": "c-1", "object": "chat.completion.chunk", "model": "m", "choices": choices, "usage": usage });
            format!("data: {data}\n\n")
        };
        let word = |word: &str| json!([{ "index": 0, "delta": { "content": word } }]);
        let head =
            "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n";
        let mut steps = vec![Step::Send(head.into())];
        for said in ["Goo ", "goo ", "g'joob."] {
            steps.push(Step::Send(event(word(said), json!(null)).into()));
            steps.push(Step::Pause(Duration::from_millis(5)));
        }
        steps.push(Step::Send(event(json!([]), usage).into()));
        steps.push(Step::Send("data: [DONE]\n\n".into()));
        steps.push(Step::Close);
        steps
    })
}

fn answer(kind: &str, body: &str) -> Vec<Step> {
    let length = body.len();
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nKeep-Alive: timeout=5\r\nContent-Length: {length}\r\n\r\n{body}"
    );
    vec![Step::Send(head.into())]
}

impl House {
    pub(crate) async fn start(kafka: &Kafka, redis: SocketAddr, collector: &str) -> Self {
        for topic in ["orders", "prompts", "completions", "dead", "usage", "later"] {
            kafka.create_topic(&format!("house.{topic}"), 1).await;
        }
        let compacted = [("cleanup.policy", "compact")];
        kafka.create_topic_with("house.users", 1, &compacted).await;
        let small = [("max.message.bytes", "1000")];
        kafka.create_topic_with("house.small", 1, &small).await;
        let plain = Behaviour::new(When::Whole, |_| {
            answer("application/json", r#"{"data":{"orders":[]}}"#)
        });
        let plain = Upstream::start(plain).await;
        let model = Upstream::start(model()).await;
        let failing = Upstream::start(Behaviour::answer(500, &[], "no")).await;
        let unpaid = Upstream::start(Behaviour::answer(401, &[], "no")).await;
        let socket = Upstream::start(Behaviour::websocket_echo()).await;
        let calls = rpc::Server::start().await;
        let certificate = Authority::new().issue(&["house.internal"], Validity::Current);
        let places = [
            ("BOOTSTRAP", kafka.bootstrap()),
            ("REDIS", redis.to_string()),
            ("COLLECTOR", collector.to_owned()),
            ("PLAIN", plain.addr().to_string()),
            ("MODEL", model.addr().to_string()),
            ("FAILING", failing.addr().to_string()),
            ("UNPAID", unpaid.addr().to_string()),
            ("SOCKET", socket.addr().to_string()),
            ("CALLS", calls.addr().to_string()),
        ];
        let mut gateway = Gateway::builder(include_str!("house.yaml"))
            .file("cert.pem", &certificate.certificate)
            .file("key.pem", &certificate.key);
        for (name, place) in &places {
            gateway = gateway.env(name, place);
        }
        House {
            gateway: Box::pin(gateway.start()).await,
            many: Box::pin(Gateway::start(&many())).await,
            _calls: calls,
            _upstreams: vec![plain, model, failing, unpaid, socket],
        }
    }

    /// Who uses all of it, until they are stopped.
    pub(crate) fn traffic(&self) -> AbortHandle {
        let public = self.gateway.addr("public");
        let admin = self.gateway.addr("admin");
        let mut callers = JoinSet::new();
        for request in asked::requests() {
            callers.spawn(again(public, request));
        }
        for action in ["pause", "resume"] {
            let target = format!("/webhooks/hook/{action}");
            let reason = json!({ "reason": "to be seen" }).to_string();
            callers.spawn(again(admin, asked::post(&target, "", &reason)));
        }
        callers.spawn(follow(public));
        callers.spawn(crowd(self.gateway.addr("narrow")));
        callers.spawn(converse(public));
        callers.spawn(call(public));
        let all = async move { while callers.join_next().await.is_some() {} };
        tokio::spawn(all).abort_handle()
    }
}

/// The same request, again and again.
async fn again(address: SocketAddr, request: String) {
    loop {
        let once = async {
            let mut connection = Connection::try_open(address).await?;
            for _ in 0..5 {
                connection.send(&request).await?;
                let _answer = connection.try_response_to("POST").await?;
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
            Ok(())
        };
        let _: std::io::Result<()> = once.await;
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// A subscriber, who stays; what it is given is not looked at.
async fn follow(public: SocketAddr) {
    loop {
        let once = async {
            let mut connection = Connection::try_open(public).await?;
            connection
                .send("GET /feed HTTP/1.1\r\nHost: a\r\nAccept: text/event-stream\r\n\r\n")
                .await?;
            while !connection.read().await?.is_empty() {}
            Ok(())
        };
        let _: std::io::Result<()> = once.await;
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Two who come where one may.
async fn crowd(narrow: SocketAddr) {
    let _first = Connection::try_open(narrow).await;
    loop {
        let _second = Connection::try_open(narrow).await;
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Connections of which each says something and is closed; one stays.
async fn converse(public: SocketAddr) {
    let open = || async {
        let mut connection = Connection::open(public).await;
        connection.send(asked::HANDSHAKE).await.ok()?;
        let head = connection.head().await.ok()?;
        head.start.contains(" 101 ").then_some(connection)
    };
    let _stays = open().await;
    loop {
        if let Some(mut connection) = open().await {
            // "hi", masked with zeros, and a close with 1000.
            let _said = connection.send(b"\x81\x82\0\0\0\0hi").await;
            let _heard = connection.read().await;
            let _closed = connection.send(b"\x88\x82\0\0\0\0\x03\xe8").await;
            let _farewell = connection.read_to_close().await;
        }
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
}

async fn call(public: SocketAddr) {
    let client = rpc::Client::connect(public).await;
    loop {
        let request = tonic::Request::new(b"hello".as_slice());
        let _answer = client.unary("/house.Calls/Unary", request).await;
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// More routes than a metric has series for.
fn many() -> String {
    let route = |n: usize| {
        format!(
            "  - {{ name: route-{n:04}, matches: [{{ path: {{ exact: /{n} }} }}], respond: {{ body: x }} }}\n"
        )
    };
    let routes: String = (0..MANY).map(route).collect();
    format!(
        r#"
version: 1
listeners: [{{ name: public, address: "127.0.0.1:0" }}]
metrics: {{ address: "127.0.0.1:0" }}
server: {{ worker_threads: 1, data_dir: "${{DATA_DIR}}" }}
routes:
{routes}"#
    )
}

/// Asks each route of the gateway that has too many, once.
pub(crate) async fn ask_many(gateway: &Gateway) {
    let public = gateway.addr("public");
    let mut connection = Connection::open(public).await;
    for n in 0..MANY {
        let request = wire::message(public, "GET", &format!("/{n}"), &[], b"");
        if connection.send(request).await.is_err() {
            connection = Connection::open(public).await;
            continue;
        }
        let _answer = connection.response().await;
    }
}
