//! gRPC, GraphQL, WebSocket, and language models.

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::json;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tonic::Request;
use weir_tests::models::{Dialect, Said};
use weir_tests::otlp::Kind;
use weir_tests::rpc::{Client, Server};
use weir_tests::{Behaviour, Upstream, wait, wire};

use super::{Scene, TRACEPARENT, told};

const JSON: &str = "Content-Type: application/json";

fn header() -> String {
    format!("traceparent: {TRACEPARENT}")
}

#[tokio::test]
async fn a_call_over_grpc() {
    let server = Server::start().await;
    let scene = Scene::start(&format!(
        "upstreams: [{{ name: up, protocol: http2, endpoints: [{{ address: \"{}\" }}] }}]\n\
         routes: [{{ name: calls, grpc: {{ backends: [{{ upstream: up }}] }} }}]",
        server.addr()
    ))
    .await;
    let client = Client::connect(scene.public()).await;
    let mut request = Request::new(&b"hi"[..]);
    let metadata = request.metadata_mut();
    metadata.insert("traceparent", TRACEPARENT.parse().unwrap());
    client.unary("/shop.Orders/Echo", request).await.unwrap();
    let spans = scene.spans(&[Kind::Server, Kind::Client]).await;
    for span in &spans {
        assert_eq!(span.name, "shop.Orders/Echo");
        assert_eq!(span.attribute("rpc.response.status_code"), "OK");
    }
    let sent = &server.calls()[0];
    let traceparent = sent.headers.get("traceparent").unwrap();
    assert_eq!(traceparent.to_str().unwrap(), told(&spans[1]));
}

#[tokio::test]
async fn an_operation_of_graphql() {
    let upstream = Upstream::start(Behaviour::echo()).await;
    let scene = Scene::start(&format!(
        "upstreams: [{{ name: up, endpoints: [{{ address: \"{}\" }}] }}]\n\
         routes: [{{ name: graph, graphql: {{ backends: [{{ upstream: up }}] }} }}]",
        upstream.addr()
    ))
    .await;
    let body = json!({ "query": "query Dogs { dog(secret: 7) { name } }" }).to_string();
    let answer = wire::request(scene.public(), "POST", "/", &[JSON, &header()], body).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let spans = scene.spans(&[Kind::Server, Kind::Client]).await;
    assert_eq!(spans[0].attribute("graphql.operation.type"), "query");
    assert_eq!(spans[0].attribute("graphql.operation.name"), "Dogs");
    assert!(!format!("{spans:?}").contains("secret: 7"));
}

#[tokio::test]
async fn a_websocket_from_its_handshake_to_its_close() {
    let upstream = Upstream::start(Behaviour::websocket_echo()).await;
    let scene = Scene::start(&format!(
        "upstreams: [{{ name: up, endpoints: [{{ address: \"{}\" }}] }}]\n\
         routes: [{{ name: chat, websocket: {{ backends: [{{ upstream: up }}] }} }}]",
        upstream.addr()
    ))
    .await;
    let mut request = format!("ws://{}/chat", scene.public())
        .into_client_request()
        .unwrap();
    request
        .headers_mut()
        .insert("traceparent", TRACEPARENT.parse().unwrap());
    let (mut socket, _) = tokio_tungstenite::connect_async(request).await.unwrap();
    socket.send(Message::text("hi")).await.unwrap();
    assert_eq!(socket.next().await.unwrap().unwrap(), Message::text("hi"));
    socket.close(None).await.unwrap();
    wait::for_end("the close", async {
        while socket.next().await.is_some() {}
    })
    .await;
    let spans = scene.spans(&[Kind::Server, Kind::Client]).await;
    let events: Vec<_> = spans[0].events.iter().map(|(name, _)| &**name).collect();
    assert_eq!(events, ["websocket.open", "websocket.close"]);
}

#[tokio::test]
async fn a_call_of_a_model_that_falls_back_in_another_dialect() {
    let said = || Said {
        pieces: vec!["Goo ".to_owned(), "goo.".to_owned()],
        call: None,
        usage: (11, 4),
    };
    let failing = Upstream::start(Behaviour::answer(500, &[], "")).await;
    let second = Upstream::start(Dialect::Anthropic.says(said())).await;
    let scene = Scene::start(&format!(
        "providers:\n  - {{ name: first, dialect: openai, base_url: \"http://{}/v1\" }}\n  - {{ name: second, dialect: anthropic, base_url: \"http://{}\" }}\n\
         models: [{{ name: smart, strategy: {{ kind: fallback }}, targets: [{{ provider: first, model: gpt-test }}, {{ provider: second, model: claude-test }}] }}]\n\
         routes: [{{ name: chat, llm: {{ models: [smart] }} }}]",
        failing.addr(),
        second.addr()
    ))
    .await;
    for stream in [false, true] {
        let body = json!({ "model": "smart", "stream": stream, "messages": [{ "role": "user", "content": "Who?" }] });
        let headers = [JSON, &header()];
        let path = "/v1/chat/completions";
        let answer = wire::request(scene.public(), "POST", path, &headers, body.to_string()).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
    let spans = scene.collector.wait_for_trace(super::TRACE, 6).await;
    let clients = spans.iter().filter(|span| span.kind == Kind::Client);
    let names: Vec<_> = clients.map(|span| &*span.name).collect();
    assert_eq!(names, ["chat gpt-test", "chat claude-test"].repeat(2));
    for server in spans.iter().filter(|span| span.kind == Kind::Server) {
        let mut one = spans.clone();
        one.retain(|span| [&span.span_id, &span.parent_span_id].contains(&&server.span_id));
        weir_tests::conventions::assert_followed(&one, super::CALLER);
        let answered = &one[2];
        assert_eq!(answered.attribute("gen_ai.usage.output_tokens"), 4);
        assert_eq!(
            answered.attribute("weir.llm.fallback.reason"),
            "provider_error"
        );
    }
}
