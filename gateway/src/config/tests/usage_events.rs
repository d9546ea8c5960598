//! The topic that tells what every request used.

use super::{faults, good};

fn with(spool: &str, events: &str) -> String {
    format!(
        "kafka_clusters: [{{ name: events, bootstrap_servers: ['127.0.0.1:1']{spool} }}]\n\
         routes: [{{ name: r, respond: {{ body: yes }} }}]\n\
         {events}"
    )
}

#[test]
fn a_topic_of_a_cluster_with_a_spool_is_good() {
    assert_eq!(good(&with("", "")).config.usage_events, None);
    let yaml = with(
        ", spool: {}",
        "usage_events: { cluster: events, topic: usage }",
    );
    let events = good(&yaml).config.usage_events.expect("it is written");
    assert_eq!((&*events.cluster, &*events.topic), ("events", "usage"));
}

#[test]
fn what_cannot_be_told_is_refused() {
    for (spool, events, fault) in [
        (
            "",
            "cluster: events, topic: usage",
            "usage_events.cluster: the Kafka cluster \"events\" has no spool; \
             write `spool: { max_size: 1GiB }` under it in `kafka_clusters`",
        ),
        (
            ", spool: {}",
            "cluster: event, topic: usage",
            "usage_events.cluster: no Kafka cluster named \"event\"; did you mean \"events\"?",
        ),
        (
            ", spool: {}",
            "cluster: events, topic: \"a b\"",
            "usage_events.topic: \"a b\" is no topic; \
             topics are letters, digits, \".\", \"_\" and \"-\", at most 249",
        ),
    ] {
        let events = format!("usage_events: {{ {events} }}");
        assert_eq!(faults(&with(spool, &events)), [fault]);
    }
}
