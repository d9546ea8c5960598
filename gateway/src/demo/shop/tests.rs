use http::header;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;

use super::*;

async fn shop() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let shop = Arc::new(Shop::new());
    tokio::spawn(serve::serve(listener, move |request| {
        Arc::clone(&shop).answer(request)
    }));
    format!("{address}/graphql")
}

async fn ask(shop: &str, query: &str) -> Value {
    let response = reqwest::Client::new()
        .post(format!("http://{shop}"))
        .json(&json!({"query": query}))
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), 200);
    response.json().await.unwrap()
}

#[tokio::test]
async fn products_are_found_with_what_goes_with_them() {
    let shop = shop().await;
    let found = ask(
        &shop,
        "{ search(text: \"GATE\") { id price related(first: 1) { name } } }",
    )
    .await;
    let expected = json!({"data": {"search": [
        {"id": "1", "price": 1280.0, "related": [{"name": "Staff gauge"}]}
    ]}});
    assert_eq!(found, expected);
    let all = ask(&shop, "{ products { name } }").await;
    assert_eq!(all["data"]["products"].as_array().unwrap().len(), 6);
    let none = ask(&shop, "{ product(id: 17) { name } }").await;
    assert_eq!(none["errors"][0]["message"], "there is no product \"17\"");
    let got = reqwest::get(format!("http://{shop}?query=%7Bproduct(id:0)%7Bname%7D%7D")).await;
    let got: Value = got.unwrap().json().await.unwrap();
    assert_eq!(got["data"]["product"]["name"], "Stop log");
}

#[tokio::test]
async fn a_review_is_kept_and_told_who_subscribed() {
    let shop = shop().await;
    let mut handshake = format!("ws://{shop}").into_client_request().unwrap();
    handshake
        .headers_mut()
        .insert(header::SEC_WEBSOCKET_PROTOCOL, SUBPROTOCOL.parse().unwrap());
    let (mut socket, _) = connect_async(handshake).await.unwrap();
    let mut say = async |message: Value| {
        let text = Message::text(message.to_string());
        socket.send(text).await.unwrap();
    };
    say(json!({"type": "connection_init"})).await;
    let query = "subscription { reviewed { stars text product { name } } }";
    say(json!({"type": "subscribe", "id": "1", "payload": {"query": query}})).await;
    // The answer to a ping says that what came before it is under way.
    say(json!({"type": "ping"})).await;
    let mut told = async || -> Value {
        let message = socket.next().await.unwrap().unwrap();
        serde_json::from_str(message.to_text().unwrap()).unwrap()
    };
    assert_eq!(told().await["type"], "connection_ack");
    assert_eq!(told().await["type"], "pong");
    let review = "mutation { review(product: 5, stars: 4, text: \"Dry.\") { stars } }";
    assert_eq!(ask(&shop, review).await["data"]["review"]["stars"], 4);
    let next = told().await;
    let expected = json!({"stars": 4, "text": "Dry.", "product": {"name": "Waders"}});
    assert_eq!(next["payload"]["data"]["reviewed"], expected);
    let kept = ask(&shop, "{ product(id: 5) { reviews { text } } }").await;
    assert_eq!(kept["data"]["product"]["reviews"][0]["text"], "Dry.");
    socket.close(None).await.unwrap();
    assert!(socket.next().await.unwrap().unwrap().is_close());
}

#[tokio::test]
async fn results_are_events_for_who_asks_for_these() {
    let shop = shop().await;
    let query = "subscription { restocked(first: 2) { name } }";
    let response = reqwest::Client::new()
        .post(format!("http://{shop}"))
        .header(header::ACCEPT, EVENTS)
        .json(&json!({"query": query}))
        .send()
        .await
        .unwrap();
    assert_eq!(response.headers()[header::CONTENT_TYPE], EVENTS);
    let events = response.text().await.unwrap();
    let next = |name| {
        format!("event: next\ndata: {{\"data\":{{\"restocked\":{{\"name\":\"{name}\"}}}}}}\n\n")
    };
    let expected = ["Stop log", "Sluice gate"].map(next).concat() + "event: complete\ndata:\n\n";
    assert_eq!(events, expected);
}

#[tokio::test]
async fn what_is_wrong_is_said() {
    let shop = shop().await;
    let stars = ask(
        &shop,
        "mutation { review(product: 5, stars: 6, text: \"\") { stars } }",
    )
    .await;
    assert_eq!(stars["errors"][0]["message"], "there are one to five stars");
    let none = reqwest::Client::new()
        .post(format!("http://{shop}"))
        .body("query")
        .send()
        .await
        .unwrap();
    assert_eq!(none.status(), 400);
}
