//! CloudEvents as requests and records carry them: golden ones, and what is none.

use bytes::Bytes;
use weir_protocols::cloudevents::http::Mode;
use weir_protocols::cloudevents::{Event, Fault, http, json, kafka};

const STRUCTURED: &str = r#"{ "specversion": "1.0", "type": "com.example.order", "source": "/shop/1", "id": "A-1",
  "time": "2018-04-05T17:31:00Z", "subject": "order 7", "datacontenttype": "application/json; charset=utf-8",
  "partitionkey": "customer-7", "sampled": true, "sequence": -12, "unset": null,
  "data": { "paid": 1.50, "lines" : [ ] } }"#;

fn fields<'f>(fields: &'f [(&'f str, &'f str)]) -> impl Iterator<Item = (&'f str, &'f [u8])> {
    fields.iter().map(|(name, value)| (*name, value.as_bytes()))
}

/// A binary request with these fields beside the required ones.
fn binary(more: &[(&str, &str)], body: &'static str) -> Result<Event, Fault> {
    let required = [
        ("ce-specversion", "1.0"),
        ("CE-ID", "1"),
        ("ce-source", "/s"),
        ("ce-type", "t"),
    ];
    http::read(fields(&[&required, more].concat()), body.into())
}

fn structured(text: &str) -> Result<Event, Fault> {
    json::read(&Bytes::copy_from_slice(text.as_bytes()))
}

/// A structured event with these members beside the required ones.
fn with(members: &str) -> Result<Event, Fault> {
    structured(&format!(
        r#"{{"specversion":"1.0","id":"1","source":"/s","type":"t",{members}}}"#
    ))
}

fn read_back(record: &kafka::Record) -> Event {
    let headers = record
        .headers
        .iter()
        .map(|(name, value)| (&**name, Some(&**value)));
    kafka::read(headers, record.value.clone())
        .expect("an event")
        .expect("one")
}

