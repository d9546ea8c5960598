//! WebSockets.

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};
use weir_tests::kafka::Kafka;
use weir_tests::{Gateway, wait};

use super::{gateway, write};

struct Socket(WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Socket {
    async fn open(gateway: &Gateway, target: &str) -> Self {
        let url = format!("ws://{}{target}", gateway.addr("public"));
        let (stream, _) = tokio_tungstenite::connect_async(url).await.unwrap();
        Self(stream)
    }

    async fn say(&mut self, message: Value) {
        self.0
            .send(Message::text(message.to_string()))
            .await
            .unwrap();
    }

    async fn hear(&mut self) -> Value {
        let heard = wait::for_end("a message", self.0.next()).await;
        match heard.unwrap().unwrap() {
            Message::Text(text) => serde_json::from_str(&text).unwrap(),
            other => panic!("{other:?}"),
        }
    }

    async fn hear_close(&mut self) -> (u16, String) {
        loop {
            let heard = wait::for_end("a close", self.0.next()).await;
            if let Message::Close(Some(close)) = heard.unwrap().unwrap() {
                return (close.code.into(), close.reason.to_string());
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_more_is_under_way_than_may_be() {
    let kafka = Kafka::shared().await;
    kafka.create_topic("window", 1).await;
    write(kafka, "window", 0, &["0", "1", "2", "3", "4"]).await;
    let gateway = gateway(kafka).await;
    let mut socket = Socket::open(&gateway, "/feeds/window?start=earliest&limit=2").await;
    let open = socket.hear().await;
    assert_eq!(
        (&open["type"], &open["window"]),
        (&json!("open"), &json!(2))
    );
    let first = socket.hear().await;
    assert_eq!(
        (&first["type"], &first["value"]),
        (&json!("record"), &json!(0))
    );
    let second = socket.hear().await;
    assert_eq!(second["value"], 1);
    // Nothing comes until something is acknowledged: a pause ends with what was written meanwhile.
    socket
        .say(json!({ "type": "ack", "cursor": first["cursor"] }))
        .await;
    assert_eq!(socket.hear().await["value"], 2);
    socket.say(json!({ "type": "flow", "window": 0 })).await;
    socket
        .say(json!({ "type": "ack", "cursor": second["cursor"] }))
        .await;
    let silence = tokio::time::timeout(std::time::Duration::from_millis(300), socket.0.next());
    assert!(silence.await.is_err(), "it was to pause");
    socket.say(json!({ "type": "flow", "window": 100 })).await;
    assert_eq!(socket.hear().await["value"], 3);
    assert_eq!(socket.hear().await["value"], 4);
    // Another goes on where it was.
    let cursor = second["cursor"].as_str().unwrap();
    let target = format!("/feeds/window?cursor={cursor}");
    let mut again = Socket::open(&gateway, &target).await;
    assert_eq!(again.hear().await["type"], "open");
    assert_eq!(again.hear().await["value"], 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_message_ends_it() {
    let kafka = Kafka::shared().await;
    kafka.create_topic("messages", 1).await;
    let gateway = gateway(kafka).await;
    for said in [
        json!({ "type": "ack", "cursor": "AAAA" }),
        json!({ "type": "hello" }),
        json!([1]),
    ] {
        let mut socket = Socket::open(&gateway, "/feeds/messages").await;
        socket.hear().await;
        socket.say(said.clone()).await;
        let (code, reason) = socket.hear_close().await;
        assert_eq!(code, 1008, "{said}: {reason}");
        assert!(
            reason.starts_with("websocket_message_invalid: "),
            "{said}: {reason}"
        );
    }
}
