//! What is sent of a record: the head and the body of a request.

use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, HOST, USER_AGENT};
use http::{HeaderName, HeaderValue};
use pingora_http::RequestHeader;
use weir_protocols::cloudevents::http as event_http;
use weir_telemetry::trace::Context;

use super::sign::signature;
use super::verdict::unfit;
use crate::action::subscribe::event;
use crate::action::subscribe::say::write_shown;
use crate::action::subscribe::shown::Shown;
use crate::config::webhooks::{Format, Method, Webhook};
use crate::kafka::Record;
use crate::kafka::group::Task;
use crate::schema::Reading;
use crate::workers::Fate;

/// What does not change from one attempt to the next.
pub(super) struct Message {
    fields: Vec<(HeaderName, HeaderValue)>,
    pub(super) body: Bytes,
}

impl Message {
    /// Makes it of a record, which is shown so.
    pub(super) fn new(config: &Webhook, task: &Task, shown: &Shown) -> Result<Self, Fate> {
        let (mut fields, body) = content(config.format, task, shown)?;
        let id = id(task);
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let timestamp = now.map_or(0, |since| since.as_secs()).to_string();
        if let Some(signature) = signature(&config.keys, &id, &timestamp, &body) {
            set(&mut fields, "webhook-signature", &signature);
        }
        set(&mut fields, "webhook-id", &id);
        set(&mut fields, "webhook-timestamp", &timestamp);
        set(&mut fields, "weir-topic", &task.topic);
        set(
            &mut fields,
            "weir-partition",
            &task.record.partition.to_string(),
        );
        set(&mut fields, "weir-offset", &task.record.offset.to_string());
        fields.extend(config.headers.iter().cloned());
        Ok(Self { fields, body })
    }

    /// The head of one attempt.
    pub(super) fn head(
        &self,
        config: &Webhook,
        authority: &str,
        trace: &Context,
        span: [u8; 8],
    ) -> RequestHeader {
        let method = method(config.method);
        let mut head = RequestHeader::build_no_case(method, config.path.as_bytes(), Some(16))
            .expect("`check` wants a path that can be sent");
        let host = HeaderValue::from_str(authority);
        let host = host.unwrap_or(HeaderValue::from_static("receiver"));
        let own = [
            (HOST, host),
            (USER_AGENT, HeaderValue::from_static("weir")),
            (CONTENT_LENGTH, HeaderValue::from(self.body.len())),
        ];
        for (name, value) in own.into_iter().chain(self.fields.iter().cloned()) {
            head.append_header(name, value)
                .expect("a typed header is valid");
        }
        head.insert_header("traceparent", &*trace.traceparent_of(span))
            .expect("a trace context is visible ASCII");
        if let Some(state) = trace.state.as_deref() {
            // One that cannot be passed on is no reason not to send.
            let _ = head.insert_header("tracestate", state);
        }
        head
    }
}

/// By which records are sent.
pub(super) const fn method(method: Method) -> &'static str {
    match method {
        Method::Post => "POST",
        Method::Put => "PUT",
        Method::Patch => "PATCH",
    }
}

/// What tells a record from every other, and is the same whenever it is sent. It holds no full stop, which
/// is what separates it from what follows where it is signed.
fn id(task: &Task) -> String {
    let topic = task.topic.replace('.', "~");
    let Record {
        partition, offset, ..
    } = &*task.record;
    format!("{}/{topic}/{partition}/{offset}", task.cluster_id)
}

fn set(fields: &mut Vec<(HeaderName, HeaderValue)>, name: &'static str, value: &str) {
    let value = HeaderValue::from_str(value).expect("names, numbers and base64 are visible ASCII");
    fields.push((HeaderName::from_static(name), value));
}

type Content = (Vec<(HeaderName, HeaderValue)>, Bytes);

