//! A client that reads pieces of a topic. It blocks.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::{Offset, TopicPartitionList};

use super::{Gap, Piece, Start};
use crate::config::kafka_clusters::Cluster;
use crate::kafka::consumer::{self, Broken, PATIENCE};
use crate::kafka::positions::{Positions, UNKNOWN};
use crate::kafka::record::Record;
use crate::kafka::watch::Watch;

/// How much a piece is, in bytes, but for its last record.
const PIECE: usize = 256 << 10;
/// How long the next record of a piece that has some is waited for.
const BREATH: Duration = Duration::from_millis(20);
/// How long its first one is.
const SILENCE: Duration = Duration::from_secs(1);

/// A client of one topic.
pub(super) struct Reader {
    client: BaseConsumer<Watch>,
    topic: Arc<str>,
    /// What it reads, if anything.
    course: Option<Course>,
}

/// How far a client has read.
struct Course {
    after: Positions,
    /// By partition, where it ended when that was looked up; what is read of it goes at least so far.
    ends: HashMap<i32, i64>,
    /// Partitions that were read to their end.
    ended: Vec<i32>,
}

impl Reader {
    /// Makes one. It connects as it is used.
    pub(super) fn open(cluster: &Cluster, topic: &Arc<str>) -> Result<Self, Broken> {
        let properties = [
            ("enable.partition.eof", "true"),
            ("auto.offset.reset", "error"),
            ("queued.max.messages.kbytes", "1024"),
            ("fetch.wait.max.ms", "100"),
        ];
        Ok(Self {
            client: consumer::open(cluster, topic, &properties)?,
            topic: topic.clone(),
            course: None,
        })
    }

    pub(super) fn topic(&self) -> &str {
        &self.topic
    }

    /// Whether it goes on at those positions without a new beginning.
    pub(super) fn is_at(&self, positions: &Positions) -> bool {
        let course = self.course.as_ref();
        course.is_some_and(|course| course.after == *positions && !course.is_over())
    }

    /// What comes at `from`.
    pub(super) fn read(&mut self, from: Positions) -> Result<Piece, Broken> {
        let gaps = match self.is_at(&from) {
            true => Vec::new(),
            false => self.begin(from)?,
        };
        let Some(mut course) = self.course.take() else {
            return Ok(Piece::default());
        };
        let (records, lost) = self.poll(&mut course)?;
        let after = course.after.clone();
        // Where a position is not there any more, the next piece says what is missing.
        self.course = (!lost).then_some(course);
        Ok(Piece {
            gaps,
            records,
            after,
        })
    }

    /// Reads from there on; says what is not there any more.
    fn begin(&mut self, from: Positions) -> Result<Vec<Gap>, Broken> {
        let (mut after, mut gaps) = (from.clone(), Vec::new());
        let (mut ends, mut list) = (HashMap::new(), TopicPartitionList::new());
        for span in consumer::spans(&self.client, &self.topic)? {
            let partition = span.partition;
            let was_there = from.get(partition).is_some();
            let mut position = from.of(partition);
            if let Some((first, end)) = span.offsets {
                ends.insert(partition, end);
                if position == UNKNOWN {
                    position = end;
                } else if position < first || position > end {
                    if was_there {
                        gaps.push(Gap {
                            partition,
                            from: position,
                            to: first,
                        });
                    }
                    position = first;
                }
            }
            after.set(partition, position);
            if position != UNKNOWN {
                let offset = Offset::Offset(position);
                let added = list.add_partition_offset(&self.topic, partition, offset);
                added.map_err(|error| consumer::fault(&self.topic, &error))?;
            }
        }
        let assigned = self.client.assign(&list);
        assigned.map_err(|error| consumer::fault(&self.topic, &error))?;
        self.course = Some(Course {
            after,
            ends,
            ended: Vec::new(),
        });
        Ok(gaps)
    }

    /// Takes what comes; says whether a position is not there any more.
    fn poll(&self, course: &mut Course) -> Result<(Vec<Arc<Record>>, bool), Broken> {
        let (mut records, mut size) = (Vec::new(), 0);
        let until = Instant::now() + SILENCE;
        while size < PIECE && !course.is_over() {
            let left = until.saturating_duration_since(Instant::now());
            let patience = if records.is_empty() { left } else { BREATH };
            match self.client.poll(patience) {
                None => break,
                Some(Ok(message)) => {
                    let record = Record::of(&message);
                    course.after.pass(&record);
                    size += record.size();
                    records.push(Arc::new(record));
                }
                Some(Err(KafkaError::PartitionEOF(partition))) => course.end(partition),
                Some(Err(error)) => {
                    if error.rdkafka_error_code() == Some(RDKafkaErrorCode::AutoOffsetReset) {
                        return Ok((records, true));
                    }
                    if let Some(broken) = consumer::lasting(&self.topic, &error) {
                        return Err(broken);
                    }
                }
            }
        }
        Ok((records, false))
    }

    /// Where reading begins.
    pub(super) fn seek(&mut self, start: Start) -> Result<Positions, Broken> {
        self.course = None;
        let spans = consumer::spans(&self.client, &self.topic)?;
        let mut positions = Positions::default();
        for span in &spans {
            let offset = match (&start, span.offsets) {
                (Start::Earliest, Some((first, _))) => first,
                (Start::Earliest, None) => 0,
                (_, Some((_, end))) => end,
                (_, None) => UNKNOWN,
            };
            positions.set(span.partition, offset);
        }
        if let Start::Timestamp(since) = start {
            self.at_time(since, &mut positions)?;
        }
        Ok(positions)
    }

    /// Goes back from the ends of partitions to the first records that are at least so late.
    fn at_time(&self, since: i64, positions: &mut Positions) -> Result<(), Broken> {
        let broken = |error| consumer::fault(&self.topic, &error);
        let mut list = TopicPartitionList::new();
        let known = (0..).zip(positions.offsets());
        for (partition, _) in known.filter(|(_, offset)| **offset != UNKNOWN) {
            let added =
                list.add_partition_offset(&self.topic, partition, Offset::Offset(since.max(0)));
            added.map_err(broken)?;
        }
        let found = self.client.offsets_for_times(list, PATIENCE);
        for found in found.map_err(broken)?.elements() {
            if let Offset::Offset(offset) = found.offset() {
                positions.set(found.partition(), offset);
            }
        }
        Ok(())
    }
}

impl Course {
    /// A partition was read to its end: beyond its last record there may be some that nobody is given, as
    /// those that say how a transaction ended.
    fn end(&mut self, partition: i32) {
        if let Some(&end) = self.ends.get(&partition)
            && self.after.of(partition) < end
        {
            self.after.set(partition, end);
        }
        if !self.ended.contains(&partition) {
            self.ended.push(partition);
        }
    }

    /// Whether all that there was when it began is read.
    fn is_over(&self) -> bool {
        let ended = |partition| self.ended.contains(partition);
        self.ends.keys().all(ended)
    }
}
