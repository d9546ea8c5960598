//! Messages on their way from a caller: counted, bounded, and taken out of gRPC-Web.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use weir_protocols::grpc::content_type::Wire;
use weir_protocols::grpc::frame::{self, Watch, What};
use weir_protocols::grpc::status;
use weir_protocols::grpc::web::{self, Decoder, Encoding};
use weir_telemetry::Code;

use crate::error::GatewayError;
use crate::policy::{Filter, Unit, Units};

/// What sees the body of a call pass.
pub(super) struct Inflow {
    body: Body,
    messages: Arc<AtomicU64>,
}

enum Body {
    Native(Watch),
    Web(Box<Decoder>),
}

impl Inflow {
    /// At the start of a call; counts into `messages`.
    pub(super) fn new(wire: Wire, max: u32, messages: Arc<AtomicU64>) -> Self {
        let body = match wire {
            Wire::Native => Body::Native(Watch::new(max)),
            Wire::Web => Body::Web(Box::new(Decoder::new(Encoding::Binary, max))),
            Wire::WebText => Body::Web(Box::new(Decoder::new(Encoding::Text, max))),
        };
        Self { body, messages }
    }

    fn see(&mut self, chunk: Bytes) -> Result<(Bytes, u64), web::Fault> {
        match &mut self.body {
            Body::Native(watch) => {
                watch.see(&chunk)?;
                Ok((chunk, watch.seen().messages))
            }
            Body::Web(decoder) => {
                let chunk = decoder.decode(chunk)?;
                Ok((chunk, decoder.seen().messages))
            }
        }
    }
}

impl Filter for Inflow {
    fn unit(&mut self, unit: Unit, out: &mut Units) -> Result<(), GatewayError> {
        let chunk = self.bytes(unit.into_bytes())?;
        out.push(Unit::Bytes(chunk));
        Ok(())
    }

    fn bytes(&mut self, chunk: Bytes) -> Result<Bytes, GatewayError> {
        let (chunk, seen) = self.see(chunk).map_err(error)?;
        self.messages.store(seen, Ordering::Relaxed);
        Ok(chunk)
    }

    fn end(&mut self, _out: &mut Units) -> Result<(), GatewayError> {
        let ended = match &self.body {
            Body::Native(watch) => watch.finish().map_err(web::Fault::from),
            Body::Web(decoder) => decoder.finish(),
        };
        ended.map_err(error)
    }
}

fn error(fault: web::Fault) -> GatewayError {
    let too_long = matches!(
        fault,
        web::Fault::Frame(frame::Fault {
            what: What::TooLong { .. },
            ..
        })
    );
    let text = format!("In the request, {fault}.");
    if too_long {
        return GatewayError::public(Code::MessageTooLarge, text);
    }
    // As servers say of a body that is no stream of messages.
    GatewayError::public(Code::RequestBodyInvalid, text).rpc(status::Code::Internal)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inflow(wire: Wire) -> (Inflow, Arc<AtomicU64>) {
        let messages = Arc::new(AtomicU64::new(0));
        (Inflow::new(wire, 4, messages.clone()), messages)
    }

    #[test]
    fn a_message_beyond_the_limit_is_refused_at_its_head() {
        let (mut inflow, messages) = inflow(Wire::Native);
        let good = Bytes::from_static(b"\0\0\0\0\x02hi");
        assert_eq!(inflow.bytes(good.clone()).expect("it is short"), good);
        assert_eq!(messages.load(Ordering::Relaxed), 1);
        let error = inflow
            .bytes(Bytes::from_static(b"\0\0\0\0\x05"))
            .expect_err("it is too long");
        assert_eq!(error.code, Code::MessageTooLarge);
        assert!(error.public.contains("5 bytes long"), "{}", error.public);
    }

    #[test]
    fn what_is_no_stream_of_messages_is_told_where() {
        let (mut inflow, _) = inflow(Wire::Native);
        let chunk = Bytes::from_static(b"\0\0\0\0\x02h");
        inflow.bytes(chunk).expect("a part of a message");
        let error = inflow.end(&mut Units::default()).expect_err("it is cut");
        assert_eq!(error.code, Code::RequestBodyInvalid);
        assert_eq!(error.rpc, Some(status::Code::Internal));
        assert!(error.public.contains("1 bytes too early"));
    }

    #[test]
    fn text_becomes_what_a_server_reads() {
        let (mut inflow, messages) = inflow(Wire::WebText);
        let mut units = Units::default();
        let text = Bytes::from_static(b"AAAAAAJoaQ==");
        inflow
            .unit(Unit::Bytes(text), &mut units)
            .expect("it is base64");
        assert_eq!(units.into_bytes(), &b"\0\0\0\0\x02hi"[..]);
        assert_eq!(messages.load(Ordering::Relaxed), 1);
    }
}
