//! What schemas of GraphQL servers become.

use serde_json::json;

use super::definitions::Definitions;
use super::graphql::{Said, roots};
use super::part::Names;
use super::{Composed, definitions, introspection, sdl};
use crate::config::raw::compose::Rename;

const SHOP: &str = r#"
    extend schema @link(url: "https://specs.apollo.dev/federation/v2.0", import: ["@key"])
    schema { query: Root, mutation: Change }
    directive @key(fields: String!) repeatable on OBJECT
    type Root { order(id: ID!, in: In = { page: 1 }): Order! @deprecated, all(first: Int! = 10): [[Item!]!], me: Root, _service: _Service! }
    extend type Root { either(by: By!): Either }
    type Change { pay(order: ID!): Order }
    type _Service { sdl: String }
    interface Item { id: ID!, others(first: Int!): [Item!] }
    interface Thing implements Item { id: ID!, others(first: Int!): [Item!] }
    "Not a thing"
    type Order implements Item @key(fields: "id") { id: ID!, others(first: Int!): [Item!], at: Date, root: Root }
    type Book implements Item & Thing { id: ID!, others(first: Int!): [Item!] }
    union Either = Order | Book
    enum By { NAME PLACE }
    input In { page: Int!, next: In, size: Int! = 3 }
    scalar Date
    type Unused { a: Int }
"#;

/// The graph of a schema, in the definition language; or what is wrong with it.
fn graph(schema: &str, prefix: Option<&str>, fields: Option<&[String]>) -> Result<String, String> {
    let definitions = Definitions::parse(schema)?;
    let rename = Rename::default();
    let names = Names::new(prefix, &rename);
    let mut types = definitions::Types::new(&definitions, &names);
    let said = Said {
        schema,
        path: "/graphql",
        fields,
    };
    let mut graph = Composed::default();
    for root in roots(&said, &definitions, &mut types, 0)? {
        let fields = match root.reads {
            true => &mut graph.query,
            false => &mut graph.mutation,
        };
        fields.insert(root.id.into(), root.operation.into());
    }
    graph.types = types.made;
    Ok(sdl::print(&graph))
}

#[test]
fn what_root_fields_lead_to_becomes_part_of_the_graph() {
    let text = graph(SHOP, None, None).expect("a graph");
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(
        lines,
        [
            "type Query { all(first: Int): [[Item]] either(by: By!): Either order(id: ID!, in: In): Order }",
            "type Mutation { pay(order: ID!): Order }",
            "type Book implements Item & Thing { id: ID others(first: Int!): [Item] }",
            "enum By { NAME PLACE }",
            "scalar Date",
            "union Either = Order | Book",
            "input In { next: In page: Int! size: Int }",
            "interface Item { id: ID others(first: Int!): [Item] }",
            "type Order implements Item { at: Date id: ID others(first: Int!): [Item] }",
            "interface Thing implements Item { id: ID others(first: Int!): [Item] }",
        ]
    );
    let few = graph(SHOP, Some("shop"), Some(&["pay".to_owned()])).expect("a graph");
    assert!(
        few.contains("type ShopOrder implements ShopItem { at: Date"),
        "{few}"
    );
    assert!(!few.contains("ShopEither"), "{few}");
}

#[test]
fn what_cannot_be_shown_is_told() {
    for (schema, fault) in [
        ("type Query {", "expected"),
        (
            "type Other { a: Int }",
            "no type is defined that queries begin at",
        ),
        ("type Query { a: B }", "a: it does not define the type B"),
        (
            "type Query { a: A } type A { b(c: C): Int }",
            "A: it does not define the type C",
        ),
        (
            "type Query { a: A } type A { q: Query }",
            "A: it has no field that can be shown",
        ),
        (
            "type Query { a: A } interface A { b: Int }",
            "A: no object is of this interface",
        ),
        (
            "type Query { a: A } type A { b: Int } scalar A",
            "A is defined as two kinds of type",
        ),
    ] {
        let found = graph(schema, None, None).expect_err(schema);
        assert!(found.contains(fault), "{schema}: {found}");
    }
}

#[test]
fn introspection_says_the_same_as_the_definition_language() {
    let named = |name: &str| json!({ "kind": "SCALAR", "name": name });
    let non_null = |of: serde_json::Value| json!({ "kind": "NON_NULL", "ofType": of });
    let list = |of: serde_json::Value| json!({ "kind": "LIST", "ofType": of });
    let argument =
        json!({ "name": "by", "type": non_null(named("By")), "defaultValue": "{ x: A }" });
    let fields = json!([
        { "name": "a", "args": [argument], "type": list(non_null(named("N"))) },
        { "name": "u", "args": [], "type": named("U") },
    ]);
    let id = json!([{ "name": "id", "args": [], "type": named("ID") }]);
    let said = json!({ "data": { "__schema": {
        "queryType": { "name": "Root" }, "mutationType": null,
        "types": [
            { "kind": "OBJECT", "name": "Root", "fields": fields, "interfaces": [] },
            { "kind": "INTERFACE", "name": "N", "fields": id, "interfaces": [] },
            { "kind": "OBJECT", "name": "O", "fields": id, "interfaces": [{ "name": "N" }] },
            { "kind": "UNION", "name": "U", "possibleTypes": [{ "name": "O" }] },
            { "kind": "ENUM", "name": "E", "enumValues": [{ "name": "A" }] },
            { "kind": "INPUT_OBJECT", "name": "By", "inputFields": [{ "name": "x", "type": named("E") }] },
            { "kind": "SCALAR", "name": "ID" },
            { "kind": "OBJECT", "name": "__Type", "fields": [] },
        ],
    } } });
    let printed = introspection::print(&said.to_string()).expect("a schema");
    let written = "schema { query: Root } type Root { a(by: By! = { x: A }): [N!], u: U } interface N { id: ID } \
                   type O implements N { id: ID } union U = O enum E { A } input By { x: E }";
    assert_eq!(graph(&printed, None, None), graph(written, None, None));
    assert!(
        introspection::print("{}")
            .expect_err("none")
            .contains("__schema")
    );
}
