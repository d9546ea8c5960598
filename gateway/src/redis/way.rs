//! A way to Redis that is kept open: a task connects, and connects again when it comes to nothing. While it
//! is not open, whoever asks is told why, at once.
//!
//! Knows nothing of what is asked.

use std::sync::Arc;
use std::time::Duration;

use redis::{Cmd, FromRedisValue, RedisResult, ScriptInvocation, cmd};
use tokio::sync::{Notify, watch};
use tokio::time::{sleep, timeout};

use super::{Connection, Found, connect};
use crate::config::stores;

/// How long opening the way may take, and an answer nobody waits for.
pub(crate) const PATIENCE: Duration = Duration::from_secs(2);

/// How long to wait before the servers are tried again, at first and at most.
const RETRY: (Duration, Duration) = (Duration::from_millis(20), Duration::from_millis(500));

/// Why nothing was asked or answered.
pub(crate) type Trouble = Arc<str>;

/// What the log says of a way.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Words {
    /// What Redis is ready for when it is open.
    pub(crate) open: &'static str,
    /// What is so while it is not.
    pub(crate) closed: &'static str,
}

/// The way to the servers of a store.
pub(crate) struct Way {
    /// How long an answer may take.
    timeout: Duration,
    state: watch::Receiver<State>,
    /// Told when something that was sent came to nothing.
    doubt: Arc<Notify>,
}

/// The way as it is.
#[derive(Clone)]
enum State {
    Closed(Trouble),
    Open(Connection),
}

impl Way {
    /// Begins to open it.
    pub(crate) fn open(store: &Arc<str>, servers: &Arc<stores::Redis>, words: Words) -> Self {
        let (tell, state) = watch::channel(State::Closed("Redis is being connected to".into()));
        let doubt = Arc::<Notify>::default();
        let keeper = Keeper {
            store: store.clone(),
            servers: servers.clone(),
            words,
            tell,
            doubt: doubt.clone(),
        };
        // Outside of a runtime, as in a dry run, nothing is opened.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(keeper.keep());
        }
        Self {
            timeout: servers.timeout,
            state,
            doubt,
        }
    }

    /// The servers at its end.
    pub(crate) fn connection(&self) -> Result<Connection, Trouble> {
        match &*self.state.borrow() {
            State::Open(connection) => Ok(connection.clone()),
            State::Closed(why) => Err(why.clone()),
        }
    }

    /// To be told when something that was sent came to nothing.
    pub(crate) fn doubt(&self) -> Arc<Notify> {
        self.doubt.clone()
    }

    /// Sends a command, and waits for its answer as long as a request can wait.
    pub(crate) async fn ask<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, Trouble> {
        let connection = self.connection()?;
        self.said(connection.query(command)).await
    }

    /// The same with a script.
    pub(crate) async fn run<T: FromRedisValue>(
        &self,
        script: &ScriptInvocation<'_>,
    ) -> Result<T, Trouble> {
        let connection = self.connection()?;
        self.said(connection.invoke(script)).await
    }

    async fn said<T>(&self, answer: impl Future<Output = RedisResult<T>>) -> Result<T, Trouble> {
        let Ok(said) = timeout(self.timeout, answer).await else {
            self.doubt.notify_one();
            return Err("Redis does not answer in time".into());
        };
        said.map_err(|e| {
            self.doubt.notify_one();
            format!("Redis: {e}").into()
        })
    }
}

/// Who keeps the way open.
struct Keeper {
    store: Arc<str>,
    servers: Arc<stores::Redis>,
    words: Words,
    tell: watch::Sender<State>,
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
                    log::info!(
                        "store {}: Redis is ready for {}",
                        self.store,
                        self.words.open
                    );
                    let open = State::Open(found.connection.clone());
                    self.tell.send_replace(open);
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
        self.tell.send_if_modified(|state| {
            let news = !matches!(state, State::Closed(known) if *known == why);
            if news {
                log::warn!("store {}: {why}; {}", self.store, self.words.closed);
                *state = State::Closed(why);
            }
            news
        });
    }
}
