//! Caches of answers: what they refuse to be, and what they need of their route.

use super::{expect_after, good};
use crate::config::routes::Action;
use crate::config::routes::cache::{Cache, Scope, Store};

const MODELS: &str = "
providers:
  - { name: p, dialect: openai, base_url: 'http://127.0.0.1:9/v1' }
  - { name: a, dialect: anthropic, base_url: 'http://127.0.0.1:9' }
models: [{ name: m, targets: [{ provider: p, model: m }] }]
stores:
  - { name: mem, kind: memory }
  - { name: far, kind: redis, addresses: ['127.0.0.1:6379'] }
  - { name: used, kind: redis, addresses: ['127.0.0.1:6379'] }
quotas: [{ name: q, store: used, unit: requests, limit: { default: 1 }, window: { kind: fixed, every: day } }]
";

/// A route with this cache and these policies.
fn route(cache: &str, policies: &str) -> String {
    format!(
        "routes:
  - {{ name: r, policies: [{policies}], llm: {{ models: [m], cache: {cache} }} }}
  - {{ name: o, policies: [{{ kind: quota, quotas: [q] }}], matches: [{{ path: {{ exact: /o }} }}], respond: {{}} }}
"
    )
}

fn cache(cache: &str) -> Cache {
    let loaded = good(&format!("{MODELS}{}", route(cache, "{ kind: key_auth }")));
    match &loaded.config.routes[0].action {
        Action::Llm(llm) => llm.cache.clone().expect("it has one"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_is_not_said_of_a_cache_is_what_is_careful() {
    let cache = cache("{ ttl: 1h }");
    assert_eq!(cache.ttl.as_secs(), 3600);
    assert_eq!(cache.scope, Scope::Consumer);
    assert_eq!(cache.max_entry, 256 << 10);
    assert_eq!(cache.semantic, None);
    let max_size = 64 << 20;
    assert_eq!(cache.store, Store::Memory { max_size });
}

#[test]
fn how_alike_texts_have_to_be_is_said() {
    let cache = cache(
        "{ ttl: 1h, semantic: { provider: p, model: text-embedding-3-small, threshold: 0.9 } }",
    );
    let semantic = cache.semantic.expect("it has one");
    assert_eq!((&*semantic.provider, semantic.dimensions), ("p", None));
    assert_eq!((semantic.threshold, semantic.max_texts), (0.9, 500));
    assert_eq!(semantic.timeout.as_secs(), 2);
}

#[test]
fn the_store_of_a_fleet_counts_nothing() {
    let redis = format!(
        "{MODELS}{}",
        route(
            "{ ttl: 1h, scope: team, store: { kind: redis, store: far } }",
            "{ kind: key_auth }"
        )
    );
    let config = good(&redis).config;
    let keeps = ["mem", "far", "used"].map(|store| config.keeps_answers(store));
    assert_eq!(keeps, [false, true, false]);
}

#[test]
fn caches_that_cannot_work_are_refused() {
    let key = "{ kind: key_auth }";
    let quota = "{ kind: quota, quotas: [q] }";
    let table = [
        (
            route("{}", key),
            "routes[0].llm.cache: \"ttl\" is missing; add `ttl:`",
        ),
        (
            route("{ ttl: 500ms }", key),
            "routes[0].llm.cache.ttl: answers cannot be kept for 500ms; give 1s to 30d",
        ),
        (
            route("{ ttl: 31d }", key),
            "routes[0].llm.cache.ttl: answers cannot be kept for 31d; give 1s to 30d",
        ),
        (
            route(
                "{ ttl: 1h, max_entry: 17MiB, store: { kind: memory, max_size: 1GiB } }",
                key,
            ),
            "routes[0].llm.cache.max_entry: no answer is as large as that; give 1B to 16MiB",
        ),
        (
            route("{ ttl: 1h, store: { kind: memory, max_size: 1MiB } }", key),
            "routes[0].llm.cache.store.max_size: it does not hold 16 answers of `max_entry`; give 4MiB or more, or keep smaller answers",
        ),
        (
            route("{ ttl: 1h, store: { kind: memory, max_size: 1KiB } }", key),
            "routes[0].llm.cache.store.max_size: a cache of 1KiB is none that a process keeps; give 1MiB to 64GiB",
        ),
        (
            route("{ ttl: 1h, store: { kind: redis, store: nowhere } }", key),
            "routes[0].llm.cache.store.store: no store named \"nowhere\"; there are far, mem and used",
        ),
        (
            route("{ ttl: 1h, store: { kind: redis, store: mem } }", key),
            "routes[0].llm.cache.store.store: the store \"mem\" is not of kind redis; name one that is, or keep answers in memory: `store: { kind: memory }`",
        ),
        (
            route("{ ttl: 1h, store: { kind: redis, store: used } }", key),
            "routes[0].llm.cache.store.store: the quota \"q\" is counted there; give answers an entry of `stores` of their own: what counts must not run full, and what keeps answers should make room",
        ),
        (
            route("{ ttl: 1h, semantic: { provider: p, model: m } }", key),
            "routes[0].llm.cache.semantic: \"threshold\" is missing; add `threshold:`",
        ),
        (
            route(
                "{ ttl: 1h, semantic: { provider: p, model: m, threshold: 1.5 } }",
                key,
            ),
            "routes[0].llm.cache.semantic.threshold: 1.5 is too large; the most is 1",
        ),
        (
            route(
                "{ ttl: 1h, semantic: { provider: a, model: m, threshold: 1 } }",
                key,
            ),
            "routes[0].llm.cache.semantic.provider: the provider \"a\" makes no embeddings; name one of dialect openai, or of dialect gemini but not on Vertex AI",
        ),
        (
            route(
                "{ ttl: 1h, semantic: { provider: b, model: m, threshold: 1 } }",
                key,
            ),
            "routes[0].llm.cache.semantic.provider: no provider named \"b\"; did you mean \"a\"?",
        ),
        (
            route("{ ttl: 1h }", quota),
            "routes[0].llm.cache.scope: answers are kept by consumer, and nothing on this route finds out who calls; add the policy key_auth, or share answers: `scope: shared`",
        ),
        (
            route("{ ttl: 1h, scope: team }", quota),
            "routes[0].llm.cache.scope: answers are kept by team, and nothing on this route finds out who calls; add the policy key_auth, or share answers: `scope: shared`",
        ),
        (
            route("{ ttl: 1h }", key).replace(
                "llm: { models: [m],",
                "prompt: { model: m, message: hi, input: { type: object },",
            ),
            "routes[0].prompt.cache: there is no \"cache\" here; there are input, instructions, max_body, max_tokens, message, model, output, record_content and temperature",
        ),
    ];
    let table = table.each_ref().map(|(routes, line)| (&**routes, *line));
    expect_after(MODELS, &table);
}
