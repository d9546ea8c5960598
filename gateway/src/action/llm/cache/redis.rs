//! Answers kept in Redis, for all gateways of a fleet. Each lasts for its time there and makes room
//! as the server is told to; what is lost was an answer that can be had again.
//!
//! While the way to the servers is not open, nothing is found and nothing is kept, at once.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use redis::cmd;
use tokio::sync::Semaphore;
use tokio::time::timeout;
use weir_telemetry::metrics::Answers;
use weir_telemetry::metrics::answers::Cause;

use super::entry::Entry;
use super::index::{Index, Text, unit};
use super::key::Key;
use crate::config::stores;
use crate::redis::way::{PATIENCE, Trouble, Way, Words};

/// So many answers are on their way to the servers at once; what comes beside them is not kept.
const WRITERS: usize = 64;

/// So many texts are read at once.
const PAGE: usize = 64;

/// What the list of a group calls a text.
const FIELD: &str = "v";

/// What the log says of the way.
const WORDS: Words = Words {
    open: "answers",
    closed: "answers are neither found nor kept",
};

/// The way to the servers, kept open.
pub(super) struct Remote {
    prefix: Box<str>,
    timeout: Duration,
    way: Way,
    writers: Arc<Semaphore>,
}

impl Remote {
    /// Begins to open it.
    pub(super) fn open(store: &Arc<str>, servers: &Arc<stores::Redis>) -> Self {
        Self {
            prefix: servers.prefix.as_str().into(),
            timeout: servers.timeout,
            way: Way::open(store, servers, WORDS),
            writers: Arc::new(Semaphore::new(WRITERS)),
        }
    }

    /// The answer of that name.
    pub(super) async fn get(&self, key: &Key) -> Result<Option<Arc<Entry>>, Trouble> {
        let mut get = cmd("GET");
        get.arg(self.name(key));
        let found: Option<Vec<u8>> = self.way.ask(&get).await?;
        let Some(bytes) = found.map(Bytes::from) else {
            return Ok(None);
        };
        match Entry::decode(&bytes) {
            Some(entry) => Ok(Some(Arc::new(entry))),
            None => Err("what stands in Redis is no answer of this version".into()),
        }
    }

    /// Keeps an answer for so long, once the servers have it; nobody waits for that.
    pub(super) fn put(&self, key: &Key, entry: &Entry, ttl: Duration, metrics: Arc<Answers>) {
        let writer = self.writers.clone().try_acquire_owned();
        let (Ok(connection), Ok(writer)) = (self.way.connection(), writer) else {
            return metrics.failed(Cause::Store);
        };
        let mut set = cmd("SET");
        let ttl = u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX);
        set.arg(self.name(key)).arg(entry.encode());
        set.arg("PX").arg(ttl);
        let doubt = self.way.doubt();
        tokio::spawn(async move {
            let set = timeout(PATIENCE, connection.query::<()>(&set)).await;
            drop(writer);
            match set {
                Ok(Ok(())) => metrics.kept(),
                failed => {
                    log::debug!("an answer was not kept: {failed:?}");
                    metrics.failed(Cause::Store);
                    doubt.notify_one();
                }
            }
        });
    }

    /// Tells the fleet what a text of a group means that was answered, and for how long that is so.
    /// Nobody waits for that.
    pub(super) fn tell(&self, group: &Key, text: &Text, (most, ttl): (usize, Duration)) {
        let writer = self.writers.clone().try_acquire_owned();
        let (Ok(connection), Ok(writer)) = (self.way.connection(), writer) else {
            return;
        };
        let list = self.list(group);
        let mut add = cmd("XADD");
        add.arg(&list).arg("MAXLEN").arg("~").arg(most);
        add.arg("*").arg(FIELD).arg(written(text));
        let mut last = cmd("PEXPIRE");
        let ttl = u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX);
        last.arg(&list).arg(ttl);
        tokio::spawn(async move {
            let told = timeout(PATIENCE, async {
                connection.query::<String>(&add).await?;
                connection.query::<i64>(&last).await
            });
            let told = told.await;
            drop(writer);
            if !matches!(told, Ok(Ok(_))) {
                log::debug!("a text was not told: {told:?}");
            }
        });
    }

    /// Brings `index` up to what the fleet was told of a group, as far as there is time.
    pub(super) async fn follow(&self, group: &Key, index: &Index) -> Result<(), Trouble> {
        let all = async {
            loop {
                let read = index.read_to(group);
                let after = read.map_or_else(|| "-".to_owned(), |id| format!("({id}"));
                let mut range = cmd("XRANGE");
                range.arg(self.list(group)).arg(after).arg("+");
                range.arg("COUNT").arg(PAGE);
                let page: Vec<(String, Vec<Vec<u8>>)> = self.way.ask(&range).await?;
                let Some((id, _)) = page.last() else {
                    return Ok(());
                };
                let (id, full) = (Arc::from(id.as_str()), page.len() == PAGE);
                let texts = page.iter().filter_map(|(_, fields)| read_text(fields));
                index.read(group, texts.collect(), id);
                if !full {
                    return Ok(());
                }
            }
        };
        timeout(self.timeout, all)
            .await
            .unwrap_or_else(|_| Err("Redis does not tell of all texts in time".into()))
    }

    fn list(&self, group: &Key) -> String {
        format!("{}:texts:{}", self.prefix, group.hex())
    }

    fn name(&self, key: &Key) -> String {
        format!("{}:answer:{}", self.prefix, key.hex())
    }
}

/// A text as other processes read it: the name of its answer, and its vector.
fn written(text: &Text) -> Vec<u8> {
    let mut out = Vec::with_capacity(32 + size_of_val(&*text.vector));
    out.extend_from_slice(&text.key.0);
    for number in &*text.vector {
        out.extend_from_slice(&number.to_le_bytes());
    }
    out
}

/// What another process wrote; `None` if it is none.
fn read_text(fields: &[Vec<u8>]) -> Option<Text> {
    let [name, value] = fields else {
        return None;
    };
    let (key, numbers) = value.split_first_chunk::<32>()?;
    let (numbers, rest) = numbers.as_chunks::<4>();
    if name != FIELD.as_bytes() || !rest.is_empty() {
        return None;
    }
    let vector: Vec<f32> = numbers
        .iter()
        .map(|bytes| f32::from_le_bytes(*bytes))
        .collect();
    Some(Text {
        key: Key(*key),
        vector: unit(&vector)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_that_is_written_is_read_and_what_is_none_is_not_taken_for_one() {
        let text = Text {
            key: Key([7; 32]),
            vector: unit(&[0.6, -0.8, 0.0]).expect("it points somewhere"),
        };
        let fields = [FIELD.as_bytes().to_vec(), written(&text)];
        assert_eq!(read_text(&fields), Some(text));
        let value = |bytes: &[u8]| read_text(&[FIELD.as_bytes().to_vec(), bytes.to_vec()]);
        for length in [0, 31, 32, 35] {
            assert_eq!(value(&vec![1; length]), None, "{length}");
        }
        let nowhere = [&[1; 32][..], &f32::NAN.to_le_bytes()].concat();
        assert_eq!(value(&nowhere), None);
        assert_eq!(read_text(&[b"w".to_vec(), fields[1].clone()]), None);
        assert_eq!(read_text(&[]), None);
    }
}
