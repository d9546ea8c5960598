//! Answers and the bodies they become, however their bytes are cut.

use bytes::{Bytes, BytesMut};
use weir_protocols::grpc::status::Code;
use weir_protocols::grpc::transcode::response::{End, Fault, Options, Status, Stream, Writer};
use weir_protocols::grpc::transcode::{Found, Route, Table};

use crate::fixture::{call, frame, frames_of, same, status, table};

const PLAIN: Options = Options {
    always_print_defaults: false,
    preserve_field_names: false,
    enums_as_numbers: false,
    longs_as_numbers: false,
};

fn writer(table: &Table, path: &str, stream: Stream, options: Options) -> Writer {
    writer_of(route(table, path), stream, options)
}

fn writer_of(route: &std::sync::Arc<Route>, stream: Stream, options: Options) -> Writer {
    route.answer(stream, options, 1000)
}

/// The route of the first rule of a method.
fn route<'t>(table: &'t Table, method: &str) -> &'t std::sync::Arc<Route> {
    let path = format!("/library.Library/{method}");
    let is_it = |route: &&std::sync::Arc<Route>| route.method().path == path;
    table.routes().iter().find(is_it).expect(method)
}

/// A message of `library.Book` and its like, by way of a request.
fn message(table: &Table, echo: &str, json: &str) -> Vec<u8> {
    let target = format!("/library.Echo/{echo}");
    frames_of(table, "POST", &target, &[json.as_bytes()], 1 << 20).expect(json)
}

/// A book in its frame.
fn book(title: &str) -> Vec<u8> {
    let length = u8::try_from(title.len()).expect("it is short");
    frame(&[&[0x12, length], title.as_bytes(), b"\x18\x03\x28\x01"].concat())
}

/// What is written of an answer that ended well, the same for each cut.
fn well(make: impl Fn() -> Writer, body: &[u8]) -> String {
    let write = |chunks: &[&[u8]]| {
        let (mut writer, mut out) = (make(), BytesMut::new());
        for chunk in chunks {
            writer
                .push(Bytes::copy_from_slice(chunk), &mut out)
                .expect("it is sound");
        }
        let end = writer.finish(&status(Code::Ok), true, &mut out);
        assert_eq!(end, Ok(End::Whole));
        out
    };
    let whole = write(&[body]);
    for at in 0..=body.len() {
        assert_eq!(write(&[&body[..at], &body[at..]]), whole, "cut at {at}");
    }
    assert_eq!(write(&body.chunks(1).collect::<Vec<_>>()), whole);
    String::from_utf8(whole.to_vec()).expect("it is text")
}

#[test]
fn one_message_is_one_text_once_it_ended_well() {
    let table = table();
    let make = || writer(&table, "GetBook", Stream::Lines, PLAIN);
    assert_eq!(make().content_type(), Some("application/json"));
    let expected = r#"{"title":"T","pageCount":3,"genre":"POETRY"}"#;
    assert_eq!(well(make, &book("T")), expected);
    let (mut writer, mut out) = (make(), BytesMut::new());
    writer
        .push(book("T").into(), &mut out)
        .expect("it is sound");
    assert!(out.is_empty(), "it could still fail");
}

