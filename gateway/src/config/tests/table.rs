//! Routes that serve a compacted topic as a table.

use super::{faults, good};
use crate::config::routes::Action;

const ITEM: &str = "{ path: { template: '/users/{id}' } }";
const LIST: &str = "{ path: { exact: /users } }";
const KEY: &str = "topic: users, key: '{path.id}'";

/// A route with those matches, of a cluster and an action of which this is said.
fn with(matches: &[&str], cluster: &str, said: &str) -> String {
    format!(
        "kafka_clusters: [{{ name: c, bootstrap_servers: ['a:1'], {cluster} }}]\n\
         routes: [{{ name: r, matches: [{}], table: {{ cluster: c, {said} }} }}]",
        matches.join(", ")
    )
}

#[test]
fn a_match_names_a_value_or_lists_all() {
    for (matches, said, captures) in [
        (&[ITEM][..], KEY, &["id"][..]),
        (&[LIST, ITEM], KEY, &["id"]),
        (
            &["{ path: { template: '/{shop}/{id}' } }", LIST],
            "topic: users, key: '{path.shop}.{path.id}'",
            &["shop", "id"],
        ),
    ] {
        let config = good(&with(matches, "", said)).config;
        match &config.routes[0].action {
            Action::Table(table) => {
                let found: Vec<_> = table.captures().map(|name| &**name).collect();
                assert_eq!(found, captures);
                assert!(!table.write, "nothing is written unless it is said");
            }
            other => panic!("{other:?}"),
        }
    }
}

/// What is said of each thing that is wrong, below the action: where, why, and what to do.
const FAULTS: [(&str, &str); 15] = [
    (
        "topic: users, key: one",
        "key: the key of a value comes from the path; write it as {path.id}, and a match as { template: \"/users/{id}\" }",
    ),
    (
        "topic: users, key: '{header.x-user}'",
        "key: the key of a value comes from the path; write it as {path.id}, and a match as { template: \"/users/{id}\" }",
    ),
    (
        "topic: users, key: 'of {query.shop}-{path.id}{header.x-shop}'",
        "key: nothing is between {path.id} and {header.x-shop}, so two resources may have the same key; put text between them, as in {path.id}/{header.x-shop}",
    ),
    (
        "topic: users, key: '{body./id}'",
        "key: no variable \"{body./id}\"; known are {path.NAME}, {header.NAME}, {query.NAME}, {consumer} and {team}",
    ),
    (
        "topic: '{path.id}', key: '{path.id}'",
        "topic: the topic of a table is one, whoever calls; write its name",
    ),
    (
        "topic: 'users!', key: '{path.id}'",
        "topic: \"users!\" is no topic; topics are letters, digits, \".\", \"_\" and \"-\", at most 249",
    ),
    (
        "topic: users, key: '{path.id}', content_type: \"a\\nb\"",
        "content_type: \"a\nb\" is no media type; write it as application/json",
    ),
    (
        "topic: users, key: '{path.id}', schema: { kind: registry, registry: none }",
        "schema.registry: no schema registry named \"none\"; there is only main",
    ),
    (
        "topic: users, key: '{path.id}', schema: { kind: json, file: none.json }",
        "schema.file: \"none.json\" cannot be read: No such file or directory (os error 2); paths are relative to the configuration file",
    ),
    (
        "topic: users, key: '{path.id}', content_type: text/plain, schema: { kind: registry, registry: main }",
        "content_type: what a schema describes is JSON to callers; leave it out",
    ),
    (
        "topic: users, key: '{path.id}', max_keys: 0",
        "max_keys: 0 is too small; the least is 1",
    ),
    (
        "topic: users, key: '{path.id}', max_bytes: 0",
        "max_bytes: 0 is too small; the least is 1",
    ),
    (
        "topic: users, key: '{path.id}', timeout: 0s",
        "timeout: \"0s\" is not a duration such as 500ms, 1s, 5m, 1h or 1d, above 0 and at most 366d",
    ),
    (
        "topic: users, key: '{path.id}', write: true, max_body: 0",
        "max_body: 0 is too small; the least is 1",
    ),
    (
        "topic: users, key: '{path.id}', require_if_match: true",
        "require_if_match: nothing is written by this route, with or without a condition; leave it out, or say `write: true`",
    ),
];

#[test]
fn what_is_wrong_with_a_table_is_said_with_what_to_do() {
    for (said, fault) in FAULTS {
        let more = with(&[LIST, ITEM], "", said)
            + "\nschema_registries: [{ name: main, url: 'http://a:1' }]";
        assert_eq!(
            faults(&more),
            [format!("routes[0].table.{fault}")],
            "{said}"
        );
    }
}

#[test]
fn what_matches_do_not_capture_is_said() {
    let two = "topic: users, key: '{path.shop}.{path.id}'";
    let partial = "a match of the route captures only some of what the key is made of; capture all of it to name a value, or nothing to list them";
    let none = "no match of the route captures {path.shop} and {path.id}; add a match such as { path: { template: \"/users/{shop}/{id}\" } }; one without it lists all values";
    let table: [(&[&str], &str, &[&str]); 3] = [
        (
            &[LIST],
            KEY,
            &[
                "no match of the route captures {path.id}; add a match such as { path: { template: \"/users/{id}\" } }; one without it lists all values",
            ],
        ),
        (&[LIST], two, &[none]),
        (
            &[ITEM, "{ path: { template: '/{shop}/{id}' } }"],
            two,
            &[partial],
        ),
    ];
    for (matches, said, lines) in table {
        let lines: Vec<_> = lines
            .iter()
            .map(|line| format!("routes[0].table.key: {line}"))
            .collect();
        assert_eq!(faults(&with(matches, "", said)), lines, "{said}");
    }
}

#[test]
fn a_cluster_that_has_no_tables_is_said() {
    let at = "routes[0].table.cluster";
    let unknown = with(&[ITEM], "", KEY).replace("{ cluster: c,", "{ cluster: d,");
    let principals = "secrets: [{ name: p, value: x }]\nconsumers: [{ name: one }]\n".to_owned()
        + &with(
            &[ITEM],
            "properties: { security.protocol: sasl_plaintext }, identity: { kind: principals, principals: [{ consumers: [one], properties: { sasl.mechanism: PLAIN, sasl.username: u, sasl.password: { secret: p } } }] }",
            KEY,
        );
    for (more, line) in [
        (unknown, "no Kafka cluster named \"d\"; did you mean \"c\"?"),
        (
            principals,
            "a table is read and written by the gateway, and this cluster knows callers by their own principals; use rules for topics (`identity.kind: acls`), or another cluster",
        ),
        (
            with(&[ITEM], "properties: { partitioner: random }", KEY),
            "a table finds the partition of a key before it writes, and does not know the partitioner \"random\"; set it to murmur2_random (as Java's producers) or consistent_random",
        ),
    ] {
        let (found, line) = (faults(&more), format!("{at}: {line}"));
        assert!(found.contains(&line), "{line}\n{found:#?}");
    }
}

#[test]
fn all_that_is_wrong_is_said_at_once() {
    let said = "topic: users, key: one, content_type: \"a\\nb\", require_if_match: true, schema: { kind: registry, registry: none }";
    let found = faults(&with(&[LIST], "properties: { partitioner: random }", said));
    let places: Vec<_> = found
        .iter()
        .filter_map(|line| line.split(": ").next())
        .collect();
    assert_eq!(
        places,
        [
            "content_type",
            "schema.registry",
            "require_if_match",
            "key",
            "cluster"
        ]
        .map(|it| format!("routes[0].table.{it}"))
    );
}
