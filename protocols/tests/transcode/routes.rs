//! Path templates, each rule of their syntax, and what a table finds.

use weir_protocols::grpc::transcode::Found;
use weir_protocols::grpc::transcode::template::{Fault, Template, What};

use crate::fixture::{table, with_rule};

fn bind(template: &str, path: &str) -> Option<Vec<String>> {
    Template::parse(template).expect(template).bind(path)
}

#[test]
fn templates_match_as_they_are_defined_to() {
    let some: fn(&[&str]) -> Option<Vec<String>> =
        |values| Some(values.iter().map(|&value| value.to_owned()).collect());
    for (template, path, expected) in [
        ("/", "/", some(&[])),
        ("/", "/a", None),
        ("/v1/shelves", "/v1/shelves", some(&[])),
        ("/v1/shelves", "/v1/Shelves", None),
        ("/v1/shelves", "/v1/shelves/", None),
        ("/v1/shelves", "/v1/shelve%73", None),
        ("/v1/shelves", "v1/shelves", None),
        ("/v1/*", "/v1/a", some(&[])),
        ("/v1/*", "/v1/", None),
        ("/v1/*", "/v1", None),
        ("/v1/*", "/v1/a/b", None),
        ("/v1/**", "/v1", some(&[])),
        ("/v1/**", "/v1/", some(&[])),
        ("/v1/**", "/v1/a/b/c", some(&[])),
        ("/v1/**", "/v2/a", None),
        ("/**", "/", some(&[])),
        ("/v1/{a}", "/v1/x", some(&["x"])),
        ("/v1/{a=*}", "/v1/x", some(&["x"])),
        ("/v1/{a}/{b}", "/v1/x/y", some(&["x", "y"])),
        ("/v1/{a=b}", "/v1/b", some(&["b"])),
        ("/v1/{a=b}", "/v1/c", None),
        ("/v1/{a=b/*}", "/v1/b/x", some(&["b/x"])),
        ("/v1/{a=b/*/c}/d", "/v1/b/x/c/d", some(&["b/x/c"])),
        ("/v1/{a=b/*}/c/{d.e}", "/v1/b/x/c/y", some(&["b/x", "y"])),
        ("/v1/{a=**}", "/v1/x/y/z", some(&["x/y/z"])),
        ("/v1/{a=**}", "/v1", some(&[""])),
        ("/v1/{a=b/**}", "/v1/b", some(&["b"])),
        ("/v1/{a=b/**}", "/v1/b/x/y", some(&["b/x/y"])),
        // Verbs.
        ("/v1/a:go", "/v1/a:go", some(&[])),
        ("/v1/a:go", "/v1/a", None),
        ("/v1/a:go", "/v1/a:stop", None),
        ("/v1/a:go", "/v1/a%3Ago", None),
        ("/v1/{a}:go", "/v1/x:go", some(&["x"])),
        ("/v1/{a}:go", "/v1/x:y:go", some(&["x:y"])),
        ("/v1/{a}:go", "/v1/:go", None),
        ("/v1/{a=b/*}:go", "/v1/b/x:go", some(&["b/x"])),
        ("/v1/{a=**}:go", "/v1/x/y:go", some(&["x/y"])),
        ("/v1/{a}", "/v1/x:go", some(&["x:go"])),
        // Escapes: of one segment all, of more all but slashes.
        ("/v1/{a}", "/v1/x%20y", some(&["x y"])),
        ("/v1/{a}", "/v1/x%2Fy%2fz", some(&["x/y/z"])),
        ("/v1/{a}", "/v1/%C3%A4+b", some(&["\u{e4}+b"])),
        ("/v1/{a=*}", "/v1/%7E%2E", some(&["~."])),
        ("/v1/{a=b/*}", "/v1/b/x%2Fy%2fz%20", some(&["b/x%2Fy%2fz "])),
        ("/v1/{a=**}", "/v1/x%2Fy/%41", some(&["x%2Fy/A"])),
        ("/v1/{a=**}", "/v1/x%2Fy", some(&["x%2Fy"])),
        ("/v1/{a}", "/v1/x%", None),
        ("/v1/{a}", "/v1/x%4", None),
        ("/v1/{a}", "/v1/x%+1", None),
        ("/v1/{a}", "/v1/%ff", None),
        ("/v1/{a=**}", "/v1/%zz", None),
    ] {
        assert_eq!(bind(template, path), expected, "{template} {path}");
    }
}

