//! Requests as clients send them, and what is wrong with others.

use std::borrow::Cow;

use super::{Request, Requests, from_json, from_query};
use crate::graphql::Json;
use crate::json::{Fault, Kind};

const HASH: &str = "ecf4edb46db40b5132295c0291d62fb65d6759a9eedfa4d5d612dd5ec54a6b38";

fn one(body: &str) -> Request<'_> {
    match from_json(body.as_bytes(), 0).expect(body) {
        Requests::One(request) => request,
        Requests::Batch(_) => panic!("no batch: {body}"),
    }
}

fn refused(body: &str) -> Fault {
    from_json(body.as_bytes(), 2).expect_err(body)
}

#[test]
fn a_body_says_what_to_run_and_with_what() {
    let body =
        r#"{"query":"{a}","operationName":"A","variables":{"b": [1]},"extensions":{"c":2},"d":3}"#;
    let request = one(body);
    assert!(matches!(request.query, Some(Cow::Borrowed("{a}"))));
    assert!(matches!(request.operation_name, Some(Cow::Borrowed("A"))));
    assert_eq!(
        request.variables.as_ref().map(Json::get),
        Some(r#"{"b": [1]}"#)
    );
    assert_eq!(
        request.extensions.as_ref().map(Json::get),
        Some(r#"{"c":2}"#)
    );
    assert_eq!(request.persisted, None);
    let escaped = one(r#"{"query":"{\n a(b:\"\u00e4\")}"}"#);
    assert_eq!(escaped.query.as_deref(), Some("{\n a(b:\"ä\")}"));
}

#[test]
fn null_and_nothing_are_as_good_as_absent() {
    let bare = one(r#"{"query":"{a}"}"#);
    for body in [
        r#"{"query":"{a}","operationName":null,"variables":null,"extensions":null}"#,
        r#"{"query":"{a}","operationName":""}"#,
        r#" {"query" : "{a}"} "#,
    ] {
        assert_eq!(one(body), bare, "{body}");
    }
    let with_nothing = r#"{"query":"{a}","extensions":{"persistedQuery":null}}"#;
    assert_eq!(one(with_nothing).persisted, None);
}

#[test]
fn a_hash_may_stand_for_a_document() {
    let extensions = format!(r#"{{"persistedQuery":{{"version":1,"sha256Hash":"{HASH}","x":0}}}}"#);
    for body in [
        format!(r#"{{"extensions":{extensions}}}"#),
        format!(r#"{{"query":"","extensions":{extensions}}}"#),
        format!(r#"{{"query":null,"extensions":{extensions}}}"#),
    ] {
        let request = one(&body);
        assert_eq!(request.query, None);
        let persisted = request.persisted.expect(&body);
        assert_eq!((persisted.version, &*persisted.sha256), (1, HASH));
        assert!(matches!(persisted.sha256, Cow::Borrowed(_)));
    }
    for (persisted, path, kind) in [
        ("1", "", Kind::WrongType),
        ("{}", ".version", Kind::Missing),
        (r#"{"version":1}"#, ".sha256Hash", Kind::Missing),
        (
            r#"{"version":"1","sha256Hash":"a"}"#,
            ".version",
            Kind::WrongType,
        ),
        (
            r#"{"version":1,"sha256Hash":2}"#,
            ".sha256Hash",
            Kind::WrongType,
        ),
        (
            r#"{"version":1,"sha256Hash":"ab"}"#,
            ".sha256Hash",
            Kind::OutOfRange,
        ),
    ] {
        let body = format!(r#"{{"query":"{{a}}","extensions":{{"persistedQuery":{persisted}}}}}"#);
        let fault = refused(&body);
        let expected = format!("extensions.persistedQuery{path}");
        assert_eq!((fault.path, fault.kind), (expected, kind), "{body}");
    }
}

#[test]
fn what_is_wrong_with_a_body_is_said_with_its_path() {
    for (body, path, kind) in [
        ("", "", Kind::WrongType),
        ("NONSENSE", "", Kind::WrongType),
        ("null", "", Kind::WrongType),
        ("\"{a}\"", "", Kind::WrongType),
        ("{\"query\":", "", Kind::Syntax),
        ("{\"query\":\"{a}\"} x", "", Kind::Syntax),
        ("{}", "query", Kind::Missing),
        (r#"{"qeury":"{a}"}"#, "query", Kind::Missing),
        (r#"{"query":null}"#, "query", Kind::Missing),
        (r#"{"query":""}"#, "query", Kind::Missing),
        (r#"{"query":{"a":1}}"#, "query", Kind::WrongType),
        (r#"{"query":"{a}","query":"{b}"}"#, "query", Kind::Duplicate),
        (
            r#"{"query":"{a}","\u0071uery":"{b}"}"#,
            "query",
            Kind::Duplicate,
        ),
        (
            r#"{"query":"{a}","operationName":7}"#,
            "operationName",
            Kind::WrongType,
        ),
        (
            r#"{"query":"{a}","variables":[7]}"#,
            "variables",
            Kind::WrongType,
        ),
        (
            r#"{"query":"{a}","variables":"{}"}"#,
            "variables",
            Kind::WrongType,
        ),
        (
            r#"{"query":"{a}","extensions":true}"#,
            "extensions",
            Kind::WrongType,
        ),
        (r#"{"query":"\ud800"}"#, "query", Kind::Syntax),
    ] {
        let fault = refused(body);
        assert_eq!(
            (fault.path.as_str(), fault.kind),
            (path, kind),
            "{body}: {fault}"
        );
    }
    let fault = from_json(b"{\"query\":\"\xff\"}", 0).expect_err("not UTF-8");
    assert_eq!(fault.kind, Kind::NotUtf8);
}

#[test]
fn a_batch_is_told_apart_and_bounded() {
    fn batch(body: &str, max: usize) -> Result<Requests<'_>, (String, Kind)> {
        from_json(body.as_bytes(), max).map_err(|fault| (fault.path, fault.kind))
    }
    let body = r#"[{"query":"{a}"},{"query":"{b}"}]"#;
    let Ok(Requests::Batch(requests)) = batch(body, 2) else {
        panic!("a batch of two");
    };
    let queries: Vec<_> = requests.iter().map(|r| r.query.as_deref()).collect();
    assert_eq!(queries, [Some("{a}"), Some("{b}")]);
    for (body, max, path, kind) in [
        (body, 1, "[1]", Kind::OutOfRange),
        (body, 0, "", Kind::WrongType),
        ("[]", 1, "", Kind::Missing),
        ("[[]]", 1, "[0]", Kind::WrongType),
        ("[null]", 1, "[0]", Kind::WrongType),
        (r#"[{"query":"{a}"},{}]"#, 2, "[1].query", Kind::Missing),
        (
            r#"[{"query":"{a}","variables":1}]"#,
            1,
            "[0].variables",
            Kind::WrongType,
        ),
        ("[", 1, "", Kind::Syntax),
    ] {
        assert_eq!(batch(body, max), Err((path.to_owned(), kind)), "{body}");
    }
}

#[test]
fn a_query_string_says_the_same_as_a_body() {
    let query = "query=query(%24id%3A+ID!)%7Buser(id%3A%24id)%7Bname%7D%7D&x=%ff&\
                 variables=%7B%22id%22%3A%22a%2Bb%22%7D&operationName=null&extensions=";
    let request = from_query(query).expect("well-formed");
    assert_eq!(
        request.query.as_deref(),
        Some("query($id: ID!){user(id:$id){name}}")
    );
    assert_eq!(
        request.variables.as_ref().map(Json::get),
        Some(r#"{"id":"a+b"}"#)
    );
    // A GET cannot say null but as text, which is a name like any other.
    assert_eq!(request.operation_name.as_deref(), Some("null"));
    assert_eq!(request.extensions, None);
    let plain = from_query("query={a}&operationName=&variables=null").expect("well-formed");
    assert!(matches!(plain.query, Some(Cow::Borrowed("{a}"))));
    assert_eq!((plain.operation_name, plain.variables), (None, None));
    let percent = from_query("%71uery=%7b%zz%7D%2&a=b").expect("well-formed");
    assert_eq!(percent.query.as_deref(), Some("{%zz}%2"));
    let hash =
        format!("extensions={{\"persistedQuery\":{{\"version\":1,\"sha256Hash\":\"{HASH}\"}}}}");
    let persisted = from_query(&hash).expect("well-formed").persisted;
    assert_eq!(
        persisted
            .map(|persisted| persisted.sha256.into_owned())
            .as_deref(),
        Some(HASH)
    );
}

#[test]
fn what_is_wrong_with_a_query_string_is_said_with_its_parameter() {
    for (query, path, kind) in [
        ("", "query", Kind::Missing),
        ("query", "query", Kind::Missing),
        ("query=", "query", Kind::Missing),
        ("Query={a}", "query", Kind::Missing),
        ("query={a}&query={b}", "query", Kind::Duplicate),
        ("query={a}&que%72y=", "query", Kind::Duplicate),
        ("query=%ff", "query", Kind::NotUtf8),
        ("query={a}&variables=[]", "variables", Kind::WrongType),
        ("query={a}&variables={", "variables", Kind::Syntax),
        ("query={a}&variables={}{}", "variables", Kind::Syntax),
        ("query={a}&extensions=1", "extensions", Kind::WrongType),
        (
            "query={a}&extensions={\"persistedQuery\":1}",
            "extensions.persistedQuery",
            Kind::WrongType,
        ),
    ] {
        let fault = from_query(query).expect_err(query);
        assert_eq!(
            (fault.path.as_str(), fault.kind),
            (path, kind),
            "{query}: {fault}"
        );
    }
}

#[test]
fn a_request_is_shown_without_what_was_sent() {
    let request = one(
        r#"{"query":"{a(b:\"secret\")}","variables":{"c":"secret"},"extensions":{"d":"secret"}}"#,
    );
    let shown = format!("{request:?}");
    assert!(
        !shown.contains("secret") && shown.contains("query_bytes"),
        "{shown}"
    );
}

#[test]
fn a_document_may_go_by_a_name_that_was_agreed_upon() {
    let request = one(r#"{"documentId":"sha256:abc","variables":{}}"#);
    assert_eq!(request.document_id.as_deref(), Some("sha256:abc"));
    assert_eq!(request.query, None);
    assert_eq!(refused(r#"{"documentId":""}"#).kind, Kind::Missing);
    let request = from_query("documentId=x%3Aa&b=c").expect("a request");
    assert_eq!(request.document_id.as_deref(), Some("x:a"));
}

#[test]
fn a_key_that_some_readers_take_for_another_is_refused() {
    for key in ["Query", "OPERATIONNAME", "documentID", "\\u0051uery"] {
        let body = format!(r#"{{"query":"{{a}}","{key}":"{{b}}"}}"#);
        assert_eq!(refused(&body).kind, Kind::Duplicate, "{body}");
    }
}

#[test]
fn what_is_read_of_a_query_string_can_be_told_and_taken_out() {
    for (query, found, rest) in [
        ("", None, None),
        ("a=1&b", None, Some("a=1&b")),
        ("a=1&query=%7Ba%7D&b=2", Some("query"), Some("a=1&b=2")),
        ("q%75ery=x", Some("query"), None),
        ("variables", Some("variables"), None),
        ("x=query", None, Some("x=query")),
    ] {
        assert_eq!(super::in_query(query), found, "{query}");
        assert_eq!(super::strip_query(query).as_deref(), rest, "{query}");
    }
}
