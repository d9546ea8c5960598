//! What callers compile is what is read and written here.

use std::fmt::Debug;

use prost::Message;
use serde_json::{Value, json};
use weir_protocols::grpc::transcode::response::Options;

use super::*;

/// The message, by the file, as JSON; and back.
fn same<M: Message + Default + PartialEq + Debug>(name: &str, message: &M, expected: Value) {
    let pool = pool().expect("the file compiles");
    let known = pool.message(name).expect("the file has it");
    let options = Options {
        preserve_field_names: true,
        longs_as_numbers: true,
        ..Options::default()
    };
    let written = known
        .write(message.encode_to_vec().into(), options)
        .expect("it is one");
    let written: Value = serde_json::from_slice(&written).expect("JSON");
    assert_eq!(written, expected, "{name}");
    let read = known
        .read(expected.to_string().as_bytes())
        .expect("it is one");
    assert_eq!(&M::decode(&*read).expect("it is one"), message, "{name}");
}

fn header() -> Header {
    Header {
        name: "h".to_owned(),
        value: Some(bytes::Bytes::from_static(b"v")),
    }
}

#[test]
fn what_is_asked_is_what_the_file_says() {
    let asked = SubscribeRequest {
        cursor: "c".to_owned(),
        start: "earliest".to_owned(),
        key: Some("k".to_owned()),
        headers: [("a".to_owned(), "b".to_owned())].into(),
        json: [("/a".to_owned(), "1".to_owned())].into(),
        topic: "t".to_owned(),
    };
    let expected = json!({
        "cursor": "c", "start": "earliest", "key": "k", "headers": { "a": "b" }, "json": { "/a": "1" },
        "topic": "t",
    });
    same(SUBSCRIBE_REQUEST, &asked, expected);
    let asked = PublishRequest {
        key: Some(bytes::Bytes::from_static(b"k")),
        headers: vec![header()],
        value: Some(bytes::Bytes::new()),
    };
    let expected =
        json!({ "key": "aw==", "headers": [{ "name": "h", "value": "dg==" }], "value": "" });
    same(PUBLISH_REQUEST, &asked, expected);
}

#[test]
fn what_is_told_is_what_the_file_says() {
    let record = Record {
        partition: 1,
        offset: 2,
        timestamp: Some(3),
        key: Some(b"k".to_vec()),
        headers: vec![header()],
        value: Some(b"v".to_vec()),
        undecodable: "u".to_owned(),
    };
    let gap = Gap {
        partition: 1,
        from: 2,
        to: 3,
    };
    let gaps = Gaps { gaps: vec![gap] };
    let record_json = json!({
        "partition": 1, "offset": 2, "timestamp": 3, "key": "aw==",
        "headers": [{ "name": "h", "value": "dg==" }], "value": "dg==", "undecodable": "u",
    });
    for (what, expected) in [
        (None, json!({ "cursor": "c" })),
        (
            Some(What::Record(record)),
            json!({ "cursor": "c", "record": record_json }),
        ),
        (
            Some(What::Gaps(gaps)),
            json!({ "cursor": "c", "gaps": { "gaps": [{ "partition": 1, "from": 2, "to": 3 }] } }),
        ),
    ] {
        let cursor = "c".to_owned();
        same(EVENT, &Event { cursor, what }, expected);
    }
}

#[test]
fn what_became_of_records_is_what_the_file_says() {
    let summary = PublishSummary {
        records: 9,
        written: vec![Written {
            topic: "t".to_owned(),
            partition: 1,
            records: 2,
            first_offset: 3,
            last_offset: 4,
        }],
    };
    let expected = json!({
        "records": 9,
        "written": [{ "topic": "t", "partition": 1, "records": 2, "first_offset": 3, "last_offset": 4 }],
    });
    same(PUBLISH_SUMMARY, &summary, expected);
    let place = Place {
        topic: "t".to_owned(),
        partition: 1,
        offset: 2,
    };
    let failure = Failure {
        code: "c".to_owned(),
        message: "m".to_owned(),
        retryable: true,
    };
    for (result, expected) in [
        (
            Outcome::Written(place),
            json!({ "written": { "topic": "t", "partition": 1, "offset": 2 } }),
        ),
        (
            Outcome::Failure(failure),
            json!({ "failure": { "code": "c", "message": "m", "retryable": true } }),
        ),
    ] {
        let result = Some(result);
        same(PUBLISH_RESULT, &PublishResult { result }, expected);
    }
}