#[test]
fn a_structured_event_becomes_a_record_in_binary_mode_and_the_same_event_again() {
    let event = structured(STRUCTURED).expect("an event");
    let record = kafka::binary(&event);
    let headers = record
        .headers
        .iter()
        .map(|(name, value)| (&**name, std::str::from_utf8(value)));
    let headers: Vec<_> = headers.collect();
    assert_eq!(
        headers,
        [
            ("ce_id", Ok("A-1")),
            ("ce_partitionkey", Ok("customer-7")),
            ("ce_sampled", Ok("true")),
            ("ce_sequence", Ok("-12")),
            ("ce_source", Ok("/shop/1")),
            ("ce_specversion", Ok("1.0")),
            ("ce_subject", Ok("order 7")),
            ("ce_time", Ok("2018-04-05T17:31:00Z")),
            ("ce_type", Ok("com.example.order")),
            ("content-type", Ok("application/json; charset=utf-8")),
        ]
    );
    assert_eq!(record.key.as_deref(), Some(&b"customer-7"[..]));
    assert_eq!(
        record.value.as_deref(),
        Some(&br#"{ "paid": 1.50, "lines" : [ ] }"#[..])
    );
    let written = String::from_utf8(json::write(&read_back(&record))).expect("UTF-8");
    assert_eq!(
        written,
        concat!(
            r#"{"datacontenttype":"application/json; charset=utf-8","id":"A-1","partitionkey":"customer-7","#,
            r#""sampled":"true","sequence":"-12","source":"/shop/1","specversion":"1.0","subject":"order 7","#,
            r#""time":"2018-04-05T17:31:00Z","type":"com.example.order","data":{ "paid": 1.50, "lines" : [ ] }}"#
        )
    );
}

#[test]
fn a_structured_event_stays_as_it_was_sent_in_structured_mode() {
    let sent = Bytes::from_static(STRUCTURED.as_bytes());
    let event = json::read(&sent).expect("an event");
    let record = kafka::structured(&event, Some(sent.clone()));
    assert_eq!(record.value, Some(sent));
    let media_type = Bytes::from_static(b"application/cloudevents+json; charset=UTF-8");
    assert_eq!(record.headers, [("content-type".into(), media_type)]);
    assert_eq!(record.key.as_deref(), Some(&b"customer-7"[..]));
    assert_eq!(read_back(&record), event);
    // Written anew, it is the same event.
    assert_eq!(read_back(&kafka::structured(&event, None)), event);
}

#[test]
fn a_binary_request_is_decoded_once() {
    let more = [
        ("ce-subject", "Euro%20%E2%82%AC%2520 100%"),
        ("Ce-Quoted", r#""a \"b\" %22""#),
        ("content-type", "text/plain"),
        ("x-other", "1"),
    ];
    let event = binary(&more, "hi").expect("an event");
    assert_eq!(
        event.attribute("subject").as_deref(),
        Some("Euro €%20 100%")
    );
    assert_eq!(event.attribute("quoted").as_deref(), Some(r#"a "b" ""#));
    assert_eq!(event.attribute("other"), None);
    let written = http::write(&event);
    assert!(written.contains(&("ce-subject".into(), "Euro%20%E2%82%AC%2520%20100%25".into())));
    assert!(written.contains(&("content-type".into(), "text/plain".into())));
    let again = written
        .iter()
        .map(|(name, value)| (&**name, value.as_bytes()));
    assert_eq!(http::read(again, "hi".into()), Ok(event.clone()));
    let json = json::write(&event);
    assert!(
        json.ends_with(br#""data":"hi"}"#),
        "{}",
        String::from_utf8_lossy(&json)
    );
}

#[test]
fn data_is_what_the_media_type_says() {
    for (members, data, media_type) in [
        (
            r#""data":"text""#,
            &br#""text""#[..],
            Some("application/json"),
        ),
        (
            r#""datacontenttype":"application/vnd.x+json","data":[ 1 ]"#,
            b"[ 1 ]",
            Some("application/vnd.x+json"),
        ),
        (
            r#""datacontenttype":"text/xml","data":"<a\/>\n""#,
            b"<a/>\n",
            Some("text/xml"),
        ),
        (
            r#""datacontenttype":"image/png","data_base64":"AP8=""#,
            b"\x00\xff",
            Some("image/png"),
        ),
        (r#""data_base64":"AP8=""#, b"\x00\xff", None),
    ] {
        let event = with(members).expect(members);
        assert_eq!(event.data().map(|data| &**data), Some(data), "{members}");
        assert_eq!(
            event.attribute("datacontenttype").as_deref(),
            media_type,
            "{members}"
        );
        let again = json::read(&json::write(&event).into());
        assert_eq!(again.as_ref(), Ok(&event), "{members}");
    }
    for without in [with(r#""data":null"#), binary(&[], "")] {
        let event = without.expect("an event");
        assert_eq!(event.data(), None);
        assert_eq!(kafka::binary(&event).value, None, "a tombstone");
        assert!(kafka::structured(&event, None).value.is_some());
    }
}

#[test]
fn what_is_no_event_says_why() {
    let value = |attribute: &str, wanted| {
        Err(Fault::Value {
            attribute: attribute.into(),
            wanted,
        })
    };
    for (read, fault) in [
        (structured("[]"), Err(Fault::Json)),
        (structured("{"), Err(Fault::Json)),
        (structured("{}"), Err(Fault::Missing("specversion"))),
        (structured(r#"{"specversion":"0.3"}"#), Err(Fault::Version)),
        (
            structured(r#"{"specversion":1.0}"#),
            value(
                "specversion",
                "text, true or false, or a whole number of 32 bits",
            ),
        ),
        (
            structured(r#"{"specversion":"1.0","id":"1","source":"/s"}"#),
            Err(Fault::Missing("type")),
        ),
        (with(r#""Upper":"x""#), Err(Fault::Name)),
        (with(r#""under_score":"x""#), Err(Fault::Name)),
        (with(r#""id":"2""#), Err(Fault::Twice("id".into()))),
        (
            with(r#""subject":"""#),
            value("subject", "text that is not empty"),
        ),
        (with(r#""subject":1"#), value("subject", "text")),
        (
            with(r#""time":"yesterday""#),
            value("time", "a moment as RFC 3339 writes it"),
        ),
        (
            with(r#""dataschema":"/relative""#),
            value("dataschema", "an absolute URI"),
        ),
        (
            with(r#""datacontenttype":"json""#),
            value("datacontenttype", "a media type"),
        ),
        (
            with(r#""x":"a\u0007""#),
            value("x", "text without control characters"),
        ),
        (
            with(r#""x":1.5"#),
            value("x", "text, true or false, or a whole number of 32 bits"),
        ),
        (
            with(r#""x":{}"#),
            value("x", "text, true or false, or a whole number of 32 bits"),
        ),
        (with(r#""data":1,"data_base64":"""#), Err(Fault::TwoData)),
        (with(r#""data_base64":"?""#), Err(Fault::Base64)),
        (
            with(r#""datacontenttype":"text/plain","data":{}"#),
            Err(Fault::Data),
        ),
        (
            http::read(fields(&[("ce-id", "1")]), Bytes::new()),
            Err(Fault::Missing("specversion")),
        ),
        (
            binary(&[("ce-source", "/t")], ""),
            Err(Fault::Twice("source".into())),
        ),
        (binary(&[("ce-a-b", "1")], ""), Err(Fault::Name)),
        (
            binary(&[("ce-data", "1")], ""),
            Err(Fault::NoAttribute("data")),
        ),
        (
            binary(&[("ce-datacontenttype", "a/b")], ""),
            Err(Fault::NoAttribute("datacontenttype")),
        ),
        (
            binary(&[("ce-subject", "%FF")], ""),
            value("subject", "UTF-8, percent-encoded"),
        ),
    ] {
        assert_eq!(read, fault);
    }
}

#[test]
fn the_media_type_says_how_events_are_carried() {
    let mode = |media_type, fields: &[&str]| http::mode(Some(media_type), fields.iter());
    let structured = "Application/CloudEvents+JSON; charset=UTF-8";
    assert_eq!(mode(structured, &["ce-id"]), Ok(Some(Mode::Structured)));
    assert_eq!(
        mode("application/cloudevents-batch+json", &[]),
        Ok(Some(Mode::Batch))
    );
    assert_eq!(
        mode("application/cloudevents+avro", &[]),
        Err(Fault::Format)
    );
    assert_eq!(
        mode("application/json", &["accept", "Ce-Source"]),
        Ok(Some(Mode::Binary))
    );
    assert_eq!(mode("application/json", &["accept", "ce-other"]), Ok(None));
}

#[test]
fn each_event_of_a_batch_stands_for_itself() {
    let batch = format!(r#"[ {STRUCTURED} , {{"specversion":"1.0"}}, 7 ]"#);
    let batch = Bytes::from(batch);
    let read = json::read_batch(&batch, 3).expect("a batch");
    assert_eq!(read[0].0, STRUCTURED);
    let faults: Vec<_> = read.iter().map(|(_, event)| event.as_ref().err()).collect();
    assert_eq!(
        faults,
        [None, Some(&Fault::Missing("id")), Some(&Fault::Json)]
    );
    let events = read.iter().filter_map(|(_, event)| event.as_ref().ok());
    let again = json::read_batch(&json::write_batch(events.clone().chain(events)).into(), 3);
    let again = again.expect("a batch");
    assert_eq!(again.len(), 2);
    assert!(again.iter().all(|(_, event)| *event == read[0].1));
    assert_eq!(json::read_batch(&batch, 2), Err(Fault::TooMany(2)));
    assert_eq!(
        json::read_batch(&Bytes::from_static(b"{}"), 2),
        Err(Fault::Json)
    );
    assert_eq!(json::read_batch(&Bytes::from_static(b"[]"), 2), Ok(vec![]));
}

#[test]
fn a_record_without_the_marks_of_an_event_is_none() {
    let headers = [
        ("ce_id", Some(&b"1"[..])),
        ("content-type", Some(b"text/plain")),
    ];
    assert_eq!(kafka::read(headers.into_iter(), None), Ok(None));
    let half = headers
        .into_iter()
        .chain([("ce_specversion", Some(&b"1.0"[..]))]);
    assert_eq!(kafka::read(half, None), Err(Fault::Missing("source")));
    let avro = [("content-type", Some(&b"application/cloudevents+avro"[..]))];
    assert_eq!(kafka::read(avro.into_iter(), None), Err(Fault::Format));
    // Data that is an event itself would be taken for the whole.
    let nested =
        with(r#""datacontenttype":"application/cloudevents+json","data":{}"#).expect("an event");
    let record = kafka::binary(&nested);
    assert_eq!(read_back(&record), nested);
}
