//! Records as CloudEvents: what they carry of one, or an event about a record that is none.

use bytes::Bytes;
use jiff::Timestamp;
use weir_protocols::cloudevents::{Event, Fault, json, kafka};

use super::say::is_json;
use super::shown::Shown;
use crate::kafka::Record;
use crate::schema::Reading;

/// What an event is of that a record itself is none of.
const TYPE: &str = "weir.kafka.record";
/// And of one whose value could not be read.
const UNDECODABLE: &str = "weir.kafka.record.undecodable";
/// The header that says what a value is.
const CONTENT_TYPE: &str = "content-type";

/// The event of a record of a topic, as JSON.
pub(super) fn write(out: &mut Vec<u8>, topic: &str, shown: &Shown) {
    let carried = match shown.undecodable() {
        None => carried(shown).ok().flatten(),
        Some(_) => None,
    };
    let event = carried.or_else(|| about(topic, shown));
    match event {
        Some(event) => out.extend_from_slice(&json::write(&event)),
        None => out.extend_from_slice(b"null"),
    }
}

/// What the record carries, if that is an event. Its data is JSON where a schema made it that, whatever it
/// was in the topic.
///
/// # Errors
/// Where it says that it is an event, and is none.
pub(crate) fn carried(shown: &Shown) -> Result<Option<Event>, Fault> {
    let record = &shown.record;
    let read = matches!(shown.reading, Reading::Json(_)) && !is_whole(record);
    let json = (CONTENT_TYPE, Some(&b"application/json"[..]));
    let headers = record.headers.iter();
    let headers = headers.map(|header| (&*header.name, header.value.as_deref()));
    let headers = headers
        .filter(|(name, _)| !read || *name != CONTENT_TYPE)
        .chain(read.then_some(json));
    kafka::read(headers, value(shown))
}

/// Whether the value says that it is all of an event.
fn is_whole(record: &Record) -> bool {
    let said = record.header(CONTENT_TYPE).map(std::str::from_utf8);
    said.is_some_and(|said| said.is_ok_and(|said| said.starts_with(json::MEDIA_TYPE)))
}

/// That there is such a record, with its value as the data.
fn about(topic: &str, shown: &Shown) -> Option<Event> {
    let record = &shown.record;
    let id = format!("{topic}/{}/{}", record.partition, record.offset);
    let source = format!("/kafka/{topic}");
    let time = record.timestamp;
    let time = time.and_then(|millis| Timestamp::from_millisecond(millis).ok());
    let time = time.map(|time| time.to_string());
    let value_type = shown.value().map(|value| media_type(shown, value));
    let (kind, why) = match shown.undecodable() {
        Some(why) => (UNDECODABLE, Some(why)),
        None => (TYPE, None),
    };
    let key = record.key.as_deref().map(std::str::from_utf8);
    let key = key.and_then(Result::ok).filter(|key| !key.is_empty());
    let text = |name: &'static str, text: &str| (name, Some(text.as_bytes().to_vec()));
    let mut headers = vec![
        text("ce_specversion", "1.0"),
        text("ce_id", &id),
        text("ce_source", &source),
        text("ce_type", kind),
    ];
    headers.extend(time.map(|time| text("ce_time", &time)));
    headers.extend(key.map(|key| text("ce_partitionkey", key)));
    headers.extend(why.map(|why| text("ce_undecodable", why)));
    headers.extend(value_type.map(|is| text("content-type", &is)));
    let headers = headers.iter();
    let headers = headers.map(|(name, value)| (*name, value.as_deref()));
    kafka::read(headers, value(shown)).ok().flatten()
}

fn value(shown: &Shown) -> Option<Bytes> {
    match &shown.reading {
        Reading::Json(json) => Some(json.clone()),
        Reading::Plain | Reading::Undecodable(_) => shown.value().map(Bytes::copy_from_slice),
    }
}

