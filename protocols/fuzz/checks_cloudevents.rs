//! What must hold for any event whatsoever.

use bytes::Bytes;
use weir_protocols::cloudevents::{Event, http, json, kafka};

/// An event that is read is the same event in any mode and after any way; a batch is its events.
pub fn cloudevents(data: &[u8]) {
    let text = Bytes::copy_from_slice(data);
    if let Ok(event) = json::read(&text) {
        check(&event);
    }
    if let Ok(batch) = json::read_batch(&text, 8) {
        assert!(batch.len() <= 8);
        for (text, event) in batch {
            assert_eq!(json::read(&text), event);
        }
    }
    // The same bytes as the fields of a request, a line each, and its body after an empty line.
    let (head, body) = split(data);
    let fields = head.split(|byte| *byte == b'\n').filter_map(|line| {
        let colon = memchr::memchr(b':', line)?;
        let name = std::str::from_utf8(&line[..colon]).ok()?;
        Some((name, line[colon + 1..].trim_ascii()))
    });
    if let Ok(event) = http::read(fields, Bytes::copy_from_slice(body)) {
        check(&event);
    }
}

fn split(data: &[u8]) -> (&[u8], &[u8]) {
    match memchr::memmem::find(data, b"\n\n") {
        Some(at) => (&data[..at], &data[at + 2..]),
        None => (data, &[]),
    }
}

fn check(event: &Event) {
    assert_eq!(event.attribute("specversion").as_deref(), Some("1.0"));
    assert_eq!(json::read(&json::write(event).into()).as_ref(), Ok(event));
    for record in [kafka::binary(event), kafka::structured(event, None)] {
        let headers = record
            .headers
            .iter()
            .map(|(name, value)| (&**name, Some(&**value)));
        let read = kafka::read(headers, record.value.clone());
        assert!(same(&read.expect("an event").expect("one"), event));
    }
    let fields = http::write(event);
    let fields = fields
        .iter()
        .map(|(name, value)| (&**name, value.as_bytes()));
    let body = event.data().cloned().unwrap_or_default();
    let read = http::read(fields, body.clone()).expect("an event");
    assert!(same(&read, event) || (body.is_empty() && read.data().is_none()));
}

/// Fields and headers hold text only.
fn same(one: &Event, other: &Event) -> bool {
    let texts = |event: &Event| -> Vec<(String, String)> {
        let attributes = event.attributes();
        attributes
            .map(|(name, value)| (name.to_owned(), value.text().into_owned()))
            .collect()
    };
    texts(one) == texts(other) && one.data() == other.data()
}
