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
    assert_eq!(&*passed.websocket.subprotocols[0], "graphql-transport-ws");
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
