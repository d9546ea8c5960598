//! Which operation runs, what it comes to, and documents written to cost.

use std::sync::Arc;

use super::cost::Costs;
use super::{Document, Measure, Type};
use crate::graphql::Json;
use crate::graphql::fault::{Fault, Place};
use crate::graphql::field::Table;
use crate::graphql::limits::{Exceeded, Limit};
use crate::graphql::schema::Schema;

const MANY: u64 = 1_000_000;

fn parse(text: &str) -> Document {
    Document::parse(text, MANY).expect(text)
}

fn fault(text: &str) -> Fault {
    Document::parse(text, MANY).expect_err(text)
}

fn measure(text: &str) -> Measure {
    measure_with(text, &Costs::default(), None)
}

fn measure_with(text: &str, costs: &Costs, variables: Option<&str>) -> Measure {
    let document = parse(text);
    let operation = document.operation(None).expect("there is one");
    let variables = variables.map(|text| Json::parse(text).expect("it is JSON"));
    operation.measure(costs, variables.as_ref()).expect(text)
}

fn cost(text: &str, variables: Option<&str>) -> u64 {
    measure_with(text, &Costs::default(), variables).cost
}

#[test]
fn the_operation_that_runs_is_the_one_named_or_the_only_one() {
    let chosen = |text: &str, name| {
        let document = parse(text);
        let operation = document.operation(name)?;
        Ok((operation.name().map(str::to_owned), operation.ty()))
    };
    let named = |name: &str, ty| Ok((Some(name.to_owned()), ty));
    let three = "query A{a} mutation B{b} fragment F on T{f} subscription C{c}";
    assert_eq!(chosen("{a}", None), Ok((None, Type::Query)));
    assert_eq!(chosen("{a}", Some("")), Ok((None, Type::Query)));
    assert_eq!(chosen("mutation{a}", None), Ok((None, Type::Mutation)));
    assert_eq!(chosen("query A{a}", None), named("A", Type::Query));
    assert_eq!(chosen(three, Some("A")), named("A", Type::Query));
    assert_eq!(chosen(three, Some("B")), named("B", Type::Mutation));
    assert_eq!(chosen(three, Some("C")), named("C", Type::Subscription));
    assert_eq!(chosen(three, None), Err(Fault::OperationAmbiguous));
    assert_eq!(chosen(three, Some("")), Err(Fault::OperationAmbiguous));
    assert_eq!(chosen(three, Some("F")), Err(Fault::OperationUnknown));
    assert_eq!(chosen(three, Some("a")), Err(Fault::OperationUnknown));
    assert_eq!(chosen("{a}", Some("A")), Err(Fault::OperationUnknown));
    assert_eq!(Type::Subscription.name(), "subscription");
}

#[test]
fn what_is_no_document_is_refused_with_its_place_and_without_its_words() {
    for (text, place) in [
        ("", Some((1, 1))),
        ("{", Some((1, 2))),
        ("{}", Some((1, 2))),
        ("{a", Some((1, 3))),
        ("{\n a(secret:) }", Some((2, 11))),
        ("type A{a:B}", Some((1, 1))),
        ("{secret} {b}", Some((1, 10))),
        ("query A{a} query A{b}", Some((1, 12))),
        ("{a} fragment F on T{a} fragment F on T{b}", Some((1, 24))),
        ("fragment F on T{secret}", None),
        ("{a(b:\"secret)}", Some((1, 6))),
        ("{secret(b:1e999)}", Some((1, 11))),
    ] {
        let fault = fault(text);
        assert!(matches!(fault, Fault::Syntax { .. }), "{text}: {fault}");
        let place = place.map(|(line, column)| Place { line, column });
        assert_eq!(fault.place(), place, "{text}: {fault}");
        let said = format!("{fault} {fault:?}");
        assert!(!said.contains("secret"), "{said}");
    }
    assert_eq!(
        fault("{").to_string(),
        "expected selection (line 1, column 2); send a GraphQL document"
    );
}

#[test]
fn a_document_or_operation_is_shown_without_its_values() {
    let document = parse("query A{a(b:\"secret\")}");
    let operation = document.operation(None).expect("there is one");
    let shown = format!("{document:?} {operation:?}");
    assert!(!shown.contains("secret"), "{shown}");
    assert!(shown.contains("Query"), "{shown}");
    assert_eq!(document.tokens(), 10);
}

