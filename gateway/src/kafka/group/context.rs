//! What the client of a member is told: partitions that come and go, what became of commits, and how far
//! behind it is. It is told on the thread that polls.

use std::error::Error;
use std::sync::Arc;

use rdkafka::Offset;
use rdkafka::TopicPartitionList;
use rdkafka::client::{ClientContext, OAuthToken};
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer as _, ConsumerContext, Rebalance};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::statistics::Statistics;

use super::course::Course;
use super::desk::Place;
use crate::config::kafka_clusters::Cluster;
use crate::kafka::watch::Watch;

/// What is told of one client.
pub(super) struct Context {
    pub(super) course: Arc<Course>,
    pub(super) group: Arc<str>,
    watch: Watch,
}

impl Context {
    pub(super) fn new(cluster: &Cluster, course: Arc<Course>, group: Arc<str>) -> Self {
        Self {
            course,
            group,
            watch: Watch::of(cluster),
        }
    }
}

/// Offsets as the client takes them.
pub(super) fn offsets(of: &[(Place, i64)]) -> TopicPartitionList {
    let mut list = TopicPartitionList::new();
    for ((topic, partition), offset) in of {
        list.add_partition_offset(topic, *partition, Offset::Offset(*offset))
            .expect("an offset of a record is one");
    }
    list
}

fn places(list: &TopicPartitionList) -> Vec<Place> {
    let elements = list.elements();
    let places = elements.iter();
    places
        .map(|element| (Arc::from(element.topic()), element.partition()))
        .collect()
}

impl ClientContext for Context {
    const ENABLE_REFRESH_OAUTH_TOKEN: bool = true;

    fn stats(&self, statistics: Statistics) {
        for (topic, of) in &statistics.topics {
            let topic: Arc<str> = topic.as_str().into();
            for (partition, of) in &of.partitions {
                // Less than none is what nobody knows yet.
                let known = [of.ls_offset, of.hi_offset].into_iter().find(|it| *it >= 0);
                let begun = [of.committed_offset, of.next_offset];
                let begun = begun.into_iter().find(|it| *it >= 0);
                if let Some(end) = known {
                    self.course
                        .reaches(&(topic.clone(), *partition), end, begun);
                }
            }
        }
        self.watch.stats(statistics);
    }

    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        self.watch.log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.watch.error(error, reason);
    }

    fn generate_oauth_token(&self, said: Option<&str>) -> Result<OAuthToken, Box<dyn Error>> {
        self.watch.generate_oauth_token(said)
    }
}

impl ConsumerContext for Context {
    fn pre_rebalance(&self, client: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        match rebalance {
            Rebalance::Assign(list) => {
                let places = places(list);
                log::info!(
                    "kafka: the group \"{}\" gives {}",
                    self.group,
                    told(&places)
                );
                self.course.assign(places);
            }
            Rebalance::Revoke(list) => {
                let places = places(list);
                let due = self.course.wind_up(&places);
                if !due.is_empty()
                    && let Err(error) = client.commit(&offsets(&due), CommitMode::Sync)
                {
                    // Who is given them next repeats what is done.
                    log::warn!(
                        "kafka: the group \"{}\": not committed: {error}",
                        self.group
                    );
                }
                log::info!(
                    "kafka: the group \"{}\" takes {}",
                    self.group,
                    told(&places)
                );
                self.course.remove(&places);
            }
            Rebalance::Error(error) => {
                log::warn!("kafka: the group \"{}\": {error}", self.group);
            }
        }
    }

    fn commit_callback(&self, result: KafkaResult<()>, list: &TopicPartitionList) {
        if let Err(error) = result {
            log::warn!(
                "kafka: the group \"{}\": not committed: {error}",
                self.group
            );
            self.course.unheard(&places(list));
        }
    }
}

/// Partitions for people.
fn told(places: &[Place]) -> String {
    if places.is_empty() {
        return "nothing".to_owned();
    }
    let one = |(topic, partition): &Place| format!("{topic}/{partition}");
    places.iter().map(one).collect::<Vec<_>>().join(", ")
}
