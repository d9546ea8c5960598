//! What was put in is right, and is never seen.

use super::{expect, faults, good};
use crate::config::load::parse_with;

#[test]
fn values_are_put_in_inside_text_only() {
    let loaded = good(
        "secrets: [{ name: a, value: 'x-${TOKEN}-$${TOKEN}' }]\nproviders: [{ name: p, dialect: openai, base_url: 'http://a', api_key: { secret: a } }]",
    );
    let key = loaded.config.providers[0].api_keys.first().expect("a key");
    assert_eq!(key.value.expose(), "x-sup3r-s3cret-t0ken-${TOKEN}");
}

#[test]
fn what_is_missing_is_named_with_its_place() {
    expect(&[
        (
            "secrets: [{ name: a, value: '${MISSING}' }]",
            "secrets[0].value: the environment variable MISSING is not set; set it, or write the value",
        ),
        (
            "secrets: [{ name: a, value: '${TOKEN' }]",
            "secrets[0].value: \"${\" without \"}\"; write \"$${\" for the characters themselves",
        ),
        (
            "secrets: [{ name: a, value: '${a-b}' }]",
            "secrets[0].value: \"${\" is followed by no name of a variable; write ${VAR} or ${file:PATH}, or \"$${\" for the characters themselves",
        ),
    ]);
    // and nothing is said of what would stand there
    expect(&[(
        "metrics: { address: '${MISSING}' }",
        "metrics.address: the environment variable MISSING is not set; set it, or write the value",
    )]);
    let found = faults("secrets: [{ name: a, value: '${file:/nowhere/at/all}' }]");
    assert!(
        found[0].starts_with("secrets[0].value: \"/nowhere/at/all\" cannot be read: "),
        "{found:?}"
    );
}

/// Puts the token and a literal secret wherever a fault could quote them.
#[test]
fn no_secret_is_printed_whatever_is_wrong() {
    let shapes = [
        "routes: [{ name: '${TOKEN}!', respond: {} }]",
        "routes: [{ name: a, hosts: ['${TOKEN}!'], respond: {} }]",
        "routes: [{ name: a, forward: { backends: [{ upstream: '${TOKEN}' }] } }]",
        "routes: [{ name: a, matches: [{ methods: ['${TOKEN}'] }], respond: {} }]",
        "routes: [{ name: a, matches: [{ path: { exact: '${TOKEN}' } }], respond: {} }]",
        "routes: [{ name: a, redirect: { location: '{${TOKEN}}' } }]",
        "server: { drain_timeout: '${TOKEN}' }",
        "metrics: { address: 'x${TOKEN}' }",
        "stores: [{ name: s, kind: '${TOKEN}' }]",
        "policies: { enforced: [{ kind: cors, origins: ['${TOKEN}'] }] }",
        "upstreams: [{ name: a, endpoints: [{ address: '${TOKEN}' }] }]",
        "providers: [{ name: a, dialect: openai, base_url: 'http://u:${TOKEN}@a' }]",
        "kafka_clusters: [{ name: k, bootstrap_servers: ['${TOKEN}'] }]",
        "kafka_clusters: [{ name: k, bootstrap_servers: ['a:1'], properties: { linger.ms: '${TOKEN}' } }]",
        "telemetry: { otlp: { endpoint: '${TOKEN}' } }",
        "telemetry: { access_log: { output: '${TOKEN}' } }",
        "consumers: [{ name: a, credentials: [{ kind: key, id: a, sha256: '${TOKEN}' }] }]",
    ];
    for shape in shapes {
        let found = faults(shape);
        assert!(!found.is_empty(), "{shape}");
        for line in found {
            assert!(!line.contains("sup3r"), "{line}");
        }
    }
    let literal = "secrets: [{ name: a, value: litera1secret }]\nroutes: [{ name: r, forward: { backends: [{ upstream: litera1secret }] } }]";
    assert_eq!(
        faults(literal),
        ["routes[0].forward.backends[0].upstream: no upstream named \"***\""]
    );
}

#[test]
fn nothing_loaded_prints_a_secret() {
    let loaded = good(
        "secrets: [{ name: a, value: '${TOKEN}' }, { name: b, value: litera1secret }]\n\
         admin: { address: 127.0.0.1:0, token: { secret: b } }\n\
         telemetry: { otlp: { endpoint: 'http://127.0.0.1:4317', headers: { x-a: litera1secret, x-b: { secret: a } } } }\n\
         kafka_clusters: [{ name: k, bootstrap_servers: ['a:1'], properties: { sasl.password: { secret: a } } }]\n\
         providers: [{ name: p, dialect: openai, base_url: 'http://a', api_key: { secret: a } }]",
    );
    let said = format!("{loaded:?} {:#?} {}", loaded.config, loaded.redacted);
    assert!(
        !said.contains("sup3r") && !said.contains("litera1secret"),
        "{said}"
    );
    assert_eq!(loaded.redacted["secrets"][0]["value"], "***");
    assert_eq!(loaded.redacted["providers"][0]["base_url"], "http://a");
}

#[test]
fn a_short_value_is_taken_out_where_it_is_quoted() {
    let yaml = "version: 1\nlisteners: [{ name: public, address: 127.0.0.1:0 }]\nroutes: [{ name: r, forward: { backends: [{ upstream: '${PIN}' }] } }]";
    let faults = parse_with(yaml, &|_| Some("or".to_owned())).expect_err("no such upstream");
    assert_eq!(
        faults.to_string(),
        "routes[0].forward.backends[0].upstream: no upstream named \"${PIN}\""
    );
}

#[test]
fn secret_properties_are_not_written_out() {
    expect(&[(
        "kafka_clusters: [{ name: k, bootstrap_servers: ['a:1'], properties: { sasl.password: x } }]",
        "kafka_clusters[0].properties[\"sasl.password\"]: \"sasl.password\" is secret; put it under `secrets` and write `{ secret: NAME }`",
    )]);
}
