//! One graph composed of a GraphQL server and a REST API, end to end: what the server is asked, how often,
//! and what callers are told where a part of it fails.

mod any;
mod shop;

use std::net::SocketAddr;

use serde_json::{Value, json};
use weir_tests::consumer::sha256;
use weir_tests::upstream::{Step, When};
use weir_tests::wire;
use weir_tests::{Behaviour, Gateway, Upstream};

const ORDERS: &str = r##"{
  "openapi": "3.0.3",
  "paths": { "/orders": { "get": { "operationId": "orders", "responses": { "200": { "content":
    { "application/json": { "schema": { "type": "array", "items": { "$ref": "#/components/schemas/Order" } } } } } } } } },
  "components": { "schemas": { "Order": { "type": "object", "properties": {
    "id": { "type": "integer" }, "buyer": { "type": "integer" } } } } }
}"##;

/// Orders 0 to `count`, of a buyer each.
fn orders(count: usize) -> Behaviour {
    let orders: Vec<Value> = (0..count).map(|n| json!({ "id": n, "buyer": n })).collect();
    let body = json!(orders).to_string();
    Behaviour::new(When::Whole, move |_| {
        let length = body.len();
        let head = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
        );
        vec![Step::Send([head, body.clone()].concat().into_bytes())]
    })
}

struct Graph {
    shop: Upstream,
    orders: Upstream,
    _gateway: Gateway,
    public: SocketAddr,
}

impl Graph {
    async fn start(source: &str, compose: &str, route: &str) -> Self {
        Self::start_with(source, compose, route, "").await
    }

    /// With policies; `ann` is of the group staff, by the key `ann-key`, and `bob` of none.
    async fn start_with(source: &str, compose: &str, route: &str, policies: &str) -> Self {
        let shop = Upstream::start(shop::server()).await;
        let orders = Upstream::start(orders(60)).await;
        let document = serde_json::to_string(ORDERS).expect("a string");
        let schema = serde_json::to_string(&shop::schema().sdl()).expect("a string");
        let gateway = Gateway::start(&format!(
            r#"
version: 1
listeners: [{{ name: public, address: "127.0.0.1:0" }}]
metrics: {{ address: "127.0.0.1:0" }}
server: {{ data_dir: "${{DATA_DIR}}" }}
telemetry: {{ access_log: {{ output: "${{ACCESS_LOG}}" }} }}
upstreams:
  - {{ name: shop, endpoints: [{{ address: "{}" }}] }}
  - {{ name: orders, endpoints: [{{ address: "{}" }}] }}
consumers:
  - {{ name: ann, groups: [staff], credentials: [{{ kind: key, id: a, sha256: "{}" }}] }}
  - {{ name: bob, credentials: [{{ kind: key, id: b, sha256: "{}" }}] }}
routes:
  - name: api
    policies: [{policies}]
    matches: [{{ path: {{ exact: /graphql }} }}]
    graphql:
      compose:
        sources:
          - {{ kind: graphql, name: shop, upstream: shop, path: "/query?v=1", schema: {schema}, headers: [Authorization] {source} }}
          - {{ kind: openapi, name: orders, upstream: orders, document: {document} }}
        {compose}
      max_cost: 10000
      {route}
"#,
            shop.addr(),
            orders.addr(),
            sha256("ann-key"),
            sha256("bob-key"),
        ))
        .await;
        let public = gateway.addr("public");
        Self {
            shop,
            orders,
            _gateway: gateway,
            public,
        }
    }

    async fn linked() -> Self {
        let links = r#"links: [
            { type: Order, field: customer, query: customer, arguments: { id: "{parent.buyer}" } },
            { type: Customer, field: orders, query: orders },
            { type: Customer, field: self, query: customer, arguments: { id: "{parent.id}" } },
        ]
        max_calls: 200"#;
        Self::start("", links, "").await
    }

    async fn tell(&self, body: &Value) -> Value {
        let headers = [
            "Content-Type: application/json",
            "Authorization: Bearer caller",
            "Cookie: private",
        ];
        let answer =
            wire::request(self.public, "POST", "/graphql", &headers, &body.to_string()).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.json()
    }

    async fn ask(&self, query: &str) -> Value {
        self.tell(&json!({ "query": query })).await
    }

    /// What the server was asked.
    fn asked(&self) -> Vec<Value> {
        let requests = self.shop.requests();
        requests.iter().map(|request| request.json()).collect()
    }
}

