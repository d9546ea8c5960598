//! Spools of Kafka clusters, and routes that put records into them.

use super::{faults, good};
use crate::config::routes::Action;

fn with(spool: &str, publish: &str) -> String {
    format!(
        "kafka_clusters: [{{ name: events, bootstrap_servers: ['127.0.0.1:1']{spool} }}]\n\
         routes: [{{ name: r, publish: {{ cluster: events, topic: t{publish} }} }}]"
    )
}

#[test]
fn a_spool_has_a_size_and_routes_say_whether_they_use_it() {
    for (spool, publish, size, spooled) in [
        ("", "", None, false),
        (", spool: {}", "", Some(1 << 30), false),
        (
            ", spool: { max_size: 2MiB }",
            ", async: true",
            Some(2 << 20),
            true,
        ),
    ] {
        let config = good(&with(spool, publish)).config;
        assert_eq!(config.kafka_clusters[0].spool, size, "{spool}");
        match &config.routes[0].action {
            Action::Publish(publish) => assert_eq!(publish.spooled, spooled, "{spool}"),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn what_cannot_be_spooled_is_refused() {
    for (spool, publish, fault) in [
        (
            "",
            ", async: true",
            "routes[0].publish.async: the Kafka cluster \"events\" has no spool; \
             write `spool: { max_size: 1GiB }` under it in `kafka_clusters`",
        ),
        (
            ", spool: { max_size: 1MiB }",
            ", async: true, batch: { transaction: true }",
            "routes[0].publish.batch.transaction: what is on disk is sent record by record, in no transaction; \
             leave it out, or `async`",
        ),
        (
            ", spool: { max_size: 1023KiB }",
            ", async: true",
            "kafka_clusters[0].spool.max_size: this is too small for a spool; give at least 1MiB",
        ),
    ] {
        assert_eq!(faults(&with(spool, publish)), [fault]);
    }
}
