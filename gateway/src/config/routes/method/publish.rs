//! The method of gRPC by which records are taken for a topic.

use serde_json::json;

use super::Method;
use crate::config::check::{At, Checker};
use crate::config::raw::grpc_method as raw_method;
pub use crate::config::raw::grpc_method::Value;
use crate::config::raw::publish as raw;
use crate::config::routes::actions::Around;
use crate::config::routes::record::Record;
use crate::grpc_events;

/// A method of gRPC whose messages become records.
#[derive(Debug, Clone)]
pub struct Call {
    /// The method.
    pub method: Method,
    /// What its requests are.
    pub takes: Takes,
    /// Whether its answers are those of `weir.events.v1`. In messages of other types those fields are
    /// filled in that they have: `records` of all; `topic`, `partition` and `offset` of one.
    pub answers_own: bool,
}

/// What requests are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Takes {
    /// `weir.events.v1.PublishRequest`.
    Own,
    /// Messages that are the values of records.
    Message {
        /// As what.
        value: Value,
        /// Whether a schema makes that another thing.
        by_schema: bool,
        /// Whether templates look into them.
        looked_into: bool,
    },
}

impl Call {
    /// Whether it answers once, and for all that a stream brought.
    pub fn answers_for_all(&self) -> bool {
        self.method.client_streaming && !self.method.server_streaming
    }
}

/// Checks the method, and that nothing is said that is of bodies.
pub(in crate::config::routes) fn check(
    cx: &mut Checker<'_>,
    at: &At,
    raw: &raw::Publish,
    (grpc, record): (&raw_method::Published, &Record),
    around: &Around<'_>,
) -> Option<Call> {
    check_others(cx, at, raw);
    let at = at.key("grpc");
    let said = (&*grpc.method, grpc.descriptors.as_deref());
    let method = super::check(cx, &at, said, around)?;
    if method.server_streaming && !method.client_streaming {
        let message =
            "records are taken one at a time or by a client stream, and this is a server stream";
        cx.fault(
            &at.key("method"),
            message,
            "give records out by `subscribe`, or name another",
        );
        return None;
    }
    let own = method.input.name() == grpc_events::PUBLISH_REQUEST;
    let unsaid = match own {
        true => Some("weir.events.v1.PublishRequest has values as they are"),
        false => None,
    };
    let by_schema = raw.schema.is_some();
    let value = super::check_value(cx, &at, (grpc.value, by_schema), unsaid);
    let takes = match own {
        true => Takes::Own,
        false => Takes::Message {
            value,
            by_schema,
            looked_into: record.reads_body(),
        },
    };
    let mut call = Call {
        method,
        takes,
        answers_own: false,
    };
    call.answers_own = check_answers(cx, &at.key("method"), &call)?;
    Some(call)
}

fn check_others(cx: &mut Checker<'_>, at: &At, raw: &raw::Publish) {
    for (key, said) in [
        ("batch", raw.batch.is_some()),
        ("cloud_events", raw.cloud_events.is_some()),
        ("idempotency", raw.idempotency.is_some()),
        ("async", raw.r#async),
    ] {
        if said {
            let message = "this is of requests with a body, and the route takes messages of gRPC";
            cx.fault(&at.key(key), message, "leave it out, or `grpc`");
        }
    }
}

/// Whether the method answers in words of `weir.events.v1`; else it has to have words for its own.
fn check_answers(cx: &mut Checker<'_>, at: &At, call: &Call) -> Option<bool> {
    let answer = &call.method.output;
    let (message, hint) = match (answer.name(), call.answers_for_all()) {
        (grpc_events::PUBLISH_SUMMARY, true) | (grpc_events::PUBLISH_RESULT, false) => {
            return Some(true);
        }
        (grpc_events::PUBLISH_SUMMARY, false) => (
            "PublishSummary is said of all records of a client stream".to_owned(),
            "have the method answer with PublishResult",
        ),
        (grpc_events::PUBLISH_RESULT, true) => (
            "PublishResult is said of one record".to_owned(),
            "have the method answer with PublishSummary",
        ),
        (name, _) => {
            let place = [
                ("records", json!(1)),
                ("topic", json!("orders")),
                ("partition", json!(1)),
                ("offset", json!(1)),
            ];
            let Err(fault) = answer.fill(&place) else {
                return Some(false);
            };
            (
                format!("{name} cannot say what was written: {fault}"),
                "its fields `records`, `topic`, `partition` and `offset`, as far as it has them, are to hold \
                 numbers and, for the topic, a text",
            )
        }
    };
    cx.fault(at, message, hint);
    None
}
