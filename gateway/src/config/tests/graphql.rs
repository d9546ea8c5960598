//! GraphQL routes that could not do what they say.

use super::{expect_after, faults, good};
use crate::config::routes::Action;
use crate::config::routes::graphql::{Documents, Introspection};

const BEFORE: &str = "upstreams: [{ name: up, endpoints: [{ address: '127.0.0.1:1' }] }]\n\
    consumers: [{ name: ann, groups: [writers], credentials: [{ kind: key, id: a, sha256: '7cc3ebd786ba7ede1dc4fdb023bc0b5e759714a015a375d22091a68c4e7662ff' }] }]\n";

fn route(policies: &str, options: &str) -> String {
    format!(
        "routes: [{{ name: r, policies: [{policies}], graphql: {{ backends: [{{ upstream: up }}] {options} }} }}]"
    )
}

#[test]
fn what_is_said_of_fields_is_held_against_the_schema() {
    let schema = ", schema: 'type Query { me: User } type User { name: String }'";
    for (options, fault) in [
        (
            format!("{schema}, costs: {{ fields: {{ User.nme: 1 }} }}"),
            "routes[0].graphql.costs.fields[\"User.nme\"]: the schema defines no field User.nme; name one that it has, or give the schema of now",
        ),
        (
            ", costs: { fields: { name: 1 } }".to_owned(),
            "routes[0].graphql.costs.fields.name: \"name\" is no field; write it as Query.search, or *.search for any type",
        ),
        (
            ", schema: 'type {'".to_owned(),
            "routes[0].graphql.schema: this is no schema: expected name (line 1, column 6); send a GraphQL document; give one in the definition language, as most servers print it",
        ),
        (
            ", authorization: [{ field: User.name, groups: [writer] }]".to_owned(),
            "routes[0].graphql.authorization[0].groups[0]: no consumer is in a group \"writer\"; did you mean \"writers\"?",
        ),
    ] {
        expect_after(BEFORE, &[(&route("{ kind: key_auth }", &options), fault)]);
    }
    let fine = format!("{schema}, costs: {{ fields: {{ User.name: 1, '*.__typename': 0 }} }}");
    good(&format!("{BEFORE}{}", route("{ kind: key_auth }", &fine)));
}

#[test]
fn groups_need_somebody_who_finds_out_who_calls() {
    let nobody = "nothing on this route finds out who calls, so that nobody is in a group; add the policy key_auth";
    for (options, key) in [
        (
            ", authorization: [{ field: '*.ssn', groups: [writers] }]",
            "authorization",
        ),
        (
            ", introspection: { kind: groups, groups: [writers] }",
            "introspection",
        ),
    ] {
        let found = faults(&format!("{BEFORE}{}", route("", options)));
        assert_eq!(found, [format!("routes[0].graphql.{key}: {nobody}")]);
    }
}

#[test]
fn subscriptions_are_refused_unless_it_is_said_from_where_they_may_come() {
    let said = |options: &str| {
        let loaded = good(&format!("{BEFORE}{}", route("{ kind: key_auth }", options)));
        match &loaded.config.routes[0].action {
            Action::Graphql(graphql) => graphql.subscriptions.clone(),
            _ => panic!("another action"),
        }
    };
    assert!(said("").is_none());
    let passed = said(", subscriptions: { kind: pass }").expect("they pass");
    assert_eq!(passed.max_in_flight, 100);
    assert_eq!(&*passed.terms.subprotocols[0], "graphql-transport-ws");
    let origins = ", subscriptions: { kind: pass, origins: [shop] }";
    expect_after(
        BEFORE,
        &[(
            &route("{ kind: key_auth }", origins),
            "routes[0].graphql.subscriptions.origins[0]: \"shop\" is no origin; write it as https://shop.example.com, https://*.example.com or *",
        )],
    );
}

