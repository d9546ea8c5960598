//! What may have been sent already although nobody was told of it, by a process that was killed or by a
//! producer that ended. It is looked for in the topics, so that no record is there twice.
//!
//! What cannot be looked for is sent again: a promise is worth more than a repetition.

use std::collections::{BTreeMap, HashSet};
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::flight::MOST;
use super::position::Place;
use super::sink::{Look, Unseen};
use super::survey;
use super::{Entry, Id};

/// How many entries behind the last place that was written down may have been sent: those on their way, and
/// those that came to an end since.
const SENT_AT_MOST: usize = 3 * MOST;
/// How much earlier than an entry a broker may have dated its record, in milliseconds: by its own clock.
const SKEW: i64 = 60_000;
/// How long to wait before brokers are asked again.
const BREATH: Duration = Duration::from_secs(1);
/// A search that takes so long and comes to nothing is not begun again.
const PATIENCE: Duration = Duration::from_secs(60);

/// An entry that may have been sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Doubtful {
    id: Id,
    topic: Arc<str>,
    /// The date of its record, and when it came itself, in milliseconds since 1970.
    time: i64,
    pub(super) came: i64,
}

impl Doubtful {
    pub(super) fn new(entry: &Entry) -> Self {
        Self {
            id: entry.id,
            topic: entry.record.topic.clone(),
            time: entry.record.timestamp.unwrap_or(entry.time),
            came: entry.time,
        }
    }
}

/// The entries after a place that an earlier process may have sent: those in segments up to the last one
/// that there was when that ended.
pub(super) fn ahead(directory: &Path, from: Place, until: u64) -> io::Result<Vec<Doubtful>> {
    enum Stop {
        Enough,
        Failed(io::Error),
    }
    impl From<io::Error> for Stop {
        fn from(error: io::Error) -> Self {
            Self::Failed(error)
        }
    }
    let mut all = Vec::new();
    let read = survey::read_all(
        directory,
        from,
        until,
        &mut survey::Found::default(),
        &mut |entry, _| {
            all.push(Doubtful::new(entry));
            match all.len() {
                SENT_AT_MOST => Err(Stop::Enough),
                _ => Ok(()),
            }
        },
    );
    match read {
        Err(Stop::Failed(error)) => Err(error),
        Ok(()) | Err(Stop::Enough) => Ok(all),
    }
}

/// Which of them are in their topics. It waits for brokers as long as it takes.
pub(super) async fn sent(look: Arc<dyn Look>, doubtful: Vec<Doubtful>) -> HashSet<Id> {
    let mut topics: BTreeMap<Arc<str>, Vec<Doubtful>> = BTreeMap::new();
    for doubtful in doubtful {
        let of_topic = topics.entry(doubtful.topic.clone()).or_default();
        of_topic.push(doubtful);
    }
    let searches = topics
        .into_iter()
        .map(|(topic, all)| one(&*look, topic, all));
    let sent = futures_util::future::join_all(searches).await;
    sent.into_iter().flatten().collect()
}

/// The same of one topic.
async fn one(look: &dyn Look, topic: Arc<str>, all: Vec<Doubtful>) -> Vec<Id> {
    let since = all.iter().map(|doubtful| doubtful.time).min();
    let since = since.unwrap_or_default().saturating_sub(SKEW);
    let marks: Vec<Bytes> = all.iter().map(|one| one.id.to_string().into()).collect();
    loop {
        let begun = Instant::now();
        match look.look(topic.clone(), since, marks.clone()).await {
            Ok(found) => {
                let marked = all.iter().zip(&marks);
                let sent = marked.filter(|(_, mark)| found.contains(*mark));
                return sent.map(|(one, _)| one.id).collect();
            }
            Err(Unseen::Unavailable(_)) if begun.elapsed() < PATIENCE => {
                tokio::time::sleep(BREATH).await;
            }
            Err(Unseen::Unavailable(why) | Unseen::Never(why)) => {
                ::log::warn!(
                    "{topic} cannot be looked into: up to {} records of a spool may be in it twice: {why}",
                    all.len()
                );
                return Vec::new();
            }
        }
    }
}
