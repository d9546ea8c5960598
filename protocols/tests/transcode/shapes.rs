//! What messages are in JSON, for who describes them; and calls in JSON alone.

use std::sync::Arc;

use bytes::BytesMut;
use weir_protocols::grpc::descriptor::shape::{Count, Field, Kind};
use weir_protocols::grpc::descriptor::{Limits, Pool};
use weir_protocols::grpc::status::Code;
use weir_protocols::grpc::transcode::Route;
use weir_protocols::grpc::transcode::response::{End, Options, Stream};

use crate::fixture::{compile, pool, same, status};

fn fields(kind: &Kind) -> Vec<Field> {
    match kind {
        Kind::Object(message) => message.fields().collect(),
        other => panic!("{other:?} has no fields"),
    }
}

fn said(field: &Field) -> String {
    let kind = match &field.kind {
        Kind::Enum(kind) => kind.full_name().to_owned(),
        Kind::Object(message) => message.full_name().to_owned(),
        other => format!("{other:?}"),
    };
    match field.count {
        Count::One => kind,
        Count::List => format!("[{kind}]"),
        Count::Map => format!("{{{kind}}}"),
    }
}

#[test]
fn fields_are_told_as_json_has_them() {
    let pool = pool();
    let everything = pool
        .method("/library.Echo/Everything")
        .expect("it is there");
    let found: Vec<_> = fields(&everything.takes()).iter().map(said).collect();
    let expected = "Float Float Int Long Long Long Int Long Long Long Int Long Boolean Text Text \
                    library.Genre [Text] [Int] [library.Genre] {Int} {library.Book} library.Everything \
                    library.Book Text Int library.Book Text Text Text Long Boolean Text Any Any Any Int \
                    Float Text [Text]";
    assert_eq!(found.join(" "), expected);
    let delete = pool
        .method("/library.Library/DeleteBook")
        .expect("it is there");
    assert_eq!(delete.gives(), Kind::Empty);
}

#[test]
fn names_are_without_the_package_and_what_is_required_says_so() {
    let source = r#"syntax = "proto2"; package a.b;
        message Outer {
            message Inner { enum Of { ONE = 1; } required Of kind = 1; }
            required Inner the_inner = 1;
            optional group Thing = 2 { optional uint32 n = 1; }
        }
        service S {
            rpc Reads(Outer) returns (Outer) { option idempotency_level = NO_SIDE_EFFECTS; }
            rpc Twice(Outer) returns (Outer) { option idempotency_level = IDEMPOTENT; }
            rpc Writes(Outer) returns (Outer);
        }"#;
    let set = compile("t.proto", source, true);
    let pool = Pool::read(&set, Limits::default()).expect("it holds together");
    let reads: Vec<_> = pool.methods().map(|method| method.only_reads).collect();
    assert_eq!(reads, [true, false, false]);
    let outer = pool.methods().next().expect("a method").takes();
    let [inner, group] = &fields(&outer)[..] else {
        panic!("two fields");
    };
    assert_eq!((&*inner.name, inner.required), ("theInner", true));
    assert_eq!((&*group.name, group.required), ("thing", false));
    let Kind::Object(message) = &inner.kind else {
        panic!("a message");
    };
    assert_eq!(message.name(), "Outer.Inner");
    let Kind::Enum(of) = &fields(&inner.kind)[0].kind else {
        panic!("an enumeration");
    };
    assert_eq!(of.name(), "Outer.Inner.Of");
    assert_eq!(of.values().collect::<Vec<_>>(), ["ONE"]);
}

#[test]
fn a_call_in_json_alone_is_json_all_through() {
    let pool = pool();
    let page = pool.method("/library.Echo/Page").expect("it is there");
    let upload = pool.method("/library.Library/Upload").expect("it is there");
    let route = |method| Arc::new(Route::json(method).expect("it is a path"));
    let mut out = BytesMut::new();
    let mut reader = route(page).request(1 << 20);
    let asked = r#"{"name":"n","body":{"contentType":"text/plain","data":"aGk="},"number":7}"#;
    reader
        .push(asked.as_bytes(), &mut out)
        .expect("it is a page");
    reader.finish(&mut out).expect("it is whole");

    // A page in a frame; and the raw body of another, where that is all that is answered.
    let framed = out.split().freeze();
    let raw = crate::fixture::frame(b"\x0a\x01t\x12\x02hi");
    let options = Options {
        longs_as_numbers: true,
        ..Options::default()
    };
    for (method, answer, expected) in [
        (page, framed, asked),
        (upload, raw.into(), r#"{"contentType":"t","data":"aGk="}"#),
    ] {
        let mut writer = route(method).answer(Stream::Lines, options, 1 << 20);
        writer.push(answer, &mut out).expect("it is its type");
        let end = writer.finish(&status(Code::Ok), false, &mut out);
        assert_eq!(end, Ok(End::Whole));
        same(&String::from_utf8_lossy(&out.split()), expected);
    }
}
