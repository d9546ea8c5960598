//! Faults of shape: keys, types, kinds, formats.

use super::expect;
use crate::config::tests::{faults, good};
use crate::config::{parse_str, schema};

#[test]
fn keys_types_and_kinds_are_told_in_words() {
    expect(&[
        (
            "rutes: []",
            "rutes: there is no \"rutes\" here; did you mean \"routes\"?",
        ),
        (
            "routes: [{ name: a, hots: [a.b], respond: {} }]",
            "routes[0].hots: there is no \"hots\" here; did you mean \"hosts\"?",
        ),
        (
            "routes: [{ respond: {} }]",
            "routes[0]: \"name\" is missing; add `name:`",
        ),
        (
            "routes: [{ name: 1, respond: {} }]",
            "routes[0].name: expected text, found a number; put it in quotes",
        ),
        (
            "routes: { name: a }",
            "routes: expected a list, found settings; begin each entry with \"- \"",
        ),
        (
            "server:",
            "server: expected settings, found nothing; give a value, or leave the key out",
        ),
        (
            "server: { drain_timeout: 30 }",
            "server.drain_timeout: expected text, found a number; put it in quotes",
        ),
        (
            "server: { drain_timeout: 30x }",
            "server.drain_timeout: \"30x\" is not a duration such as 500ms, 1s, 5m, 1h or 1d, above 0 and at most 366d",
        ),
        (
            "server: { worker_threads: 0 }",
            "server.worker_threads: 0 is too small; the least is 1",
        ),
        (
            "metrics: { address: localhost:80 }",
            "metrics.address: \"localhost:80\" is not an IP address and port such as 127.0.0.1:8080 or [::]:8080",
        ),
        (
            "policies: { enforced: [{ kind: request_size, max: 10MB }] }",
            "policies.enforced[0].max: \"10MB\" is not a size such as 64KiB, 10MiB or 1024 (bytes), above 0",
        ),
    ]);
    assert_eq!(
        faults("policies: { enforced: [{ kind: request_size, maxx: 10MiB }] }"),
        [
            "policies.enforced[0]: \"max\" is missing; add `max:`",
            "policies.enforced[0].maxx: there is no \"maxx\" here; did you mean \"max\"?",
        ]
    );
}

#[test]
fn the_variant_that_was_meant_is_judged() {
    expect(&[
        (
            "policies: { enforced: [{ kind: request_sice, max: 1MiB }] }",
            "policies.enforced[0].kind: there is no \"request_sice\"; did you mean \"request_size\"?",
        ),
        (
            "policies: { enforced: [{ max: 1MiB }] }",
            "policies.enforced[0]: \"kind\" is missing; add `kind:` and one of key_auth, quota, cors, ip_restriction, request_size or headers",
        ),
        (
            "policies: { enforced: [{ kind: request_size, max: 1MiB, min: 1 }] }",
            "policies.enforced[0].min: there is no \"min\" here; there are kind and max",
        ),
        (
            "policies: { enforced: [cors] }",
            "policies.enforced[0]: expected settings with a `kind`, found text; write `{ kind: … }`",
        ),
        (
            "upstreams: [{ name: a, endpoints: [{ address: a:1 }], protocol: http3 }]",
            "upstreams[0].protocol: there is no \"http3\"; did you mean \"http1\"?",
        ),
        (
            "upstreams: [{ name: a, endpoints: [{ address: a:1 }], health: { active: { kind: http, interval: 1s } } }]",
            "upstreams[0].health.active: \"path\" is missing; add `path:`",
        ),
        (
            "upstreams: [{ name: a, endpoints: [] }]",
            "upstreams[0].endpoints: this list is empty; give at least one entry",
        ),
    ]);
}

#[test]
fn what_is_not_built_yet_is_refused_by_name() {
    expect(&[
        (
            "providers: [{ name: a, dialect: anthropic, base_url: 'http://a' }]",
            "providers[0].dialect: \"anthropic\" is not built yet; use dialect openai",
        ),
        (
            "models: [{ name: m, targets: [{ provider: p, model: x }], strategy: { kind: fallback } }]\n\
             providers: [{ name: p, dialect: openai, base_url: 'http://a' }]",
            "models[0].strategy: \"strategy\" is not built yet; give one target and leave it out",
        ),
        (
            "models: [{ name: m, targets: [{ provider: p, model: x }, { provider: p, model: y }] }]\n\
             providers: [{ name: p, dialect: openai, base_url: 'http://a' }]",
            "models[0].targets: more than one target is not built yet; give one target",
        ),
    ]);
    let found = faults("routes: [{ name: a, grpc: { backends: [] } }]");
    assert_eq!(
        found[0],
        "routes[0].grpc: \"grpc\" is not built yet; use forward, which passes gRPC through"
    );
    let found = faults(
        "stores: [{ name: s, kind: memory }]\nquotas: [{ name: a, store: s, unit: graphql_cost, limit: { default: 1 }, window: { kind: fixed, every: day } }]",
    );
    assert_eq!(
        found,
        ["quotas[0].unit: \"graphql_cost\" is not built yet; use unit requests"]
    );
}

#[test]
fn what_is_no_yaml_says_where_and_quotes_nothing() {
    let faults =
        parse_str("version: 1\nsecrets: [{ name: a, value: hunter2secret").expect_err("no YAML");
    let line = faults.to_string();
    assert!(
        line.starts_with("line ") && !line.contains("hunter2"),
        "{line}"
    );
    let faults = parse_str("version: 1\nversion: 1\n").expect_err("a key twice");
    assert!(faults.to_string().contains("duplicate"), "{faults}");
    let faults = parse_str("").expect_err("nothing");
    assert_eq!(
        faults.to_string(),
        "expected sections such as `version: 1` and `routes:`; start from one of the examples"
    );
}

#[test]
fn sizes_may_be_numbers_and_defaults_hold() {
    let loaded = good(
        "policies: { enforced: [{ kind: request_size, max: 1024 }] }\nupstreams: [{ name: a, endpoints: [{ address: a:1 }] }]",
    );
    let upstream = &loaded.config.upstreams[0];
    assert_eq!(upstream.timeouts.total.as_secs(), 300);
    assert_eq!(upstream.endpoints[0].weight, 1);
    assert_eq!(loaded.config.listeners[0].limits.max_head_bytes, 65_536);
    assert_eq!(loaded.config.server.drain_timeout.as_secs(), 30);
}

#[test]
fn the_schema_refuses_unknown_keys_everywhere() {
    fn objects(path: &str, value: &serde_json::Value, open: &mut Vec<String>) {
        let Some(object) = value.as_object() else {
            return;
        };
        let closable = object
            .get("properties")
            .is_some_and(|known| known.get("type").is_none());
        if closable && object.get("additionalProperties") != Some(&false.into()) {
            open.push(path.to_owned());
        }
        for (key, value) in object {
            match value {
                serde_json::Value::Array(items) => items
                    .iter()
                    .for_each(|item| objects(&format!("{path}/{key}"), item, open)),
                value => objects(&format!("{path}/{key}"), value, open),
            }
        }
    }
    let mut open = Vec::new();
    objects("", &schema(), &mut open);
    assert_eq!(open, Vec::<String>::new());
}
