//! Connections on streams of HTTP/2 (RFC 8441), from the caller and to the upstream.

use serde_json::Value;
use weir_tests::{Gateway, wait};

use crate::gateway;
use crate::peer::{CLOSE, Frame, Peer, Server, TEXT};

/// RFC 8441 from the caller: the same route, on a stream of HTTP/2.
#[tokio::test]
async fn a_stream_of_http2_is_a_connection_too() {
    let server = Server::start().await;
    let (gateway, public) = gateway(server.addr(), "").await;
    let tcp = tokio::net::TcpStream::connect(public).await.unwrap();
    let (mut client, mut connection) = h2::client::handshake(tcp).await.unwrap();
    let settled = std::future::poll_fn(|cx| {
        let _ = std::future::Future::poll(std::pin::Pin::new(&mut connection), cx);
        match client.is_extended_connect_protocol_enabled() {
            true => std::task::Poll::Ready(()),
            false => std::task::Poll::Pending,
        }
    });
    wait::for_end("the setting", settled).await;
    tokio::spawn(connection);
    let request = http::Request::builder()
        .method("CONNECT")
        .uri("http://chat.example.com/chat?room=1")
        .extension(h2::ext::Protocol::from_static("websocket"))
        .header("sec-websocket-version", "13")
        .body(())
        .unwrap();
    let (answer, mut up) = client.send_request(request, false).unwrap();
    let (answer, mut upstream) =
        tokio::join!(wait::for_end("an answer", answer), server.accept(&[]));
    let answer = answer.unwrap();
    assert_eq!(answer.status(), 200);
    assert!(!answer.headers().contains_key("sec-websocket-accept"));
    let head = upstream.head.to_ascii_lowercase();
    assert!(head.starts_with("get /chat?room=1 http/1.1\r\n"), "{head}");
    let mut down = answer.into_body();
    // "Hi", masked with zeros, and a close.
    let hi = [0x81, 0x82, 0, 0, 0, 0, b'H', b'i'];
    up.send_data(hi.to_vec().into(), false).unwrap();
    assert_eq!(upstream.frame().await, Frame(TEXT, b"Hi".to_vec()));
    upstream.send(TEXT, "Ho").await;
    let said = wait::for_end("data", down.data()).await.unwrap().unwrap();
    assert_eq!(&said[..], [0x81, 2, b'H', b'o']);
    let bye = [0x88, 0x80, 0, 0, 0, 0];
    up.send_data(bye.to_vec().into(), true).unwrap();
    assert_eq!(upstream.frame().await, Frame(CLOSE, Vec::new()));
    upstream.send(CLOSE, "").await;
    let said = wait::for_end("data", down.data()).await.unwrap().unwrap();
    assert_eq!(&said[..], [0x88, 0]);
    while let Some(rest) = wait::for_end("the end", down.data()).await {
        assert!(rest.unwrap().is_empty());
    }
    let line = gateway
        .wait_for_log(|line| line["weir.route"] == "chat")
        .await;
    assert_eq!(line["http.request.method"], "CONNECT", "{line}");
    assert_eq!(line["error.type"], Value::Null, "{line}");
}

/// RFC 8441 to the upstream: what the caller asks by an upgrade goes up as an extended CONNECT.
#[tokio::test]
async fn an_upstream_may_be_asked_on_a_stream_of_http2() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let upstream = listener.local_addr().unwrap();
    let gateway = Gateway::start(&format!(
        r#"
version: 1
listeners: [{{ name: public, address: "127.0.0.1:0" }}]
metrics: {{ address: "127.0.0.1:0" }}
server: {{ data_dir: "${{DATA_DIR}}" }}
telemetry: {{ access_log: {{ output: "${{ACCESS_LOG}}" }} }}
upstreams: [{{ name: up, protocol: http2, endpoints: [{{ address: "{upstream}" }}] }}]
routes: [{{ name: chat, websocket: {{ backends: [{{ upstream: up }}] }} }}]
"#
    ))
    .await;
    let public = gateway.addr("public");
    let serving = tokio::spawn(async move {
        let (tcp, _) = listener.accept().await.unwrap();
        let mut connection = h2::server::Builder::new()
            .enable_connect_protocol()
            .handshake::<_, bytes::Bytes>(tcp)
            .await
            .unwrap();
        let (request, mut respond) = connection.accept().await.unwrap().unwrap();
        tokio::spawn(async move { while connection.accept().await.is_some() {} });
        let (head, mut up) = request.into_parts();
        let answer = http::Response::builder().header("sec-websocket-protocol", "chat.v1");
        let mut down = respond
            .send_response(answer.body(()).unwrap(), false)
            .unwrap();
        let said = up.data().await.unwrap().unwrap();
        down.send_data(bytes::Bytes::from_static(&[0x81, 2, b'H', b'o']), false)
            .unwrap();
        let bye = up.data().await.unwrap().unwrap();
        down.send_data(bytes::Bytes::from_static(&[0x88, 0]), true)
            .unwrap();
        (head, said, bye)
    });
    let offers = ["Sec-WebSocket-Protocol: chat.v1"];
    let mut client = Peer::ask(public, "/chat?room=1", &offers).await;
    let head = client.head.to_ascii_lowercase();
    assert!(head.starts_with("http/1.1 101 "), "{head}");
    assert!(
        head.contains("\r\nsec-websocket-protocol: chat.v1\r\n"),
        "{head}"
    );
    assert!(head.contains(&"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=".to_ascii_lowercase()));
    client.send(TEXT, "Hi").await;
    assert_eq!(client.frame().await, Frame(TEXT, b"Ho".to_vec()));
    client.send(CLOSE, "").await;
    assert_eq!(client.frame().await, Frame(CLOSE, Vec::new()));
    client.end().await;
    let (head, said, bye) = wait::for_end("the upstream", serving).await.unwrap();
    assert_eq!(head.method, "CONNECT");
    assert_eq!(head.uri.path_and_query().unwrap(), "/chat?room=1");
    let protocol = head.extensions.get::<h2::ext::Protocol>();
    assert_eq!(protocol.map(h2::ext::Protocol::as_str), Some("websocket"));
    for absent in ["sec-websocket-key", "upgrade", "connection"] {
        assert!(!head.headers.contains_key(absent), "{absent}");
    }
    assert_eq!((said[0], bye[0]), (TEXT, CLOSE));
    let line = gateway
        .wait_for_log(|line| line["weir.route"] == "chat")
        .await;
    assert_eq!(line["error.type"], Value::Null, "{line}");
}
