//! `idempotency`: where keys are remembered, and where they cannot be.

use super::{expect_after, good};
use crate::config::routes::Action;
use crate::config::routes::idempotency::Store;

const BEFORE: &str = "
kafka_clusters: [{ name: events, bootstrap_servers: ['127.0.0.1:9092'], spool: { max_size: 1MiB } }]
stores:
  - { name: mem, kind: memory }
  - { name: file, kind: local }
  - { name: far, kind: redis, addresses: ['127.0.0.1:6379'] }
";

fn route(publish: &str) -> String {
    format!(
        "routes: [{{ name: r, matches: [{{ path: {{ exact: /r }} }}], publish: {{ cluster: events, topic: t, {publish} }} }}]\n"
    )
}

#[test]
fn keys_are_remembered_for_a_day_in_redis_or_with_a_warning_in_memory() {
    let loaded = good(&format!("{BEFORE}{}", route("idempotency: { store: far }")));
    let Action::Publish(publish) = &loaded.config.routes[0].action else {
        panic!("{:?}", loaded.config.routes[0].action);
    };
    let idempotency = publish.idempotency.as_ref().expect("it has one");
    assert!(matches!(&idempotency.store, Store::Redis { name, .. } if **name == *"far"));
    assert_eq!(idempotency.keep.as_secs(), 24 * 3600);
    assert!(!idempotency.required);
    let warns = |loaded: &crate::config::Loaded| {
        let mut warnings = loaded.warnings.iter().map(ToString::to_string);
        warnings.any(|warning| warning.contains("keys are forgotten when the gateway restarts"))
    };
    assert!(!warns(&loaded));
    let memory = good(&format!("{BEFORE}{}", route("idempotency: { store: mem }")));
    assert!(warns(&memory), "{:?}", memory.warnings);
}

#[test]
fn keys_that_cannot_be_kept_are_refused() {
    let table = [
        (
            route("idempotency: { store: file }"),
            "routes[0].publish.idempotency.store: the store \"file\" remembers no keys; name one of kind redis or memory",
        ),
        (
            route("idempotency: { store: far, keep: 31d }"),
            "routes[0].publish.idempotency.keep: answers cannot be remembered for 31d; give 1s to 30d",
        ),
        (
            route("idempotency: { store: far }, async: true"),
            "routes[0].publish.idempotency.store: other gateways know the keys of the store \"far\", and none can look into the spool of another; name one of kind memory, and send callers that come again to the same gateway; or leave `async` out",
        ),
    ];
    let table = table.each_ref().map(|(route, fault)| (&**route, *fault));
    expect_after(BEFORE, &table);
}