#[tokio::test]
async fn all_that_is_asked_of_a_server_at_once_is_one_call() {
    let graph = Graph::linked().await;
    let told = graph
        .ask(
            "query { a: customer(id: 1) { id name since zoned: since(zone: \"CET\") }
                     b: customer(id: \"2\") { purchases(first: 1) { total } paid: purchases(state: PAID) { id total } }
                     again: customer(id: 1) { id name since zoned: since(zone: \"CET\") }
                     count __typename }",
        )
        .await;
    let first = json!({ "id": "1", "name": "Name of 1", "since": { "day": "UTC" }, "zoned": { "day": "CET" } });
    assert_eq!(
        told,
        json!({ "data": {
            "a": first,
            "b": {
                "purchases": [{ "total": 2.5 }],
                "paid": [{ "id": "20", "total": 1.5 }, { "id": "21", "total": 1.5 }],
            },
            "again": first,
            "count": 3,
            "__typename": "Query",
        } })
    );
    let asked = graph.asked();
    assert_eq!(asked.len(), 1, "{asked:?}");
    let document = asked[0]["query"].as_str().expect("a document");
    assert!(
        !document.contains("CET") && !document.contains("_3:"),
        "{document}"
    );
    let request = &graph.shop.requests()[0];
    assert_eq!(request.target, "/query?v=1");
    assert_eq!(request.header("authorization"), Some("Bearer caller"));
    assert_eq!(request.header("cookie"), None);
}

#[tokio::test]
async fn links_of_a_list_go_together_and_a_long_list_in_a_few_calls() {
    let graph = Graph::linked().await;
    let told = graph
        .ask("{ orders { customer { name orders { id } self { id } } } }")
        .await;
    assert!(told.get("errors").is_none(), "{told}");
    let all = told["data"]["orders"].as_array().expect("orders");
    assert_eq!(all.len(), 60);
    assert_eq!(all[59]["customer"]["name"], "Name of 59");
    assert_eq!(all[59]["customer"]["self"], json!({ "id": "59" }));
    assert_eq!(
        all[7]["customer"]["orders"]
            .as_array()
            .expect("orders")
            .len(),
        60
    );
    // Fifty in one call: two for the customers and two for the same once more.
    assert_eq!(graph.asked().len(), 4);
    assert_eq!(graph.orders.requests().len(), 1);
    let first = graph.asked()[0]["query"]
        .as_str()
        .expect("a document")
        .to_owned();
    // What a link needs is asked, and the link itself is not.
    assert!(
        first.contains("{name id }") && !first.contains("orders"),
        "{first}"
    );
}

#[tokio::test]
async fn interfaces_and_unions_are_told_apart() {
    let graph = Graph::linked().await;
    let told = graph
        .ask(
            "{ search(text: \"t\") { ...Any ... on Customer { name purchases(first: 0) { id } } ... on Company { name staff { name } } }
               node(id: \"c9\") { id ... on Company { id staff { id } } ... on Customer { name } __typename }
               other: node(id: \"k\") { ... on Node { id ... on Customer { orders { id } name } } } }
             fragment Any on Found { __typename ... on Node { key: id } }",
        )
        .await;
    assert!(told.get("errors").is_none(), "{told}");
    assert_eq!(
        told["data"]["search"],
        json!([
            { "__typename": "Customer", "key": "t", "name": "Name of t", "purchases": [] },
            { "__typename": "Company", "key": "t", "name": 7, "staff": [{ "name": "Name of x" }] },
        ])
    );
    assert_eq!(
        told["data"]["node"],
        json!({ "id": "9", "staff": [{ "id": "x" }], "__typename": "Company" })
    );
    assert_eq!(told["data"]["other"]["name"], "Name of k");
    assert_eq!(
        told["data"]["other"]["orders"]
            .as_array()
            .expect("orders")
            .len(),
        60
    );
    assert_eq!(graph.asked().len(), 1);
}

#[tokio::test]
async fn what_the_server_says_of_a_failure_is_told_where_it_belongs() {
    let graph = Graph::linked().await;
    let told = graph
        .ask("{ ok: customer(id: \"a\") { name hidden: secret } no: customer(id: \"broken\") { name } none: customer(id: \"nobody\") { name } }")
        .await;
    assert_eq!(
        told["data"],
        json!({ "ok": { "name": "Name of a", "hidden": null }, "no": null, "none": null })
    );
    let mut errors = told["errors"].as_array().expect("errors").clone();
    errors.sort_by_key(|error| error["path"].to_string());
    assert_eq!(errors.len(), 2, "{told}");
    assert_eq!(errors[0]["path"], json!(["no"]));
    assert_eq!(errors[0]["message"], "no such luck");
    assert_eq!(errors[0]["extensions"]["code"], "source_error");
    assert_eq!(errors[1]["path"], json!(["ok", "hidden"]));
    assert_eq!(errors[1]["extensions"]["code"], "CLOSED");
    assert_eq!(errors[1]["extensions"]["source"], "shop");
}

#[tokio::test]
async fn an_empty_place_in_a_list_stays_where_it_is() {
    let graph = Graph::linked().await;
    let told = graph
        .tell(&json!({
            "query": "query($ids: [ID!]!) { customers(ids: $ids) { id orders { id } } nodes(ids: $ids) { id ... on Customer { secret } } }",
            "variables": { "ids": ["nobody", "a"] },
        }))
        .await;
    let customers = &told["data"]["customers"];
    assert_eq!(customers[0], Value::Null);
    assert_eq!(customers[1]["id"], "a");
    assert_eq!(customers[1]["orders"].as_array().expect("orders").len(), 60);
    assert_eq!(
        told["data"]["nodes"],
        json!([null, { "id": "a", "secret": null }])
    );
    let errors = told["errors"].as_array().expect("errors");
    assert_eq!(errors.len(), 1, "{told}");
    assert_eq!(errors[0]["path"], json!(["nodes", 1, "secret"]));
}

#[tokio::test]
async fn mutations_are_made_in_order_and_once_each() {
    let graph = Graph::linked().await;
    let told = graph
        .tell(&json!({
            "query": "mutation($i: Rename!, $unset: String) { b: rename(input: $i) { id } a: rename(input: { id: 2, name: \"n\" }) { id since(zone: $unset) } b: rename(input: $i) { name } }",
            "variables": { "i": { "id": "1" } },
        }))
        .await;
    assert_eq!(
        told["data"],
        json!({
            "b": { "id": "1-nobody", "name": "Name of 1-nobody" },
            "a": { "id": "2-n", "since": { "day": "UTC" } },
        })
    );
    let asked = graph.asked();
    assert_eq!(asked.len(), 2, "{asked:?}");
    assert_eq!(asked[0]["variables"], json!({ "v0": { "id": "1" } }));
    assert_eq!(
        asked[1]["variables"],
        json!({ "v0": { "id": 2, "name": "n" } })
    );
}

#[tokio::test]
async fn other_names_are_the_graphs_own() {
    let source = ", prefix: shop, fields: [customer, node], rename: { types: { Purchase: Sale }, fields: { ShopCustomer.name: title, Sale.total: sum } }";
    let graph = Graph::start(source, "", "introspection: { kind: everybody }").await;
    let told = graph
        .ask("{ shopCustomer(id: 1) { __typename title purchases(first: 1) { sum __typename } } shopNode(id: 1) { ... on ShopCustomer { title } __typename } }")
        .await;
    assert_eq!(
        told["data"],
        json!({
            "shopCustomer": { "__typename": "ShopCustomer", "title": "Name of 1", "purchases": [{ "sum": 2.5, "__typename": "Sale" }] },
            "shopNode": { "title": "Name of 1", "__typename": "ShopCustomer" },
        })
    );
    let told = graph
        .ask("{ __schema { queryType { fields { name } } mutationType { name } } }")
        .await;
    let fields = json!({ "fields": [{ "name": "orders" }, { "name": "shopCustomer" }, { "name": "shopNode" }] });
    assert_eq!(
        told["data"]["__schema"],
        json!({ "queryType": fields, "mutationType": null })
    );
}

#[tokio::test]
async fn a_variable_left_out_has_the_value_that_the_operation_says() {
    let graph = Graph::linked().await;
    let query = "query($on: Boolean = true, $of: ID! = 5, $zone: String) {
                   count @include(if: $on) no: count @skip(if: $on)
                   customer(id: $of) { id since(zone: $zone) } }";
    let told = graph.ask(query).await;
    let customer = json!({ "id": "5", "since": { "day": "UTC" } });
    assert_eq!(
        told,
        json!({ "data": { "count": 3, "customer": customer } })
    );
    assert_eq!(graph.asked()[0]["variables"], json!({ "v0": "5" }));
}

#[tokio::test]
async fn fields_are_answered_in_the_order_they_are_asked() {
    let graph = Graph::linked().await;
    let query = "{ orders { id } __typename z: count customer(id: 1) { name a: id } a: count }";
    let body = json!({ "query": query }).to_string();
    let headers = ["Content-Type: application/json"];
    let answer = wire::request(graph.public, "POST", "/graphql", &headers, &body).await;
    let text = answer.text();
    let tail = r#","__typename":"Query","z":3,"customer":{"name":"Name of 1","a":"1"},"a":3}}"#;
    assert!(
        text.starts_with(r#"{"data":{"orders":["#) && text.ends_with(tail),
        "{text}"
    );
}

#[tokio::test]
async fn the_graph_answers_as_the_server_does() {
    let graph = Graph::start("", "", "max_aliases: 1000\n      max_depth: 30").await;
    let server = shop::schema();
    let mut asked = 0;
    for seed in 0..300 {
        let body = any::Maker::new(seed).make();
        let request: async_graphql::Request =
            serde_json::from_value(body.clone()).expect("a request");
        let expected = server.execute(request).await;
        assert_eq!(expected.errors, [], "{body}");
        let expected = expected.data.into_json().expect("JSON");
        let told = graph.tell(&body).await;
        assert_eq!(
            told,
            json!({ "data": expected }),
            "{body}: {:?}",
            graph.asked().last()
        );
        asked += body["query"]
            .as_str()
            .map_or(0, |query| query.matches(": ").count());
    }
    assert!(asked > 1000, "{asked}");
}

#[tokio::test]
async fn what_a_route_allows_is_held_against_the_composed_graph() {
    let guarded = "authorization: [{ field: Customer.name, groups: [staff] }]";
    let graph = Graph::start_with("", "", guarded, "{ kind: key_auth }").await;
    let ask = async |key: &str, query: &str| {
        let headers = ["Content-Type: application/json", key];
        let body = json!({ "query": query }).to_string();
        wire::request(graph.public, "POST", "/graphql", &headers, &body).await
    };
    let staff = "x-api-key: ann-key";
    let guarded = "{ node(id: 1) { id ... on Customer { title: name } } }";
    let refused = ask("x-api-key: bob-key", guarded).await;
    assert_eq!(refused.header("weir-error"), Some("graphql_field_denied"));
    let told = ask(staff, guarded).await.json();
    assert_eq!(told["data"]["node"]["title"], "Name of 1");
    let hidden = ask(staff, "{ __schema { queryType { name } } }").await;
    assert!(hidden.header("weir-error").is_some(), "{}", hidden.text());
    assert_eq!(graph.asked().len(), 1);
}

#[tokio::test]
async fn a_query_comes_by_get_and_a_mutation_does_not() {
    let graph = Graph::linked().await;
    let get = async |query: &str| {
        let target = format!("/graphql?query={query}&variables=%7B%22id%22%3A7%7D");
        wire::get(graph.public, &target).await
    };
    let told = get("query($id:ID!)%7Bcustomer(id:$id)%7Bname%7D%7D").await;
    assert_eq!(
        told.json(),
        json!({ "data": { "customer": { "name": "Name of 7" } } })
    );
    let refused = get("mutation($id:ID!)%7Brename(input:%7Bid:$id%7D)%7Bid%7D%7D").await;
    assert!(refused.header("weir-error").is_some(), "{}", refused.text());
    assert_eq!(graph.asked().len(), 1);
}

#[tokio::test]
async fn a_source_that_answers_no_graphql_fails_its_own_fields_only() {
    for (behaviour, code) in [
        (Behaviour::answer(502, &[], "{}"), "source_status"),
        (
            Behaviour::answer(200, &[], "nothing"),
            "source_answer_invalid",
        ),
        (Behaviour::answer(200, &[], "{}"), "source_answer_invalid"),
        (
            Behaviour::answer(200, &[], r#"{"errors":[{"message":"no"}],"data":null}"#),
            "source_error",
        ),
        (
            Behaviour::answer(200, &[], r#"{"data":{"_0":"seven","_1":{"name":7}}}"#),
            "source_answer_invalid",
        ),
    ] {
        let graph = Graph::linked().await;
        graph.shop.set(behaviour);
        let told = graph
            .ask("{ count customer(id: 1) { name } orders { id } }")
            .await;
        assert_eq!(told["data"]["count"], Value::Null);
        assert_eq!(told["data"]["orders"].as_array().expect("orders").len(), 60);
        let errors = told["errors"].as_array().expect("errors");
        assert_eq!(errors.len(), 2, "{told}");
        for error in errors {
            assert_eq!(error["extensions"]["code"], code, "{told}");
        }
    }
}
