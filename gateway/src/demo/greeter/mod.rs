//! The demo's gRPC server: a greeter with a method of each of the four kinds, its health, and the
//! description of all that for tools.
//!
//! It does not know that gRPC-Web exists, nor calls in JSON; those are the gateway's.

mod messages;

use std::convert::Infallible;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::future::BoxFuture;
use futures_util::stream::{self, BoxStream};
use http::Response;
use hyper::body::Incoming;
use messages::{HelloReply, HelloRequest};
use prost::Message as _;
use tonic::body::Body;
use tonic::codegen::Service as _;
use tonic::server::{
    ClientStreamingService, Grpc, ServerStreamingService, StreamingService, UnaryService,
};
use tonic::{Request, Status, Streaming};
use tonic_health::ServingStatus;
use tonic_prost::ProstCodec;

/// The service, as routes and probes name it.
pub(super) const SERVICE: &str = "weir.demo.Greeter";

/// How many replies "lots" are, and how long each lets wait.
const LOTS: usize = 5;
const PAUSE: Duration = Duration::from_millis(300);

/// The most names that one call is told.
const MAX_NAMES: usize = 100;

type Answering = BoxFuture<'static, Response<Body>>;
type Replies = BoxStream<'static, Result<HelloReply, Status>>;

/// The greeter's description, as a file has it.
pub(super) fn descriptors() -> Vec<u8> {
    messages::descriptors().encode_to_vec()
}

/// What answers calls of the greeter, of health and of reflection.
pub(super) async fn service()
-> impl Fn(http::Request<Incoming>) -> Answering + Clone + Send + 'static {
    let (reporter, health) = tonic_health::server::health_reporter();
    reporter
        .set_service_status(SERVICE, ServingStatus::Serving)
        .await;
    let described = || {
        tonic_reflection::server::Builder::configure()
            .register_file_descriptor_set(messages::descriptors())
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
    };
    let reflection = described().build_v1().expect("the description is whole");
    // what tools from before 2024 ask
    let reflection_alpha = described().build_v1alpha().expect("the same description");
    move |request| {
        let (mut health, mut reflection, mut reflection_alpha) =
            (health.clone(), reflection.clone(), reflection_alpha.clone());
        Box::pin(async move {
            let path = request.uri().path().to_owned();
            let called = path.strip_prefix('/').unwrap_or_default();
            let (service, method) = called.split_once('/').unwrap_or_default();
            let answered: Result<_, Infallible> = match service {
                SERVICE => Ok(greet(method, request).await),
                "grpc.health.v1.Health" => health.call(request).await,
                "grpc.reflection.v1.ServerReflection" => reflection.call(request).await,
                "grpc.reflection.v1alpha.ServerReflection" => reflection_alpha.call(request).await,
                _ => Ok(Status::unimplemented("no such service").into_http()),
            };
            let Ok(response) = answered;
            response
        })
    }
}

async fn greet(method: &str, request: http::Request<Incoming>) -> Response<Body> {
    let mut grpc = Grpc::new(ProstCodec::<HelloReply, HelloRequest>::default());
    match method {
        "SayHello" => grpc.unary(SayHello, request).await,
        "LotsOfReplies" => grpc.server_streaming(LotsOfReplies, request).await,
        "LotsOfGreetings" => grpc.client_streaming(LotsOfGreetings, request).await,
        "BidiHello" => grpc.streaming(BidiHello, request).await,
        _ => Status::unimplemented("no such method").into_http(),
    }
}

fn hello(name: &str) -> Result<HelloReply, Status> {
    if name.is_empty() {
        return Err(Status::invalid_argument("whom to greet? Say a name"));
    }
    Ok(HelloReply {
        message: format!("Hello, {name}!"),
    })
}

/// One request, one reply.
struct SayHello;

impl UnaryService<HelloRequest> for SayHello {
    type Response = HelloReply;
    type Future = BoxFuture<'static, Result<tonic::Response<HelloReply>, Status>>;

    fn call(&mut self, request: Request<HelloRequest>) -> Self::Future {
        Box::pin(async move { hello(&request.into_inner().name).map(tonic::Response::new) })
    }
}

/// One request, some replies, one after the other.
struct LotsOfReplies;

impl ServerStreamingService<HelloRequest> for LotsOfReplies {
    type Response = HelloReply;
    type ResponseStream = Replies;
    type Future = BoxFuture<'static, Result<tonic::Response<Replies>, Status>>;

    fn call(&mut self, request: Request<HelloRequest>) -> Self::Future {
        Box::pin(async move {
            let reply = hello(&request.into_inner().name)?;
            let replies = stream::iter(1..=LOTS).then(move |count| {
                let message = format!("{} ({count} of {LOTS})", reply.message);
                async move {
                    tokio::time::sleep(PAUSE).await;
                    Ok(HelloReply { message })
                }
            });
            Ok(tonic::Response::new(replies.boxed()))
        })
    }
}

/// Some requests, one reply for all.
struct LotsOfGreetings;

impl ClientStreamingService<HelloRequest> for LotsOfGreetings {
    type Response = HelloReply;
    type Future = BoxFuture<'static, Result<tonic::Response<HelloReply>, Status>>;

    fn call(&mut self, request: Request<Streaming<HelloRequest>>) -> Self::Future {
        Box::pin(async move {
            let mut requests = request.into_inner();
            let mut names = Vec::new();
            while let Some(HelloRequest { name }) = requests.message().await? {
                if names.len() == MAX_NAMES {
                    let why = format!("at most {MAX_NAMES} names are greeted together");
                    return Err(Status::resource_exhausted(why));
                }
                names.push(name);
            }
            hello(&names.join(", ")).map(tonic::Response::new)
        })
    }
}

/// A reply for each request, as it comes.
struct BidiHello;

impl StreamingService<HelloRequest> for BidiHello {
    type Response = HelloReply;
    type ResponseStream = Replies;
    type Future = BoxFuture<'static, Result<tonic::Response<Replies>, Status>>;

    fn call(&mut self, request: Request<Streaming<HelloRequest>>) -> Self::Future {
        let replies = request
            .into_inner()
            .map(|asked| hello(&asked?.name))
            .boxed();
        Box::pin(async move { Ok(tonic::Response::new(replies)) })
    }
}

#[cfg(test)]
mod tests;
