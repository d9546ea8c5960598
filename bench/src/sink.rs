//! The end of the line for spans: an OTLP/gRPC collector that accepts everything and keeps
//! nothing. It exists so that a contender's exporter does all of its work; it reads no span.

use bytes::Bytes;
use h2::RecvStream;
use h2::server::SendResponse;
use http::{HeaderMap, HeaderValue, Request, Response};
use tokio::net::{TcpListener, TcpStream};
use tokio::task;

/// Accepts exports until the process is stopped.
pub async fn serve(listener: TcpListener) {
    while let Ok((socket, _)) = listener.accept().await {
        // An exporter that goes away takes nothing with it that is wanted here.
        task::spawn_local(async move { converse(socket).await.ok() });
    }
}

async fn converse(socket: TcpStream) -> Result<(), h2::Error> {
    let mut connection = h2::server::handshake(socket).await?;
    while let Some(exchange) = connection.accept().await {
        let (request, reply) = exchange?;
        task::spawn_local(async move { accept(request, reply).await.ok() });
    }
    Ok(())
}

/// Reads one export to its end and answers it with an empty `ExportTraceServiceResponse`: a gRPC
/// message of no bytes, status OK in the trailers.
async fn accept(
    request: Request<RecvStream>,
    mut reply: SendResponse<Bytes>,
) -> Result<(), h2::Error> {
    let mut body = request.into_body();
    while let Some(data) = body.data().await {
        let length = data?.len();
        body.flow_control().release_capacity(length)?;
    }
    let mut head = Response::new(());
    head.headers_mut().insert(
        http::header::CONTENT_TYPE,
        HeaderValue::from_static("application/grpc"),
    );
    let mut stream = reply.send_response(head, false)?;
    stream.send_data(Bytes::from_static(&[0; 5]), false)?;
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from_static("0"));
    stream.send_trailers(trailers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(flavor = "current_thread")]
    async fn an_export_is_answered_with_success() {
        let exports = task::LocalSet::new();
        let trailers = exports.run_until(export(vec![7; 100_000])).await;
        assert_eq!(
            trailers.get("grpc-status"),
            Some(&HeaderValue::from_static("0"))
        );
    }

    /// Sends one export larger than a flow-control window and returns the answer's trailers.
    async fn export(body: Vec<u8>) -> HeaderMap {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        task::spawn_local(serve(listener));
        let socket = TcpStream::connect(address).await.expect("it listens");
        let (mut client, connection) = h2::client::handshake(socket)
            .await
            .expect("it speaks HTTP/2");
        task::spawn_local(async move { connection.await.ok() });
        let request =
            Request::post("http://sink/opentelemetry.proto.collector.trace.v1.TraceService/Export")
                .body(())
                .expect("it is well formed");
        let (answer, mut stream) = client.send_request(request, false).expect("it is open");
        stream.send_data(body.into(), true).expect("it is open");
        let mut answer = answer.await.expect("it answers").into_body();
        let message = answer.data().await.expect("a message").expect("unbroken");
        assert_eq!(message.as_ref(), [0; 5], "an empty message, not compressed");
        answer
            .trailers()
            .await
            .expect("unbroken")
            .expect("gRPC ends with trailers")
    }
}
