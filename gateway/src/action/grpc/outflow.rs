//! Messages on their way to a caller: counted, bounded, and put into gRPC-Web.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};
use weir_protocols::grpc::content_type::Wire;
use weir_protocols::grpc::frame::{Fault, Seen, Watch, What};
use weir_protocols::grpc::web::{Encoder, Encoding};
use weir_telemetry::Code;

use crate::error::GatewayError;

/// What sees the body of an answer pass.
pub(super) struct Outflow {
    wire: Wire,
    body: Body,
}

enum Body {
    Native(Watch),
    Web(Encoder),
}

/// How an answer ends for its caller.
pub(super) enum End {
    /// With trailers.
    Trailers(HeaderMap),
    /// With bytes in which the trailers are.
    Bytes(Bytes),
}

impl Outflow {
    /// At the start of an answer.
    pub(super) fn new(wire: Wire, max: u32) -> Self {
        let body = match wire {
            Wire::Native => Body::Native(Watch::new(max)),
            Wire::Web => Body::Web(Encoder::new(Encoding::Binary, max)),
            Wire::WebText => Body::Web(Encoder::new(Encoding::Text, max)),
        };
        Self { wire, body }
    }

    /// The wire of the call.
    pub(super) fn wire(&self) -> Wire {
        self.wire
    }

    /// What goes to the caller of a piece of the answer.
    pub(super) fn pass(&mut self, chunk: Bytes) -> Result<Bytes, GatewayError> {
        let passed = match &mut self.body {
            Body::Native(watch) => watch.see(&chunk).map(|()| chunk),
            Body::Web(encoder) => encoder.encode(chunk),
        };
        passed.map_err(|fault| error(&fault))
    }

    /// How many messages have gone by.
    pub(super) fn messages(&self) -> u64 {
        let Seen { messages, .. } = match &self.body {
            Body::Native(watch) => watch.seen(),
            Body::Web(encoder) => encoder.seen(),
        };
        messages
    }

    /// Whether the answer may end here.
    pub(super) fn check(&self) -> Result<(), GatewayError> {
        match &self.body {
            Body::Native(watch) => watch.finish().map_err(|fault| error(&fault)),
            // It says so itself when it ends.
            Body::Web(_) => Ok(()),
        }
    }

    /// Ends the answer with these trailers.
    pub(super) fn end(self, trailers: HeaderMap) -> Result<End, GatewayError> {
        match self.body {
            Body::Native(_) => Ok(End::Trailers(trailers)),
            Body::Web(encoder) => {
                let field = |(name, value): (&'_ HeaderName, &'_ HeaderValue)| {
                    (name.as_str().to_owned(), value.as_bytes().to_vec())
                };
                let fields: Vec<_> = trailers.iter().map(field).collect();
                let fields = fields.iter().map(|(name, value)| (&**name, &**value));
                let bytes = encoder.finish(fields).map_err(|fault| error(&fault))?;
                Ok(End::Bytes(bytes))
            }
        }
    }
}

pub(super) fn error(fault: &Fault) -> GatewayError {
    let code = match fault.what {
        What::TooLong { .. } => Code::ResponseMessageTooLarge,
        What::Flag(_) => Code::HttpProtocolError,
        What::Cut { .. } => Code::HttpResponseIncomplete,
    };
    GatewayError::new(code).source(format!("in the answer, {fault}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_with_an_answer_is_the_upstreams() {
        for (chunk, code) in [
            (&b"\0\0\0\0\x05"[..], Code::ResponseMessageTooLarge),
            (b"<html>", Code::HttpProtocolError),
        ] {
            let mut outflow = Outflow::new(Wire::Native, 4);
            let error = outflow.pass(Bytes::from_static(chunk));
            assert_eq!(error.expect_err("it is wrong").code, code);
        }
        let mut outflow = Outflow::new(Wire::Web, 4);
        let half = outflow.pass(Bytes::from_static(b"\0\0\0\0\x02h"));
        half.expect("a part of a message");
        let ended = outflow.end(HeaderMap::new()).map(|_| ());
        assert_eq!(
            ended.expect_err("it is cut").code,
            Code::HttpResponseIncomplete
        );
    }
}
