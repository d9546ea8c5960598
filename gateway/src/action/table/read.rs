//! What is said of one value, and of all: as the view of this gateway has it, and how old that may be.

use std::borrow::Cow;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use http::header::{AGE, CACHE_CONTROL, CONTENT_TYPE, ETAG, LINK};
use http::{HeaderValue, StatusCode};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::value::RawValue;
use weir_telemetry::Code;

use super::{Table, expect};
use crate::action::template::query_pairs;
use crate::error::GatewayError;
use crate::proxy::{Downstream, Reply, Request, reply};
use crate::schema::values::Trouble;
use crate::table::{Entry, Page, Tag};

/// How many values are listed where nobody says it.
const LIMIT: usize = 100;
/// How many are at most.
const MOST: usize = 1000;

/// What a query asks for.
struct Asked {
    /// The view is to have that record.
    at_least: Option<Tag>,
    limit: usize,
    after: Option<String>,
}

impl Asked {
    fn read(query: &str) -> Result<Self, GatewayError> {
        let mut asked = Self {
            at_least: None,
            limit: LIMIT,
            after: None,
        };
        let wrong = |public| GatewayError::public(Code::QueryInvalid, public);
        for (name, value) in query_pairs(query) {
            match &*name {
                "at_least" => {
                    let tag = value.trim_matches('"').parse();
                    let said = "`at_least` is the ETag that a write was answered with.";
                    asked.at_least = Some(tag.map_err(|_| wrong(said))?);
                }
                "limit" => {
                    let limit = value
                        .parse()
                        .ok()
                        .filter(|limit| (1..=MOST).contains(limit));
                    asked.limit = limit.ok_or_else(|| wrong("`limit` is from 1 to 1000."))?;
                }
                "after" => asked.after = Some(value.into_owned()),
                // A key may be made of the rest.
                _ => {}
            }
        }
        Ok(asked)
    }
}

impl Table {
    /// Answers with one value.
    pub(super) async fn read(
        &self,
        request: &mut Request,
        down: &mut Downstream,
        key: &str,
    ) -> Result<(), GatewayError> {
        let asked = Asked::read(down.head().uri.query().unwrap_or_default())?;
        self.view.ready(asked.at_least, self.config.timeout).await?;
        let age = self.view.age();
        let entry = self.view.get(key);
        let entry = entry.ok_or_else(|| GatewayError::new(Code::TableKeyUnknown))?;
        let etag = expect::etag(entry.tag);
        let answer = match expect::has(&down.head().headers, &etag) {
            true => Reply::empty(StatusCode::NOT_MODIFIED),
            false => Reply {
                status: StatusCode::OK,
                headers: vec![(CONTENT_TYPE, self.config.content_type.clone())],
                body: self.shown(request, down, &entry).await?,
            },
        };
        reply::answer(request, down, fresh(answer.header(ETAG, etag), age)).await
    }

    /// Answers with values in the order of their keys.
    pub(super) async fn list(
        &self,
        request: &mut Request,
        down: &mut Downstream,
    ) -> Result<(), GatewayError> {
        let asked = Asked::read(down.head().uri.query().unwrap_or_default())?;
        self.view.ready(asked.at_least, self.config.timeout).await?;
        let age = self.view.age();
        let page = self.view.page(asked.after.as_deref(), asked.limit);
        let etag = etag_of(&page);
        if expect::has(&down.head().headers, &etag) {
            let same = Reply::empty(StatusCode::NOT_MODIFIED).header(ETAG, etag);
            return reply::answer(request, down, fresh(same, age)).await;
        }
        let mut body = vec![b'['];
        for (key, entry) in &page.entries {
            let value = self.decoded(request, down, entry).await?;
            if body.len() > 1 {
                body.push(b',');
            }
            write_entry(&mut body, key, entry, value)?;
        }
        body.push(b']');
        let mut answer = Reply::json(StatusCode::OK, body).header(ETAG, etag);
        if let Some((last, _)) = page.entries.last().filter(|_| page.more) {
            answer = answer.header(LINK, next(last, asked.limit)?);
        }
        reply::answer(request, down, fresh(answer, age)).await
    }

