//! `routes[].subscribe`, checked.

use std::sync::Arc;
use std::time::Duration;

use weir_protocols::pointer::Pointer;

use super::actions::Around;
use super::method::subscribe::{self as call, Call};
use super::schema::{self, Schema};
use super::topic::{self, Topic};
use super::websocket::Terms;
use crate::config::check::{At, Checker};
use crate::config::policies::cors::check_origins;
use crate::config::raw::subscribe as raw;
use crate::config::template::Template;

pub use raw::{Format, Start};

/// The subprotocol that callers may ask for.
pub const SUBPROTOCOL: &str = "weir.subscribe.v1";

/// Gives out the records of a Kafka topic.
#[derive(Debug, Clone)]
pub struct Subscribe {
    /// Of which.
    pub topic: Topic,
    /// Where callers begin that ask for nothing else.
    pub start: Start,
    /// Which of them.
    pub filter: Filter,
    /// What is said of one.
    pub format: Format,
    /// What their values are, if they are not shown as they are.
    pub schema: Option<Schema>,
    /// How long callers that poll may wait.
    pub max_wait: Duration,
    /// How many records they may be given at once.
    pub max_records: usize,
    /// How many records may be under way on a WebSocket.
    pub max_unacknowledged: usize,
    /// What is allowed of WebSockets.
    pub terms: Terms,
    /// By which method of gRPC it is called, if it is called so.
    pub call: Option<Call>,
}

/// Which records are given out: those that have all of this.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Their key.
    pub key: Option<Template>,
    /// Headers.
    pub headers: Vec<(Arc<str>, Template)>,
    /// What is at JSON pointers in their value.
    pub json: Vec<(Pointer, Template)>,
}

/// Checks the action.
pub(super) fn check(
    cx: &mut Checker<'_>,
    at: &At,
    raw: &raw::Subscribe,
    around: &Around<'_>,
) -> Option<Subscribe> {
    let asking = Asking {
        around,
        of_message: raw.grpc.is_some(),
    };
    let name = asking.template(cx, &at.key("topic"), &raw.topic);
    let topic = topic::check(cx, at, &raw.cluster, name, around);
    let filter = check_filter(cx, &at.key("filter"), &raw.filter, &asking);
    let schema = raw.schema.as_ref();
    let schema = schema.map(|it| schema::check_read(cx, &at.key("schema"), it, around.owner()));
    let call = match &raw.grpc {
        Some(grpc) => Some(call::check(cx, at, raw, grpc, around)?),
        None => None,
    };
    let origins = raw.origins.as_ref();
    let origins = origins.map(|origins| check_origins(cx, &at.key("origins"), origins));
    Some(Subscribe {
        topic: topic?,
        start: raw.start,
        filter: filter?,
        format: raw.format,
        schema: match schema {
            Some(schema) => Some(schema?),
            None => None,
        },
        max_wait: raw.max_wait.0,
        max_records: raw.max_records,
        max_unacknowledged: raw.max_unacknowledged,
        terms: Terms {
            may_use_none: true,
            ..Terms::speaking(SUBPROTOCOL, origins, raw.max_message.0)
        },
        call,
    })
}

/// What callers say of themselves: a message over gRPC, and else no body.
struct Asking<'a> {
    around: &'a Around<'a>,
    of_message: bool,
}

impl Asking<'_> {
    fn template(&self, cx: &mut Checker<'_>, at: &At, text: &str) -> Option<Template> {
        match self.of_message {
            true => self.around.record_template(cx, at, text),
            false => self.around.caller_template(cx, at, text),
        }
    }
}

fn check_filter(
    cx: &mut Checker<'_>,
    at: &At,
    raw: &raw::Filter,
    asking: &Asking<'_>,
) -> Option<Filter> {
    let mut filter = Filter::default();
    if let Some(key) = &raw.key {
        filter.key = Some(asking.template(cx, &at.key("key"), key)?);
    }
    for (name, text) in &raw.headers {
        let value = asking.template(cx, &at.key("headers").key(name), text)?;
        filter.headers.push((name.as_str().into(), value));
    }
    for (pointer, text) in &raw.json {
        let at = at.key("json").key(pointer);
        let Ok(pointer) = Pointer::parse(pointer) else {
            let message = format!("\"{pointer}\" is no JSON pointer");
            cx.fault(&at, message, "write it as /customer/id (RFC 6901)");
            return None;
        };
        let value = asking.template(cx, &at, text)?;
        filter.json.push((pointer, value));
    }
    Some(filter)
}

/// The templates of the action, and where each is.
pub(super) fn templates<'s>(at: &At, subscribe: &'s Subscribe) -> Vec<(At, &'s Template)> {
    let Filter { key, headers, json } = &subscribe.filter;
    let filter = at.key("filter");
    let topic = (at.key("topic"), &subscribe.topic.name);
    let key = key.as_ref().map(|key| (filter.key("key"), key));
    let headers = headers.iter();
    let headers = headers.map(|(name, value)| (filter.key("headers").key(name), value));
    let json = json.iter();
    let json = json.map(|(at, value)| (filter.key("json").key(&at.to_string()), value));
    let all = [topic].into_iter().chain(key).chain(headers).chain(json);
    all.collect()
}