/// What the record says its value is, or what it looks like.
fn media_type(shown: &Shown, value: &[u8]) -> String {
    match shown.reading {
        Reading::Plain => {}
        Reading::Json(_) => return "application/json".to_owned(),
        Reading::Undecodable(_) => return "application/octet-stream".to_owned(),
    }
    let said = shown.record.header(CONTENT_TYPE);
    if let Some(Ok(said)) = said.map(std::str::from_utf8)
        && !said.starts_with(json::MEDIA_TYPE)
    {
        return said.to_owned();
    }
    let seen = match std::str::from_utf8(value) {
        Ok(_) if is_json(value) => "application/json",
        Ok(_) => "text/plain",
        Err(_) => "application/octet-stream",
    };
    seen.to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::kafka::Header;

    fn event(headers: &[(&str, &str)], value: Option<&[u8]>) -> Value {
        shown_event(headers, value, Reading::Plain)
    }

    fn shown_event(headers: &[(&str, &str)], value: Option<&[u8]>, reading: Reading) -> Value {
        let header = |(name, value): &(&str, &str)| Header {
            name: (*name).into(),
            value: Some(value.as_bytes().into()),
        };
        let record = Record {
            partition: 2,
            offset: 7,
            timestamp: Some(1_700_000_000_123),
            key: Some(b"k"[..].into()),
            headers: headers.iter().map(header).collect(),
            value: value.map(Into::into),
        };
        let mut out = Vec::new();
        write(
            &mut out,
            "orders",
            &Shown {
                record: record.into(),
                reading,
            },
        );
        serde_json::from_slice(&out).expect("it is JSON")
    }

    #[test]
    fn an_event_is_given_out_as_it_was_published() {
        let headers = [
            ("ce_specversion", "1.0"),
            ("ce_id", "a"),
            ("ce_source", "/shop"),
            ("ce_type", "paid"),
            ("content-type", "application/json"),
        ];
        let expected = json!({
            "specversion": "1.0", "id": "a", "source": "/shop", "type": "paid",
            "datacontenttype": "application/json", "data": { "n": 1 }
        });
        assert_eq!(event(&headers, Some(br#"{"n":1}"#)), expected);
    }

    #[test]
    fn what_is_no_event_becomes_one_about_a_record() {
        let about = |data: Value| {
            let mut event = json!({
                "specversion": "1.0", "id": "orders/2/7", "source": "/kafka/orders",
                "type": "weir.kafka.record", "time": "2023-11-14T22:13:20.123Z", "partitionkey": "k",
            });
            let members = data.as_object().cloned().unwrap_or_default();
            event.as_object_mut().expect("an object").extend(members);
            event
        };
        let json = json!({ "datacontenttype": "application/json", "data": [1] });
        assert_eq!(event(&[], Some(b"[1]")), about(json));
        let text = json!({ "datacontenttype": "text/plain", "data": "x y" });
        assert_eq!(event(&[], Some(b"x y")), about(text));
        let bytes = json!({ "datacontenttype": "application/octet-stream", "data_base64": "/w==" });
        assert_eq!(event(&[], Some(b"\xff")), about(bytes));
        assert_eq!(event(&[], None), about(json!({})));
        // Half an event is none.
        let half = [("ce_specversion", "1.0"), ("ce_id", "a")];
        let json = json!({ "datacontenttype": "application/json", "data": 1 });
        assert_eq!(event(&half, Some(b"1")), about(json));
    }

    #[test]
    fn what_a_schema_read_is_json_and_what_it_could_not_is_said_to_be_so() {
        let headers = [
            ("ce_specversion", "1.0"),
            ("ce_id", "a"),
            ("ce_source", "/shop"),
            ("ce_type", "paid"),
            ("content-type", "application/avro"),
        ];
        let bytes = Some(&b"\xfe"[..]);
        let read = Reading::Json(Bytes::from_static(b"{\"n\":1}"));
        let event = shown_event(&headers, bytes, read.clone());
        assert_eq!(event["type"], "paid");
        assert_eq!(event["datacontenttype"], "application/json");
        assert_eq!(event["data"], json!({ "n": 1 }));
        let event = shown_event(&[("content-type", "application/avro")], bytes, read);
        assert_eq!(event["data"], json!({ "n": 1 }));
        let event = shown_event(&headers, bytes, Reading::Undecodable("it is odd".into()));
        assert_eq!(event["type"], "weir.kafka.record.undecodable");
        assert_eq!(event["id"], "orders/2/7");
        assert_eq!(event["undecodable"], "it is odd");
        assert_eq!(event["data_base64"], "/g==");
    }
}
