//! What is read of a descriptor set, and what is refused.

use weir_protocols::grpc::descriptor::{Body, Fault, Limits, Pool, Rule};

use crate::fixture::{compile, pool, set, with_rule};

#[test]
fn services_and_methods_are_listed() {
    let pool = pool();
    let services: Vec<_> = pool
        .services()
        .iter()
        .map(|service| &*service.name)
        .collect();
    assert_eq!(services, ["library.Library", "library.Echo"]);
    let import = pool.method("/library.Library/Import").expect("it is there");
    assert_eq!(import.service, "library.Library");
    assert_eq!(import.name, "Import");
    assert!(import.client_streaming && !import.server_streaming);
    assert_eq!(import.input(), "library.CreateBookRequest");
    assert_eq!(import.output(), "library.Shelf");
    assert!(pool.method("/library.Library/Nothing").is_none());
    let search = pool.method("/library.Library/Search").expect("it is there");
    assert!(!search.client_streaming && search.server_streaming);
}

#[test]
fn rules_are_read_as_written() {
    let pool = pool();
    let rules = |path: &str| pool.method(path).expect(path).rules.clone();
    let rule = |http_method: &str, pattern: &str, body, response_body: Option<&str>| Rule {
        http_method: http_method.into(),
        pattern: pattern.into(),
        body,
        response_body: response_body.map(Into::into),
    };
    let book = "/v1/{name=shelves/*/books/*}";
    let expected = [
        rule("GET", book, Body::None, None),
        rule("GET", "/v1/books/{name}", Body::None, None),
    ];
    assert_eq!(rules("/library.Library/GetBook"), expected);
    let pattern = "/v1/{parent=shelves/*}/books";
    let expected = [rule("POST", pattern, Body::Field("book".into()), None)];
    assert_eq!(rules("/library.Library/CreateBook"), expected);
    let pattern = "/v1/{book.name=shelves/*/books/*}";
    let expected = [rule("PATCH", pattern, Body::Whole, Some("book"))];
    assert_eq!(rules("/library.Library/UpdateBook"), expected);
    let expected = [rule("SEARCH", "/v1/everything", Body::None, None)];
    assert_eq!(rules("/library.Library/Search"), expected);
    assert_eq!(rules("/library.Echo/Page"), []);
}

#[test]
fn what_everybody_imports_need_not_be_there() {
    let source = r#"syntax = "proto3"; package t;
        import "google/api/annotations.proto";
        import "google/api/httpbody.proto";
        import "google/protobuf/timestamp.proto";
        service S { rpc M(google.protobuf.Timestamp) returns (google.api.HttpBody) {
            option (google.api.http) = { get: "/m" };
        } }"#;
    let with = Pool::read(&compile("t.proto", source, true), Limits::default());
    let without = Pool::read(&compile("t.proto", source, false), Limits::default());
    for pool in [with, without] {
        let pool = pool.expect("it holds together");
        let method = pool.method("/t.S/M").expect("it is there");
        assert_eq!(method.rules[0].pattern, "/m");
        assert_eq!(method.output(), "google.api.HttpBody");
    }
}

#[test]
fn a_set_without_its_imports_says_so() {
    let source = r#"syntax = "proto3"; package t; import "shelf.proto";
        message M { library.Shelf shelf = 1; }"#;
    let fault = Pool::read(&compile("t.proto", source, false), Limits::default());
    let fault = fault.expect_err("a file is missing");
    let expected = Fault::MissingImport {
        file: "t.proto".into(),
        import: "shelf.proto".into(),
    };
    assert_eq!(fault, expected);
    let said = "t.proto imports shelf.proto, which is not in the descriptor set: make the set with \
                --include_imports";
    assert_eq!(fault.to_string(), said);
}

