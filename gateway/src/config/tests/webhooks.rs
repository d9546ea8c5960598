//! Webhooks.

use super::{expect_after, good};
use crate::config::routes::schema::Schema;

const BEFORE: &str = "
secrets:
  - { name: key, value: whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw }
  - { name: short, value: whsec_c2hvcnQ= }
stores: [{ name: memory, kind: memory }]
teams: [{ name: shop, owns: { topics: ['orders.*'], secrets: [key, short] } }]
upstreams: [{ name: up, endpoints: [{ address: 127.0.0.1:1 }] }]
kafka_clusters: [{ name: events, bootstrap_servers: ['127.0.0.1:1'] }]
routes: [{ name: alive, respond: { body: alive } }]
";

const REGISTRIES: &str = "schema_registries: [{ name: main, url: 'http://a' }]\n";

const START: &str = "name: hook, cluster: events, to: { upstream: up, path: /hook }";

#[test]
fn what_it_says_is_checked() {
    expect_after(
        BEFORE,
        &[
            (
                "webhooks: [{ name: hook, cluster: events, topics: [t], to: { upstream: up, path: hook } }]",
                "webhooks[0].to.path: \"hook\" is no path; write it as /hooks/orders",
            ),
            (
                &format!("webhooks: [{{ {START}, topics: [a/b] }}]"),
                "webhooks[0].topics[0]: \"a/b\" is no topic; topics are letters, digits, \".\", \"_\" and \"-\", at most 249",
            ),
            (
                &format!("webhooks: [{{ {START}, team: shop, topics: [orders.new, other] }}]"),
                "webhooks[0].topics[1]: team \"shop\" does not own the topic \"other\"; list it under `owns.topics` of team \"shop\"",
            ),
            (
                &format!("webhooks: [{{ {START}, topics: [t], dead_letter: {{ topic: t }} }}]"),
                "webhooks[0].dead_letter.topic: what cannot be delivered would be delivered again; name a topic that is not read",
            ),
            (
                &format!(
                    "webhooks: [{{ {START}, topics: [t], sign: {{ secrets: [{{ secret: short }}] }} }}]"
                ),
                "webhooks[0].sign.secrets[0].secret: this signs no webhooks: it is not `whsec_` and 24 to 64 bytes in base64; make one by `echo whsec_$(openssl rand -base64 32)`",
            ),
            (
                &format!(
                    "webhooks: [{{ {START}, topics: [t], retries: {{ backoff: {{ first: 2m }} }} }}]"
                ),
                "webhooks[0].retries.backoff: `first` is more than nothing and at most `max`; write { first: 1s, max: 1m }",
            ),
            (
                "webhooks: [{ name: hook, cluster: events, topics: [t], to: { upstream: up, path: /, headers: { webhook-id: a } } }]",
                "webhooks[0].to.headers.webhook-id: \"webhook-id\" is no field that can be set; Weir writes what belongs to the message itself",
            ),
        ],
    );
}

#[test]
fn records_say_their_schema_themselves_or_a_file_does() {
    let webhook = |schema: &str| {
        format!("webhooks: [{{ {START}, team: shop, topics: [orders.new], schema: {schema} }}]")
    };
    let before = format!("{BEFORE}{REGISTRIES}");
    expect_after(
        &before,
        &[
            (
                &webhook("{ kind: registry, registry: mian }"),
                "webhooks[0].schema.registry: no schema registry named \"mian\"; did you mean \"main\"?",
            ),
            (
                &webhook("{ kind: registry, registry: main, subject: a }"),
                "webhooks[0].schema.subject: each record says itself by which schema of the registry it was written; leave it out",
            ),
        ],
    );
    let loaded = good(&format!(
        "{before}{}",
        webhook("{ kind: registry, registry: main }")
    ));
    let schema = &loaded.config.webhooks[0].schema;
    assert!(
        matches!(schema, Some(Schema::Registry(subject)) if &*subject.registry == "main"),
        "{schema:?}"
    );
}

#[test]
fn a_quota_takes_effect_by_a_webhook_that_uses_its_unit() {
    let quota = |unit: &str| {
        format!(
            "{BEFORE}
quotas: [{{ name: q, store: memory, unit: {unit}, limit: {{ default: 1 }}, window: {{ kind: fixed, every: day }}, by: [team] }}]
webhooks: [{{ {START}, topics: [t], quotas: [q] }}]"
        )
    };
    let loaded = good(&quota("requests"));
    assert_eq!(&*loaded.config.webhooks[0].group, "weir-hook");
    expect_after(
        "",
        &[(
            &quota("tokens"),
            "webhooks[0].quotas[0]: the quota \"q\" counts tokens, which no webhook uses; webhooks use requests, concurrent requests and Kafka bytes",
        )],
    );
}

#[test]
fn properties_that_groups_rest_on_are_refused() {
    expect_after(
        "routes: [{ name: alive, respond: { body: alive } }]\n",
        &[(
            "kafka_clusters: [{ name: events, bootstrap_servers: ['127.0.0.1:1'], properties: { group.id: g } }]",
            "kafka_clusters[0].properties[\"group.id\"]: \"group.id\" is set by Weir; write `group` where a group is joined",
        )],
    );
}
