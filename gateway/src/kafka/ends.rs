//! How far topics were at least when they were last looked at. Topics only grow, so that what is written
//! from now on comes after that, however old it is; it is looked up anew so that nobody has to read far.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use weir_telemetry::Code;

use super::history::{History, Start};
use super::positions::Positions;
use crate::error::GatewayError;

/// After that long a topic is looked at again, while others go on with what is known.
const FRESH: Duration = Duration::from_secs(10);
/// After that long nobody goes on before it was.
const STALE: Duration = Duration::from_secs(60);
/// How many topics are remembered; callers may name what they like.
const MOST: usize = 1000;

/// How far topics were.
pub(super) struct Ends {
    history: Arc<History>,
    known: Mutex<HashMap<Arc<str>, Known>>,
    /// Whoever looks; the others wait for what they find.
    looking: tokio::sync::Mutex<()>,
}

#[derive(Clone)]
struct Known {
    at: Positions,
    since: Instant,
    /// When somebody was last about to look again.
    asked: Instant,
}

impl Ends {
    pub(super) fn new(history: &Arc<History>) -> Arc<Self> {
        Arc::new(Self {
            history: history.clone(),
            known: Mutex::default(),
            looking: tokio::sync::Mutex::default(),
        })
    }

    /// How far a topic is at least; nowhere, if there is none.
    pub(super) async fn of(self: &Arc<Self>, topic: &Arc<str>) -> Result<Positions, GatewayError> {
        if let Some(at) = self.known(topic, STALE) {
            self.refresh(topic);
            return Ok(at);
        }
        let _looking = self.looking.lock().await;
        if let Some(at) = self.known(topic, STALE) {
            return Ok(at);
        }
        match self.look(topic).await {
            Ok(at) => Ok(at),
            // It is still true.
            Err(error) => self.known(topic, Duration::MAX).ok_or(error),
        }
    }

    fn known(&self, topic: &str, within: Duration) -> Option<Positions> {
        let known = self.known.lock();
        let known = known.get(topic)?;
        (known.since.elapsed() < within).then(|| known.at.clone())
    }

    /// Has somebody look, if that was long ago; nobody waits for it.
    fn refresh(self: &Arc<Self>, topic: &Arc<str>) {
        let mut known = self.known.lock();
        let due = |known: &&mut Known| known.asked.elapsed() >= FRESH;
        let Some(due) = known.get_mut(topic).filter(due) else {
            return;
        };
        due.asked = Instant::now();
        let (this, topic) = (self.clone(), topic.clone());
        tokio::spawn(async move {
            if let Err(error) = this.look(&topic).await {
                log::debug!("kafka: no end of {topic}: {error}");
            }
        });
    }

    async fn look(&self, topic: &Arc<str>) -> Result<Positions, GatewayError> {
        let since = Instant::now();
        let at = match self.history.seek(topic, Start::Latest).await {
            Ok(at) => at,
            Err(error) if error.code == Code::KafkaTopicUnknown => return Ok(Positions::default()),
            Err(error) => return Err(error),
        };
        let mut known = self.known.lock();
        if known.len() >= MOST && !known.contains_key(topic) {
            known.clear();
        }
        let found = Known {
            at: at.clone(),
            since,
            asked: since,
        };
        known.insert(topic.clone(), found);
        Ok(at)
    }
}