#[test]
fn what_an_operation_comes_to() {
    let of = |text: &str| {
        let m = measure(text);
        (m.depth, m.aliases, m.directives, m.root_fields, m.cost)
    };
    assert_eq!(of("{a}"), (1, 0, 0, 1, 1));
    assert_eq!(of("{a b c}"), (1, 0, 0, 3, 3));
    assert_eq!(of("{a{b{c}}d{e}}"), (3, 0, 0, 2, 5));
    assert_eq!(of("{x:a y:a{z:b}}"), (2, 3, 0, 2, 3));
    assert_eq!(of("{... {a ... on T{b}}}"), (1, 0, 0, 2, 2));
    let directives = "query($v:I@a)@b{c@d@e ...F@g ...@h{i} ...on T@j{k}} fragment F on T@l{m@n}";
    assert_eq!(of(directives), (1, 0, 9, 4, 4));
    // A variable's own default and type add nothing, and neither do arguments.
    assert_eq!(of("query($v:[I!]!=[1,2]){a(b:{c:[$v]})}"), (1, 0, 0, 1, 1));
}

#[test]
fn fragments_count_wherever_they_are_used() {
    let text = "{a{...F} ...F} fragment F on T{b{...G} x:c} fragment G on T{d{e}}";
    let m = measure(text);
    assert_eq!((m.depth, m.aliases, m.root_fields), (4, 2, 3));
    assert_eq!(m.cost, 1 + 4 + 4);
    // What is not used is not counted, nor looked for.
    let unused = "{a} fragment F on T{b{c} ...G ...Missing} fragment G on T{d{e}}";
    assert_eq!(measure(unused).cost, 1);
    let other = "query A{a} query B{b{c{...F}}} fragment F on T{__schema{d}}";
    let document = parse(other);
    let run = |name| {
        let operation = document.operation(Some(name)).expect("it is there");
        operation.measure(&Costs::default(), None).expect("sound")
    };
    assert_eq!((run("A").depth, run("A").introspection), (1, 0));
    assert_eq!((run("B").depth, run("B").introspection), (3, 2));
}

#[test]
fn a_fragment_within_itself_or_without_a_definition_is_refused() {
    let refused = |text: &str| {
        let document = Document::parse(text, u64::MAX)?;
        let operation = document.operation(None)?;
        operation.measure(&Costs::default(), None)
    };
    let refused = |text: &str| refused(text).expect_err(text);
    let place = |line, column| Place { line, column };
    for text in [
        "{...A}\nfragment A on T{...A}",
        "{...B}\nfragment A on T{...A} fragment B on T{...A}",
        "{...A}\nfragment A on T{b{...on U{...A}}}",
        "{...A ...A}\nfragment A on T{...A}",
        "{a}\nfragment A on T{...B} fragment B on T{...C ...A} fragment C on T{b}",
        "query fragment{a}\nfragment on2 on T{...on2}",
    ] {
        let fault = refused(text);
        assert!(
            matches!(fault, Fault::FragmentCycle(Place { line: 2, .. })),
            "{text}: {fault}"
        );
    }
    let three = "{...A}\nfragment A on T{...B}\nfragment B on T{...C}\nfragment C on T{\n...A}";
    assert_eq!(refused(three), Fault::FragmentCycle(place(5, 1)));
    assert_eq!(refused("{a{...B}}"), Fault::FragmentUnknown(place(1, 4)));
    assert_eq!(
        refused("{a ...B}").to_string(),
        "the document has no fragment of that name (line 1, column 4); define it, or leave it out"
    );
}

#[test]
fn introspection_is_asked_for_by_name_and_not_by_alias() {
    for (text, expected) in [
        ("{__schema{types{name}}}", 3),
        ("{a:__type(name:\"T\"){name}}", 2),
        ("{...F} fragment F on Query{...{__type{name}}}", 2),
        ("{a{__schema{b}}}", 2),
        ("{__schema{__type{b{c}}}}", 3),
        ("{__typename}", 0),
        ("{__schema:a __type:b}", 0),
        ("{a(__schema:1)@__type}", 0),
        ("query __schema{a}", 0),
    ] {
        assert_eq!(measure(text).introspection, expected, "{text}");
    }
}

