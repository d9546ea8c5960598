use http::Uri;
use prost::Message as _;
use prost_reflect::{DescriptorPool, DynamicMessage, Kind};
use tokio::net::TcpListener;
use tonic::client;
use tonic::transport::Channel;

use super::*;
use crate::demo::serve;

type Client = client::Grpc<Channel>;

async fn client() -> Client {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let uri: Uri = format!("http://{}", listener.local_addr().unwrap())
        .parse()
        .unwrap();
    tokio::spawn(serve::serve(listener, service().await));
    let mut client = client::Grpc::new(Channel::builder(uri).connect().await.unwrap());
    client.ready().await.unwrap();
    client
}

fn codec() -> ProstCodec<HelloRequest, HelloReply> {
    ProstCodec::default()
}

fn ask(name: &str) -> HelloRequest {
    HelloRequest {
        name: name.to_owned(),
    }
}

fn path(method: &str) -> http::uri::PathAndQuery {
    format!("/{SERVICE}/{method}").parse().unwrap()
}

async fn all(replies: Streaming<HelloReply>) -> Vec<String> {
    replies.map(|reply| reply.unwrap().message).collect().await
}

#[tokio::test]
async fn each_kind_of_call_is_answered() {
    let mut client = client().await;
    let one = client
        .unary(Request::new(ask("weir")), path("SayHello"), codec())
        .await
        .unwrap();
    assert_eq!(one.into_inner().message, "Hello, weir!");
    client.ready().await.unwrap();
    let asked = Request::new(stream::iter([ask("one"), ask("two")]));
    let one = client
        .client_streaming(asked, path("LotsOfGreetings"), codec())
        .await
        .unwrap();
    assert_eq!(one.into_inner().message, "Hello, one, two!");
    client.ready().await.unwrap();
    let lots = client
        .server_streaming(Request::new(ask("weir")), path("LotsOfReplies"), codec())
        .await
        .unwrap();
    let lots = all(lots.into_inner()).await;
    assert_eq!(lots.len(), LOTS);
    assert_eq!(lots[0], "Hello, weir! (1 of 5)");
    client.ready().await.unwrap();
    let asked = Request::new(stream::iter([ask("one"), ask("two")]));
    let both = client
        .streaming(asked, path("BidiHello"), codec())
        .await
        .unwrap();
    assert_eq!(all(both.into_inner()).await, ["Hello, one!", "Hello, two!"]);
}

#[tokio::test]
async fn what_is_wrong_has_a_status() {
    let mut client = client().await;
    let nobody = client
        .unary(Request::new(ask("")), path("SayHello"), codec())
        .await
        .unwrap_err();
    assert_eq!(nobody.code(), tonic::Code::InvalidArgument);
    client.ready().await.unwrap();
    let nothing = client
        .unary(Request::new(ask("weir")), path("Sing"), codec())
        .await
        .unwrap_err();
    assert_eq!(nothing.code(), tonic::Code::Unimplemented);
    client.ready().await.unwrap();
    let many = Request::new(stream::iter((0..=MAX_NAMES).map(|_| ask("weir"))));
    let many = client
        .client_streaming(many, path("LotsOfGreetings"), codec())
        .await
        .unwrap_err();
    assert_eq!(many.code(), tonic::Code::ResourceExhausted);
}

#[test]
fn the_messages_are_as_described() {
    let set = messages::descriptors().encode_to_vec();
    let pool = DescriptorPool::decode(&*set).unwrap();
    let said = |name: &str, bytes: Vec<u8>| {
        let described = pool.get_message_by_name(name).unwrap();
        assert!(matches!(
            described.fields().next().unwrap().kind(),
            Kind::String
        ));
        let message = DynamicMessage::decode(described, &*bytes).unwrap();
        serde_json::to_value(message).unwrap()
    };
    let request = said("weir.demo.HelloRequest", ask("weir").encode_to_vec());
    assert_eq!(request, serde_json::json!({"name": "weir"}));
    let reply = said(
        "weir.demo.HelloReply",
        hello("weir").unwrap().encode_to_vec(),
    );
    assert_eq!(reply, serde_json::json!({"message": "Hello, weir!"}));
    let methods = pool.get_service_by_name(SERVICE).unwrap().methods().count();
    assert_eq!(methods, 4);
}
