//! Generated documents, measured as by writing out every fragment; and bytes that are nearly GraphQL.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use weir_protocols::graphql::document::cost::Costs;
use weir_protocols::graphql::document::{Document, Measure};

#[path = "../fuzz/checks_graphql.rs"]
mod checks;

/// A selection, as it is generated. The names of fragments are numbers, taken modulo those that a
/// fragment may use.
#[derive(Clone, Debug)]
enum Selection {
    Field {
        alias: bool,
        name: &'static str,
        first: Option<u64>,
        directives: usize,
        within: Vec<Selection>,
    },
    Inline {
        on: bool,
        directives: usize,
        within: Vec<Selection>,
    },
    Spread {
        number: usize,
        directives: usize,
    },
}

fn selections() -> impl Strategy<Value = Vec<Selection>> {
    let name = select(&["a", "b", "__typename", "__schema"][..]);
    let first = proptest::option::of(0_u64..50);
    let leaf = prop_oneof![
        (any::<bool>(), name.clone(), first.clone(), 0_usize..2).prop_map(
            |(alias, name, first, directives)| Selection::Field {
                alias,
                name,
                first,
                directives,
                within: vec![],
            }
        ),
        (0_usize..8, 0_usize..3)
            .prop_map(|(number, directives)| Selection::Spread { number, directives }),
    ];
    let selection = leaf.prop_recursive(4, 24, 3, move |inner| {
        let within = vec(inner, 1..4);
        prop_oneof![
            (
                any::<bool>(),
                name.clone(),
                first.clone(),
                0_usize..2,
                within.clone()
            )
                .prop_map(|(alias, name, first, directives, within)| {
                    Selection::Field {
                        alias,
                        name,
                        first,
                        directives,
                        within,
                    }
                }),
            (any::<bool>(), 0_usize..2, within).prop_map(|(on, directives, within)| {
                Selection::Inline {
                    on,
                    directives,
                    within,
                }
            }),
        ]
    });
    vec(selection, 1..4)
}

/// Fragments, of which each may use those after it, and the operation all of them.
struct Generated<'a> {
    fragments: &'a [Vec<Selection>],
}

impl Generated<'_> {
    /// The fragment that a selection within fragment `above` means by `number`, if there is one.
    fn meant(&self, above: usize, number: usize) -> Option<usize> {
        let count = self.fragments.len() - above;
        (count > 0).then(|| above + number % count)
    }

    /// The tokens of a selection set.
    fn write(&self, above: usize, set: &[Selection], out: &mut Vec<String>) {
        let directive = |out: &mut Vec<String>, times: usize| {
            for _ in 0..times {
                out.extend(["@", "d"].map(str::to_owned));
            }
        };
        out.push("{".to_owned());
        for selection in set {
            match selection {
                Selection::Field {
                    alias,
                    name,
                    first,
                    directives,
                    within,
                } => {
                    if *alias {
                        out.extend(["x", ":"].map(str::to_owned));
                    }
                    out.push((*name).to_owned());
                    if let Some(first) = first {
                        out.extend(["(", "first", ":", &first.to_string(), ")"].map(str::to_owned));
                    }
                    directive(out, *directives);
                    if !within.is_empty() {
                        self.write(above, within, out);
                    }
                }
                Selection::Inline {
                    on,
                    directives,
                    within,
                } => {
                    out.push("...".to_owned());
                    if *on {
                        out.extend(["on", "T"].map(str::to_owned));
                    }
                    directive(out, *directives);
                    self.write(above, within, out);
                }
                Selection::Spread { number, directives } => match self.meant(above, *number) {
                    Some(meant) => {
                        out.extend(["...".to_owned(), format!("F{meant}")]);
                        directive(out, *directives);
                    }
                    None => out.push("none".to_owned()),
                },
            }
        }
        out.push("}".to_owned());
    }

    /// What a selection set comes to, every fragment written out.
    fn measure(&self, above: usize, set: &[Selection]) -> Measure {
        let mut sum = Measure::default();
        for selection in set {
            let part = match selection {
                Selection::Field {
                    alias,
                    name,
                    first,
                    directives,
                    within,
                } => {
                    let inner = self.measure(above, within);
                    let asks = *name == "__schema";
                    let introspection = if asks { inner.depth + 1 } else { 0 };
                    Measure {
                        depth: if asks { 1 } else { inner.depth + 1 },
                        aliases: inner.aliases + u64::from(*alias),
                        directives: inner.directives + *directives as u64,
                        root_fields: 1,
                        cost: (1 + inner.cost) * first.unwrap_or(1).max(1),
                        introspection: inner.introspection.max(introspection),
                    }
                }
                Selection::Inline {
                    directives, within, ..
                } => with_directives(self.measure(above, within), *directives),
                Selection::Spread { number, directives } => match self.meant(above, *number) {
                    Some(meant) => {
                        let within = self.measure(meant + 1, &self.fragments[meant]);
                        with_directives(within, *directives)
                    }
                    None => Measure {
                        depth: 1,
                        root_fields: 1,
                        cost: 1,
                        ..Measure::default()
                    },
                },
            };
            sum = Measure {
                depth: sum.depth.max(part.depth),
                aliases: sum.aliases + part.aliases,
                directives: sum.directives + part.directives,
                root_fields: sum.root_fields + part.root_fields,
                cost: sum.cost + part.cost,
                introspection: sum.introspection.max(part.introspection),
            };
        }
        sum
    }
}

