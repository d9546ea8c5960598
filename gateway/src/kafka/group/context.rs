//! What the client of a member is told: partitions that come and go, what became of commits, and how far
//! behind it is. It is told on the thread that polls.

use std::error::Error;
use std::sync::Arc;

use parking_lot::Mutex;
use rdkafka::Offset;
use rdkafka::TopicPartitionList;
use rdkafka::client::{ClientContext, OAuthToken};
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer as _, ConsumerContext};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::statistics::Statistics;
use rdkafka::types::RDKafkaRespErr;

use super::beginning::Beginning;
use super::course::Course;
use super::desk::Place;

/// What is told of one client.
pub(super) struct Context {
    pub(super) course: Arc<Course>,
    pub(super) group: Arc<str>,
    pub(super) beginning: Arc<Beginning>,
    /// Why it is not known where partitions begin that came.
    pub(super) lost: Mutex<Option<KafkaError>>,
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

/// Commits, and waits for the answer. It is stored as well: what is stored is committed once more when a
/// partition goes, and would take back a later commit.
pub(super) fn commit(client: &BaseConsumer<Context>, due: &[(Place, i64)]) -> KafkaResult<()> {
    let due = offsets(due);
    // Those that are not ours any more are refused; the commit says so.
    let stored = client.store_offsets(&due);
    stored.unwrap_or_else(|error| log::debug!("kafka: not stored: {error}"));
    client.commit(&due, CommitMode::Sync)
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
        self.course.watch.stats(statistics);
    }

    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        self.course.watch.log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.course.watch.error(error, reason);
    }

    fn generate_oauth_token(&self, said: Option<&str>) -> Result<OAuthToken, Box<dyn Error>> {
        self.course.watch.generate_oauth_token(said)
    }
}

impl Context {
    /// Partitions come; they begin where the group left off, or where a group begins.
    fn come(&self, client: &BaseConsumer<Self>, list: &mut TopicPartitionList) -> KafkaResult<()> {
        if let Err(error) = self.beginning.set(client, list) {
            // The client is made anew then, and asks again.
            *self.lost.lock() = Some(error);
            return client.incremental_assign(&TopicPartitionList::new());
        }
        let places = places(list);
        log::info!(
            "kafka: the group \"{}\" gives {}",
            self.group,
            told(&places)
        );
        let elements = list.elements();
        let begins = elements.iter().map(|element| match element.offset() {
            Offset::Offset(offset) => Some(offset),
            _ => None,
        });
        self.course.assign(places.into_iter().zip(begins).collect());
        client.incremental_assign(list)
    }

    /// Partitions go, once what is under way of them is done and committed.
    fn go(&self, client: &BaseConsumer<Self>, list: &TopicPartitionList) -> KafkaResult<()> {
        let places = places(list);
        let due = self.course.wind_up(&places);
        if !due.is_empty()
            && let Err(error) = commit(client, &due)
        {
            // Who is given them next may repeat what is done.
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
        client.incremental_unassign(list)
    }
}

impl ConsumerContext for Context {
    fn rebalance(
        &self,
        client: &BaseConsumer<Self>,
        said: RDKafkaRespErr,
        list: &mut TopicPartitionList,
    ) {
        let answered = match RDKafkaErrorCode::from(said) {
            RDKafkaErrorCode::AssignPartitions => self.come(client, list),
            RDKafkaErrorCode::RevokePartitions => self.go(client, list),
            error => {
                let answered = client.incremental_unassign(list);
                answered.and(Err(KafkaError::Rebalance(error)))
            }
        };
        if let Err(error) = answered {
            log::warn!("kafka: the group \"{}\": {error}", self.group);
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
