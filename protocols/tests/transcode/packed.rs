//! Messages packed in requests, whose JSON says what they are in any place among their members.

use crate::fixture::{call, frames_of, same, table, with_rule};

const ECHO: &str = "/library.Echo/Everything";
const BOOK: &str = r#""@type":"type.googleapis.com/library.Book""#;
const DURATION: &str = r#""@type":"type.googleapis.com/google.protobuf.Duration""#;

/// Often enough that what depends on the order of a map is not the same each time.
const OFTEN: usize = 40;

fn packed(members: &[&str]) -> String {
    format!(r#"{{"packed":{{{}}}}}"#, members.join(","))
}

#[test]
fn the_first_wrong_member_is_named_wherever_the_type_is() {
    let table = table();
    for (members, expected) in [
        (vec![r#""a":1"#, r#""b":2"#, BOOK], "`packed.a` is no field"),
        (vec![r#""b":1"#, BOOK, r#""a":2"#], "`packed.b` is no field"),
        (vec![BOOK, r#""b":1"#, r#""a":2"#], "`packed.b` is no field"),
        (
            vec![r#""":1"#, r#""mask":1"#, r#""title":2"#, BOOK],
            "`packed.` is no field",
        ),
        (
            vec![r#""authors":[{"b":1}]"#, r#""c":1"#, BOOK],
            "`packed.authors[0].b` is no field",
        ),
        (
            vec![r#""title":1"#, r#""b":2"#, BOOK],
            "`packed.title` is to be",
        ),
        (
            vec![r#""b":1"#, r#""a":2"#, r#""value":"1s""#, DURATION],
            "`packed.b` is no field",
        ),
        (
            vec![DURATION, r#""b":1"#, r#""a":2"#, r#""value":"1s""#],
            "`packed.b` is no field",
        ),
        (
            vec![
                r#""a":1"#,
                r#""b":2"#,
                r#""\u0040\u0074ype":"t/library.Book""#,
            ],
            "`packed.a` is no field",
        ),
    ] {
        let body = packed(&members);
        for _ in 0..OFTEN {
            let fault = call(&table, "POST", ECHO, &body).expect_err(&body);
            let fault = fault.to_string();
            assert!(fault.contains(expected), "{body}: {fault}");
        }
    }
}

#[test]
fn what_is_packed_is_named_with_what_it_should_be() {
    let any = r#""@type":"t/google.protobuf.Any""#;
    let book = format!(r#""value":{{"title":1,{BOOK}}}"#);
    let table = table();
    for (members, expected) in [
        (vec![BOOK, r#""title":1"#], "`packed.title` is to be a text"),
        (
            vec![r#""authors":[{},{"born":[]}]"#, BOOK],
            "`packed.authors[1].born` is to be a whole number of 64 bits",
        ),
        (
            vec![DURATION, r#""value":1"#],
            "`packed.value` is to be a time span",
        ),
        (
            vec![r#""@type":"t/google.protobuf.Int64Value""#, r#""value":{}"#],
            "`packed.value` is to be a whole number of 64 bits",
        ),
        (
            vec![any, r#""value":1"#],
            "`packed.value` is to be an object with its type",
        ),
        (vec![any, &book], "`packed.value.title` is to be a text"),
        (
            vec![r#""@type":7"#, r#""value":1"#],
            "`packed.@type` is to be an object with its type",
        ),
    ] {
        let body = packed(&members);
        let fault = call(&table, "POST", ECHO, &body).expect_err(&body);
        assert!(fault.to_string().contains(expected), "{body}: {fault}");
    }
    let field = with_rule(r#"post: "/m" body: "packed""#).expect("it is sound");
    let whole = format!(r#"{{"title":1,{BOOK}}}"#);
    let fault = call(&field, "POST", "/m", &whole).expect_err(&whole);
    assert!(
        fault
            .to_string()
            .ends_with("`packed.title` is to be a text"),
        "{fault}"
    );
}

#[test]
fn the_last_value_of_a_field_counts_wherever_the_type_is() {
    let table = table();
    let (one, two) = (r#""page_count":1"#, r#""pageCount":2"#);
    for members in [[one, two, BOOK], [one, BOOK, two], [BOOK, one, two]] {
        for _ in 0..OFTEN {
            let read = call(&table, "POST", ECHO, &packed(&members)).expect("it is sound");
            same(&read[0], &packed(&[BOOK, two]));
        }
    }
}

#[test]
fn a_message_is_the_same_wherever_its_type_is() {
    let inner = packed(&[r#""title":"T""#, r#""pageCount":3"#, BOOK]);
    let all = [
        r#""f64":-1.5,"i32":-3,"u64":"18446744073709551615","truth":true,"text":"ä","blob":"AQI=""#,
        r#""anyJson":null,"texts":["a",""],"counts":{"value":1,"a":2},"at":"2020-01-01T00:00:00Z""#,
        r#""loose":{"value":null,"a":[{"@type":7}],"@type":1},"book":null,"number":0"#,
        &inner[1..inner.len() - 1],
    ];
    let all = all.join(",");
    let everything = r#""@type":"t/library.Everything""#;
    let any = r#""@type":"t/google.protobuf.Any""#;
    let value = format!(r#""value":{{{all},{everything}}}"#);
    let bodies = [
        [packed(&[everything, &all]), packed(&[&all, everything])],
        [packed(&[any, &value]), packed(&[&value, any])],
        [
            packed(&[DURATION, r#""value":"1.5s""#]),
            packed(&[r#""value":"1.5s""#, DURATION]),
        ],
    ];
    let table = table();
    for [in_order, body] in &bodies {
        let expected = call(&table, "POST", ECHO, in_order).expect(in_order);
        let read = call(&table, "POST", ECHO, body).expect(body);
        same(&read[0], &expected[0]);
    }
    // And so it is where it is the whole body.
    let field = with_rule(r#"post: "/m" body: "packed""#).expect("it is sound");
    let whole = format!(r#"{{"title":"T","pageCount":3,{BOOK}}}"#);
    let read = frames_of(&field, "POST", "/m", &[whole.as_bytes()], 1 << 20).expect(&whole);
    let member = frames_of(&table, "POST", ECHO, &[inner.as_bytes()], 1 << 20).expect(&inner);
    assert_eq!(read, member);
    let fault = call(&field, "POST", "/m", &whole.replace('3', "{}")).expect_err(&whole);
    assert_eq!(fault.field.as_deref(), Some("packed.pageCount"));
}

#[test]
fn what_is_no_json_is_told_where_wherever_the_type_is() {
    let body = packed(&[r#""a":1"#, r#""b":2"#, BOOK]).replace(":2", ":\n?");
    let fault = call(&table(), "POST", ECHO, &body).expect_err(&body);
    assert_eq!(
        fault.to_string(),
        "in the body, line 2, column 1, something is no JSON: expected value"
    );
}
