//! What subscribers are told of a record.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::value::RawValue;
use weir_protocols::sse::{Outgoing, write_event};

use super::cursor::Seal;
use super::event;
use super::shown::Shown;
use crate::config::routes::subscribe::Format;
use crate::kafka::{Gap, Header, Positions, Record};
use crate::schema::Reading;

/// What callers are told of records, and how.
#[derive(Clone)]
pub(super) struct Speaker {
    pub(super) format: Format,
    pub(super) topic: Arc<str>,
    pub(super) seal: Seal,
}

impl Speaker {
    /// An event with a record, after which its caller is at `at`.
    pub(super) fn event(&self, out: &mut Vec<u8>, shown: &Shown, at: &Positions) {
        let mut data = Vec::with_capacity(192);
        let mut name = None;
        match (self.format, shown.undecodable()) {
            (Format::Value, None) => write_value(&mut data, shown.value()),
            (Format::Value, Some(_)) => {
                // So that nobody takes it for a value.
                name = Some("undecodable");
                self.record(&mut data, shown);
            }
            (Format::Record | Format::CloudEvent, _) => self.record(&mut data, shown),
        }
        self.write(out, name, &data, Some(at));
    }

    /// A record as an object.
    pub(super) fn record(&self, out: &mut Vec<u8>, shown: &Shown) {
        match self.format {
            Format::CloudEvent => event::write(out, &self.topic, shown),
            Format::Record | Format::Value => write_record(out, shown),
        }
    }

    /// The members of an object that tells of a record.
    pub(super) fn members(&self, out: &mut Vec<u8>, shown: &Shown) {
        match self.format {
            Format::CloudEvent => {
                out.extend_from_slice(b"\"event\":");
                event::write(out, &self.topic, shown);
            }
            Format::Record | Format::Value => write_shown(out, shown),
        }
    }

    /// An event that says what is missing.
    pub(super) fn gaps(&self, out: &mut Vec<u8>, gaps: &[Gap], at: &Positions) {
        let mut data = Vec::new();
        write_gaps(&mut data, gaps);
        self.write(out, Some("gap"), &data, Some(at));
    }

    /// An event that tells only where the caller is; pages do not see it.
    pub(super) fn here(&self, out: &mut Vec<u8>, at: &Positions) {
        out.extend_from_slice(b"id: ");
        out.extend_from_slice(self.seal.write(at).as_bytes());
        out.extend_from_slice(b"\n\n");
    }

    /// An event that says why there are no more.
    pub(super) fn failure(&self, out: &mut Vec<u8>, problem: &[u8]) {
        self.write(out, Some("error"), problem, None);
    }

    fn write(&self, out: &mut Vec<u8>, name: Option<&str>, data: &[u8], at: Option<&Positions>) {
        let cursor = at.map(|at| self.seal.write(at));
        let event = Outgoing {
            name,
            id: cursor.as_deref(),
            data,
            ..Outgoing::default()
        };
        write_event(out, &event).expect("a cursor has no line break");
    }
}

/// An object with all that a record has.
fn write_record(out: &mut Vec<u8>, shown: &Shown) {
    out.push(b'{');
    write_shown(out, shown);
    out.push(b'}');
}

/// The members of that object, with the value as it is shown. Bytes that could not be read are told as
/// such, and why.
pub(crate) fn write_shown(out: &mut Vec<u8>, shown: &Shown) {
    write_head(out, &shown.record);
    match &shown.reading {
        Reading::Plain | Reading::Json(_) => write_content(out, shown.value()),
        Reading::Undecodable(why) => {
            out.extend_from_slice(b",\"base64\":");
            write_json(out, &STANDARD.encode(shown.value().unwrap_or_default()));
            out.extend_from_slice(b",\"undecodable\":");
            write_json(out, why);
        }
    }
}

/// The members of that object. What is not text is an object with `base64`.
pub(crate) fn write_members(out: &mut Vec<u8>, record: &Record) {
    write_head(out, record);
    write_content(out, record.value.as_deref());
}

fn write_head(out: &mut Vec<u8>, record: &Record) {
    let numbers = format!(
        "\"partition\":{},\"offset\":{}",
        record.partition, record.offset
    );
    out.extend_from_slice(numbers.as_bytes());
    if let Some(timestamp) = record.timestamp {
        out.extend_from_slice(format!(",\"timestamp\":{timestamp}").as_bytes());
    }
    if let Some(key) = &record.key {
        out.extend_from_slice(b",\"key\":");
        write_text(out, key);
    }
    if !record.headers.is_empty() {
        out.extend_from_slice(b",\"headers\":");
        write_headers(out, &record.headers);
    }
}