#[test]
fn options_say_how_json_is_written() {
    let table = table();
    let with = |options| {
        well(
            || writer(&table, "GetBook", Stream::Lines, options),
            &book("T"),
        )
    };
    let options = Options {
        preserve_field_names: true,
        enums_as_numbers: true,
        ..PLAIN
    };
    assert_eq!(with(options), r#"{"title":"T","page_count":3,"genre":1}"#);
    let options = Options {
        always_print_defaults: true,
        ..PLAIN
    };
    let expected = r#"{"name":"","title":"T","pageCount":3,"authors":[],"genre":"POETRY"}"#;
    same(&with(options), expected);
}

#[test]
fn numbers_that_json_has_none_for_are_texts_wherever_they_are() {
    let table = table();
    for number in [r#""NaN""#, r#""Infinity""#, r#""-Infinity""#, "-1.5"] {
        for json in [
            r#"{"f64":0,"f32":0}"#,
            r#"{"ratio":0}"#,
            r#"{"inner":{"inner":{"ratio":0}}}"#,
            r#"{"packed":{"@type":"t/library.Everything","ratio":0}}"#,
            r#"{"packed":{"@type":"t/google.protobuf.FloatValue","value":0}}"#,
        ] {
            let json = json.replace(":0", &format!(":{number}"));
            let answers = call(&table, "POST", "/library.Echo/Everything", &json).expect(&json);
            same(&answers[0], &json);
        }
    }
}

#[test]
fn a_stream_is_lines_or_events() {
    let table = table();
    let body = [book("one"), frame(b""), book("t\nwo")].concat();
    let make = || writer(&table, "Search", Stream::Lines, PLAIN);
    assert_eq!(make().content_type(), Some("application/x-ndjson"));
    let expected = "{\"title\":\"one\",\"pageCount\":3,\"genre\":\"POETRY\"}\n{}\n\
                    {\"title\":\"t\\nwo\",\"pageCount\":3,\"genre\":\"POETRY\"}\n";
    assert_eq!(well(make, &body), expected);
    let make = || writer(&table, "Search", Stream::Events, PLAIN);
    assert_eq!(make().content_type(), Some("text/event-stream"));
    let expected = "data: {\"title\":\"one\",\"pageCount\":3,\"genre\":\"POETRY\"}\n\ndata: {}\n\n\
                    data: {\"title\":\"t\\nwo\",\"pageCount\":3,\"genre\":\"POETRY\"}\n\n";
    assert_eq!(well(make, &body), expected);
    assert_eq!(well(make, b""), "");
    // Each message is out as soon as it is whole.
    let (mut writer, mut out) = (make(), BytesMut::new());
    writer
        .push(book("one").into(), &mut out)
        .expect("it is sound");
    assert!(out.ends_with(b"\n\n"));
}

#[test]
fn one_field_of_an_answer_is_sent_if_the_rule_names_it() {
    let table = table();
    let update = |json| {
        let body = message(&table, "CreateBookRequest", json);
        well(|| writer(&table, "UpdateBook", Stream::Lines, PLAIN), &body)
    };
    assert_eq!(
        update(r#"{"parent":"p","book":{"title":"T"}}"#),
        r#"{"title":"T"}"#
    );
    assert_eq!(update(r#"{"parent":"p","book":{}}"#), "{}");
    assert_eq!(update(r#"{"parent":"p"}"#), "null");
    let titles = |json, options| {
        let body = message(&table, "Everything", json);
        well(|| writer(&table, "Titles", Stream::Lines, options), &body)
    };
    assert_eq!(
        titles(r#"{"texts":["a","b"],"i32":1}"#, PLAIN),
        r#"["a","b"]"#
    );
    assert_eq!(titles("{}", PLAIN), "[]");
    let all = Options {
        always_print_defaults: true,
        ..PLAIN
    };
    assert_eq!(titles(r#"{"texts":["a"]}"#, all), r#"["a"]"#);
}

#[test]
fn a_raw_body_is_sent_as_it_is() {
    let table = table();
    let page = frame(b"\x0a\x09image/png\x12\x04\x89PNG");
    let (mut one, mut out) = (
        writer(&table, "Upload", Stream::Lines, PLAIN),
        BytesMut::new(),
    );
    assert_eq!(one.content_type(), None, "the message says it");
    one.push(page.clone().into(), &mut out)
        .expect("it is sound");
    assert_eq!(one.content_type(), Some("image/png"));
    assert_eq!(
        one.finish(&status(Code::Ok), false, &mut out),
        Ok(End::Whole)
    );
    assert_eq!(&out[..], b"\x89PNG");

    let (mut all, mut out) = (
        writer(&table, "UploadAll", Stream::Events, PLAIN),
        BytesMut::new(),
    );
    all.push([page, frame(b"\x12\x02..")].concat().into(), &mut out)
        .expect("it is sound");
    assert_eq!(all.content_type(), Some("image/png"));
    let end = all.finish(&status(Code::Internal), true, &mut out);
    assert!(
        matches!(end, Ok(End::Broken { is_said: false, .. })),
        "{end:?}"
    );
    assert_eq!(&out[..], b"\x89PNG..");
    // What is said is put into a header.
    for said in [&b"\x0a\x04a\r\nb"[..], b""] {
        let mut writer = writer(&table, "Upload", Stream::Lines, PLAIN);
        writer
            .push(frame(said).into(), &mut BytesMut::new())
            .expect("it is sound");
        assert_eq!(writer.content_type(), Some("application/octet-stream"));
    }
}

#[test]
fn a_failure_before_the_head_is_an_answer_of_its_own() {
    let table = table();
    for method in ["GetBook", "Search"] {
        let (mut writer, mut out) = (
            writer(&table, method, Stream::Events, PLAIN),
            BytesMut::new(),
        );
        let status = Status {
            message: "no \"book\"",
            ..status(Code::NotFound)
        };
        let end = writer.finish(&status, false, &mut out);
        let Ok(End::Failed(failure)) = end else {
            panic!("{end:?}")
        };
        assert_eq!(failure.http_status, 404);
        assert_eq!(&failure.json[..], br#"{"code":5,"message":"no \"book\""}"#);
        assert!(failure.left_out.is_empty() && out.is_empty());
    }
}

#[test]
fn a_failure_after_the_head_is_said_at_the_end() {
    let table = table();
    for (stream, expected) in [
        (
            Stream::Lines,
            "{}\n{\"error\":{\"code\":14,\"message\":\"gone\"}}\n",
        ),
        (
            Stream::Events,
            "data: {}\n\nevent: error\ndata: {\"code\":14,\"message\":\"gone\"}\n\n",
        ),
    ] {
        let (mut writer, mut out) = (writer(&table, "Search", stream, PLAIN), BytesMut::new());
        writer
            .push(frame(b"").into(), &mut out)
            .expect("it is sound");
        let status = Status {
            message: "gone",
            ..status(Code::Unavailable)
        };
        let end = writer.finish(&status, true, &mut out);
        let Ok(End::Broken {
            failure,
            is_said: true,
        }) = end
        else {
            panic!("{end:?}")
        };
        assert_eq!(failure.http_status, 503);
        assert_eq!(out, expected);
    }
    // One text that is half out cannot say it.
    let (mut writer, mut out) = (
        writer(&table, "GetBook", Stream::Lines, PLAIN),
        BytesMut::new(),
    );
    let end = writer.finish(&status(Code::Unavailable), true, &mut out);
    assert!(matches!(end, Ok(End::Broken { is_said: false, .. })) && out.is_empty());
}

#[test]
fn what_is_no_answer_is_told_why_and_never_ends_well() {
    let table = table();
    let packed = nested_any(9);
    for (method, body, expected) in [
        ("GetBook", b"\x02".to_vec(), "begins with 0x02"),
        ("GetBook", frame(&[0; 1001]), "more than the 1000 allowed"),
        (
            "GetBook",
            b"\x01\0\0\0\0".to_vec(),
            "is compressed although nobody asked",
        ),
        ("GetBook", frame(b"\x12\x02\xff\xff"), "is no library.Book"),
        ("GetBook", frame(b"\x12\xff"), "is no library.Book"),
        (
            "GetBook",
            [frame(b""), frame(b"")].concat(),
            "is not just one message",
        ),
        (
            "Titles",
            frame(&everything(35, &packed)),
            "packed in google.protobuf.Any in each other",
        ),
        (
            "Titles",
            frame(&everything(35, b"\x0a\x03x/y")),
            "where a type is missing",
        ),
    ] {
        let (mut writer, mut out) = (
            writer(&table, method, Stream::Lines, PLAIN),
            BytesMut::new(),
        );
        let fault = match method {
            // Only what is sent is written: here it is all.
            "Titles" => {
                let echo = table.find("POST", "/library.Echo/Everything");
                let Found::Route(echo) = echo else {
                    panic!("{echo:?}")
                };
                writer = writer_of(echo.route, Stream::Lines, PLAIN);
                writer.push(body.into(), &mut out)
            }
            _ => writer.push(body.into(), &mut out),
        };
        let fault = fault.expect_err(expected);
        assert!(fault.to_string().contains(expected), "{fault}");
        assert!(out.is_empty());
        assert_eq!(writer.push(Bytes::new(), &mut out), Err(fault.clone()));
        assert_eq!(
            writer.finish(&status(Code::Ok), false, &mut out),
            Err(fault)
        );
        let end = writer.finish(&status(Code::Internal), false, &mut out);
        assert!(matches!(end, Ok(End::Failed(_))), "{end:?}");
    }
    for body in [&b"\0\0\0"[..], b"\0\0\0\0\x05ab"] {
        let (mut writer, mut out) = (
            writer(&table, "Search", Stream::Lines, PLAIN),
            BytesMut::new(),
        );
        writer
            .push(Bytes::copy_from_slice(body), &mut out)
            .expect("it may go on");
        let end = writer.finish(&status(Code::Ok), true, &mut out);
        assert!(matches!(end, Err(Fault::Frame(_))), "{end:?}");
    }
    let mut none = writer(&table, "GetBook", Stream::Lines, PLAIN);
    let end = none.finish(&status(Code::Ok), false, &mut BytesMut::new());
    assert_eq!(end, Err(Fault::Messages));
}

/// A message of everything with this field of bytes.
fn everything(field: u8, value: &[u8]) -> Vec<u8> {
    let tag = u32::from(field) << 3 | 2;
    let mut out = vec![(tag & 0x7f) as u8 | 0x80, (tag >> 7) as u8];
    length(&mut out, value.len());
    out.extend(value);
    out
}

/// So many messages packed in each other.
pub fn nested_any(levels: usize) -> Vec<u8> {
    const URL: &[u8] = b"\x0a\x27type.googleapis.com/google.protobuf.Any";
    let mut any = Vec::new();
    for _ in 0..levels {
        let mut outer = URL.to_vec();
        outer.push(0x12);
        length(&mut outer, any.len());
        outer.extend(any);
        any = outer;
    }
    any
}

fn length(out: &mut Vec<u8>, mut length: usize) {
    while length > 0x7f {
        out.push((length & 0x7f) as u8 | 0x80);
        length >>= 7;
    }
    out.push(length as u8);
}
