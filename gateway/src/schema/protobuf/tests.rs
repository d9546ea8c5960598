use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

const ORDER: &str = r#"
    syntax = "proto3";
    package shop;
    import "money.proto";
    message Order {
      int64 id = 1;
      string item = 2;
      repeated Line lines = 3;
      Money total = 4;
      message Line { string name = 1; uint32 count = 2; }
    }
    message Refund { string reason = 1; }
"#;

fn references() -> Vec<Reference> {
    vec![Reference {
        name: "money.proto".to_owned(),
        text: "syntax = \"proto3\"; package shop; message Money { int64 cents = 1; }".to_owned(),
    }]
}

fn order(message: Option<&str>) -> Protobuf {
    Protobuf::of_source(ORDER, &references(), message).expect("a schema")
}

#[test]
fn the_bytes_are_protobufs() {
    let bytes = order(None).encode(br#"{"id": "150", "item": "testing"}"#);
    assert_eq!(bytes.expect("it fits"), b"\x08\x96\x01\x12\x07testing");
}

#[test]
fn a_message_knows_its_place_in_the_file() {
    for (message, indexes) in [
        (None, vec![0]),
        (Some("shop.Order"), vec![0]),
        (Some("shop.Order.Line"), vec![0, 0]),
        (Some("shop.Refund"), vec![1]),
    ] {
        let schema = order(message);
        assert_eq!(schema.indexes(), indexes, "{message:?}");
    }
    let refund = order(Some("shop.Refund"));
    let line = order(None).decode_at(&[0, 0], Bytes::from_static(b"\x0a\x01a\x10\x02"));
    assert_eq!(line.expect("a line"), r#"{"name":"a","count":2}"#);
    assert!(refund.decode_at(&[2], Bytes::new()).is_err());
    assert!(refund.decode_at(&[1, 0], Bytes::new()).is_err());
}

#[test]
fn what_does_not_fit_says_where() {
    let schema = order(None);
    let told = |text: &str| {
        let fault = schema.encode(text.as_bytes()).expect_err("it does not fit");
        fault.to_string()
    };
    for (text, fault) in [
        ("", "it is empty, and no JSON"),
        ("{\"id\": ", "it is no JSON: see line 1, column 7"),
        (
            r#"{"color": "red"}"#,
            "color is no field that can be set here",
        ),
        (
            r#"{"lines": [{"count": "secret"}]}"#,
            "lines[0].count is to be ",
        ),
        (r#"{"id": 1.5}"#, "id is to be "),
    ] {
        let said = told(text);
        assert!(said.starts_with(fault), "{text}: {said}");
        assert!(!said.contains("secret"), "{said}");
    }
}

#[test]
fn required_fields_have_to_be_there() {
    let text = r#"
        syntax = "proto2";
        message Pair { required string key = 1; optional Pair next = 2; }
    "#;
    let schema = Protobuf::of_source(text, &[], None).expect("a schema");
    assert!(schema.encode(br#"{"key": ""}"#).is_ok());
    let told = |text: &[u8]| schema.encode(text).expect_err("it lacks one").to_string();
    assert_eq!(told(b"{}"), "key has to be there");
    assert_eq!(
        told(br#"{"key": "a", "next": {}}"#),
        "next.key has to be there"
    );
}

#[test]
fn schemas_that_cannot_be_used_say_why() {
    let of = |text: &str, message| {
        let built = Protobuf::of_source(text, &[], message);
        built.expect_err("it cannot be used")
    };
    let imports = of(ORDER, None);
    assert!(imports.contains("money.proto"), "{imports}");
    let nothing = of("syntax = \"proto3\";", None);
    assert_eq!(nothing, "it defines no message");
    let other = Protobuf::of_source(ORDER, &references(), Some("shop.Orders"));
    let other = other.expect_err("there is no such message");
    assert!(
        other.starts_with("it has no message \"shop.Orders\"; it has "),
        "{other}"
    );
    assert!(other.contains("shop.Order"), "{other}");
    assert!(!of("message {", None).is_empty());
    assert!(Protobuf::of_set(b"no set", "a").is_err());
}

proptest! {
    #[test]
    fn what_is_written_is_read(id: i64, item: String, lines in prop::collection::vec((".*", any::<u32>()), 0..4)) {
        let schema = order(None);
        let lines: Vec<Value> = lines.iter().map(|(name, count)| json!({"name": name, "count": count})).collect();
        let json = json!({"id": id.to_string(), "item": item, "lines": lines});
        let bytes = schema.encode(json.to_string().as_bytes()).expect("it fits");
        let back = schema.decode(bytes.clone().into()).expect("it was written here");
        prop_assert_eq!(schema.encode(&back).expect("it fits again"), bytes);
    }

    #[test]
    fn nothing_panics(record: Vec<u8>) {
        let _ = order(None).decode(record.into());
    }
}

#[test]
fn a_file_may_be_its_descriptor_in_base64() {
    let text = "syntax = \"proto3\"; package shop; import \"money.proto\"; message Bill { Money due = 1; }";
    let encoded = |name: &str, text: &str| {
        let file = File::from_source(name, text).expect("a file");
        STANDARD.encode(file.file_descriptor_proto().encode_to_vec())
    };
    let mut references = references();
    references[0].text = encoded("elsewhere.proto", &references[0].text);
    let schema = Protobuf::of_source(&encoded("bill.proto", text), &references, None);
    let json = schema
        .expect("a schema")
        .decode(Bytes::from_static(b"\x0a\x02\x08\x07"));
    assert_eq!(json.expect("a bill"), r#"{"due":{"cents":"7"}}"#);
}