fn write_content(out: &mut Vec<u8>, value: Option<&[u8]>) {
    match value {
        None => out.extend_from_slice(b",\"value\":null"),
        Some(value) if is_json(value) => {
            out.extend_from_slice(b",\"value\":");
            out.extend_from_slice(value.trim_ascii());
        }
        Some(value) => match std::str::from_utf8(value) {
            Ok(text) => {
                out.extend_from_slice(b",\"text\":");
                write_json(out, text);
            }
            Err(_) => {
                out.extend_from_slice(b",\"base64\":");
                write_json(out, &STANDARD.encode(value));
            }
        },
    }
}

/// Headers as a list of names and values, as names may repeat.
fn write_headers(out: &mut Vec<u8>, headers: &[Header]) {
    out.push(b'[');
    for (index, header) in headers.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        out.extend_from_slice(b"{\"name\":");
        write_json(out, &header.name);
        out.extend_from_slice(b",\"value\":");
        match &header.value {
            Some(value) => write_text(out, value),
            None => out.extend_from_slice(b"null"),
        }
        out.push(b'}');
    }
    out.push(b']');
}

/// The list of what is missing.
pub(super) fn write_gaps(out: &mut Vec<u8>, gaps: &[Gap]) {
    let gaps = gaps.iter().map(
        |gap| serde_json::json!({ "partition": gap.partition, "from": gap.from, "to": gap.to }),
    );
    let gaps: serde_json::Value = gaps.collect();
    out.extend_from_slice(gaps.to_string().as_bytes());
}

fn write_value(out: &mut Vec<u8>, value: Option<&[u8]>) {
    let value = value.unwrap_or_default();
    match std::str::from_utf8(value) {
        Ok(_) => out.extend_from_slice(value),
        Err(_) => out.extend_from_slice(STANDARD.encode(value).as_bytes()),
    }
}

fn write_text(out: &mut Vec<u8>, bytes: &[u8]) {
    match std::str::from_utf8(bytes) {
        Ok(text) => write_json(out, text),
        Err(_) => {
            out.extend_from_slice(b"{\"base64\":");
            write_json(out, &STANDARD.encode(bytes));
            out.push(b'}');
        }
    }
}

fn write_json(out: &mut Vec<u8>, text: &str) {
    serde_json::to_writer(out, text).expect("text is written to memory");
}

pub(in crate::action) fn is_json(bytes: &[u8]) -> bool {
    serde_json::from_slice::<&RawValue>(bytes).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(key: Option<&[u8]>, headers: Vec<Header>, value: Option<&[u8]>) -> String {
        let record = Record {
            partition: 2,
            offset: 7,
            timestamp: Some(1_700_000_000_000),
            key: key.map(Into::into),
            headers: headers.into(),
            value: value.map(Into::into),
        };
        let mut out = Vec::new();
        write_record(&mut out, &Shown::plain(record.into()));
        let json: serde_json::Value = serde_json::from_slice(&out).expect("it is JSON");
        assert_eq!(json["partition"], 2);
        assert_eq!(json["offset"], 7);
        String::from_utf8(out)
            .expect("it is text")
            .replace(r#""partition":2,"offset":7,"timestamp":1700000000000"#, "…")
    }

    #[test]
    fn a_value_is_json_text_or_bytes_and_never_taken_for_another() {
        for (value, expected) in [
            (&br#"{"a": [1]}"#[..], r#"{…,"value":{"a": [1]}}"#),
            (b" 5\n", r#"{…,"value":5}"#),
            (b"\"5\"", r#"{…,"value":"5"}"#),
            (b"five\n", r#"{…,"text":"five\n"}"#),
            (b"", r#"{…,"text":""}"#),
            (b"\xff\x00", r#"{…,"base64":"/wA="}"#),
        ] {
            assert_eq!(said(None, vec![], Some(value)), expected);
        }
        assert_eq!(said(None, vec![], None), r#"{…,"value":null}"#);
    }

    #[test]
    fn keys_and_headers_are_told_in_their_order() {
        let header = |name: &str, value: Option<&[u8]>| Header {
            name: name.into(),
            value: value.map(Into::into),
        };
        let headers = vec![
            header("b", Some(b"1")),
            header("a\"", None),
            header("b", Some(b"\xfe")),
        ];
        assert_eq!(
            said(Some(b"k"), headers, Some(b"1")),
            r#"{…,"key":"k","headers":[{"name":"b","value":"1"},{"name":"a\"","value":null},{"name":"b","value":{"base64":"/g=="}}],"value":1}"#
        );
        assert_eq!(
            said(Some(b"\xfe"), vec![], Some(b"1")),
            r#"{…,"key":{"base64":"/g=="},"value":1}"#
        );
    }
}
