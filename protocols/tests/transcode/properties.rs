//! Bytes of nobody's making, what nests too deep, and the types that the fuzz targets read.

use bytes::BytesMut;
use proptest::collection::vec;
use proptest::prelude::*;
use weir_protocols::grpc::status::Code;
use weir_protocols::grpc::transcode::response::{End, Options, Stream};
use weir_protocols::grpc::transcode::{Found, Table};

use super::answers::nested_any;
use super::fixture::{frame, frames_of, set, status, table};

const ECHO: &str = "/library.Echo/Everything";

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