#[test]
fn what_is_no_template_is_told_where_and_why() {
    for (template, at, what) in [
        ("", 0, What::NoSlash),
        ("v1", 0, What::NoSlash),
        ("//", 1, What::Empty),
        ("/v1/", 4, What::Empty),
        ("/v1//a", 4, What::Empty),
        ("/v1:", 4, What::Empty),
        ("/:go", 1, What::Empty),
        ("/a:b:c", 4, What::Character(':')),
        ("/a:b/c", 4, What::Character('/')),
        ("/a*", 2, What::Character('*')),
        ("/*a", 2, What::Character('a')),
        ("/***", 3, What::Character('*')),
        ("/**/a", 4, What::AfterRest),
        ("/{a=**}/b", 8, What::AfterRest),
        ("/a b", 2, What::Character(' ')),
        ("/\u{e4}", 1, What::Character('\u{e4}')),
        ("/a?b", 2, What::Character('?')),
        ("/{", 2, What::Empty),
        ("/{}", 2, What::Empty),
        ("/{a", 1, What::Unclosed),
        ("/{a=b", 1, What::Unclosed),
        ("/{a=}", 4, What::Empty),
        ("/{a.}", 4, What::Empty),
        ("/{.a}", 2, What::Empty),
        ("/{1}", 2, What::Character('1')),
        ("/{a-b}", 3, What::Character('-')),
        ("/{a={b}}", 4, What::Nested),
        ("/{a}b", 4, What::Character('b')),
        ("/a{b}", 2, What::Character('{')),
        ("/a}", 2, What::Character('}')),
        ("/{a}/{a}", 6, What::Twice("a".into())),
        ("/{a.b}/{a}", 8, What::Twice("a".into())),
        ("/{a}/{a.b}", 6, What::Twice("a.b".into())),
    ] {
        let fault = Template::parse(template).expect_err(template);
        assert_eq!(fault, Fault { at, what }, "{template}");
        assert!(fault.to_string().contains(&format!("at byte {at}")));
    }
    let long = "/a".repeat(129);
    assert_eq!(
        Template::parse(&long).expect_err("long").what,
        What::TooMany
    );
    assert!(Template::parse(&"/a".repeat(128)).is_ok());
    // One is not part of another because its name begins like it.
    assert!(Template::parse("/{a}/{ab}/{a_b.c}").is_ok());
}

/// Where a request leads, or the methods that would lead somewhere.
fn find(table: &weir_protocols::grpc::transcode::Table, method: &str, path: &str) -> String {
    match table.find(method, path) {
        Found::Route(found) => found.route.rule().pattern.clone(),
        Found::OtherMethod(allowed) => format!("only {}", allowed.join(", ")),
        Found::Nothing => "nothing".into(),
    }
}

#[test]
fn a_table_finds_what_is_most_like_a_path() {
    let table = with_rule(
        r#"get: "/v1/a"
        additional_bindings { get: "/v1/{text}" }
        additional_bindings { get: "/v1/{text=**}" }
        additional_bindings { get: "/v1/a/{text}" }
        additional_bindings { get: "/v1/{text}/b" }
        additional_bindings { get: "/v1/{text=*}/b/c" }
        additional_bindings { put: "/v1/a" }
        additional_bindings { post: "/v1/{text}:go" }
        additional_bindings { delete: "/v1/{text=x/**}:go" }
        additional_bindings { custom { kind: "*" path: "/any/{text}" } }
        additional_bindings { get: "/any/{text}" }"#,
    )
    .expect("it fits");
    for (method, path, expected) in [
        ("GET", "/v1/a", "/v1/a"),
        ("PUT", "/v1/a", "/v1/a"),
        ("GET", "/v1/b", "/v1/{text}"),
        ("GET", "/v1/a/x", "/v1/a/{text}"),
        // The literal leads on here, though `*` would lead to a literal.
        ("GET", "/v1/a/b", "/v1/a/{text}"),
        // And where it leads nowhere, back to what else there is.
        ("GET", "/v1/a/b/c", "/v1/{text=*}/b/c"),
        ("GET", "/v1/a/b/d", "/v1/{text=**}"),
        ("GET", "/v1", "/v1/{text=**}"),
        ("GET", "/v1/", "/v1/{text=**}"),
        // Not that method: the next that has it.
        ("POST", "/v1/a:go", "/v1/{text}:go"),
        ("GET", "/v1/a:go", "/v1/{text}"),
        ("DELETE", "/v1/x/y/z:go", "/v1/{text=x/**}:go"),
        ("DELETE", "/v1/a", "only GET, PUT"),
        ("DELETE", "/v1/b:go", "only GET, POST"),
        ("GET", "/any/x", "/any/{text}"),
        ("BREW", "/any/x", "/any/{text}"),
        ("GET", "/v2", "nothing"),
        ("GET", "", "nothing"),
        ("GET", "*", "nothing"),
        ("GET", "/", "nothing"),
    ] {
        assert_eq!(find(&table, method, path), expected, "{method} {path}");
    }
}

#[test]
fn a_table_knows_all_methods() {
    let table = table();
    let book = "/v1/shelves/1/books/2";
    assert_eq!(find(&table, "GET", book), "/v1/{name=shelves/*/books/*}");
    assert_eq!(find(&table, "PUT", book), "only DELETE, GET, PATCH");
    assert_eq!(find(&table, "get", book), "only DELETE, GET, PATCH");
    let plain = "/library.Library/GetBook";
    assert_eq!(find(&table, "POST", plain), plain);
    assert_eq!(find(&table, "GET", plain), "only POST");
}
