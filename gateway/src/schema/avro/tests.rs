use apache_avro::Schema;
use apache_avro::reader::datum::GenericDatumReader;
use apache_avro::writer::datum::GenericDatumWriter;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

fn schema(json: &Value) -> Avro {
    Avro::build(&json.to_string(), &[]).expect("a schema")
}

fn encode(schema: &Avro, json: &Value) -> Result<Vec<u8>, String> {
    let bytes = schema.encode(json.to_string().as_bytes());
    bytes.map_err(|fault| fault.to_string())
}

fn decode(schema: &Avro, bytes: &[u8]) -> Value {
    let json = schema.decode(bytes).expect("a record");
    serde_json::from_slice(&json).expect("JSON")
}

fn order() -> Value {
    json!({
        "type": "record", "name": "Order", "namespace": "shop", "fields": [
            { "name": "id", "type": "long" },
            { "name": "item", "type": "string" },
            { "name": "note", "type": ["null", "string"], "default": null },
            { "name": "state", "type": { "type": "enum", "name": "State", "symbols": ["NEW", "PAID"] }, "default": "NEW" },
            { "name": "tags", "type": { "type": "map", "values": "int" }, "default": {} },
            { "name": "parts", "type": { "type": "array", "items": "Order" }, "default": [] },
            { "name": "price", "type": { "type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2 }, "default": "\u{0}" },
            { "name": "weight", "type": ["null", "float", { "type": "fixed", "name": "Hash", "size": 2 }], "default": null }
        ]
    })
}

#[test]
fn the_bytes_are_those_of_the_specification() {
    // Apache Avro 1.12, "Schema Record": {"a": 27, "b": "foo"} is 36 06 66 6f 6f.
    let test = json!({ "type": "record", "name": "test", "fields": [
        { "name": "a", "type": "long" }, { "name": "b", "type": "string" } ] });
    let bytes = encode(&schema(&test), &json!({ "a": 27, "b": "foo" }));
    assert_eq!(bytes.expect("it fits"), b"\x36\x06foo");
    let strings = schema(&json!(["null", "string"]));
    assert_eq!(encode(&strings, &json!(null)).expect("null"), b"\0");
    assert_eq!(encode(&strings, &json!("a")).expect("text"), b"\x02\x02a");
    let longs = schema(&json!({ "type": "array", "items": "long" }));
    assert_eq!(
        encode(&longs, &json!([3, 27])).expect("a list"),
        b"\x04\x06\x36\0"
    );
    for (number, bytes) in [
        (0, &b"\0"[..]),
        (-1, b"\x01"),
        (1, b"\x02"),
        (-64, b"\x7f"),
        (64, b"\x80\x01"),
    ] {
        let long = schema(&json!("long"));
        assert_eq!(encode(&long, &json!(number)).expect("a number"), bytes);
    }
}

#[test]
fn defaults_fill_what_is_left_out() {
    let schema = schema(&order());
    let bytes = encode(&schema, &json!({ "id": 1, "item": "a" })).expect("it fits");
    assert_eq!(bytes, b"\x02\x02a\0\0\0\0\x02\0\0");
    let whole = json!({ "id": 1, "item": "a", "note": null, "state": "NEW", "tags": {}, "parts": [], "price": "0.00", "weight": null });
    assert_eq!(decode(&schema, &bytes), whole);
}

#[test]
fn unions_are_plain_where_that_is_plain_and_tagged_where_they_have_to_be() {
    let note = schema(&json!(["null", "string"]));
    let plain = encode(&note, &json!("a"));
    assert_eq!(encode(&note, &json!({ "string": "a" })), plain);
    let mixed = schema(
        &json!(["null", "string", "long", "double", { "type": "fixed", "name": "x.F", "size": 1 }]),
    );
    for (json, bytes) in [
        (json!(2.5), &b"\x06\0\0\0\0\0\0\x04\x40"[..]),
        (json!({ "long": 5 }), b"\x04\x0a"),
        (json!({ "string": "a" }), b"\x02\x02a"),
        (json!({ "x.F": "\u{ff}" }), b"\x08\xff"),
        (json!(null), b"\0"),
    ] {
        assert_eq!(encode(&mixed, &json).as_deref(), Ok(bytes), "{json}");
    }
    let several =
        "can be more than one of null, string, long, double, x.F: write it as {\"type\": value}";
    assert_eq!(encode(&mixed, &json!(5)), Err(format!("it {several}")));
    assert_eq!(
        encode(&mixed, &json!(true)),
        Err("it is to be one of null, string, long, double, x.F".to_owned())
    );
    assert_eq!(decode(&mixed, b"\x04\x0a"), json!({ "long": 5 }));
    // A nullable map is plain: whoever means its only member by "map" is taken at their word.
    let map = schema(&json!(["null", { "type": "map", "values": "int" }]));
    assert_eq!(
        encode(&map, &json!({ "map": 1 })).expect("it fits"),
        b"\x02\x02\x06map\x02\0"
    );
}

#[test]
fn what_does_not_fit_says_where_and_shows_no_value() {
    let schema = schema(&order());
    for (json, fault) in [
        (json!([]), "it is to be an object"),
        (json!({ "item": "a" }), "/id has to be there"),
        (
            json!({ "id": "secret", "item": "a" }),
            "/id is to be a whole number of 64 bits",
        ),
        (
            json!({ "id": 1.5, "item": "a" }),
            "/id is to be a whole number of 64 bits",
        ),
        (
            json!({ "id": 1, "item": "a", "state": "secret" }),
            "/state is to be one of NEW, PAID",
        ),
        (
            json!({ "id": 1, "item": "a", "note": 7 }),
            "/note is to be text",
        ),
        (
            json!({ "id": 1, "item": "a", "no/te": 7 }),
            "/no~1te is no field of shop.Order",
        ),
        (
            json!({ "id": 1, "item": "a", "tags": { "x": 3_000_000_000_u64 } }),
            "/tags/x is to be a whole number of 32 bits",
        ),
        (
            json!({ "id": 1, "item": "a", "parts": [{ "id": 1 }] }),
            "/parts/0/item has to be there",
        ),
        (
            json!({ "id": 1, "item": "a", "weight": { "float": 1e300 } }),
            "/weight/float is to be a number of 32 bits",
        ),
    ] {
        assert_eq!(encode(&schema, &json), Err(fault.to_owned()), "{json}");
    }
}

#[test]
fn logical_types_are_what_they_stand_on_and_decimals_text() {
    let at = schema(&json!({ "type": "long", "logicalType": "timestamp-millis" }));
    assert_eq!(encode(&at, &json!(1)).expect("a number"), b"\x02");
    let price = json!({ "type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2 });
    let price = schema(&price);
    for said in [json!("12.34"), json!(12.34)] {
        assert_eq!(encode(&price, &said).expect("a decimal"), b"\x04\x04\xd2");
    }
    assert_eq!(decode(&price, b"\x04\x04\xd2"), json!("12.34"));
    let float = schema(&json!("float"));
    assert_eq!(
        decode(&float, &encode(&float, &json!(0.1)).expect("a number")),
        json!(0.1)
    );
    assert_eq!(
        decode(&float, &encode(&float, &json!("NaN")).expect("not one")),
        json!("NaN")
    );
}

#[test]
fn schemas_refer_to_types_of_others() {
    let money = json!({ "type": "record", "name": "Money", "namespace": "shop", "fields": [{ "name": "cents", "type": "long" }] });
    let bill = json!({ "type": "record", "name": "Bill", "namespace": "shop", "fields": [
        { "name": "total", "type": "Money" }, { "name": "tax", "type": ["null", "shop.Money"] } ] });
    let reference = Reference {
        name: "shop.Money".to_owned(),
        text: money.to_string(),
    };
    let bill = Avro::build(&bill.to_string(), &[reference]).expect("a schema");
    let json = json!({ "total": { "cents": 5 }, "tax": { "cents": 1 } });
    let bytes = encode(&bill, &json).expect("it fits");
    assert_eq!(
        (&bytes[..], decode(&bill, &bytes)),
        (&b"\x0a\x02\x02"[..], json)
    );
}

#[test]
fn schemas_that_cannot_be_used_say_why() {
    for text in ["", "{", "\"shop.Order\"", r#"{"type":"record","name":"A"}"#] {
        assert!(Avro::build(text, &[]).is_err(), "{text}");
    }
    let wrong = json!({ "type": "record", "name": "A", "fields": [{ "name": "a", "type": "bytes", "default": "€" }] });
    let why = Avro::build(&wrong.to_string(), &[]).expect_err("a wrong default");
    assert!(why.contains('a'), "{why}");
}

#[test]
fn hostile_records_are_refused_and_take_no_room() {
    let nulls = schema(&json!({ "type": "array", "items": "null" }));
    // A list of 2^40 nulls in seven bytes.
    assert!(nulls.decode(b"\x80\x80\x80\x80\x80\x80\x01\0").is_err());
    let node = schema(
        &json!({ "type": "record", "name": "N", "fields": [{ "name": "n", "type": ["null", "N"] }] }),
    );
    assert!(node.decode(&[2; 100_000]).is_err());
    let text = schema(&json!("string"));
    for bytes in [
        &b""[..],
        b"\x02",
        b"\x02\xff",
        b"\x01",
        b"\x02aa",
        b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
    ] {
        assert!(text.decode(bytes).is_err(), "{bytes:?}");
    }
    let mut deep = json!(null);
    for _ in 0..100 {
        deep = json!({ "n": deep });
    }
    assert_eq!(
        encode(&node, &deep),
        Err(format!("{} nests too deep", "/n".repeat(64)))
    );
}

fn orders() -> impl Strategy<Value = Value> {
    let leaf = (any::<i64>(), ".*", prop::option::of(".*"), any::<bool>(), prop::collection::btree_map(".*", any::<i32>(), 0..3), prop::option::of(any::<f32>().prop_filter("JSON has none", |f| f.is_finite())))
        .prop_map(|(id, item, note, paid, tags, weight)| {
            let weight = weight.map_or(json!(null), |weight| json!({ "float": weight.to_string().parse::<f64>().expect("a number") }));
            json!({ "id": id, "item": item, "note": note, "state": if paid { "PAID" } else { "NEW" }, "tags": tags, "parts": [], "price": format!("{:.2}", f64::from((id % 1_000_000_000) as i32) / 100.0), "weight": weight })
        });
    leaf.prop_recursive(3, 12, 3, |inner| {
        (inner.clone(), prop::collection::vec(inner, 0..3)).prop_map(|(mut order, parts)| {
            order["parts"] = json!(parts);
            order
        })
    })
}

proptest! {
    #[test]
    fn what_is_written_is_read_here_and_by_avros_own_library(said in orders()) {
        let ours = schema(&order());
        let bytes = encode(&ours, &said).expect("it fits");
        let theirs = Schema::parse_str(&order().to_string()).expect("a schema");
        let reader = GenericDatumReader::builder(&theirs).build().expect("a reader");
        let read = reader.read_value(&mut &bytes[..]).expect("a record");
        let writer = GenericDatumWriter::builder(&theirs).build().expect("a writer");
        let written = writer.write_value_to_vec(read).expect("a record");
        prop_assert_eq!(written.len(), bytes.len());
        prop_assert_eq!(decode(&ours, &bytes), said);
    }

    #[test]
    fn nothing_panics(record: Vec<u8>) {
        let _ = schema(&order()).decode(&record);
    }
}
