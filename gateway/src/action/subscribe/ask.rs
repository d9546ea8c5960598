//! What a subscriber asks for: from where on, which records, and how many at once.

use std::time::Duration;

use http::HeaderName;
use jiff::Timestamp;
use pingora_http::RequestHeader;
use weir_protocols::pointer::Pointer;
use weir_telemetry::Code;

use super::cursor::Seal;
use super::filter::{Condition, Filter};
use crate::action::template::{self, Values};
use crate::config::routes::subscribe as config;
use crate::config::template::Template;
use crate::config::units::{self, Format as _};
use crate::error::GatewayError;
use crate::grpc_events::SubscribeRequest;
use crate::kafka::Start;

/// What pages send when they come again.
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// What is asked for.
#[derive(Debug)]
pub(super) struct Asked {
    begin: Begin,
    /// Which records.
    pub(super) filter: Filter,
    /// How long to wait for some.
    pub(super) wait: Option<Duration>,
    /// How many at once.
    pub(super) limit: Option<usize>,
}

#[derive(Debug)]
enum Begin {
    Cursor(String),
    Start(Start),
}

impl Asked {
    /// What all are given who ask for nothing else.
    fn new(route: &config::Subscribe, values: &Values<'_>) -> Result<Self, GatewayError> {
        Ok(Self {
            begin: Begin::Start(match route.start {
                config::Start::Earliest => Start::Earliest,
                config::Start::Latest => Start::Latest,
            }),
            filter: filter(&route.filter, values)?,
            wait: None,
            limit: None,
        })
    }

    /// What a message asks for.
    pub(super) fn said(
        route: &config::Subscribe,
        values: &Values<'_>,
        head: &RequestHeader,
        said: SubscribeRequest,
    ) -> Result<Self, GatewayError> {
        let mut asked = Self::new(route, values)?;
        if !said.start.is_empty() {
            asked.begin = Begin::Start(start(&said.start)?);
        }
        if let Some(key) = said.key {
            asked.filter.add(Condition::Key(key));
        }
        for (name, value) in said.headers {
            asked.filter.add(Condition::Header(name, value));
        }
        for (pointer, value) in said.json {
            asked.filter_by(&format!("json.{pointer}"), &value)?;
        }
        asked.resume(Some(said.cursor), head);
        Ok(asked)
    }

    /// Reads a request.
    pub(super) fn read(
        route: &config::Subscribe,
        values: &Values<'_>,
        head: &RequestHeader,
    ) -> Result<Self, GatewayError> {
        let mut asked = Self::new(route, values)?;
        let mut cursor = None;
        for (name, value) in template::query_pairs(head.uri.query().unwrap_or_default()) {
            match &*name {
                "cursor" => cursor = Some(value.into_owned()),
                "start" => asked.begin = Begin::Start(start(&value)?),
                "wait" => asked.wait = Some(wait(&value, route.max_wait)?),
                "limit" => asked.limit = Some(limit(&value)?),
                "key" => asked.filter.add(Condition::Key(value.into_owned())),
                _ => asked.filter_by(&name, &value)?,
            }
        }
        asked.resume(cursor, head);
        Ok(asked)
    }

    /// Goes on where a cursor says, if there is one.
    fn resume(&mut self, mut cursor: Option<String>, head: &RequestHeader) {
        if let Some(last) = head.headers.get(LAST_EVENT_ID) {
            // It is newer than what the page was opened with.
            cursor = last.to_str().ok().map(ToOwned::to_owned).or(cursor);
        }
        if let Some(cursor) = cursor.filter(|cursor| !cursor.is_empty()) {
            self.begin = Begin::Cursor(cursor);
        }
    }

    fn filter_by(&mut self, name: &str, value: &str) -> Result<(), GatewayError> {
        if let Some(header) = name.strip_prefix("header.") {
            let condition = Condition::Header(header.to_owned(), value.to_owned());
            self.filter.add(condition);
        } else if let Some(pointer) = name.strip_prefix("json.") {
            let Ok(pointer) = Pointer::parse(pointer) else {
                let message = format!("`{name}` names no JSON pointer; write it as `json./a/b`.");
                return Err(invalid(message));
            };
            let condition = Condition::Json(pointer, value.to_owned());
            self.filter.add(condition);
        }
        Ok(())
    }

    /// Where it begins; a cursor is to be one that `seal` has given out.
    pub(super) fn start(&self, seal: &Seal) -> Result<Start, GatewayError> {
        match &self.begin {
            Begin::Start(start) => Ok(start.clone()),
            Begin::Cursor(cursor) => seal.read(cursor).map(Start::At).ok_or_else(|| {
                GatewayError::public(
                    Code::CursorInvalid,
                    "The cursor was not given out for this topic of this cluster, or its key is no \
                     longer in use; begin without one, by `start=earliest`, `start=latest` or a time.",
                )
            }),
        }
    }
}

/// What the route gives out to whoever makes this request.
fn filter(route: &config::Filter, values: &Values<'_>) -> Result<Filter, GatewayError> {
    let mut filter = Filter::default();
    let value = |template: &Template| {
        values.render(template).map_err(|missing| {
            invalid(format!(
                "This route gives out records by {missing}, and the request has none."
            ))
        })
    };
    if let Some(key) = &route.key {
        filter.add(Condition::Key(value(key)?));
    }
    for (name, template) in &route.headers {
        filter.add(Condition::Header(name.to_string(), value(template)?));
    }
    for (pointer, template) in &route.json {
        filter.add(Condition::Json(pointer.clone(), value(template)?));
    }
    Ok(filter)
}

fn start(text: &str) -> Result<Start, GatewayError> {
    match text {
        "earliest" => return Ok(Start::Earliest),
        "latest" => return Ok(Start::Latest),
        _ => {}
    }
    let millis = text.parse().ok();
    let time = || {
        text.parse::<Timestamp>()
            .ok()
            .map(Timestamp::as_millisecond)
    };
    let since = millis.or_else(time).filter(|since| *since >= 0);
    since.map(Start::Timestamp).ok_or_else(|| {
        invalid(
            "`start` is `earliest`, `latest`, a time as 2026-01-31T12:00:00Z, or milliseconds since \
             1970."
                .to_owned(),
        )
    })
}

fn wait(text: &str, max: Duration) -> Result<Duration, GatewayError> {
    if text == "0" || text == "0s" {
        return Ok(Duration::ZERO);
    }
    let wait = units::Duration::parse(text);
    let wait = wait.ok_or_else(|| invalid("`wait` is a duration as 20s or 500ms.".to_owned()))?;
    Ok(wait.0.min(max))
}

fn limit(text: &str) -> Result<usize, GatewayError> {
    let limit = text.parse().ok().filter(|limit| *limit > 0);
    limit.ok_or_else(|| invalid("`limit` is a number of records, from 1 on.".to_owned()))
}

fn invalid(message: String) -> GatewayError {
    GatewayError::public(Code::QueryInvalid, message)
}
