//! The method of gRPC by which records of a topic are given out.

use std::sync::Arc;

use super::Method;
use crate::config::check::{At, Checker};
use crate::config::raw::grpc_method as raw_method;
pub use crate::config::raw::grpc_method::Value;
use crate::config::raw::subscribe::{self as raw, Format};
use crate::config::routes::actions::Around;
use crate::grpc_events;

/// A method of gRPC that gives out records.
#[derive(Debug, Clone)]
pub struct Call {
    /// The method.
    pub method: Method,
    /// The field of its requests that says where the caller is. None, where they are
    /// `weir.events.v1.SubscribeRequest`, which say that and more.
    pub asks: Asks,
    /// What its answers are.
    pub tells: Tells,
}

/// What requests are.
#[derive(Debug, Clone)]
pub enum Asks {
    /// `weir.events.v1.SubscribeRequest`.
    Own,
    /// Another message, and the name of its field that has a cursor, if it has one.
    Message(Option<Arc<str>>),
}

/// What answers are.
#[derive(Debug, Clone, Copy)]
pub enum Tells {
    /// `weir.events.v1.Event`.
    Events,
    /// The messages that records have for values, and the number of the field that cursors go to, if one
    /// does.
    Messages(Value, Option<u32>),
}

/// Checks the method, and that nothing is said that is of other ways to be told.
pub(in crate::config::routes) fn check(
    cx: &mut Checker<'_>,
    at: &At,
    raw: &raw::Subscribe,
    grpc: &raw_method::Subscribed,
    around: &Around<'_>,
) -> Option<Call> {
    check_others(cx, at, raw);
    let at = at.key("grpc");
    let said = (&*grpc.method, grpc.descriptors.as_deref());
    let method = super::check(cx, &at, said, around)?;
    if method.client_streaming || !method.server_streaming {
        let message = "records are given out by a server stream, and this method is none";
        let hint = "name one that takes a message and returns a stream";
        cx.fault(&at.key("method"), message, hint);
        return None;
    }
    let own = method.output.name() == grpc_events::EVENT;
    let unsaid = match own {
        true => Some("weir.events.v1.Event has values as they are"),
        false => None,
    };
    let value = super::check_value(cx, &at, (grpc.value, raw.schema.is_some()), unsaid);
    let (asked, told) = check_cursor(cx, &at.key("cursor"), grpc.cursor.as_deref(), &method);
    Some(Call {
        asks: match method.input.name() {
            grpc_events::SUBSCRIBE_REQUEST => Asks::Own,
            _ => Asks::Message(asked.and(grpc.cursor.as_deref()).map(Into::into)),
        },
        tells: match own {
            true => Tells::Events,
            false => Tells::Messages(value, told),
        },
        method,
    })
}

fn check_others(cx: &mut Checker<'_>, at: &At, raw: &raw::Subscribe) {
    let (wait, records) = (
        raw::Subscribe::default_max_wait(),
        raw::Subscribe::default_max_records(),
    );
    let (window, message) = (
        raw::Subscribe::default_max_unacknowledged(),
        raw::Subscribe::default_max_message(),
    );
    for (key, said) in [
        ("format", raw.format != Format::default()),
        ("max_wait", raw.max_wait != wait),
        ("max_records", raw.max_records != records),
        ("max_unacknowledged", raw.max_unacknowledged != window),
        ("origins", raw.origins.is_some()),
        ("max_message", raw.max_message != message),
    ] {
        if said {
            let message =
                "this is of events, WebSockets and polling, and the route is called by gRPC";
            cx.fault(&at.key(key), message, "leave it out");
        }
    }
}

/// The field called `name` of what is asked and of what is told: one of them has to have it.
fn check_cursor(
    cx: &mut Checker<'_>,
    at: &At,
    name: Option<&str>,
    method: &Method,
) -> (Option<u32>, Option<u32>) {
    let Some(name) = name else {
        return (None, None);
    };
    if method.output.name() == grpc_events::EVENT {
        let message = "weir.events.v1.Event has a field for cursors";
        cx.fault(at, message, "leave it out");
        return (None, None);
    }
    let fields = (
        method.input.text_field(name),
        method.output.text_field(name),
    );
    if fields == (None, None) {
        let (asks, tells) = (method.input.name(), method.output.name());
        let message = format!("neither {asks} nor {tells} has a field of text called \"{name}\"");
        cx.fault(at, message, "name one of them, or leave it out");
    }
    fields
}
