use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use super::*;

type Client = WebSocketStream<MaybeTlsStream<TcpStream>>;

async fn chat() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let chat = Arc::new(Chat::default());
    tokio::spawn(serve::serve(listener, move |request| {
        Arc::clone(&chat).answer(request)
    }));
    format!("{address}/rooms")
}

async fn enter(chat: &str, room: &str) -> Client {
    let (client, _) = connect_async(format!("ws://{chat}/{room}")).await.unwrap();
    client
}

async fn told(client: &mut Client) -> String {
    let message = client.next().await.unwrap().unwrap();
    message.into_text().unwrap().to_string()
}

#[tokio::test]
async fn all_in_a_room_are_told_and_nobody_else() {
    let chat = chat().await;
    let mut ann = enter(&chat, "lobby").await;
    ann.send(Message::text("hello")).await.unwrap();
    assert_eq!(told(&mut ann).await, "hello");
    let mut bob = enter(&chat, "lobby").await;
    assert_eq!(told(&mut bob).await, "hello");
    let mut eve = enter(&chat, "cellar").await;
    bob.send(Message::text("hello, Ann")).await.unwrap();
    assert_eq!(told(&mut ann).await, "hello, Ann");
    assert_eq!(told(&mut bob).await, "hello, Ann");
    eve.send(Message::text("anybody?")).await.unwrap();
    assert_eq!(told(&mut eve).await, "anybody?");
}

#[tokio::test]
async fn who_says_something_and_leaves_is_told_it_before() {
    let chat = chat().await;
    let mut client = enter(&chat, "lobby").await;
    client.feed(Message::text("bye")).await.unwrap();
    client.feed(Message::Close(None)).await.unwrap();
    client.flush().await.unwrap();
    assert_eq!(told(&mut client).await, "bye");
    assert!(client.next().await.unwrap().unwrap().is_close());
}

#[tokio::test]
async fn the_page_is_there_and_a_room_is_none() {
    let chat = chat().await;
    let get = async |path: &str| reqwest::get(format!("http://{chat}{path}")).await.unwrap();
    let page = get("").await;
    assert_eq!(page.status(), 200);
    assert!(page.text().await.unwrap().contains("new WebSocket"));
    assert_eq!(get("/lobby").await.status(), 426);
    for nothing in ["/", "-page", &format!("/{}", "x".repeat(65))] {
        assert_eq!(get(nothing).await.status(), 404, "{nothing}");
    }
}