fn with_directives(mut measure: Measure, more: usize) -> Measure {
    measure.directives += more as u64;
    measure
}

const BETWEEN: &[&str] = &[" ", ",", "\n", "\t, ", "\u{feff} ", " # {a}\n"];

const DOCUMENT: &[&str] = &[
    "{",
    "{",
    "}",
    "}",
    "(",
    ")",
    "[",
    "]",
    ":",
    "$v",
    "=",
    "@d",
    "...",
    "...F",
    "...on T",
    "a",
    "b:c",
    "query",
    "query Q",
    "mutation",
    "fragment F on T",
    "(first:2)",
    "(a:1)",
    "1",
    "-0.5",
    "1e3",
    "01",
    "\"",
    "\"\"\"",
    "\"c\"",
    "\\",
    "\"\"\"d\\\"\"\"\"\"\"",
    "#",
    "\n",
    " ",
    ",",
    "\u{feff}",
    "ä",
    "?",
];

const OF_MESSAGES: &[&str] = &[
    r#""type":"subscribe""#,
    r#""type":"complete""#,
    r#""id":"\u00e4\"1""#,
    r#""id":7"#,
    r#""payload":{"query" : "{a}","variables":{"n":[1]}}"#,
    r#""Payload":{}"#,
    r#""extra":{"type":"ping"}"#,
];

const MEMBERS: &[&str] = &[
    r#""query":"{a}""#,
    r#""query":"{\u0061(b:\"c\")}""#,
    r#""query":"""#,
    r#""operationName":"A""#,
    r#""operationName":null"#,
    r#""variables":{"n":5,"m":[1]}"#,
    r#""variables": null"#,
    r#""extensions":{"a":1}"#,
    r#""extensions":{"persistedQuery":{"version":1,"sha256Hash":"0123456789abcdef0123456789abcdef0123456789ABCDEF0123456789abcdef"}}"#,
    r#""id":"x""#,
];

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(1000) })]

    #[test]
    fn a_measure_is_that_of_the_operation_with_its_fragments_written_out(
        operation in selections(),
        fragments in vec(selections(), 0..6),
        between in vec(select(BETWEEN), 1..8),
    ) {
        let generated = Generated { fragments: &fragments };
        let mut tokens = Vec::new();
        for (number, set) in fragments.iter().enumerate().rev() {
            tokens.extend(["fragment".to_owned(), format!("F{number}")]);
            tokens.extend(["on", "T"].map(str::to_owned));
            generated.write(number + 1, set, &mut tokens);
        }
        generated.write(0, &operation, &mut tokens);
        let between = between.iter().cycle();
        let spaced = tokens.iter().zip(between).flat_map(|(token, gap)| match token.as_str() {
            // The parser takes no comment after it.
            "on" => ["on", " "],
            token => [token, *gap],
        });
        let text: String = spaced.collect();

        let document = Document::parse(&text, 100_000).expect(&text);
        prop_assert_eq!(document.tokens(), tokens.len() as u64);
        let run = document.operation(None).expect("there is one");
        let measure = run.measure(&Costs::default(), None).expect("sound");
        prop_assert_eq!(measure, generated.measure(0, &operation), "{}", text);
        checks::graphql(text.as_bytes());
    }

    #[test]
    fn what_is_nearly_a_document(pieces in vec(select(DOCUMENT), 0..24)) {
        checks::graphql(pieces.concat().as_bytes());
        checks::graphql(format!("{{{}}}", pieces.concat()).as_bytes());
    }

    #[test]
    fn messages_in_any_order(members in subsequence(OF_MESSAGES, 0..7).prop_shuffle()) {
        checks::graphql(format!(" {{{}}} ", members.join(", ")).as_bytes());
    }

    #[test]
    fn requests_in_any_order(members in subsequence(MEMBERS, 0..6).prop_shuffle(), copies in 1_usize..4) {
        let request = format!("{{{}}}", members.join(", "));
        checks::graphql(request.as_bytes());
        checks::graphql(format!("[{}]", vec![request; copies].join(" ,")).as_bytes());
    }
}
