//! The corners of section 2.1, and documents written to cost.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::{Count, Limits, count};
use crate::graphql::fault::{Fault, Place};
use crate::graphql::limits::{Exceeded, Limit};

const NONE: Limits = Limits {
    tokens: u64::MAX,
    nesting: u64::MAX,
};

fn tokens(text: &str) -> u64 {
    count(text, NONE).expect(text).tokens
}

#[test]
fn every_kind_of_token_is_one() {
    for text in [
        "!",
        "$",
        "&",
        "(",
        ")",
        "...",
        ":",
        "=",
        "@",
        "[",
        "]",
        "{",
        "|",
        "}",
        "a",
        "_",
        "__typename",
        "A9_z",
        "0",
        "-0",
        "7",
        "-12",
        "0.5",
        "1e9",
        "1E+9",
        "-1.25e-9",
        r#""""#,
        r#""a""#,
        r#""\"""#,
        r#""\\""#,
        r#""{#,a""#,
        r#""ä€😀""#,
        r#""""""""#,
        r#""""a"b""c""""#,
        "\"\"\"\n\r# }\n\"\"\"",
        r#""""\"""""""#,
        r#""""\\"""""""#,
        r#""\u00e4""#,
    ] {
        assert_eq!(tokens(text), 1, "{text}");
        assert_eq!(tokens(&format!(" ,\u{feff}{text},#\"{{\r\t")), 1, "{text}");
    }
}

