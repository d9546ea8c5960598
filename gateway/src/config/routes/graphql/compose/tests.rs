//! What documents become.

use serde_json::json;

use super::types::Types;
use super::{Composed, Piece, Way, openapi, sdl};

const ORDERS: &str = r##"
openapi: 3.0.3
servers: [{ url: "https://api.example.com/v1/" }]
paths:
  /orders/{order-id}:
    parameters: [{ name: order-id, in: path, required: true, schema: { type: string } }]
    get:
      operationId: getOrder
      responses: { "200": { content: { application/json: { schema: { $ref: "#/components/schemas/Order" } } } } }
  /orders:
    get:
      parameters: [{ $ref: "#/components/parameters/State" }, { name: X-Trace, in: header, schema: { type: string } }]
      responses: { "200": { content: { application/json: { schema: { type: array, items: { $ref: "#/components/schemas/Order" } } } } } }
    post:
      operationId: createOrder
      requestBody: { required: true, content: { application/json: { schema: { $ref: "#/components/schemas/Order" } } } }
      responses: { "204": { description: done } }
components:
  parameters:
    State: { name: state, in: query, schema: { type: string, enum: [open, closed] } }
  schemas:
    Order:
      allOf:
        - { type: object, required: [id], properties: { id: { type: integer, format: int64 } } }
        - type: object
          properties:
            "line-items": { type: array, items: { type: object, properties: { sku: { type: string }, price: { type: number } } } }
            parent: { $ref: "#/components/schemas/Order" }
            tags: { type: object, additionalProperties: { type: string } }
"##;

/// The graph of a document, in the definition language; or what is wrong with it.
fn graph(text: &str) -> Result<(Composed, String), Vec<String>> {
    let document = openapi::parse(text).map_err(|why| vec![why])?;
    let naming = |name: &str| name.to_owned();
    let mut types = Types::new(&document, &naming);
    let mut faults = Vec::new();
    let roots = openapi::roots(&document, 0, &|_| true, &mut types, &mut faults);
    let mut graph = Composed {
        types: types.made,
        ..Composed::default()
    };
    for root in roots {
        let fields = match root.reads {
            true => &mut graph.query,
            false => &mut graph.mutation,
        };
        fields.insert(root.id.into(), root.operation.into());
    }
    match faults.is_empty() {
        true => {
            let text = sdl::print(&graph);
            Ok((graph, text))
        }
        false => Err(faults),
    }
}

#[test]
fn operations_become_fields_and_schemas_types() {
    let (graph, text) = graph(ORDERS).expect("a graph");
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(
        lines,
        [
            "type Query { getOrder(order_id: String!): Order getOrders(state: GetOrdersState): [Order] }",
            "type Mutation { createOrder(input: OrderInput!): JSON }",
            "enum GetOrdersState { open closed }",
            "scalar JSON",
            "scalar Long",
            "type Order { id: Long line_items: [OrderLine_items] parent: Order tags: JSON }",
            "input OrderInput { id: Long! line_items: [OrderLine_itemsInput] parent: OrderInput tags: JSON }",
            "type OrderLine_items { price: Float sku: String }",
            "input OrderLine_itemsInput { price: Float sku: String }",
        ]
    );
    let Way::Rest { path, .. } = &graph.query["getOrder"].way else {
        panic!("by HTTP");
    };
    assert_eq!(
        path[..],
        [
            Piece::Text("/v1/orders/".into()),
            Piece::Parameter("order-id".into())
        ]
    );
}

#[test]
fn what_cannot_be_called_is_told() {
    let with = |path: &str, said: serde_json::Value| {
        let document = json!({ "openapi": "3.1.0", "paths": { path: { "get": said } } });
        graph(&document.to_string()).expect_err("a fault")
    };
    let header = json!({ "parameters": [{ "name": "k", "in": "header", "required": true }] });
    for (path, said, fault) in [
        (
            "/a/{b}",
            json!({}),
            "its path has {b}, which is no parameter",
        ),
        ("/a?b", json!({}), "/a?b is no path"),
        ("/a", header, "it requires k where no argument goes"),
        (
            "/a",
            json!({ "parameters": [{ "$ref": "other.yaml#/p" }] }),
            "other.yaml#/p is in another document; bundle them",
        ),
        (
            "/a",
            json!({ "parameters": [{ "$ref": "#/nowhere" }] }),
            "#/nowhere leads nowhere",
        ),
    ] {
        let found = with(path, said);
        assert!(found[0].contains(fault), "{found:?}");
    }
    let old = graph("swagger: '2.0'").expect_err("too old");
    assert_eq!(old, ["it has no key `openapi`"]);
}

#[test]
fn a_schema_without_end_is_no_reason_to_crash() {
    let document = json!({
        "openapi": "3.0.0",
        "paths": { "/a": { "get": { "responses": { "200": { "content": { "application/json": {
            "schema": { "$ref": "#/components/schemas/A" }
        } } } } } } },
        "components": { "schemas": {
            "A": { "type": "array", "items": { "$ref": "#/components/schemas/A" } }
        } }
    });
    let found = graph(&document.to_string()).expect_err("a fault");
    assert!(found[0].contains("nested too deep"), "{found:?}");
}
