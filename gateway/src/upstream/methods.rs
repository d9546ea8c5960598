//! What can be called at an upstream: asks one of its endpoints by server reflection
//! (grpc.reflection.v1, or v1alpha of older servers). For operators only: no request waits for it.

use std::time::Duration;

use bytes::Bytes;
use pingora_core::connectors::http::v2::ConnectionRef;
use weir_protocols::grpc::descriptor::Pool;
use weir_protocols::grpc::frame::{Head, write_head};
use weir_protocols::grpc::reflection::{Limits, Reader, V1, V1ALPHA};
use weir_protocols::grpc::status::Code;

use super::dial::Protocol;
use super::health::connect_http2;
use super::probe::grpc::{self, Failed};
use super::session::Session;
use super::{Endpoint, Upstream};

/// How long all questions to an endpoint may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// The longest answer, in bytes: a file and all that it imports.
const MAX_ANSWER: u32 = 16 << 20;

impl Upstream {
    /// Asks an endpoint for its services and what they are made of; one that is well, if there is one.
    ///
    /// # Errors
    /// If none can be asked, or the one that is does not say.
    pub(crate) async fn methods(&self) -> Result<Pool, String> {
        if self.dialer.protocol() != Protocol::Http2 {
            return Err(format!("{} speaks http1, and gRPC is HTTP/2", self.name));
        }
        let mut endpoints = self.endpoints.iter();
        let well = endpoints.find(|endpoint| endpoint.is_healthy());
        let endpoint = well
            .or(self.endpoints.first())
            .ok_or_else(|| format!("{} has no endpoint", self.name))?;
        let asking = tokio::time::timeout(PATIENCE, ask(self, endpoint)).await;
        let late = || Err(format!("it has not said all within {PATIENCE:?}"));
        let asked = asking.unwrap_or_else(|_| late());
        asked.map_err(|why| format!("{}: {why}", endpoint.name))
    }
}

async fn ask(upstream: &Upstream, endpoint: &Endpoint) -> Result<Pool, String> {
    if endpoint.resolved.current().is_empty() {
        endpoint.resolved.refresh().await?;
    }
    let mut failed = Err("the name has no address".to_owned());
    for address in endpoint.resolved.current().iter() {
        match connect_http2(upstream, endpoint, *address, PATIENCE).await {
            Ok(connection) => return read(&connection, &endpoint.name).await,
            Err(why) => failed = Err(why),
        }
    }
    failed
}

/// Asks all there is to ask, each question by a call of its own.
async fn read(connection: &ConnectionRef, host: &str) -> Result<Pool, String> {
    let mut reader = Reader::new(Limits::default());
    let mut path = V1;
    while let Some(question) = reader.question() {
        let session = Session::http2(connection).await;
        let session = session.map_err(|error| error.to_string())?;
        let session = session.ok_or("the connection takes no more streams")?;
        let message = framed(&question.encode());
        match grpc::call(session, (host, path), message, (PATIENCE, MAX_ANSWER)).await {
            Ok(answer) => reader.answer(&answer).map_err(|fault| fault.to_string())?,
            Err(Failed {
                code: Some(Code::Unimplemented),
                ..
            }) if path == V1 => path = V1ALPHA,
            Err(Failed {
                code: Some(Code::Unimplemented),
                ..
            }) => return Err("it has no server reflection".to_owned()),
            Err(failed) => return Err(failed.why),
        }
    }
    reader.pool().map_err(|fault| fault.to_string())
}

fn framed(message: &[u8]) -> Bytes {
    let head = Head {
        compressed: false,
        length: u32::try_from(message.len()).unwrap_or(u32::MAX),
    };
    [&write_head(head)[..], message].concat().into()
}