#[test]
fn what_is_no_set_or_too_much_is_refused() {
    let set = set();
    let read = |bytes: &[u8], limits| Pool::read(bytes, limits).expect_err("it is refused");
    assert!(matches!(
        read(b"\xff\xff", Limits::default()),
        Fault::NotASet { .. }
    ));
    assert!(matches!(
        read(&set[..set.len() - 1], Limits::default()),
        Fault::NotASet { .. }
    ));
    let short = Limits {
        bytes: set.len() - 1,
        ..Limits::default()
    };
    assert!(matches!(read(&set, short), Fault::TooLong { .. }));
    let few = Limits {
        files: 3,
        ..Limits::default()
    };
    assert!(matches!(
        read(&set, few),
        Fault::TooManyFiles { max: 3, .. }
    ));
    // A message of a type that is nowhere: 1: file { 1: name, 4: message { 2: field { … } } }.
    let file = b"\x0a\x1d\x0a\x07a.proto\x22\x12\x0a\x01M\x12\x0d\x0a\x01f\x18\x01\x20\x01\x28\x0b\x32\x02.X";
    let fault = read(file, Limits::default());
    assert!(
        matches!(&fault, Fault::File { file: Some(file), .. } if file == "a.proto"),
        "{fault:?}"
    );
}

#[test]
fn nested_and_cyclic_types_are_a_set_like_any() {
    // Types that hold themselves: a message nests in bytes, and not in its definition.
    assert!(pool().services().len() == 2);
    // Definitions in definitions, deeper than a decoder goes.
    let mut message = b"\x0a\x01M".to_vec();
    for _ in 0..200 {
        let mut outer = b"\x0a\x01M\x1a".to_vec();
        push_length(&mut outer, message.len());
        outer.extend(message);
        message = outer;
    }
    let mut file = b"\x0a\x07a.proto\x22".to_vec();
    push_length(&mut file, message.len());
    file.extend(message);
    let mut set = b"\x0a".to_vec();
    push_length(&mut set, file.len());
    set.extend(file);
    let fault = Pool::read(&set, Limits::default()).expect_err("it is too deep");
    assert!(matches!(fault, Fault::NotASet { .. }), "{fault:?}");
}

fn push_length(out: &mut Vec<u8>, length: usize) {
    let mut length = length;
    while length > 0x7f {
        out.push((length & 0x7f) as u8 | 0x80);
        length >>= 7;
    }
    out.push(length as u8);
}

#[test]
fn a_rule_that_does_not_fit_says_why() {
    for (rule, expected) in [
        (r#"body: "*""#, "names no HTTP method with a path"),
        (r#"get: """#, "names no HTTP method with a path"),
        (
            r#"custom { kind: "X" }"#,
            "names no HTTP method with a path",
        ),
        (
            r#"get: "/a" additional_bindings { get: "/b" additional_bindings { get: "/c" } }"#,
            "nests additional_bindings",
        ),
        (r#"get: "a""#, "does not begin with a slash"),
        (
            r#"get: "/{nothing}""#,
            "library.Everything has no field nothing",
        ),
        (
            r#"get: "/{book.nothing}""#,
            "library.Everything has no field book.nothing",
        ),
        (
            r#"get: "/{text.more}""#,
            "library.Everything has no field text.more",
        ),
        (r#"get: "/{texts}""#, "which is repeated"),
        (r#"get: "/{counts}""#, "which is repeated"),
        (r#"get: "/{by_id.value}""#, "has no field by_id.value"),
        (r#"get: "/{book}""#, "name one of its fields"),
        (
            r#"post: "/a" body: "nothing""#,
            "has no field nothing, which is to be the body",
        ),
        (r#"post: "/a" body: "book.name""#, "has no field book.name"),
        (
            r#"post: "/{book.name}" body: "book""#,
            "so that book cannot be the body",
        ),
        (
            r#"get: "/a" response_body: "nothing""#,
            "has no field nothing",
        ),
        (
            r#"get: "/{text}/a" additional_bindings { get: "/{word}/a" }"#,
            "has a rule for the same requests, `GET /{text}/a`: change one of them",
        ),
    ] {
        let fault = with_rule(rule).expect_err(rule);
        assert!(fault.contains(expected), "{rule}: {fault}");
        assert!(fault.contains("/t.S/M"), "{rule}: {fault}");
    }
    with_rule(r#"get: "/{inner.inner.at}/{ratio}/{genre}""#).expect("it fits");
}
