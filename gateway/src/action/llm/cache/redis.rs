//! Answers kept in Redis, for all gateways of a fleet. Each lasts for its time there and makes room
//! as the server is told to; what is lost was an answer that can be had again.
//!
//! The way to the servers is opened and kept by a task of its own: while it is not open, nothing is
//! found and nothing is kept, at once.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use redis::{FromRedisValue, RedisResult, cmd};
use tokio::sync::{Notify, Semaphore, watch};
use tokio::time::{sleep, timeout};
use weir_telemetry::metrics::Answers;
use weir_telemetry::metrics::answers::Cause;

use super::entry::Entry;
use super::key::Key;
use crate::config::stores;
use crate::redis::{Connection, Found, connect};

/// How long opening the way may take, and an answer nobody waits for.
const PATIENCE: Duration = Duration::from_secs(2);

/// How long to wait before the servers are tried again, at first and at most.
const RETRY: (Duration, Duration) = (Duration::from_millis(20), Duration::from_millis(500));

/// So many answers are on their way to the servers at once; what comes beside them is not kept.
const WRITERS: usize = 64;

/// Why nothing could be found or kept.
pub(super) type Trouble = Arc<str>;

/// The way to the servers, kept open.
pub(super) struct Remote {
    prefix: Box<str>,
    timeout: Duration,
    way: watch::Receiver<Way>,
    /// Told when something that was sent came to nothing.
    doubt: Arc<Notify>,
    writers: Arc<Semaphore>,
}

/// The way as it is.
#[derive(Clone)]
enum Way {
    Closed(Trouble),
    Open(Connection),
}

impl Remote {
    /// Begins to open it.
    pub(super) fn open(store: &Arc<str>, servers: &Arc<stores::Redis>) -> Self {
        let (tell, way) = watch::channel(Way::Closed("Redis is being connected to".into()));
        let doubt = Arc::<Notify>::default();
        let keeper = Keeper {
            store: store.clone(),
            servers: servers.clone(),
            tell,
            doubt: doubt.clone(),
        };
        // Outside of a runtime, as in a dry run, nothing is opened.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(keeper.keep());
        }
        Self {
            prefix: servers.prefix.as_str().into(),
            timeout: servers.timeout,
            way,
            doubt,
            writers: Arc::new(Semaphore::new(WRITERS)),
        }
    }

    /// The answer of that name.
    pub(super) async fn get(&self, key: &Key) -> Result<Option<Arc<Entry>>, Trouble> {
        let mut get = cmd("GET");
        get.arg(self.name(key));
        let found: Option<Vec<u8>> = self.ask(&get).await?;
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
        let way = self.way.borrow().clone();
        let writer = self.writers.clone().try_acquire_owned();
        let (Way::Open(connection), Ok(writer)) = (way, writer) else {
            return metrics.failed(Cause::Store);
        };
        let mut set = cmd("SET");
        let ttl = u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX);
        set.arg(self.name(key)).arg(entry.encode());
        set.arg("PX").arg(ttl);
        let doubt = self.doubt.clone();
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

    /// Sends a command, and waits for its answer no longer than a call can wait.
    async fn ask<T: FromRedisValue>(&self, command: &redis::Cmd) -> Result<T, Trouble> {
        let way = self.way.borrow().clone();
        let connection = match way {
            Way::Open(connection) => connection,
            Way::Closed(why) => return Err(why),
        };
        let said: RedisResult<T> = match timeout(self.timeout, connection.query(command)).await {
            Ok(said) => said,
            Err(_) => {
                self.doubt.notify_one();
                return Err("Redis does not answer in time".into());
            }
        };
        said.map_err(|e| {
            self.doubt.notify_one();
            format!("Redis: {e}").into()
        })
    }

    fn name(&self, key: &Key) -> String {
        format!("{}:answer:{}", self.prefix, key.hex())
    }
}

/// Who keeps the way open.
struct Keeper {
    store: Arc<str>,
    servers: Arc<stores::Redis>,
    tell: watch::Sender<Way>,
    doubt: Arc<Notify>,
}

impl Keeper {
    async fn keep(self) {
        let mut wait = RETRY.0;
        while !self.tell.is_closed() {
            let opened = timeout(PATIENCE, connect(&self.servers)).await;
            let why = match opened {
                Ok(Ok(found)) => {
                    wait = RETRY.0;
                    log::info!("store {}: Redis is ready for answers", self.store);
                    let way = Way::Open(found.connection.clone());
                    self.tell.send_replace(way);
                    self.stay(found).await
                }
                Ok(Err(why)) => why,
                Err(_) => "Redis cannot be connected to in time".into(),
            };
            self.close(why);
            tokio::select! {
                () = self.tell.closed() => return,
                () = sleep(wait) => {}
            }
            wait = (wait * 2).min(RETRY.1);
        }
    }

    /// Until the way is not what it was; says why.
    async fn stay(&self, found: Found) -> Trouble {
        let Found { connection, over } = found;
        let mut over = over;
        loop {
            tokio::select! {
                why = &mut over => return why,
                () = self.tell.closed() => return "it is not used any more".into(),
                () = self.doubt.notified() => {}
            }
            // Was it the servers?
            match timeout(PATIENCE / 4, connection.query::<String>(&cmd("PING"))).await {
                Ok(Ok(_)) => {}
                Ok(Err(e)) => return format!("Redis: {e}").into(),
                Err(_) => return "Redis does not answer in time".into(),
            }
        }
    }

    fn close(&self, why: Trouble) {
        self.tell.send_if_modified(|way| {
            let news = !matches!(way, Way::Closed(known) if *known == why);
            if news {
                log::warn!(
                    "store {}: {why}; answers are neither found nor kept",
                    self.store
                );
                *way = Way::Closed(why);
            }
            news
        });
    }
}
