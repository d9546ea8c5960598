//! A WebSocket connection on the SERVER span of its handshake, which lasts as long as it.
//!
//! OpenTelemetry has no conventions for it: names are ours.

use super::{number, text};
use crate::record::websocket::WebSocket;
use opentelemetry::KeyValue;
use opentelemetry::trace::Event;
use opentelemetry_sdk::trace::SpanEvents;
use std::time::SystemTime;

/// What was agreed on and what passed.
pub(super) fn attributes(websocket: &WebSocket) -> Vec<KeyValue> {
    let (received, sent) = (websocket.from_client, websocket.from_upstream);
    let mut attributes = vec![
        KeyValue::new("weir.websocket.compressed", websocket.compressed),
        number("weir.websocket.messages.received", received.count),
        number("weir.websocket.messages.received.size", received.bytes),
        number("weir.websocket.messages.sent", sent.count),
        number("weir.websocket.messages.sent.size", sent.bytes),
    ];
    if let Some(subprotocol) = &websocket.subprotocol {
        attributes.push(text("weir.websocket.subprotocol", subprotocol));
    }
    attributes
}

/// When it was opened, and when it was closed, by whom and why.
pub(super) fn events(started_at: SystemTime, websocket: &WebSocket) -> SpanEvents {
    let open = Event::new(
        "websocket.open",
        started_at + websocket.opened,
        Vec::new(),
        0,
    );
    let close = websocket.close.as_ref().map(|close| {
        let mut attributes = vec![KeyValue::new(
            "weir.websocket.close.initiator",
            close.by.as_str(),
        )];
        if let Some(code) = close.code {
            attributes.push(number("weir.websocket.close.code", code.into()));
        }
        Event::new("websocket.close", started_at + close.at, attributes, 0)
    });
    let mut events = SpanEvents::default();
    events.events.push(open);
    events.events.extend(close);
    events
}
