//! `routes[].subscribe`, checked.

use std::sync::Arc;
use std::time::Duration;

use super::actions::Around;
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
    /// How long callers that poll may wait.
    pub max_wait: Duration,
    /// How many records they may be given at once.
    pub max_records: usize,
    /// How many records may be under way on a WebSocket.
    pub max_unacknowledged: usize,
    /// What is allowed of WebSockets.
    pub terms: Terms,
}

/// Which records are given out: those that have all of this.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Their key.
    pub key: Option<Template>,
    /// Headers.
    pub headers: Vec<(Arc<str>, Template)>,
    /// What is at JSON pointers in their value.
    pub json: Vec<(Arc<str>, Template)>,
}

/// Checks the action.
pub(super) fn check(
    cx: &mut Checker<'_>,
    at: &At,
    raw: &raw::Subscribe,
    around: &Around<'_>,
) -> Option<Subscribe> {
    let topic = topic::check(cx, at, &raw.cluster, &raw.topic, around);
    let filter = check_filter(cx, &at.key("filter"), &raw.filter, around);
    let origins = raw.origins.as_ref();
    let origins = origins.map(|origins| check_origins(cx, &at.key("origins"), origins));
    Some(Subscribe {
        topic: topic?,
        start: raw.start,
        filter: filter?,
        format: raw.format,
        max_wait: raw.max_wait.0,
        max_records: raw.max_records,
        max_unacknowledged: raw.max_unacknowledged,
        terms: Terms {
            may_use_none: true,
            ..Terms::speaking(SUBPROTOCOL, origins, raw.max_message.0)
        },
    })
}

fn check_filter(
    cx: &mut Checker<'_>,
    at: &At,
    raw: &raw::Filter,
    around: &Around<'_>,
) -> Option<Filter> {
    let mut filter = Filter::default();
    if let Some(key) = &raw.key {
        filter.key = Some(around.template(cx, &at.key("key"), key)?);
    }
    for (name, text) in &raw.headers {
        let value = around.template(cx, &at.key("headers").key(name), text)?;
        filter.headers.push((name.as_str().into(), value));
    }
    for (pointer, text) in &raw.json {
        let at = at.key("json").key(pointer);
        if !is_pointer(pointer) {
            let message = format!("\"{pointer}\" is no JSON pointer");
            cx.fault(&at, message, "write it as /customer/id (RFC 6901)");
            return None;
        }
        let value = around.template(cx, &at, text)?;
        filter.json.push((pointer.as_str().into(), value));
    }
    Some(filter)
}

/// Whether text is a JSON pointer (RFC 6901).
pub(crate) fn is_pointer(text: &str) -> bool {
    let escapes = text.split('~').skip(1);
    (text.is_empty() || text.starts_with('/'))
        && escapes
            .into_iter()
            .all(|after| after.starts_with(['0', '1']))
}
