//! Routes whose requests are replied to in a topic.

use super::{faults, good};
use crate::config::routes::Action;
use crate::config::routes::request_reply::Respond;

const ONE: &str = "{ path: { exact: /jobs } }";
const STATUS: &str = "{ path: { template: '/jobs/{token}' }, methods: [GET] }";
const KEYS: &str = "cursor_keys: [{ secret: k }]";

/// A route with those matches, of a cluster and an action of which this is said.
fn with(matches: &[&str], cluster: &str, said: &str) -> String {
    format!(
        "secrets: [{{ name: k, value: {} }}]\n\
         teams: [{{ name: shop, owns: {{ paths: [/], topics: [jobs, 'replies.*'] }} }}]\n\
         kafka_clusters: [{{ name: c, bootstrap_servers: ['a:1'], {cluster} }}]\n\
         routes: [{{ name: r, team: shop, matches: [{}], request_reply: {{ cluster: c, topic: jobs, {said} }} }}]",
        "k".repeat(32),
        matches.join(", ")
    )
}

const REPLIES: &str = "reply_topic: replies.a";

#[test]
fn callers_wait_or_come_back() {
    for (matches, cluster, said, expected) in [
        (&[ONE][..], "", "", (Respond::Sync, false)),
        (&[ONE, STATUS], "", "", (Respond::Sync, true)),
        (
            &["{ path: { prefix: /jobs } }"],
            "",
            "",
            (Respond::Sync, false),
        ),
        (
            &[STATUS, ONE],
            KEYS,
            ", respond: async",
            (Respond::Async, true),
        ),
        (
            &[
                "{ path: { template: '/j/{kind}' } }",
                "{ path: { template: '/j/{kind}/{token}' } }",
            ],
            KEYS,
            ", respond: prefer, key: '{path.kind}'",
            (Respond::Prefer, true),
        ),
        (
            &[
                "{ path: { exact: / } }",
                "{ path: { template: '/{token}' } }",
            ],
            KEYS,
            ", respond: prefer",
            (Respond::Prefer, true),
        ),
    ] {
        let config = good(&with(matches, cluster, &format!("{REPLIES}{said}"))).config;
        match &config.routes[0].action {
            Action::RequestReply(action) => {
                assert_eq!((action.respond, action.status_urls), expected, "{said}");
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn what_could_not_be_answered_is_said() {
    let at = "routes[0].request_reply";
    let path = "routes[0].matches[0].path";
    let plain = |said: &str| with(&[ONE, STATUS], KEYS, &format!("{REPLIES}{said}"));
    let table = [
        (
            with(&[ONE, STATUS], "", &format!("{REPLIES}, respond: async")),
            format!(
                "{at}.respond: status URLs are signed, and the Kafka cluster \"c\" has no `cursor_keys`: another gateway would not know what this one promised; write `cursor_keys: [{{ secret: NAME }}]` under it in `kafka_clusters`, or `respond: sync`"
            ),
        ),
        (
            with(&[ONE], KEYS, &format!("{REPLIES}, respond: prefer")),
            format!(
                "{path}: no match of this route is that of the status URLs of this path; add `{{ path: {{ template: \"/jobs/{{token}}\" }}, methods: [GET] }}`"
            ),
        ),
        (
            with(
                &[
                    ONE,
                    "{ path: { template: '/jobs/{token}' }, methods: [POST] }",
                ],
                KEYS,
                REPLIES,
            ),
            format!(
                "{path}: no match of this route is that of the status URLs of this path; add `{{ path: {{ template: \"/jobs/{{token}}\" }}, methods: [GET] }}`"
            ),
        ),
        (
            with(
                &["{ path: { prefix: /jobs } }", STATUS],
                KEYS,
                &format!("{REPLIES}, respond: async"),
            ),
            format!(
                "{path}: where status URLs of a prefix are is not known; match exactly \"/jobs\", or a template"
            ),
        ),
        (
            with(
                &["{ path: { template: '/jobs/{token}/state' } }"],
                KEYS,
                REPLIES,
            ),
            format!(
                "{path}: a status URL ends with its token; write {{token}} as the last segment"
            ),
        ),
        (
            with(&[ONE], KEYS, "reply_topic: jobs"),
            format!(
                "{at}.reply_topic: requests would be read as replies: this is the topic of both; give replies a topic of their own"
            ),
        ),
        (
            with(&[ONE], KEYS, "reply_topic: others"),
            format!(
                "{at}.reply_topic: team \"shop\" does not own the topic \"others\"; list it under `owns.topics` of team \"shop\""
            ),
        ),
        (
            plain(", headers: { weir-consumer: x }"),
            format!(
                "{at}.headers.weir-consumer: the gateway writes the header \"weir-consumer\" itself; leave it out"
            ),
        ),
        (
            plain(", correlation: { header: id, reply_to: id }"),
            format!(
                "{at}.correlation.reply_to: the header \"id\" says something else already; give it another name"
            ),
        ),
        (
            plain(", keep: 40d"),
            format!("{at}.keep: status URLs cannot be answered for 40d; give 1s to 30d"),
        ),
        (
            plain(", reply: { header_prefix: '' }"),
            format!(
                "{at}.reply.header_prefix: every header would be a field of the answer; write it as `http-`"
            ),
        ),
    ];
    for (more, line) in &table {
        assert_eq!(faults(more), [line.as_str()], "{more}");
    }
}
