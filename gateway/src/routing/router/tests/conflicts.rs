//! Which rules the router refuses, and which it does not.

use super::*;

fn shadowed(rules: Vec<Rule>) -> Vec<(usize, Cause)> {
    let conflicts = Router::build(rules).err().unwrap_or_default();
    conflicts
        .into_iter()
        .map(|conflict| (conflict.rule, conflict.cause))
        .collect()
}

#[test]
fn a_rule_that_another_always_precedes_is_a_conflict() {
    let by = |rule, by: &[usize]| vec![(rule, Cause::Shadowed(by.to_vec()))];
    assert_eq!(
        shadowed(vec![rule(0, "/a/**"), rule(1, "/a//**")]),
        by(1, &[0])
    );
    assert_eq!(
        shadowed(vec![rule(0, "/a/{x}"), rule(1, "/a/{y}")]),
        by(1, &[0]),
        "names do not tell them apart"
    );
    assert_eq!(
        shadowed(vec![
            rule(0, "=/a").host("A.b"),
            rule(1, "=/%61").host("a.b.")
        ]),
        by(1, &[0])
    );
    assert_eq!(
        shadowed(vec![
            rule(0, "=/a").methods(&[Method::GET]),
            rule(1, "=/a").methods(&[Method::GET, Method::PUT])
        ]),
        [],
        "PUT is left"
    );
    assert_eq!(
        shadowed(vec![
            rule(0, "=/a").methods(&[Method::GET, Method::PUT]),
            rule(1, "=/a").methods(&[Method::PUT])
        ]),
        by(1, &[0])
    );
    let header = |route, test| rule(route, "=/a").header("x-a", test);
    assert_eq!(
        shadowed(vec![
            header(0, Test::Prefix("a".into())),
            header(1, Test::Exact("ab".into()))
        ]),
        by(1, &[0])
    );
    assert_eq!(
        shadowed(vec![
            header(0, Test::Exact("ab".into())),
            header(1, Test::Prefix("a".into()))
        ]),
        []
    );
    assert_eq!(
        shadowed(vec![
            rule(0, "=/a"),
            rule(1, "=/a").query("q", Test::Present)
        ]),
        [],
        "the one with the condition comes first"
    );
    assert_eq!(
        shadowed(vec![
            rule(0, "=/a").listeners(&["x"]),
            rule(1, "=/a"),
            rule(2, "=/a").listeners(&["x", "y"])
        ]),
        by(2, &[0, 1])
    );
}

#[test]
fn several_rules_together_can_hide_one() {
    let rules = vec![
        rule(0, "=/a").methods(&[Method::GET]),
        rule(1, "=/a").methods(&[Method::PUT]),
        rule(2, "=/a").methods(&[Method::PUT, Method::GET]),
    ];
    let conflicts = Router::build(rules).unwrap_err();
    assert_eq!(
        conflicts[0].to_string(),
        "rule 2 of route 2 can never match: every request it could match, rules 1 and 0 match first"
    );
    assert_eq!(conflicts.len(), 1);
}

#[test]
fn rules_that_can_never_both_match_are_fine() {
    let rules = vec![
        rule(0, "/a/**").listeners(&["x"]),
        rule(1, "/a/**").listeners(&["y"]),
        rule(2, "/b/**").host("a"),
        rule(3, "/b/**").host("b"),
        rule(4, "=/c").header("x-a", Test::Exact("1".into())),
        rule(5, "=/c").header("x-a", Test::Exact("2".into())),
        rule(6, "/d/{x}"),
        rule(7, "/d/{x}/"),
        rule(8, "/d/{*x}"),
        rule(9, "/d/**"),
    ];
    assert_eq!(shadowed(rules), []);
}

#[test]
fn every_fault_is_reported_at_once() {
    let faults = shadowed(vec![
        rule(0, "=a"),
        rule(1, "/a/**"),
        rule(2, "/v{x}"),
        rule(3, "/a/**"),
        rule(4, "/b/**").listeners(&[]),
        Rule {
            host: HostPattern::Wildcard("*.example.com".into()),
            ..rule(5, "/c/**")
        },
    ]);
    assert_eq!(
        faults,
        [
            (0, Cause::Malformed(Fault::Path(Refused::NotAbsolute))),
            (2, Cause::Malformed(Fault::PartialCapture("v{x}".into()))),
            (3, Cause::Shadowed(vec![1])),
            (4, Cause::NoListener),
            (5, Cause::Malformed(Fault::Host("*.example.com".into()))),
        ]
    );
}
