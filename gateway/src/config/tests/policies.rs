//! Which policies a route has, and in which order they run.

use super::{faults, good};
use crate::config::policies::Provenance::{Default, Enforced, Route};

#[test]
fn by_stage_then_enforced_own_default_then_as_written() {
    let loaded = good(
        "stores: [{ name: s, kind: memory }]
quotas: [{ name: q, store: s, unit: requests, limit: { default: 1 }, window: { kind: sliding, every: 1s } }]
policies:
  enforced: [{ kind: headers, response: { remove: [server] } }, { kind: request_size, max: 10MiB }]
  default: [{ kind: cors, origins: ['*'] }, { kind: key_auth }, { kind: headers, request: { set: { x-a: b } } }]
routes:
- name: a
  respond: {}
  policies:
  - { kind: quota, quotas: [q] }
  - { kind: request_size, max: 1MiB }
  - { kind: ip_restriction, allow: [10.0.0.0/8] }
  - { kind: key_auth, hide: false }
- { name: b, hosts: [b.example.com], respond: {}, policies: [{ kind: headers, request: { remove: [x] } }] }
",
    );
    let kinds = |route: usize| -> Vec<_> {
        let policies = &loaded.config.routes[route].policies;
        policies
            .iter()
            .map(|policy| (policy.config.kind(), policy.from))
            .collect()
    };
    assert_eq!(
        kinds(0),
        [
            ("cors", Default),
            ("key_auth", Route),
            ("ip_restriction", Route),
            ("request_size", Enforced),
            ("quota", Route),
            ("request_size", Route),
            ("headers", Enforced),
            ("headers", Default),
        ]
    );
    assert_eq!(
        kinds(1),
        [
            ("cors", Default),
            ("key_auth", Default),
            ("request_size", Enforced),
            ("headers", Enforced),
            ("headers", Route),
        ]
    );
}

#[test]
fn policies_that_cannot_work_are_refused() {
    let one = |policy: &str| faults(&format!("policies: {{ enforced: [{policy}] }}"));
    let table = [
        (
            "{ kind: cors, origins: ['*'], credentials: true }",
            "policies.enforced[0].credentials: with the origin * every site could act as your users; name the origins, or leave `credentials` out",
        ),
        (
            "{ kind: cors, origins: [a] }",
            "policies.enforced[0].origins[0]: \"a\" is no origin; write it as https://shop.example.com, https://*.example.com or *",
        ),
        (
            "{ kind: ip_restriction }",
            "policies.enforced[0]: neither `allow` nor `deny` holds anything; give one, or leave the policy out",
        ),
        (
            "{ kind: ip_restriction, allow: [10.0.0.0/40] }",
            "policies.enforced[0].allow[0]: \"10.0.0.0/40\" is no network; write it as 10.0.0.0/8 or 10.1.2.3",
        ),
        (
            "{ kind: headers }",
            "policies.enforced[0]: this changes nothing; say what to set, add or remove, or leave the policy out",
        ),
        (
            "{ kind: headers, request: { set: { host: a } } }",
            "policies.enforced[0].request.set.host: \"host\" belongs to the connection, not to the message; use `rewrite.host` of `forward`",
        ),
        (
            "{ kind: headers, request: { set: { Weir-Consumer: a } } }",
            "policies.enforced[0].request.set.Weir-Consumer: \"weir-consumer\" is set by Weir, from the consumer; leave it out",
        ),
        (
            "{ kind: key_auth, sources: [{ kind: header, name: 'a b' }] }",
            "policies.enforced[0].sources[0].name: \"a b\" is no header name; write it as x-api-key",
        ),
        (
            "{ kind: request_size, max: 1MiB }, { kind: request_size, max: 2MiB }",
            "policies.enforced[1]: request_size is already given at policies.enforced[0]; put both into one",
        ),
        (
            "{ kind: compression, encodings: [] }",
            "policies.enforced[0].encodings: this list is empty; give at least one entry",
        ),
        (
            "{ kind: compression, encodings: [{ kind: br, level: 11 }] }",
            "policies.enforced[0].encodings[0].level: 11 is too large; the most is 6",
        ),
        (
            "{ kind: compression, encodings: [{ kind: gzip }, { kind: gzip, level: 9 }] }",
            "policies.enforced[0].encodings[1]: gzip is given before; give each encoding once",
        ),
        (
            "{ kind: compression, types: [json] }",
            "policies.enforced[0].types[0]: \"json\" is no media type; write it as application/json, text/*, +json or */*",
        ),
        (
            "{ kind: compression, types: [] }",
            "policies.enforced[0].types: this list is empty; give at least one entry",
        ),
    ];
    for (policy, line) in table {
        assert_eq!(one(policy), [line], "{policy}");
    }
}

#[test]
fn compression_is_for_what_upstreams_answer() {
    let route = |policies: &str, action: &str| {
        format!(
            "upstreams: [{{ name: u, endpoints: [{{ address: 127.0.0.1:1 }}] }}]
{policies}
routes: [{{ name: a, {action} }}]
"
        )
    };
    let default = "policies: { default: [{ kind: compression }] }";
    let forwarded = good(&route(default, "forward: { backends: [{ upstream: u }] }"));
    let first = &forwarded.config.routes[0].policies[0];
    assert_eq!((first.config.kind(), first.from), ("compression", Default));
    let own = good(&route(default, "respond: {}"));
    assert!(own.config.routes[0].policies.is_empty());
    assert_eq!(
        faults(&route("", "policies: [{ kind: compression }], respond: {}")),
        [
            "routes[0].policies[0]: compression is for answers that are passed on, and this route writes its own; use it on forward routes"
        ]
    );
}