#[test]
fn manifests_are_read_when_the_configuration_is() {
    let list = |manifest: &str| {
        let options = format!(
            ", max_tokens: 6, documents: {{ kind: allow_list, manifests: ['{manifest}'] }}"
        );
        format!("{BEFORE}{}", route("{ kind: key_auth }", &options))
    };
    for (manifest, said) in [
        ("[]", "this is no manifest: it is neither a map"),
        (
            r#"{"a":"{"}"#,
            "the document \"a\" cannot be used: expected selection",
        ),
        (
            r#"{"a":"{b c d e f}"}"#,
            "cannot be used: the limit of tokens is 6",
        ),
    ] {
        let found = faults(&list(manifest));
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].starts_with("routes[0].graphql.documents.manifests[0]: "));
        assert!(found[0].contains(said), "{found:?}");
    }
    let loaded = good(&list(r#"{"a":"query A{b}"}"#));
    let Action::Graphql(graphql) = &loaded.config.routes[0].action else {
        panic!("another action");
    };
    assert_eq!(graphql.rules.introspection, Introspection::Nobody);
    let Documents::AllowList(trusted) = &graphql.documents else {
        panic!("other documents");
    };
    assert!(trusted.get("a").is_some() && trusted.get("b").is_none());
    assert_eq!(trusted.operations(), [("query", "A")]);
}

#[test]
fn documents_have_room_to_be_kept_in() {
    let options = ", documents: { kind: automatic, store: { kind: memory, max_size: 1KiB } }";
    let at = "routes[0].graphql.documents.store.max_size";
    let fault = format!("{at}: this is out of range; give 1MiB to 64GiB");
    expect_after(BEFORE, &[(&route("{ kind: key_auth }", options), &fault)]);
}

#[test]
fn a_composed_graph_says_who_answers_for_what() {
    let document = r##"document: '{ "openapi": "3.0.0", "paths": { "/a": { "get": { "operationId": "a", "responses": { "200": { "content": { "application/json": { "schema": { "$ref": "#/components/schemas/A" } } } } } } } }, "components": { "schemas": { "A": { "type": "object", "properties": { "b": { "type": "string" } } } } } }'"##;
    let source =
        |more: &str| format!("{{ kind: openapi, name: s, upstream: up, {document}{more} }}");
    let route = |compose: &str| format!("routes: [{{ name: r, graphql: {{ {compose} }} }}]");
    let sources = |more: &str| route(&format!("compose: {{ sources: [{}] }}", source(more)));
    let twice = format!(
        "{}, {}",
        source(""),
        source("").replace("name: s", "name: t")
    );
    let linked = |link: &str| {
        let source = source("");
        route(&format!(
            "compose: {{ sources: [{source}], links: [{link}] }}"
        ))
    };
    for (route, fault) in [
        (
            route(""),
            "routes[0].graphql: nobody answers this route's operations; give backends, or compose a graph",
        ),
        (
            route(&format!(
                "backends: [{{ upstream: up }}], compose: {{ sources: [{}] }}",
                source("")
            )),
            "routes[0].graphql.backends: a composed graph is run here, by its own schema; leave it out, or leave `compose` out",
        ),
        (
            sources(", operations: [b]"),
            "routes[0].graphql.compose.sources[0].operations[0]: the document has no operation \"b\"; did you mean \"a\"?",
        ),
        (
            sources(", headers: [Host]"),
            "routes[0].graphql.compose.sources[0].headers[0]: \"Host\" is no header field that goes along; name one that says something of the caller, as Authorization",
        ),
        (
            sources(", rename: { fields: { Query.z: b } }"),
            "routes[0].graphql.compose.sources[0].rename.fields[\"Query.z\"]: the source has no field \"Query.z\"; write it as Query.getOrder, with the prefix",
        ),
        (
            linked("{ type: A, field: up, query: a, arguments: { id: x } }"),
            "routes[0].graphql.compose.links[0].arguments.id: a takes no argument \"id\"; name one that it takes, or leave it out",
        ),
        (
            linked("{ type: A, field: b, query: a }"),
            "routes[0].graphql.compose.links[0].field: A cannot have another field \"b\"; call it otherwise",
        ),
    ] {
        let found = faults(&format!("{BEFORE}{route}"));
        assert!(
            found.iter().any(|found| found == fault),
            "{fault}\n{found:#?}"
        );
    }
    let found = faults(&format!(
        "{BEFORE}{}",
        route(&format!("compose: {{ sources: [{twice}] }}"))
    ));
    assert!(
        found
            .iter()
            .any(|fault| fault.contains("another field \"Query.a\"")),
        "{found:#?}"
    );
    let fine = sources(", prefix: x, rename: { types: { A: Thing }, fields: { Thing.b: c } }");
    good(&format!("{BEFORE}{fine}"));
}
