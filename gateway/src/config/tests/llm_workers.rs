//! LLM workers.

use super::{expect_after, good};
use crate::config::llm_workers::As;

const BEFORE: &str = "
secrets: [{ name: key, value: k }]
teams: [{ name: shop, owns: { topics: ['prompts.*'], secrets: [key] } }]
providers: [{ name: openai, dialect: openai, base_url: 'http://127.0.0.1:1/v1', api_key: { secret: key } }]
models: [{ name: smart, targets: [{ provider: openai, model: gpt-4o }] }]
kafka_clusters: [{ name: events, bootstrap_servers: ['127.0.0.1:1'] }]
consumers: [{ name: batch, credentials: [] }]
routes:
  - { name: alive, matches: [{ path: { prefix: /alive } }], respond: { body: alive } }
  - { name: chat, matches: [{ path: { prefix: /v1 } }], llm: { models: [smart] } }
";

const START: &str = "name: w, cluster: events, topics: [p]";
const AS: &str = "as: { kind: consumer, name: batch }";

#[test]
fn what_it_says_is_checked() {
    let worker = |members: &str| format!("llm_workers: [{{ {START}, {members} }}]");
    let to = "to: { topic: c }";
    expect_after(
        BEFORE,
        &[
            (
                &worker(&format!("route: alive, {AS}, {to}")),
                "llm_workers[0].route: the route \"alive\" has the action `respond`, which answers no prompts; name one whose action is `llm`",
            ),
            (
                &worker(&format!("route: chat, {AS}, {to}, path: /v1/models")),
                "llm_workers[0].path: \"/v1/models\" asks for no answer that is one record; write it as /v1/chat/completions, /v1/responses, /v1/embeddings, /v1/messages or /v1beta/models/MODEL:generateContent",
            ),
            (
                &worker(&format!("route: chat, {AS}, to: {{ topic: p }}")),
                "llm_workers[0].to.topic: what is answered would be asked again; name a topic that the worker does not read",
            ),
            (
                &worker(&format!(
                    "route: chat, {AS}, to: {{ topic: c, headers: {{ status: a }} }}"
                )),
                "llm_workers[0].to.headers.status: \"status\" is no header that can be set; Weir writes what belongs to the answer itself",
            ),
            (
                &worker(&format!(
                    "route: chat, as: {{ kind: header, name: '' }}, {to}"
                )),
                "llm_workers[0].as.name: a header has a name; leave `name` out",
            ),
            (
                &worker(&format!(
                    "route: chat, {AS}, to: {{ topic: prompts.done }}, team: shop"
                )),
                "llm_workers[0].topics[0]: team \"shop\" does not own the topic \"p\"; list it under `owns.topics` of team \"shop\"",
            ),
            (
                &worker(&format!(
                    "route: chat, {AS}, {to}, dead_letter: {{ topic: p }}"
                )),
                "llm_workers[0].dead_letter.topic: what cannot be delivered would be delivered again; name a topic that is not read",
            ),
        ],
    );
}

#[test]
fn what_is_not_said_is_what_most_want() {
    let loaded = good(&format!(
        "{BEFORE}
llm_workers: [{{ {START}, route: chat, as: {{ kind: header }}, to: {{ topic: c }} }}]"
    ));
    let worker = &loaded.config.llm_workers[0];
    assert_eq!(&*worker.group, "weir-w");
    assert_eq!(&*worker.path, "/v1/chat/completions");
    assert_eq!(worker.consumer, As::Header("weir-consumer".into()));
    assert_eq!(worker.max_in_flight, 16);
}