#[test]
fn a_list_costs_as_often_as_it_is_long() {
    for (text, expected) in [
        ("{a(first:10)}", 10),
        ("{a(first:10){b c}}", 30),
        ("{a(first:10){b(last:5){c}}}", 10 * (1 + 5 * 2)),
        ("{a(first:10,last:20)}", 20),
        ("{a(first:0)}", 1),
        ("{a(first:-5)}", 1),
        ("{a(first:2.5)}", 3),
        ("{a(first:1e3)}", 1000),
        ("{a(first:\"7\")}", 7),
        ("{a(first:[1,2,3])}", 3),
        ("{a(first:[])}", 1),
        ("{a(first:null)}", 1),
        ("{a(first:MANY)}", 1),
        ("{a(first:{first:9})}", 1),
        ("{a(second:10)}", 1),
        ("{a@b(first:10)}", 1),
        ("{first:a}", 1),
        ("{a(first:99999999999999999999)}", u64::MAX),
        (
            "{a(first:9999999999){b(first:9999999999){c(first:9999999999)}}}",
            u64::MAX,
        ),
        ("{...F@x(limit:9)} fragment F on T{a(limit:4)}", 4),
    ] {
        assert_eq!(cost(text, None), expected, "{text}");
    }
}

#[test]
fn variables_may_say_how_long_a_list_is() {
    let text = "query($n:Int=3,$m:Int){a(first:$n){b(limit:$m)}}";
    for (variables, expected) in [
        (None, 3 * 2),
        (Some("{}"), 3 * 2),
        (Some(r#"{"n":5}"#), 5 * 2),
        (Some(r#"{"n":5,"m":4}"#), 5 * 5),
        (Some(r#"{"n":null}"#), 2),
        (Some(r#"{"n":-7}"#), 2),
        (Some(r#"{"n":2.5}"#), 3 * 2),
        (Some(r#"{"n":1e2}"#), 100 * 2),
        (Some(r#"{"n":"6"}"#), 6 * 2),
        (Some(r#"{"n":[1,[2,3],{"a":4},"5"]}"#), 4 * 2),
        (Some(r#"{"n":[]}"#), 2),
        (Some(r#"{"n":{"first":8}}"#), 2),
        (Some(r#"{"\u006e":9}"#), 9 * 2),
        (Some(r#"{"n":9,"n":1}"#), 9 * 2),
        (Some(r#"{"other":9}"#), 3 * 2),
        (Some(r#"{"n":99999999999999999999}"#), u64::MAX),
        (Some("[1]"), 3 * 2),
    ] {
        assert_eq!(cost(text, variables), expected, "{variables:?}");
    }
    assert_eq!(cost("query($n:[I]=[1,2]){a(first:$n)}", None), 2);
    assert_eq!(cost("query($n:S=\"4\"){a(first:$n)}", None), 4);
    // A variable that the operation does not have is no valid request, and asks for no list.
    assert_eq!(cost("{a(first:$n)}", Some(r#"{"n":5}"#)), 1);
    // Fragments see the variables of the operation that runs.
    let shared = "query A($n:Int=2){...F} query B($n:Int=4){...F} fragment F on T{a(first:$n)}";
    let document = parse(shared);
    let run = |name| {
        let operation = document.operation(Some(name)).expect("it is there");
        operation
            .measure(&Costs::default(), None)
            .expect("sound")
            .cost
    };
    assert_eq!((run("A"), run("B")), (2, 4));
}

#[test]
fn what_costs_what_is_told_by_a_table() {
    let costs = Costs {
        default: 2,
        fields: fields([("*.search", 10), ("Query.search", 9), ("T.__typename", 0)]),
        lists: ["ids".to_owned()].into(),
        schema: None,
    };
    let cost = |text: &str| measure_with(text, &costs, None).cost;
    assert_eq!(cost("{__typename}"), 0);
    assert_eq!(cost("{x:search{a __typename}}"), 12);
    assert_eq!(cost("{a(ids:[1,2,3]){b}}"), 3 * 4);
    assert_eq!(cost("{a(first:3)}"), 2);
    assert_eq!(cost("{search:a}"), 2);
}

fn fields<T: Copy, const N: usize>(entries: [(&str, T); N]) -> Table<T> {
    let entries = entries.into_iter();
    entries
        .map(|(field, said)| (field.parse().expect(field), said))
        .collect()
}

const PEOPLE: &str = "
    type Query { me: User, node: Node, people: [Person], animal: Dog }
    type Mutation { rename: User }
    interface Node { id: ID }
    interface Person { name: String, friend: Person }
    type User implements Node & Person { id: ID, name: String, friend: Person, ssn: String }
    type Dog implements Node { id: ID, name: String, master: User }
";

#[test]
fn with_a_schema_what_costs_what_is_told_by_types() {
    let costs = Costs {
        fields: fields([("User.name", 5), ("Dog.name", 7), ("Mutation.rename", 100)]),
        schema: Some(Arc::new(Schema::parse(PEOPLE).expect("a schema"))),
        ..Costs::default()
    };
    let cost = |text: &str| measure_with(text, &costs, None).cost;
    assert_eq!(cost("{me{name}}"), 6);
    assert_eq!(cost("{animal{name master{name}}}"), 1 + 7 + 1 + 5);
    assert_eq!(
        cost("{people{name}}"),
        6,
        "a person may be a user, and no dog"
    );
    assert_eq!(
        cost("{node{... on Dog{name}...F}} fragment F on User{name}"),
        1 + 7 + 5
    );
    assert_eq!(cost("{node{...{id}}}"), 2);
    assert_eq!(
        cost("{nothing{name}}"),
        8,
        "of a type that is not known, the most"
    );
    assert_eq!(cost("mutation{rename{name}}"), 105);
    assert_eq!(cost("{rename}"), 1);
}

#[test]
fn fields_that_something_is_said_of_are_found_wherever_they_are_asked_for() {
    let table = fields([("User.ssn", 's'), ("Dog.name", 'd'), ("*.__schema", 'i')]);
    let schema = Schema::parse(PEOPLE).expect("a schema");
    let found = |text: &str, schema: Option<&Schema>| {
        let document = parse(text);
        let operation = document.operation(None).expect("there is one");
        let found = operation.reaches(&table, schema).expect("sound");
        found.iter().map(|(said, _)| **said).collect::<String>()
    };
    for (text, with, without) in [
        ("{me{ssn}}", "s", "s"),
        ("{me{x:ssn y:ssn}}", "ss", "ss"),
        ("{me{ssn:id}}", "", ""),
        ("{me{name}}", "", "d"),
        ("{animal{name ssn}}", "d", "ds"),
        ("{people{name ssn}}", "s", "ds"),
        ("{node{... on User{ssn} ... on Dog{ssn}}}", "s", "ss"),
        (
            "{me{...F ...F}} fragment F on User{...G} fragment G on Person{ssn}",
            "s",
            "s",
        ),
        ("{me{id}} fragment F on User{ssn}", "", ""),
        ("{me{...{...@skip(if:true){ssn}}}}", "s", "s"),
        ("{nothing{ssn name}}", "sd", "sd"),
        ("{__schema{types{name}}}", "i", "i"),
        (
            "{__type{...F}} fragment F on __Type{name ssn ... on __Type{ssn}}",
            "",
            "",
        ),
        ("{__typename}", "", ""),
    ] {
        assert_eq!(found(text, Some(&schema)), with, "{text}");
        assert_eq!(found(text, None), without, "{text}");
    }
    let document = parse("{me{\n ...F}} fragment F on User{\n ssn}");
    let operation = document.operation(None).expect("there is one");
    let found = operation.reaches(&table, None).expect("sound");
    assert_eq!(found, [(&'s', Place { line: 3, column: 2 })]);
}

#[test]
fn a_documents_operations_are_known_by_name() {
    let names = |text: &str| {
        let mut names: Vec<_> = parse(text).operation_names().map(str::to_owned).collect();
        names.sort();
        names.join(" ")
    };
    assert_eq!(names("{a}"), "");
    assert_eq!(names("query A{a}"), "A");
    assert_eq!(names("query A{a} mutation B{b} fragment F on T{a}"), "A B");
}

/// What follows runs on as little stack as a thread may have in practice.
fn on_a_small_stack(test: impl FnOnce() + Send + 'static) {
    let thread = std::thread::Builder::new().stack_size(256 * 1024);
    let joined = thread.spawn(test).expect("it starts").join();
    joined.expect("the test passes, and its stack suffices");
}

#[test]
fn the_deepest_document_that_is_read_is_read_on_a_small_stack() {
    on_a_small_stack(|| {
        let nest = |open: &str, within: &str, close: &str, times: usize| {
            format!("{}{within}{}", open.repeat(times), close.repeat(times))
        };
        let fields = nest("{a", "", "}", 64);
        assert_eq!(measure(&fields).depth, 64);
        assert_eq!(measure(&nest("{...on T", "{a}", "}", 63)).depth, 1);
        for (open, close) in [("[", "]"), ("{b:", "}")] {
            let value = nest(open, "1", close, 62);
            assert_eq!(measure(&format!("{{a(b:{value})}}")).cost, 1);
            measure(&format!("query($v:T={}){{a}}", nest(open, "1", close, 63)));
        }
        let ty = nest("[", "T", "]", 63);
        assert_eq!(measure(&format!("query($v:{ty}){{a}}")).cost, 1);
        for (open, close) in [("{a", "}"), ("[", "]"), ("(", ")"), ("{a(b:[", "])}")] {
            for times in [65, 100_000] {
                let fault = fault(&nest(open, "", close, times));
                assert!(
                    matches!(
                        fault,
                        Fault::Exceeded(Exceeded {
                            limit: Limit::Nesting,
                            ..
                        })
                    ),
                    "{open}: {fault}"
                );
            }
        }
    });
}

#[test]
fn chains_and_bombs_of_fragments_are_measured_without_expanding_them() {
    on_a_small_stack(|| {
        let chain = |spreads: &str, last: &str| {
            let links = 20_000;
            let mut text = String::from("{...F0}");
            for n in 0..links {
                let next = spreads.replace('#', &(n + 1).to_string());
                text.push_str(&format!("fragment F{n} on T{{{next}}}"));
            }
            text.push_str(&format!("fragment F{links} on T{{{last}}}"));
            text
        };
        let line = measure(&chain("a{...F#}", "b"));
        assert_eq!((line.depth, line.cost), (20_001, 20_001));
        let bomb = measure(&chain("...F# ...F# @x", "a:b"));
        assert_eq!(
            (
                bomb.depth,
                bomb.aliases,
                bomb.directives,
                bomb.root_fields,
                bomb.cost
            ),
            (1, u64::MAX, u64::MAX, u64::MAX, u64::MAX)
        );
        let fault = Document::parse(&chain("...F#", "...F0"), u64::MAX).expect_err("a circle");
        assert!(matches!(fault, Fault::FragmentCycle(_)), "{fault:?}");
    });
}

#[test]
fn floods_of_aliases_and_directives_are_counted_or_cut_short() {
    on_a_small_stack(|| {
        let aliases = |n: u64| {
            let fields: String = (0..n).map(|n| format!("a{n}:b ")).collect();
            format!("{{{fields}}}")
        };
        let thousand = measure(&aliases(1000));
        assert_eq!((thousand.aliases, thousand.root_fields), (1000, 1000));
        assert_eq!(measure(&aliases(50_000)).aliases, 50_000);
        assert_eq!(
            measure(&format!("{{a{}}}", "@b".repeat(50_000))).directives,
            50_000
        );
        for text in [aliases(50_000), format!("{{a{}}}", "@b".repeat(50_000))] {
            let exceeded = Exceeded {
                limit: Limit::Tokens,
                found: 2001,
                max: 2000,
            };
            let refused = Document::parse(&text, 2000).expect_err("too many tokens");
            assert_eq!(refused, Fault::Exceeded(exceeded));
        }
    });
}

/// Where the parser is stricter than the specification. When a test here fails, it has been mended, and
/// what is said of it in `read` can go.
#[test]
fn what_the_parser_is_known_to_refuse_is_refused() {
    for text in [
        "query($a:Int=1@b){a}",
        "query($a:[ Int ]){a}",
        "{a} fragment F on #c\nT{a}",
        "{a(b:\"\\u{1F600}\")}",
        "{a(b:\"\\uD83D\\uDE00\")}",
        "{a(b:nullsFirst)}",
        "\"described\" query A{a}",
    ] {
        assert!(matches!(fault(text), Fault::Syntax { .. }), "{text}");
    }
    let comment = parse("{...on#c\nT{a}}");
    let operation = comment.operation(None).expect("there is one");
    let fault = operation.measure(&Costs::default(), None);
    assert!(matches!(fault, Err(Fault::FragmentUnknown(_))), "{fault:?}");
}