fn content(format: Format, task: &Task, shown: &Shown) -> Result<Content, Fate> {
    let json = HeaderValue::from_static("application/json");
    match format {
        Format::Record => {
            let mut body = format!("{{\"topic\":\"{}\",", task.topic).into_bytes();
            write_shown(&mut body, shown);
            body.push(b'}');
            Ok((vec![(CONTENT_TYPE, json)], body.into()))
        }
        Format::Value => {
            let kind = match &shown.reading {
                // Whatever it was in the topic.
                Reading::Json(_) => json,
                Reading::Plain | Reading::Undecodable(_) => said(&shown.record),
            };
            Ok((vec![(CONTENT_TYPE, kind)], value(shown)))
        }
        Format::CloudEvent => {
            let event = event::carried(shown).map_err(unfit)?;
            let event = event.ok_or_else(|| unfit("it has no ce_specversion"))?;
            let fields = event_http::write(&event).into_iter();
            let fields = fields.filter_map(|(name, value)| {
                let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
                Some((name, HeaderValue::from_str(&value).ok()?))
            });
            let body = event.data().cloned().unwrap_or_default();
            Ok((fields.collect(), body))
        }
    }
}

/// What a record says its value is.
fn said(record: &Record) -> HeaderValue {
    let said = record.header("content-type");
    let said = said.and_then(|said| HeaderValue::from_bytes(said).ok());
    said.unwrap_or(HeaderValue::from_static("application/octet-stream"))
}

fn value(shown: &Shown) -> Bytes {
    match &shown.reading {
        Reading::Json(json) => json.clone(),
        Reading::Plain | Reading::Undecodable(_) => {
            Bytes::copy_from_slice(shown.value().unwrap_or_default())
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Instant;

    use super::*;
    use crate::kafka::Header;

    fn task(value: Option<&[u8]>) -> Task {
        Task {
            cluster_id: "abc".into(),
            topic: "orders.v1".into(),
            record: Arc::new(Record {
                partition: 2,
                offset: 7,
                timestamp: None,
                key: Some(Box::from(*b"k")),
                headers: Box::default(),
                value: value.map(Into::into),
            }),
            tries: 0,
            since: Instant::now(),
        }
    }

    #[test]
    fn an_id_has_no_full_stop_and_tells_topics_apart() {
        assert_eq!(id(&task(None)), "abc/orders~v1/2/7");
    }

    #[test]
    fn a_record_is_an_object_with_its_topic() {
        let task = task(Some(b"{}"));
        let made = content(Format::Record, &task, &Shown::plain(task.record.clone()));
        let (_, body) = made.expect("any record can be told");
        let json: serde_json::Value = serde_json::from_slice(&body).expect("it is JSON");
        let expected = serde_json::json!({
            "topic": "orders.v1", "partition": 2, "offset": 7, "key": "k", "value": {},
        });
        assert_eq!(json, expected);
    }

    #[test]
    fn a_value_that_was_read_is_json_whatever_the_record_says() {
        let mut task = task(Some(b"\x02"));
        let headers = [
            ("content-type", "application/avro"),
            ("ce_specversion", "1.0"),
            ("ce_id", "1"),
            ("ce_source", "/s"),
            ("ce_type", "t"),
        ];
        let headers = headers.map(|(name, value)| Header {
            name: name.into(),
            value: Some(value.as_bytes().into()),
        });
        let record = Arc::get_mut(&mut task.record);
        record.expect("nobody else has it").headers = headers.into();
        let read = Shown {
            record: task.record.clone(),
            reading: Reading::Json(Bytes::from_static(b"1")),
        };
        let json = HeaderValue::from_static("application/json");
        for format in [Format::Value, Format::CloudEvent] {
            let (fields, body) = content(format, &task, &read).expect("it is what is sent");
            assert_eq!(&*body, b"1");
            let kinds = fields.iter().filter(|(name, _)| *name == CONTENT_TYPE);
            let kinds: Vec<_> = kinds.map(|(_, value)| value).collect();
            assert_eq!(kinds, [&json], "{format:?}");
        }
        let plain = Shown::plain(task.record.clone());
        let (fields, body) = content(Format::Value, &task, &plain).expect("it is sent");
        assert_eq!(
            (&fields[0].1, &*body),
            (&HeaderValue::from_static("application/avro"), &b"\x02"[..])
        );
    }

    #[test]
    fn what_is_no_event_is_never_sent_as_one() {
        let task = task(Some(b"{}"));
        let shown = Shown::plain(task.record.clone());
        let made = content(Format::CloudEvent, &task, &shown);
        assert!(matches!(made, Err(Fate::Refused(_))));
    }
}
