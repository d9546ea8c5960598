//! An echo over gRPC: what a call says is answered with the same message and a status.

use bytes::{Bytes, BytesMut};
use h2::RecvStream;
use h2::server::SendResponse;
use http::{HeaderMap, HeaderValue, Request, Response};
use tokio::net::{TcpListener, TcpStream};
use tokio::task;

/// Answers every call with this status until the process is stopped.
pub async fn serve(listener: TcpListener, status: &'static str) {
    let status = HeaderValue::from_static(status);
    while let Ok((socket, _)) = listener.accept().await {
        // Who goes away in the middle is a contender being stopped, or its load fails and says so.
        task::spawn_local(converse(socket, status.clone()));
    }
}

async fn converse(socket: TcpStream, status: HeaderValue) -> Option<()> {
    socket.set_nodelay(true).ok()?;
    let mut connection = h2::server::handshake(socket).await.ok()?;
    while let Some(call) = connection.accept().await {
        let (request, reply) = call.ok()?;
        let status = status.clone();
        task::spawn_local(async move { echo(request, reply, status).await.ok() });
    }
    Some(())
}

async fn echo(
    request: Request<RecvStream>,
    mut reply: SendResponse<Bytes>,
    status: HeaderValue,
) -> Result<(), h2::Error> {
    let mut incoming = request.into_body();
    let mut said = BytesMut::new();
    while let Some(data) = incoming.data().await {
        let data = data?;
        incoming.flow_control().release_capacity(data.len())?;
        said.extend_from_slice(&data);
    }
    let mut head = Response::new(());
    let media = HeaderValue::from_static("application/grpc");
    head.headers_mut().insert(http::header::CONTENT_TYPE, media);
    let mut stream = reply.send_response(head, false)?;
    stream.send_data(said.freeze(), false)?;
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", status);
    stream.send_trailers(trailers)
}
