//! `routes[].websocket`, checked.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use weir_protocols::websocket::handshake;

use super::actions::Around;
use super::destination::{self, Destination};
use super::prompt::Schema;
use crate::config::check::{At, Checker};
use crate::config::policies::cors::{Origin, check_origins};
use crate::config::raw::websocket as raw;

pub use raw::Compression;

/// Passes WebSocket connections to an upstream.
#[derive(Debug, Clone)]
pub struct Websocket {
    /// Where to.
    pub to: Destination,
    /// What is allowed of them.
    pub terms: Terms,
}

/// What is allowed of connections, whoever is at their other end.
#[derive(Debug, Clone)]
pub struct Terms {
    /// Whose pages may open connections; those of the host asked for, if it is not said.
    pub origins: Option<Vec<Origin>>,
    /// Subprotocols callers may use; any, if empty.
    pub subprotocols: Vec<Arc<str>>,
    /// Whether callers may use none, where there are some.
    pub may_use_none: bool,
    /// The largest message in bytes, as it is sent.
    pub max_message: u64,
    /// Whether text messages pass.
    pub text: bool,
    /// Whether binary messages pass.
    pub binary: bool,
    /// How fast callers may send messages.
    pub rate: Option<Rate>,
    /// What callers' text messages have to be; there is no compression then.
    pub schema: Option<Arc<Schema>>,
    /// Whether messages may be compressed.
    pub compression: Compression,
    /// After how much silence a side is sent a ping, and how long it has then; never, if none.
    pub ping: Option<Ping>,
    /// How long a connection without messages is kept.
    pub idle: Duration,
}

impl Terms {
    /// Connections of one subprotocol, whose messages are text that the gateway reads.
    pub(super) fn speaking(
        subprotocol: &str,
        origins: Option<Vec<Origin>>,
        max_message: u64,
    ) -> Self {
        Self {
            origins,
            subprotocols: vec![subprotocol.into()],
            may_use_none: false,
            max_message,
            text: true,
            binary: false,
            rate: None,
            schema: None,
            compression: Compression::Refuse,
            // As on other routes of WebSockets that do not say so.
            ping: Some(Ping {
                after: Duration::from_secs(30),
                timeout: Duration::from_secs(15),
            }),
            idle: Duration::from_secs(3600),
        }
    }
}

/// How fast messages may come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// How many.
    pub messages: NonZeroU32,
    /// In what time; not 0.
    pub every: Duration,
}

/// How silent sides are asked whether they are still there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ping {
    /// After how much silence; not 0.
    pub after: Duration,
    /// How long a side has to say anything then; not 0.
    pub timeout: Duration,
}

/// Checks the action.
pub(super) fn check(
    cx: &mut Checker<'_>,
    at: &At,
    raw: &raw::Websocket,
    around: &Around<'_>,
) -> Option<Websocket> {
    let to = destination::check(cx, at, &raw.backends, raw.rewrite.as_ref(), around);
    let origins = raw
        .origins
        .as_ref()
        .map(|origins| check_origins(cx, &at.key("origins"), origins));
    let subprotocols = check_subprotocols(cx, &at.key("subprotocols"), &raw.subprotocols);
    let schema = match &raw.schema {
        Some(schema) => Some(check_schema(cx, at, schema, raw.compression)?),
        None => None,
    };
    let ping = match raw.keep_alive {
        raw::KeepAlive::None {} => None,
        raw::KeepAlive::Ping { after, timeout } => Some(Ping {
            after: after.0,
            timeout: timeout.0,
        }),
    };
    let terms = Terms {
        origins,
        subprotocols,
        may_use_none: false,
        max_message: raw.max_message.0,
        text: raw.messages.contains(&raw::Kind::Text),
        binary: raw.messages.contains(&raw::Kind::Binary),
        rate: raw.rate.as_ref().and_then(rate),
        schema,
        compression: raw.compression,
        ping,
        idle: raw.idle.0,
    };
    Some(Websocket { to: to?, terms })
}

fn check_subprotocols(cx: &mut Checker<'_>, at: &At, raw: &[String]) -> Vec<Arc<str>> {
    let mut names: Vec<Arc<str>> = Vec::new();
    for (index, name) in raw.iter().enumerate() {
        let at = at.index(index);
        if handshake::protocols([name.as_bytes()]).is_ok_and(|names| names.len() == 1) {
            names.push(name.as_str().into());
        } else {
            let message = format!("\"{name}\" is no name of a subprotocol");
            cx.fault(&at, message, "write it as graphql-transport-ws");
        }
    }
    names
}

fn check_schema(
    cx: &mut Checker<'_>,
    at: &At,
    json: &serde_json::Map<String, Value>,
    compression: Compression,
) -> Option<Arc<Schema>> {
    if compression == Compression::Pass {
        cx.fault(
            &at.key("compression"),
            "what is compressed cannot be held against `schema`",
            "write `compression: refuse`",
        );
        return None;
    }
    match Schema::build(Value::Object(json.clone())) {
        Ok(schema) => Some(Arc::new(schema)),
        Err(why) => {
            cx.fault(
                &at.key("schema"),
                format!("this is no JSON Schema: {why}"),
                "see json-schema.org; a schema refers to nothing beyond itself",
            );
            None
        }
    }
}

fn rate(raw: &raw::Rate) -> Option<Rate> {
    Some(Rate {
        messages: NonZeroU32::new(raw.messages)?,
        every: raw.every.0,
    })
}
