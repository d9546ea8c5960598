//! Operations of any shape: fragments within fragments, aliases, the same field with the same arguments and
//! with others, variables.

use std::fmt::Write as _;

use serde_json::{Map, Value, json};

/// Makes operations; the same seed makes the same one.
pub struct Maker {
    state: u64,
    fragments: String,
    variables: Vec<(&'static str, Value)>,
    count: usize,
}

/// A field: its name, the arguments it may be given with their types, and what it gives.
type Field = (
    &'static str,
    &'static [(&'static str, &'static str)],
    Option<&'static str>,
);

const CUSTOMER: &[Field] = &[
    ("id", &[], None),
    ("name", &[], None),
    ("since", &[("zone", "String")], None),
    (
        "purchases",
        &[("first", "Int!"), ("state", "State")],
        Some("Purchase"),
    ),
];

fn fields(ty: &str) -> &'static [Field] {
    match ty {
        "Query" => &[
            ("count", &[], None),
            ("customer", &[("id", "ID!")], Some("Customer")),
            ("search", &[("text", "String!")], Some("Found")),
            ("node", &[("id", "ID!")], Some("Node")),
        ],
        "Customer" => CUSTOMER,
        "Company" => &[("id", &[], None), ("staff", &[], Some("Customer"))],
        "Purchase" => &[("id", &[], None), ("total", &[], None)],
        "Node" => &[("id", &[], None)],
        _ => &[],
    }
}

/// What may be said of an object of a type.
fn narrower(ty: &str) -> &'static [&'static str] {
    match ty {
        "Node" | "Found" => &["Node", "Customer", "Company"],
        "Customer" => &["Node", "Customer"],
        "Company" => &["Node", "Company"],
        _ => &[],
    }
}

impl Maker {
    /// One of this seed.
    pub fn new(seed: u64) -> Self {
        Self {
            state: seed,
            fragments: String::new(),
            variables: Vec::new(),
            count: 0,
        }
    }

    /// The operation, as a request's body.
    pub fn make(mut self) -> Value {
        let selection = self.selection("Query", 0);
        let mut declared = String::new();
        let mut values = Map::new();
        for (index, (ty, value)) in self.variables.iter().enumerate() {
            let _ = write!(declared, "$x{index}: {ty} ");
            values.insert(format!("x{index}"), value.clone());
        }
        if !declared.is_empty() {
            declared = format!("({declared})");
        }
        let query = format!("query Any{declared} {selection} {}", self.fragments);
        json!({ "query": query, "variables": values })
    }

    fn below(&mut self, most: u64) -> u64 {
        // Knuth's generator, of which the upper half is good.
        self.state = self
            .state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.state >> 33) % most
    }

    fn selection(&mut self, ty: &'static str, depth: usize) -> String {
        let mut out = "{ ".to_owned();
        for _ in 0..=self.below(3) {
            let others = narrower(ty);
            let choice = self.below(6);
            if choice == 0 || fields(ty).is_empty() && others.is_empty() {
                out.push_str("__typename ");
            } else if !others.is_empty() && depth < 5 && (choice < 4 || fields(ty).is_empty()) {
                let index = self.below(others.len() as u64) as usize;
                let on = others[index];
                let within = self.selection(on, depth + 1);
                match self.below(3) {
                    0 => {
                        self.count += 1;
                        let _ =
                            write!(self.fragments, "fragment F{} on {on} {within} ", self.count);
                        let _ = write!(out, "...F{} ", self.count);
                    }
                    _ => {
                        let _ = write!(out, "... on {on} {within} ");
                    }
                }
            } else if !fields(ty).is_empty() {
                let index = self.below(fields(ty).len() as u64) as usize;
                let field = self.field(fields(ty)[index], depth);
                out.push_str(&field);
            } else {
                out.push_str("__typename ");
            }
        }
        out.push('}');
        out
    }

    fn field(&mut self, (name, taken, gives): Field, depth: usize) -> String {
        // Where fields have one name, so have their arguments.
        let mut alias = name.to_owned();
        let mut arguments = String::new();
        for (argument, ty) in taken {
            if !ty.ends_with('!') && self.below(2) == 0 {
                continue;
            }
            let (value, text) = match *ty {
                "Int!" => {
                    let number = self.below(3);
                    (json!(number), number.to_string())
                }
                "State" => (json!("PAID"), "PAID".to_owned()),
                _ => {
                    let text = ["a", "c1", "b\\\"c"][self.below(3) as usize];
                    (json!(text.replace('\\', "")), format!("\"{text}\""))
                }
            };
            let plain = value.to_string();
            alias.extend(plain.bytes().map(|b| char::from(b'a' + b % 26)));
            alias.push_str(argument);
            let text = match self.below(2) {
                0 => text,
                _ => {
                    self.variables.push((ty, value));
                    format!("$x{}", self.variables.len() - 1)
                }
            };
            let _ = write!(arguments, "{argument}: {text} ");
        }
        // Written one way by its text and the other by a variable, it would be two fields of one name.
        if !taken.is_empty() || self.below(3) == 0 {
            self.count += 1;
            let _ = write!(alias, "_{}", self.count);
        }
        if !arguments.is_empty() {
            arguments = format!("({arguments})");
        }
        let within = gives.map_or(String::new(), |gives| self.selection(gives, depth + 1));
        format!("{alias}: {name}{arguments} {within} ")
    }
}
