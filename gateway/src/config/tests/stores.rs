//! Stores that could not be reached, or would not count what they are told.

use super::{expect, faults, good};
use crate::config::load::parse_with;
use crate::config::stores::{Kind, Login, Redis, Topology};

/// A store in Redis with these members.
fn redis(more: &str) -> String {
    format!("stores: [{{ name: s, kind: redis, {more} }}]\n")
}

fn checked(more: &str) -> std::sync::Arc<Redis> {
    let loaded = good(&redis(more));
    match &loaded.config.stores[0].kind {
        Kind::Redis(redis) => redis.clone(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_is_not_said_of_redis_is_what_is_usual() {
    let redis = checked("addresses: ['127.0.0.1:6379']");
    assert_eq!(redis.topology, Topology::Standalone);
    assert_eq!((redis.database, redis.prefix.as_str()), (0, "weir"));
    assert_eq!(
        (redis.timeout.as_millis(), redis.lease.as_secs()),
        (100, 10)
    );
    assert!(redis.tls.is_none() && redis.login == Login::default());
    assert!(redis.journal.ends_with("journal-s"));
}

#[test]
fn addresses_are_hosts_and_ports() {
    let store = checked(
        "topology: { kind: cluster }, addresses: ['a-1.example.com:1', '[::1]:65535', '10.0.0.1:6379']",
    );
    let expected = [("a-1.example.com", 1), ("::1", 65_535), ("10.0.0.1", 6379)];
    let expected = expected.map(|(host, port)| (host.to_owned(), port));
    assert_eq!(store.addresses, expected);
    for bad in [
        "",
        "localhost",
        ":6379",
        "localhost:",
        "localhost:0",
        "localhost:65536",
        "localhost:x",
        "::1:6379",
        "[::1:6379",
        "[localhost]:6379",
        "redis://localhost:6379",
        "a b:6379",
    ] {
        assert_eq!(
            faults(&redis(&format!("addresses: ['{bad}']"))),
            [format!(
                "stores[0].addresses[0]: \"{bad}\" is no host and port; write it as 127.0.0.1:6379"
            )]
        );
    }
}

#[test]
fn servers_work_together_as_it_is_said() {
    let several = "name one, or say under `topology` how they work together";
    expect(&[
        (
            &redis("addresses: ['a:1', 'b:1']"),
            &format!("stores[0].addresses: 2 servers are named; {several}"),
        ),
        (
            &redis("addresses: []"),
            &format!("stores[0].addresses: 0 servers are named; {several}"),
        ),
        (
            &redis("addresses: [], topology: { kind: cluster }"),
            &format!("stores[0].addresses: 0 servers are named; {several}"),
        ),
        (
            &redis("addresses: ['a:1'], topology: { kind: cluster }, database: 1"),
            "stores[0].database: a cluster has only database 0; leave it out",
        ),
        (
            &redis("addresses: ['a:1'], topology: { kind: sentinel, master: '' }"),
            "stores[0].topology.master: the master has no name; give the one of `sentinel monitor` in the sentinels' configuration",
        ),
    ]);
    let redis = checked(
        "addresses: ['a:1', 'b:1'], topology: { kind: sentinel, master: ledger }, database: 3",
    );
    assert_eq!((redis.addresses.len(), redis.database), (2, 3));
}

#[test]
fn who_a_gateway_is_to_redis_is_complete() {
    expect(&[
        (
            &redis("addresses: ['a:1'], username: weir"),
            "stores[0].username: there is no password for this user; name the secret that holds it under `password`",
        ),
        (
            &redis("addresses: ['a:1'], topology: { kind: sentinel, master: m, username: weir }"),
            "stores[0].topology.username: there is no password for this user; name the secret that holds it under `password`",
        ),
        (
            &redis("addresses: ['a:1'], password: { secret: nowhere }"),
            "stores[0].password.secret: no secret named \"nowhere\"",
        ),
        (
            &redis("addresses: ['a:1'], tls: { client_cert: a.pem }"),
            "stores[0].tls: client_cert and client_key belong together; give both or none",
        ),
        (
            &redis("addresses: ['a:1'], tls: { client_key: a.pem }"),
            "stores[0].tls: client_cert and client_key belong together; give both or none",
        ),
    ]);
    let missing = faults(&redis("addresses: ['a:1'], tls: { ca: /nowhere/at/all }"));
    assert!(
        missing[0].starts_with("stores[0].tls.ca: \"/nowhere/at/all\" cannot be read: "),
        "{missing:?}"
    );
    assert_eq!(
        faults(&redis("addresses: ['a:1'], tls: { ca: Cargo.toml }")),
        [
            "stores[0].tls.ca: \"Cargo.toml\" holds no certificate in PEM; it begins with -----BEGIN CERTIFICATE-----"
        ]
    );
    let known = "secrets: [{ name: known, value: s3same }]\n";
    let loaded = parse_with(
        &format!(
            "{}{known}{}",
            super::LEAST,
            redis("addresses: ['a:1'], username: weir, password: { secret: known }")
        ),
        &|_| None,
    );
    let loaded = loaded.expect("it is good");
    assert!(!format!("{:?}", loaded.config).contains("s3same"));
}

#[test]
fn a_decision_waits_for_less_than_a_lease() {
    let kept = "give 1s to 10m: what a dead gateway held is missing for so long";
    expect(&[
        (
            &redis("addresses: ['a:1'], lease: 999ms"),
            &format!("stores[0].lease: a lease of 999ms is none that gateways can keep; {kept}"),
        ),
        (
            &redis("addresses: ['a:1'], lease: 601s"),
            &format!("stores[0].lease: a lease of 601s is none that gateways can keep; {kept}"),
        ),
        (
            &redis("addresses: ['a:1'], lease: 1s, timeout: 1s"),
            "stores[0].timeout: a decision would wait for 1s, as long as a lease lasts; make it shorter; 100ms is usual",
        ),
    ]);
    let zero = faults(&redis("addresses: ['a:1'], timeout: 0ms"));
    assert!(
        zero[0].starts_with("stores[0].timeout: ") && zero[0].contains("above 0"),
        "{zero:?}"
    );
    let shortest = checked("addresses: ['a:1'], lease: 1s, timeout: 999ms");
    assert_eq!(shortest.lease.as_secs(), 1);
}

#[test]
fn redis_is_not_asked_to_count_what_it_cannot() {
    let quota = |kind: &str, unit: &str, limit: &str, window: &str| {
        let store = match kind {
            "redis" => redis("addresses: ['a:1']"),
            kind => format!("stores: [{{ name: s, kind: {kind} }}]\n"),
        };
        faults(&format!(
            "{store}providers: [{{ name: p, dialect: openai, base_url: 'https://api.openai.com/v1' }}]\n\
             models: [{{ name: m, targets: [{{ provider: p, model: gpt-4o }}] }}]\n\
             quotas: [{{ name: q, store: s, unit: {unit}, limit: {limit}, window: {window}, by: [model] }}]\n\
             routes: [{{ name: a, matches: [{{ path: {{ prefix: /v1 }} }}], llm: {{ models: [m] }}, \
                         policies: [{{ kind: quota, quotas: [q] }}] }}]"
        ))
    };
    let day = "{ kind: fixed, every: day }";
    assert_eq!(
        quota("redis", "tokens", "{ default: 9007199254740991 }", day),
        [""; 0]
    );
    let much = "{ default: 9007199254740992, overrides: { m: 9007199254740993 } }";
    let says = "Redis counts exactly up to 9007199254740991; lower it, or count in a store of another kind";
    assert_eq!(
        quota("redis", "tokens", much, day),
        [
            format!("quotas[0].limit.default: {says}"),
            format!("quotas[0].limit.overrides.m: {says}"),
        ]
    );
    assert_eq!(quota("local", "tokens", much, day), [""; 0]);
    let bucket = "{ kind: token_bucket, every: 1s, burst: 9007199254740992 }";
    assert_eq!(
        quota("redis", "tokens", "{ default: 1 }", bucket),
        [format!("quotas[0].window.burst: {says}")]
    );
    assert_eq!(
        quota("redis", "money", "{ default: \"9007199.254740991\" }", day),
        [""; 0]
    );
    assert_eq!(
        quota("redis", "money", "{ default: \"9007199.254740992\" }", day),
        [
            "quotas[0].limit.default: Redis counts exactly up to 9007199.254740991 dollars; lower it, or count in a store of another kind"
        ]
    );
}
