//! Feeds of a composed graph.

use super::faults;

const DOCUMENT: &str = r##"openapi: 3.1.0
paths: { /a: { get: { operationId: a, responses: { "200": { content: { application/json: { schema: { $ref: "#/components/schemas/A" } } } } } } } }
components: { schemas: { A: { type: object, properties: { b: { type: string } } } } }"##;

/// The faults of a graph with these feeds.
fn of(feeds: &str, options: &str) -> Vec<String> {
    let document = serde_json::to_string(DOCUMENT).expect("text");
    faults(&format!(
        "upstreams: [{{ name: up, endpoints: [{{ address: 127.0.0.1:1 }}] }}]\nkafka_clusters: [{{ name: events, bootstrap_servers: ['127.0.0.1:1'] }}]\n\
         routes: [{{ name: r, graphql: {{ {options} compose: {{ sources: [{{ kind: openapi, name: s, upstream: up, document: {document} }}], feeds: [{feeds}] }} }} }}]"
    ))
}

const PASS: &str = "subscriptions: { kind: pass },";

#[test]
fn a_feed_has_a_topic_and_a_type() {
    let feed = |field: &str, more: &str| {
        format!("{{ field: {field}, cluster: events, topic: t, {more} }}")
    };
    let good = [
        feed("f", "type: A"),
        feed(
            "g",
            "type: N, schema: 'type N { a: A, m: [M] } type M { c: Int } type A { b: Int }', ",
        ),
    ];
    assert_eq!(of(&good[0], PASS), [""; 0]);
    let at = "routes[0].graphql.compose.feeds[0]";
    for (feed, expected) in [
        (
            good[1].clone(),
            format!(
                "{at}.schema: the graph cannot have another type \"A\"; call the type otherwise, or leave `schema` out where the graph's own is meant"
            ),
        ),
        (
            feed("f", "type: B"),
            format!("{at}.type: the graph has no object type \"B\"; did you mean \"A\"?"),
        ),
        (
            feed("f-g", "type: A"),
            format!(
                "{at}.field: Subscription cannot have another field \"f-g\"; call it otherwise"
            ),
        ),
        (
            feed("f", "type: N, schema: 'enum N { A }'"),
            format!("{at}.type: \"N\" is no object type; name one that `schema` defines"),
        ),
        (
            feed("f", "type: N, schema: 'type M { a: Int }'"),
            format!(
                "{at}.schema: this does not define what the topic holds: it does not define the type N; give object types in the definition language, `type` among them"
            ),
        ),
        (
            "{ field: f, cluster: event, topic: 'a b', type: A }".to_owned(),
            format!("{at}.cluster: no Kafka cluster named \"event\"; did you mean \"events\"?"),
        ),
        (
            "{ field: f, cluster: events, topic: 'a b', type: A }".to_owned(),
            format!(
                "{at}.topic: \"a b\" is no topic; topics are letters, digits, \".\", \"_\" and \"-\", at most 249"
            ),
        ),
    ] {
        let found = of(&feed, PASS);
        assert!(found.contains(&expected), "{feed}: {found:?}");
    }
    let twice = format!("{0}, {0}", good[0]);
    assert_eq!(of(&twice, PASS).len(), 1);
}

#[test]
fn who_may_not_subscribe_needs_no_feeds() {
    assert_eq!(
        of("{ field: f, cluster: events, topic: t, type: A }", ""),
        [
            "routes[0].graphql.compose.feeds: this route refuses the subscriptions that feeds are for; write `subscriptions: { kind: pass }` in `graphql`, or leave the feeds out"
        ]
    );
}
