//! Messages that are JSON and messages again, and bytes of nobody's making.

use bytes::BytesMut;
use proptest::collection::vec;
use proptest::prelude::*;
use prost_reflect::prost::Message as _;
use prost_reflect::{DescriptorPool, DynamicMessage, FieldDescriptor, Kind, MapKey};
use prost_reflect::{MessageDescriptor, Value};
use weir_protocols::grpc::status::Code;
use weir_protocols::grpc::transcode::response::{End, Options, Stream};
use weir_protocols::grpc::transcode::{Found, Table};

use super::answers::nested_any;
use super::fixture::{frame, frames_of, messages, set, status, table};

const ECHO: &str = "/library.Echo/Everything";

/// What a message is made of: fields, and what their values are made of.
type Seeds = Vec<(usize, u64, String)>;

fn seeds() -> impl Strategy<Value = Seeds> {
    vec((any::<usize>(), any::<u64>(), ".{0,8}"), 0..12)
}

/// Types whose messages have no JSON while nothing is set in them.
const NEVER_NOTHING: [&str; 2] = ["google.protobuf.Any", "google.protobuf.Value"];

fn make(kind: &MessageDescriptor, seeds: &[(usize, u64, String)], depth: usize) -> DynamicMessage {
    let mut message = DynamicMessage::new(kind.clone());
    let fields: Vec<_> = kind.fields().collect();
    for (index, seed, text) in seeds {
        if let Some(field) = fields.get(index % fields.len().max(1))
            && let Some(value) = field_value(field, *seed, text, depth)
        {
            message.set_field(field, value);
        }
    }
    message
}

fn field_value(field: &FieldDescriptor, seed: u64, text: &str, depth: usize) -> Option<Value> {
    let kind = field.kind();
    if field.is_map() {
        let entry = kind.as_message()?.clone();
        let key = match entry.map_entry_key_field().kind() {
            Kind::String => MapKey::String(text.to_owned()),
            _ => MapKey::I32(seed as i32),
        };
        let value = value(&entry.map_entry_value_field().kind(), seed, text, depth)?;
        return Some(Value::Map([(key, value)].into()));
    }
    let value = value(&kind, seed, text, depth)?;
    match field.is_list() {
        true => Some(Value::List(vec![value.clone(), value])),
        false => Some(value),
    }
}

fn value(kind: &Kind, seed: u64, text: &str, depth: usize) -> Option<Value> {
    let whole = |number: f64| if number.is_nan() { 0.5 } else { number };
    Some(match kind {
        Kind::Double => Value::F64(whole(f64::from_bits(seed))),
        Kind::Float => Value::F32(whole(f32::from_bits(seed as u32).into()) as f32),
        Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => Value::I32(seed as i32),
        Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => Value::I64(seed as i64),
        Kind::Uint32 | Kind::Fixed32 => Value::U32(seed as u32),
        Kind::Uint64 | Kind::Fixed64 => Value::U64(seed),
        Kind::Bool => Value::Bool(seed & 1 == 1),
        Kind::String => Value::String(text.to_owned()),
        Kind::Bytes => Value::Bytes(seed.to_be_bytes().to_vec().into()),
        // Also such as have no name.
        Kind::Enum(_) => Value::EnumNumber((seed % 5) as i32),
        // One of those that is nothing is no JSON.
        Kind::Message(kind) if depth == 0 && !NEVER_NOTHING.contains(&kind.full_name()) => {
            Value::Message(DynamicMessage::new(kind.clone()))
        }
        Kind::Message(kind) => Value::Message(inner(kind, seed, text, depth.saturating_sub(1))?),
    })
}

/// A message in another; those that JSON has ways of its own for are within what they can be.
fn inner(kind: &MessageDescriptor, seed: u64, text: &str, depth: usize) -> Option<DynamicMessage> {
    let mut message = DynamicMessage::new(kind.clone());
    let mut set = |name: &str, value: Value| message.set_field_by_name(name, value);
    let nanos = Value::I32((seed % 1_000_000_000) as i32);
    match kind.full_name() {
        "google.protobuf.Timestamp" => {
            set("seconds", Value::I64((seed % 253_402_300_800) as i64));
            set("nanos", nanos);
        }
        "google.protobuf.Duration" => {
            set("seconds", Value::I64((seed % 315_576_000_000) as i64));
            set("nanos", nanos);
        }
        "google.protobuf.FieldMask" => {
            let paths = ["a_b", "c.d_e"].map(|path| Value::String(path.into()));
            set("paths", Value::List(paths.into()));
        }
        "google.protobuf.Any" => {
            let book = kind.parent_pool().get_message_by_name("library.Book")?;
            let mut packed = DynamicMessage::new(book);
            packed.set_field_by_name("title", Value::String(text.into()));
            let url = "type.googleapis.com/library.Book".to_owned();
            set("type_url", Value::String(url));
            set("value", Value::Bytes(packed.encode_to_vec().into()));
        }
        "google.protobuf.Value" => set("string_value", Value::String(text.into())),
        name if name.starts_with("google.protobuf.") && name.ends_with("Value") => {
            let field = kind.get_field(1)?;
            let value = value(&field.kind(), seed, text, 0)?;
            message.set_field(&field, value);
        }
        _ => {
            let again = seed.rotate_left(17);
            let seeds: Seeds = (0..3)
                .map(|n| {
                    (
                        again.rotate_left(n * 7) as usize,
                        again ^ u64::from(n),
                        text.into(),
                    )
                })
                .collect();
            return Some(make(kind, &seeds, depth));
        }
    }
    Some(message)
}