#[test]
fn tokens_need_nothing_between_them_where_they_cannot_be_one() {
    for (text, expected) in [
        ("", 0),
        (" \t\r\n,,\u{feff}", 0),
        ("# a b {", 0),
        ("#a\rb#c\n{", 2),
        ("{a b:c(d:1 e:-2.5)@f...g ...on H{i}}", 24),
        ("a-1", 2),
        ("1-1", 2),
        ("$a:[B!]!=\"c\"", 10),
        (r#""a""b""#, 2),
        (r#""""a""""b""#, 2),
        ("1,2", 2),
        ("1\"\"", 2),
        ("......", 2),
    ] {
        assert_eq!(tokens(text), expected, "{text}");
    }
}

#[test]
fn what_is_no_token_is_said_with_its_place() {
    for (text, line, column) in [
        ("{ a\n  ? }", 2, 3),
        (". .", 1, 1),
        ("..", 1, 1),
        ("a \u{e4}", 1, 3),
        ("\"\u{1f600}\" a;", 1, 6),
        ("\0", 1, 1),
        ("-", 1, 2),
        ("-a", 1, 2),
        ("00", 1, 2),
        ("01", 1, 2),
        ("1a", 1, 2),
        ("1.", 1, 3),
        (".5", 1, 1),
        ("1.a", 1, 3),
        ("1.2.3", 1, 4),
        ("1e", 1, 3),
        ("1e+", 1, 4),
        ("0xF", 1, 2),
        ("{a(b: \"c)}", 1, 7),
        ("\"a\nb\"", 1, 1),
        ("\"a\rb\"", 1, 1),
        ("\"a\\", 1, 1),
        ("\"a\\\"", 1, 1),
        ("\n\"\"\"", 2, 1),
        ("\"\"\"a\"\"", 1, 1),
        (r#""""a\""""#, 1, 1),
    ] {
        let fault = count(text, NONE).expect_err(text);
        assert!(matches!(fault, Fault::Syntax { .. }), "{text}");
        assert_eq!(fault.place(), Some(Place { line, column }), "{text}");
    }
}

#[test]
fn brackets_of_all_kinds_nest() {
    let nesting = |text| count(text, NONE).expect(text).nesting;
    assert_eq!(nesting("a"), 0);
    assert_eq!(nesting("{a{b}c{d}}"), 2);
    assert_eq!(nesting("{a(b:[{c:1}])}"), 4);
    assert_eq!(nesting("}}}{{"), 2);
    assert_eq!(nesting("\"{{{\" #{{{"), 0);
}

#[test]
fn it_stops_at_the_first_token_too_many() {
    let limits = Limits {
        tokens: 4,
        nesting: 2,
    };
    let exceeded = |limit, found, max| Err(Fault::Exceeded(Exceeded { limit, found, max }));
    let whole = Count {
        tokens: 4,
        nesting: 2,
        operations: 1,
        ..Count::default()
    };
    assert_eq!(count("{a{b", limits), Ok(whole));
    // What follows is never looked at: it would be a fault of its own.
    assert_eq!(count("a b c d e ?", limits), exceeded(Limit::Tokens, 5, 4));
    assert_eq!(count("([{ ?", limits), exceeded(Limit::Nesting, 3, 2));
}

#[test]
fn a_document_too_large_is_refused_after_as_many_tokens_as_it_may_have() {
    let limits = Limits {
        tokens: 1000,
        nesting: 64,
    };
    let aliases: String = (0..50_000).map(|n| format!("a{n}:b ")).collect();
    let fault = count(&format!("{{{aliases}}}"), limits).expect_err("too many");
    assert!(matches!(
        fault,
        Fault::Exceeded(Exceeded {
            limit: Limit::Tokens,
            found: 1001,
            max: 1000
        })
    ));
    // A fault of syntax after the last token that may be is not come to.
    let deep = format!("{}\0", "{a".repeat(100_000));
    let fault = count(&deep, limits).expect_err("too deep");
    assert!(matches!(
        fault,
        Fault::Exceeded(Exceeded {
            limit: Limit::Nesting,
            found: 65,
            ..
        })
    ));
}

const TOKENS: &[&str] = &[
    "{",
    "}",
    "(",
    ")",
    "[",
    "]",
    "!",
    "$",
    "&",
    ":",
    "=",
    "@",
    "|",
    "...",
    "query",
    "a",
    "_b",
    "1",
    "-0.5e3",
    "\"c\"",
    "\"\\\\\"",
    "\"# {\"",
    "\"\"\"d \" \\\"\"\" e\"\"\"",
];

const BETWEEN: &[&str] = &[
    " ",
    ",",
    "\n",
    "\r\n",
    "\t",
    "\u{feff}",
    "# \"not\" a { token\n",
    " ,, ",
];

proptest! {
    #[test]
    fn as_many_are_counted_as_were_written(
        pieces in vec((select(TOKENS), select(BETWEEN)), 0..60),
    ) {
        let text: String = pieces.iter().flat_map(|(token, between)| [*token, *between]).collect();
        prop_assert_eq!(tokens(&text), pieces.len() as u64);
        let most = Limits { tokens: (pieces.len() as u64).saturating_sub(1), ..NONE };
        prop_assert_eq!(count(&text, most).is_err(), !pieces.is_empty());
    }
}

proptest! {
    /// As who follows every path, however long it takes, would find it.
    #[test]
    fn circles_of_fragments_are_found_and_nothing_else(
        uses in vec(vec(0..6_usize, 0..3), 1..6),
    ) {
        let circular = (0..uses.len()).any(|start| {
            let mut reached = uses[start].clone();
            for _ in 0..uses.len() {
                let more = reached.iter().filter_map(|to| uses.get(*to)).flatten().copied();
                let more: Vec<usize> = more.collect();
                reached.extend(more);
                reached.sort_unstable();
                reached.dedup();
            }
            reached.contains(&start)
        });
        let mut text = "{fragment ...F0 ...on F1{a} ...{b}}".to_owned();
        for (number, uses) in uses.iter().enumerate() {
            let uses: String = uses.iter().map(|to| format!("c{{...F{to} fragment x}}")).collect();
            text.push_str(&format!("fragment F{number} on T{{d {uses}}}"));
        }
        text.push_str("{e{...F0}}");
        let found = matches!(count(&text, NONE), Err(Fault::FragmentCycle(_)));
        prop_assert_eq!(found, circular, "{}", text);
    }
}
