//! Who a Kafka cluster is spoken to for.

use super::{expect, faults, good};

/// A cluster with this said of it, and who calls.
fn cluster(said: &str) -> String {
    format!(
        "secrets: [{{ name: p, value: x }}]\n\
         teams: [{{ name: shop, owns: {{ paths: [/], topics: ['*'] }} }}]\n\
         consumers: [{{ name: one, team: shop, groups: [writers] }}, {{ name: two }}]\n\
         kafka_clusters: [{{ name: k, bootstrap_servers: ['a:1'], {said} }}]\n"
    )
}

/// The same with one principal, by SASL.
fn principal(said: &str) -> String {
    cluster(&format!(
        "properties: {{ security.protocol: sasl_ssl }}, identity: {{ kind: principals, principals: [{{ {said} }}] }}"
    ))
}

fn rule(said: &str) -> String {
    cluster(&format!(
        "identity: {{ kind: acls, rules: [{{ {said} }}] }}"
    ))
}

const PASSWORD: &str =
    "properties: { sasl.mechanism: PLAIN, sasl.username: u, sasl.password: { secret: p } }";

#[test]
fn whole_credentials_and_rules_are_good() {
    good(&principal(&format!(
        "consumers: [one], teams: [shop], {PASSWORD}"
    )));
    good(&rule(
        "groups: [writers], topics: ['orders.*', all, '*'], operations: [read]",
    ));
    good(&cluster("identity: { kind: gateway }"));
}

#[test]
fn what_is_no_credential_or_not_sent_is_said() {
    let by = |said: &str| principal(&format!("consumers: [one], {said}"));
    let plaintext = cluster(&format!(
        "identity: {{ kind: principals, principals: [{{ consumers: [one], {PASSWORD} }}] }}"
    ));
    let ssl = cluster(
        "properties: { security.protocol: ssl }, identity: { kind: principals, principals: [{ consumers: [one], properties: { ssl.key.location: /k } }] }",
    );
    let at = "kafka_clusters[0].identity.principals[0]";
    let table = [
        (
            by(
                "properties: { linger.ms: 5, sasl.mechanism: PLAIN, sasl.username: u, sasl.password: { secret: p } }",
            ),
            format!(
                "{at}.properties[\"linger.ms\"]: \"linger.ms\" is no credential of a principal; write it in the `properties` of the cluster, for all"
            ),
        ),
        (
            by("properties: { sasl.mechanism: PLAIN, sasl.username: u, sasl.password: x }"),
            format!(
                "{at}.properties[\"sasl.password\"]: \"sasl.password\" is secret; put it under `secrets` and write `{{ secret: NAME }}`"
            ),
        ),
        (
            by("properties: { sasl.mechanism: OAUTHBEARER }"),
            format!("{at}: OAUTHBEARER takes a token, and there is none; give a `token_file`"),
        ),
        (
            by("properties: { sasl.username: u }"),
            format!(
                "{at}: nothing says by which mechanism of SASL; write `sasl.mechanism`: PLAIN, SCRAM-SHA-256, SCRAM-SHA-512 or OAUTHBEARER"
            ),
        ),
        (
            by("teams: []"),
            format!("{at}: there are no credentials here; give `properties`, or a `token_file`"),
        ),
        (
            principal(PASSWORD),
            format!("{at}: these credentials are nobody's; name `consumers` or `teams`"),
        ),
        (
            principal(&format!("consumers: [one, one], {PASSWORD}")),
            format!(
                "{at}.consumers[1]: \"one\" has credentials for this cluster already; leave one of them out"
            ),
        ),
        (
            plaintext,
            format!(
                "{at}: the cluster is spoken to by `security.protocol: plaintext`, which sends no credentials; write sasl_ssl, ssl or sasl_plaintext in its `properties`"
            ),
        ),
        (
            ssl,
            format!(
                "{at}: by `security.protocol: ssl` a principal is its certificate, and this has none; give `ssl.certificate.location` and `ssl.key.location`, or a keystore"
            ),
        ),
    ];
    for (more, line) in &table {
        let found = faults(more);
        assert!(found.contains(line), "{more}\n{line}\n{found:#?}");
    }
}

#[test]
fn rules_are_about_somebody_and_topics() {
    expect(&[
        (
            &rule("topics: [a], operations: [read]"),
            "kafka_clusters[0].identity.rules[0]: this rule is about nobody; name `consumers`, `teams` or `groups`",
        ),
        (
            &rule("groups: [readers], topics: [a], operations: [read]"),
            "kafka_clusters[0].identity.rules[0].groups[0]: no consumer is in a group \"readers\"; there is only writers",
        ),
        (
            &rule("consumers: [one], topics: ['a b'], operations: [read]"),
            "kafka_clusters[0].identity.rules[0].topics[0]: \"a b\" is no topic; write a topic's name, or how such names begin, as orders.*",
        ),
    ]);
}

#[test]
fn a_route_that_never_knows_who_calls_is_of_no_use() {
    let of = |action: &str| {
        let rule = rule("consumers: [one], topics: [a], operations: [read]");
        format!("{rule}routes: [{{ name: r, matches: [{{ path: {{ exact: /r }} }}], {action} }}]")
    };
    let line = |key: &str| {
        format!(
            "routes[0].{key}.cluster: nothing on this route finds out who calls, and the Kafka cluster \"k\" is spoken to for known callers only; add the policy key_auth"
        )
    };
    expect(&[
        (&of("publish: { cluster: k, topic: a }"), &line("publish")),
        (
            &of("subscribe: { cluster: k, topic: a }"),
            &line("subscribe"),
        ),
    ]);
    good(&of(
        "policies: [{ kind: key_auth }], publish: { cluster: k, topic: a }",
    ));
}

#[test]
fn what_the_gateway_sends_later_it_cannot_send_as_a_caller() {
    let cluster = principal(&format!("consumers: [one], {PASSWORD}"))
        .replace("name: k,", "name: k, spool: {},");
    let more = format!(
        "{cluster}routes: [{{ name: r, matches: [{{ path: {{ exact: /r }} }}], policies: [{{ kind: key_auth }}], publish: {{ cluster: k, topic: a, async: true }} }}]"
    );
    expect(&[(
        &more,
        "routes[0].publish.async: what is on disk is sent by the gateway, and this cluster knows callers by their own principals; leave it out",
    )]);
}
