//! Whether records are in a topic that somebody may have written and was not told of: by a header that
//! only they have. It blocks, and reads all that was written since; so it is for the doubtful few.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use bytes::Bytes;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::KafkaError;
use rdkafka::{Offset, TopicPartitionList};

use super::consumer::{self, Broken, PATIENCE, Span};
use super::positions::{Positions, UNKNOWN};
use super::record::Record;
use super::sender::Acknowledged;
use super::watch::Watch;
use crate::config::kafka_clusters::Cluster;

/// A leader that was stopped with a request in its sockets, sent by a process that is gone, has that long
/// to read it once it answers again.
const GRACE: Duration = Duration::from_secs(1);
/// How long all of it may take.
const MOST: Duration = Duration::from_secs(120);
/// How long to wait before asking again how far committed records reach.
const PAUSE: Duration = Duration::from_millis(100);

/// What to look for.
#[derive(Debug, Clone)]
pub(crate) struct Marks {
    /// The header.
    pub(crate) header: &'static str,
    /// What it says on the records that are wanted.
    pub(crate) values: Vec<Bytes>,
    /// Whether they were written in a transaction, and count only if that was committed.
    pub(crate) transaction: bool,
}

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// Where the records are, by what their header says.
    pub(super) records: HashMap<Bytes, Acknowledged>,
    /// Whether the topic does not hold all that was written since.
    pub(super) gone: bool,
}

/// Looks from those positions to the ends of all partitions.
pub(super) fn find(
    cluster: &Cluster,
    topic: &str,
    from: &Positions,
    marks: &Marks,
) -> Result<Found, Broken> {
    let until = Instant::now() + MOST;
    let open = |isolation| {
        let properties = [
            ("isolation.level", isolation),
            ("enable.partition.eof", "true"),
            ("auto.offset.reset", "error"),
        ];
        consumer::open(cluster, topic, &properties)
    };
    // Records without a transaction count as soon as they are there, also behind one that is open.
    let client = open("read_uncommitted")?;
    consumer::spans(&client, topic)?;
    std::thread::sleep(GRACE);
    let spans = consumer::spans(&client, topic)?;
    let search = Search::new(&spans, from)?;
    if !marks.transaction {
        return search.run(&client, topic, marks, until);
    }
    let committed = open("read_committed")?;
    while !is_decided(&committed, topic, &search.ends)? {
        if Instant::now() > until {
            return Err(Broken::Unavailable);
        }
        std::thread::sleep(PAUSE);
    }
    search.run(&committed, topic, marks, until)
}

/// Whether no transaction is open before those ends.
fn is_decided(
    committed: &BaseConsumer<Watch>,
    topic: &str,
    ends: &HashMap<i32, i64>,
) -> Result<bool, Broken> {
    for (&partition, &end) in ends {
        // To a client that reads what is committed, a partition ends at the first open transaction.
        let found = committed.fetch_watermarks(topic, partition, PATIENCE);
        let (_, stable) = found.map_err(|error| consumer::fault(topic, &error))?;
        if stable < end {
            return Ok(false);
        }
    }
    Ok(true)
}

/// A way through the partitions.
struct Search {
    starts: Vec<(i32, i64)>,
    /// Of the partitions that are still to be read, where each ends.
    ends: HashMap<i32, i64>,
    found: Found,
}

impl Search {
    fn new(spans: &[Span], from: &Positions) -> Result<Self, Broken> {
        let mut search = Self {
            starts: Vec::new(),
            ends: HashMap::new(),
            found: Found::default(),
        };
        for span in spans {
            // A partition that nobody can look into may be the one.
            let (first, end) = span.offsets.ok_or(Broken::Unavailable)?;
            let start = match from.get(span.partition) {
                None | Some(UNKNOWN) => first,
                // It was made anew.
                Some(at) if at > end => first,
                Some(at) => {
                    search.found.gone |= at < first;
                    at.max(first)
                }
            };
            if start < end {
                search.starts.push((span.partition, start));
                search.ends.insert(span.partition, end);
            }
        }
        Ok(search)
    }

    fn run(
        mut self,
        client: &BaseConsumer<Watch>,
        topic: &str,
        marks: &Marks,
        until: Instant,
    ) -> Result<Found, Broken> {
        let broken = |error| consumer::fault(topic, &error);
        let mut list = TopicPartitionList::new();
        for &(partition, start) in &self.starts {
            let added = list.add_partition_offset(topic, partition, Offset::Offset(start));
            added.map_err(broken)?;
        }
        client.assign(&list).map_err(broken)?;
        let wanted: HashSet<Bytes> = marks.values.iter().cloned().collect();
        while !self.ends.is_empty() && self.found.records.len() < wanted.len() {
            let left = until.saturating_duration_since(Instant::now());
            match client.poll(left) {
                None => return Err(Broken::Unavailable),
                Some(Ok(message)) => self.take(&Record::of(&message), marks.header, &wanted),
                Some(Err(KafkaError::PartitionEOF(partition))) => {
                    self.ends.remove(&partition);
                }
                Some(Err(error)) => {
                    if let Some(broken) = consumer::lasting(topic, &error) {
                        return Err(broken);
                    }
                }
            }
        }
        Ok(self.found)
    }

    fn take(&mut self, record: &Record, header: &str, wanted: &HashSet<Bytes>) {
        let end = self.ends.get(&record.partition);
        if end.is_some_and(|end| record.offset + 1 >= *end) {
            self.ends.remove(&record.partition);
        }
        let mark = record.header(header);
        if let Some(mark) = mark.and_then(|mark| wanted.get(mark)) {
            let place = Acknowledged {
                partition: record.partition,
                offset: record.offset,
            };
            self.found.records.entry(mark.clone()).or_insert(place);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(partition: i32, first: i64, end: i64) -> Span {
        Span {
            partition,
            offsets: Some((first, end)),
        }
    }

    #[test]
    fn a_search_begins_where_nothing_is_missed_and_says_what_is_gone() {
        let from = Positions::new(vec![5, UNKNOWN, 9, 4]);
        let spans = [
            span(0, 0, 7),
            span(1, 2, 4),
            span(2, 0, 3),
            span(3, 4, 4),
            span(4, 0, 1),
        ];
        let search = Search::new(&spans, &from).expect("all have a leader");
        // Known, not known, made anew, with nothing new, and added.
        assert_eq!(search.starts, [(0, 5), (1, 2), (2, 0), (4, 0)]);
        assert!(!search.found.gone);
        let search = Search::new(&[span(0, 6, 7)], &from).expect("it has a leader");
        assert!(search.found.gone);
        let leaderless = Span {
            partition: 0,
            offsets: None,
        };
        assert!(Search::new(&[leaderless], &from).is_err());
    }
}
