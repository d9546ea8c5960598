//! Where a member begins in a partition of which its group has committed nothing: with its first record, so
//! that nothing is skipped that came before the member knew of the partition; unless the group is new to the
//! topic and was told to begin with the next record. Everything here blocks.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer as _, ConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::{Offset, TopicPartitionList};

use super::Plan;

/// How long brokers may take for one answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// What is known of a group before it was joined.
#[derive(Default)]
pub(super) struct Beginning {
    /// How many partitions the topics had that the group was new to; they begin at their end. Found out once:
    /// to a client that is made anew, a group that has begun with some of them would not look new.
    new_to: OnceLock<HashMap<Arc<str>, i32>>,
}

impl Beginning {
    /// Finds that out. Must return well before the group is joined: what members that join meanwhile commit is
    /// no sign that it had begun before.
    pub(super) fn look<C: ConsumerContext>(
        &self,
        client: &BaseConsumer<C>,
        plan: &Plan,
    ) -> Result<(), KafkaError> {
        if plan.from_earliest || self.new_to.get().is_some() {
            return Ok(());
        }
        let mut new_to = HashMap::new();
        for topic in &plan.topics {
            let partitions = partitions(client, topic)?;
            let mut list = TopicPartitionList::new();
            for partition in 0..partitions {
                list.add_partition(topic, partition);
            }
            if partitions > 0 && uncommitted(client, list)?.count() == partitions as usize {
                new_to.insert(topic.clone(), partitions);
            }
        }
        // Only one thread looks.
        let _ = self.new_to.set(new_to);
        Ok(())
    }

    /// Sets where the partitions begin that the group was given, as far as they are to begin at their end.
    pub(super) fn set<C: ConsumerContext>(
        &self,
        client: &BaseConsumer<C>,
        given: &mut TopicPartitionList,
    ) -> Result<(), KafkaError> {
        let Some(new_to) = self.new_to.get() else {
            return Ok(());
        };
        let mut ours = TopicPartitionList::new();
        for element in given.elements() {
            let (topic, partition) = (element.topic(), element.partition());
            if new_to.get(topic).is_some_and(|count| partition < *count) {
                ours.add_partition(topic, partition);
            }
        }
        if ours.count() == 0 {
            return Ok(());
        }
        for element in uncommitted(client, ours)?.elements() {
            let (topic, partition) = (element.topic(), element.partition());
            let (_, end) = client.fetch_watermarks(topic, partition, PATIENCE)?;
            given.set_partition_offset(topic, partition, Offset::Offset(end))?;
        }
        Ok(())
    }
}

/// How many partitions a topic has; none, if there is no such topic.
fn partitions<C: ConsumerContext>(
    client: &BaseConsumer<C>,
    topic: &str,
) -> Result<i32, KafkaError> {
    use RDKafkaErrorCode as E;
    let metadata = client.fetch_metadata(Some(topic), PATIENCE)?;
    let Some(found) = metadata.topics().first() else {
        return Ok(0);
    };
    match found.error().map(RDKafkaErrorCode::from) {
        None => Ok(i32::try_from(found.partitions().len()).unwrap_or(i32::MAX)),
        Some(E::UnknownTopic | E::UnknownTopicOrPartition) => Ok(0),
        Some(error) => Err(KafkaError::MetadataFetch(error)),
    }
}

/// Those of which the group has committed nothing.
fn uncommitted<C: ConsumerContext>(
    client: &BaseConsumer<C>,
    list: TopicPartitionList,
) -> Result<TopicPartitionList, KafkaError> {
    let mut without = TopicPartitionList::new();
    for element in client.committed_offsets(list, PATIENCE)?.elements() {
        element.error()?;
        if element.offset() == Offset::Invalid {
            without.add_partition(element.topic(), element.partition());
        }
    }
    Ok(without)
}