    /// A value as callers see it.
    pub(super) async fn shown(
        &self,
        request: &mut Request,
        down: &mut Downstream,
        entry: &Entry,
    ) -> Result<Bytes, GatewayError> {
        // Not the caller's fault, who only asked for it.
        let decoded = self.decoded(request, down, entry).await?;
        decoded.map_err(|why| {
            let public = format!("The value in the topic is not what its schema says: {why}.");
            GatewayError::public(Code::SchemaUnusable, public)
        })
    }

    /// The same, or why the value itself cannot be read.
    async fn decoded(
        &self,
        request: &mut Request,
        down: &mut Downstream,
        entry: &Entry,
    ) -> Result<Result<Bytes, String>, GatewayError> {
        let value = entry.value.clone();
        let Some(values) = &self.values else {
            return Ok(Ok(value));
        };
        match values.decode(value, request, down).await {
            Ok(json) => Ok(Ok(json)),
            Err(Trouble::Fault(fault)) => Ok(Err(fault.to_string())),
            Err(Trouble::NoSchema(error)) if error.code == Code::SchemaUnusable => {
                let why = "its registry has no schema of its id, or none that can be used";
                Ok(Err(why.to_owned()))
            }
            Err(Trouble::NoSchema(error)) => Err(error),
        }
    }
}

/// Says how old an answer may be, and that the next one may differ.
fn fresh(answer: Reply, age: Option<Duration>) -> Reply {
    let answer = answer.header(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    match age {
        Some(age) => answer.header(AGE, HeaderValue::from(age.as_secs().max(1))),
        None => answer,
    }
}

/// A page is the same as long as the view is where it was.
fn etag_of(page: &Page) -> HeaderValue {
    let offsets: Vec<_> = page.at.offsets().iter().map(ToString::to_string).collect();
    expect::quoted(&offsets.join("."))
}

/// Where the next page is.
fn next(last: &str, limit: usize) -> Result<HeaderValue, GatewayError> {
    let after = utf8_percent_encode(last, NON_ALPHANUMERIC);
    let link = format!("<?limit={limit}&after={after}>; rel=\"next\"");
    HeaderValue::try_from(link)
        .map_err(|error| GatewayError::new(Code::InternalError).source(error))
}

/// Writes one value of a list; one that cannot be read is told as it is, and why.
fn write_entry(
    body: &mut Vec<u8>,
    key: &str,
    entry: &Entry,
    value: Result<Bytes, String>,
) -> Result<(), GatewayError> {
    #[derive(serde::Serialize)]
    struct Listed<'a> {
        key: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        value: Option<&'a RawValue>,
        #[serde(skip_serializing_if = "Option::is_none")]
        text: Option<Cow<'a, str>>,
        #[serde(skip_serializing_if = "Option::is_none")]
        base64: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        undecodable: Option<String>,
        etag: String,
    }
    let (value, undecodable) = match value {
        Ok(value) => (value, None),
        Err(why) => (entry.value.clone(), Some(why)),
    };
    let is_decoded = undecodable.is_none();
    let json = is_decoded.then(|| serde_json::from_slice(&value).ok());
    let json = json.flatten();
    let text = std::str::from_utf8(&value).ok();
    let text = text.filter(|_| is_decoded && json.is_none());
    let is_neither = json.is_none() && text.is_none();
    let listed = Listed {
        key,
        value: json,
        text: text.map(Into::into),
        base64: is_neither.then(|| BASE64.encode(&value)),
        undecodable,
        etag: format!("\"{}\"", entry.tag),
    };
    serde_json::to_writer(body, &listed)
        .map_err(|error| GatewayError::new(Code::InternalError).source(error))
}
