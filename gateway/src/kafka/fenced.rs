//! Writing to a partition as the only one who may, among all that ask for it so. Everything here blocks.
//!
//! Whoever begins takes the transactional id of the partition, which is the same in every gateway. The
//! coordinator of transactions then has ended what the one before had open, and refuses whatever that one
//! still sends ("fencing"). So from the end that is found after the beginning on, nobody who writes so has
//! anything in the partition but the one who began last; and what that one commits is refused as soon as
//! another begins. A commit that is taken therefore proves that, from the beginning to the commit, nobody
//! else committed anything by this id.
//!
//! Who writes without this, or with an id of its own, is not stopped by it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::KafkaError;
use rdkafka::{Offset, TopicPartitionList};

use super::consumer::{self, Broken, PATIENCE};
use super::outgoing::Outgoing;
use super::producer::unavailable;
use super::record::Record;
use super::transaction::{Ended, Transactor};
use super::watch::Watch;
use crate::config::kafka_clusters::Cluster;
use crate::error::GatewayError;

/// How long a transaction may take: for so long, nobody sees what comes after one whose gateway died, unless
/// another begins.
const LONGEST: Duration = Duration::from_secs(10);
/// How long to wait before it is asked again how far committed records reach.
const PAUSE: Duration = Duration::from_millis(5);

/// A partition that is read, and written by one at a time.
pub(crate) struct Partition {
    cluster: Cluster,
    topic: Arc<str>,
    number: i32,
    /// Of all that is committed.
    committed: BaseConsumer<Watch>,
    /// Of all that is there.
    all: BaseConsumer<Watch>,
    writer: Option<Transactor>,
    /// What was read of it comes before.
    at: i64,
}

/// What became of records.
pub(crate) enum Written {
    /// They count, and are at these offsets.
    Committed(Vec<i64>),
    /// They never will, because of what they are.
    Nothing(Box<GatewayError>),
    /// They never will; who begins anew may try again.
    Lost,
    /// Who begins anew finds them at these offsets, if they count.
    Doubtful(Vec<i64>),
}

impl Partition {
    pub(super) fn open(
        cluster: &Cluster,
        topic: &Arc<str>,
        number: i32,
    ) -> Result<Self, GatewayError> {
        let open = |isolation| {
            let properties = [
                ("isolation.level", isolation),
                ("enable.partition.eof", "true"),
                ("auto.offset.reset", "error"),
                ("fetch.wait.max.ms", "20"),
            ];
            consumer::open(cluster, topic, &properties)
        };
        Ok(Self {
            committed: open("read_committed")?,
            all: open("read_uncommitted")?,
            cluster: cluster.clone(),
            topic: topic.clone(),
            number,
            writer: None,
            at: 0,
        })
    }

    /// Whether nobody else is known to have begun since this did.
    pub(crate) const fn has_begun(&self) -> bool {
        self.writer.is_some()
    }

    /// Gives up what was begun.
    pub(crate) fn end(&mut self) {
        self.writer = None;
    }

    /// Begins: fences all others, and reads from `at` to where nothing of theirs can come any more.
    pub(crate) fn begin(
        &mut self,
        at: i64,
        until: Instant,
        take: impl FnMut(Record),
    ) -> Result<(), GatewayError> {
        self.writer = None;
        let id = format!("weir-{}-{}-{}", self.cluster.name, self.topic, self.number);
        let writer = Transactor::start(&self.cluster, &id, LONGEST, until.into())?;
        self.at = at;
        self.refresh(until, take)?;
        self.writer = Some(writer);
        Ok(())
    }

    /// Reads on to what is the end now.
    pub(crate) fn refresh(
        &mut self,
        until: Instant,
        take: impl FnMut(Record),
    ) -> Result<(), GatewayError> {
        let (first, end) = self.settled(until)?;
        let mut list = TopicPartitionList::new();
        self.at = self.at.max(first);
        let broken = |error| consumer::fault(&self.topic, &error);
        let begun = Offset::Offset(self.at);
        list.add_partition_offset(&self.topic, self.number, begun)
            .map_err(broken)?;
        // What was still to come of an assignment before is not given out after it.
        self.committed.assign(&list).map_err(broken)?;
        if self.at < end {
            self.read(Some(end), None, until, take)?;
            // Those that say how a transaction ended are given to nobody.
            self.at = self.at.max(end);
        }
        Ok(())
    }

    /// Where it begins and ends, once no transaction is open in it: behind one of anybody's, something
    /// committed may wait to be seen.
    fn settled(&self, until: Instant) -> Result<(i64, i64), GatewayError> {
        let span = |client: &BaseConsumer<Watch>| {
            let found = client.fetch_watermarks(&self.topic, self.number, PATIENCE);
            found.map_err(|error| GatewayError::from(consumer::fault(&self.topic, &error)))
        };
        let (first, end) = span(&self.all)?;
        while span(&self.committed)?.1 < end {
            if Instant::now() >= until {
                return Err(unavailable("a transaction stays open in the partition"));
            }
            std::thread::sleep(PAUSE);
        }
        Ok((first, end))
    }

    /// Reads on until one's own record at that offset is read.
    pub(crate) fn read_to(
        &mut self,
        offset: i64,
        until: Instant,
        take: impl FnMut(Record),
    ) -> Result<(), GatewayError> {
        self.read(None, Some(offset), until, take)
    }

    fn read(
        &mut self,
        end: Option<i64>,
        offset: Option<i64>,
        until: Instant,
        mut take: impl FnMut(Record),
    ) -> Result<(), GatewayError> {
        loop {
            let left = until.saturating_duration_since(Instant::now());
            match self.committed.poll(left) {
                None => return Err(Broken::Unavailable.into()),
                Some(Ok(message)) => {
                    let record = Record::of(&message);
                    let at = record.offset;
                    self.at = at + 1;
                    take(record);
                    let is_last = end.is_some_and(|end| at + 1 >= end);
                    if is_last || offset.is_some_and(|offset| at >= offset) {
                        return Ok(());
                    }
                }
                Some(Err(KafkaError::PartitionEOF(_))) if end.is_some() => return Ok(()),
                Some(Err(error)) => {
                    if let Some(broken) = consumer::lasting(&self.topic, &error) {
                        return Err(broken.into());
                    }
                }
            }
        }
    }

    /// Writes records, all or none. Only who has begun may.
    pub(crate) fn write(&mut self, records: &[Outgoing], until: Instant) -> Written {
        let Some(writer) = &self.writer else {
            return Written::Lost;
        };
        let offsets =
            |places: Vec<super::Acknowledged>| places.iter().map(|at| at.offset).collect();
        match writer.write(records, until.into()) {
            Ended::Committed(places) => Written::Committed(offsets(places)),
            Ended::Nothing(error) => Written::Nothing(error),
            Ended::Lost(error) => {
                log::debug!("kafka: {}/{}: {error}", self.topic, self.number);
                self.writer = None;
                Written::Lost
            }
            Ended::Doubtful(places) => {
                self.writer = None;
                Written::Doubtful(offsets(places))
            }
        }
    }
}