fn json_of(table: &Table, message: &[u8], options: Options) -> Option<String> {
    let Found::Route(echo) = table.find("POST", ECHO) else {
        panic!("{ECHO} leads nowhere");
    };
    let mut writer = echo.route.answer(Stream::Lines, options, u32::MAX);
    let mut out = BytesMut::new();
    writer.push(frame(message).into(), &mut out).ok()?;
    let end = writer.finish(&status(Code::Ok), true, &mut out).ok()?;
    assert_eq!(end, End::Whole);
    Some(String::from_utf8(out.to_vec()).expect("it is JSON"))
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(300) })]

    #[test]
    fn a_message_is_itself_again_by_way_of_json(seeds in seeds(), ways in 0..16_u8) {
        let pool = DescriptorPool::decode(&*set()).expect("it holds together");
        let kind = pool.get_message_by_name("library.Everything").expect("it is there");
        // What is set to what it is anyway is not sent, and is as if it was not set.
        let message = make(&kind, &seeds, 2).encode_to_vec();
        let message = DynamicMessage::decode(kind.clone(), &*message).expect("it is its type");
        let table = table();
        let options = Options {
            always_print_defaults: ways & 1 != 0,
            preserve_field_names: ways & 2 != 0,
            enums_as_numbers: ways & 4 != 0,
            longs_as_numbers: ways & 8 != 0,
        };
        let json = json_of(&table, &message.encode_to_vec(), options).expect("it can be written");
        let frames = frames_of(&table, "POST", ECHO, &[json.as_bytes()], u32::MAX);
        let again = messages(&frames.expect(&json)).remove(0);
        let again = DynamicMessage::decode(kind, &*again).expect("it is its type");
        // Not printed: a message of a type that holds itself prints without end.
        prop_assert!(again == message, "{}", json);
    }

    #[test]
    fn bytes_of_nobodys_making_are_read_or_refused(bytes in vec(any::<u8>(), 0..200)) {
        let table = table();
        if let Some(json) = json_of(&table, &bytes, Options::default()) {
            prop_assert!(serde_json::from_str::<serde_json::Value>(&json).is_ok());
        }
        let _ = frames_of(&table, "POST", ECHO, &[&bytes], 1 << 20);
    }
}

#[test]
fn what_nests_too_deep_is_refused() {
    let table = table();
    for levels in [100, 10_000] {
        let deep = format!("{}{}", r#"{"inner":"#.repeat(levels), "}".repeat(levels));
        let list = format!(
            r#"{{"anyJson":{}{}}}"#,
            "[".repeat(levels),
            "]".repeat(levels)
        );
        let any = r#"{"@type":"type.googleapis.com/google.protobuf.Any","value":"#;
        let any = format!(
            r#"{{"packed":{}{{}}{}}}"#,
            any.repeat(levels),
            "}".repeat(levels)
        );
        for text in [deep, list, any] {
            let read = frames_of(&table, "POST", ECHO, &[text.as_bytes()], 1 << 20);
            if levels > 128 {
                read.expect_err("it is too deep");
            }
        }
    }
    let packed = nested_any(100);
    let length = [packed.len() as u8 | 0x80, (packed.len() >> 7) as u8 | 0x80];
    let length = [&length[..], &[(packed.len() >> 14) as u8]].concat();
    let message = [&b"\x9a\x02"[..], &length, &packed].concat();
    assert_eq!(json_of(&table, &message, Options::default()), None);
}

/// What the fuzz targets call: the library, compiled. `WEIR_UPDATE=1` writes it anew.
#[test]
fn the_compiled_library_is_current() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/fuzz/library.binpb");
    if std::env::var_os("WEIR_UPDATE").is_some() {
        std::fs::write(path, set()).expect("it is ours to write");
    }
    let there = std::fs::read(path).unwrap_or_default();
    assert!(
        there == set(),
        "{path} is stale: run this test with WEIR_UPDATE=1"
    );
}
