//! A master and its replica, watched by three sentinels who make the one the other.

use super::{Builder, Redis};
use crate::wait;

/// What the sentinels call the master.
pub const MASTER: &str = "ledger";

/// What a sentinel reads and writes.
pub(super) const FILE: &str = "sentinel.conf";

/// The servers, all of them killed when dropped.
#[derive(Debug)]
pub struct Watched {
    servers: Vec<Redis>,
    sentinels: Vec<Redis>,
}

impl Watched {
    /// Starts them, and waits until all know of each other.
    ///
    /// # Panics
    /// If one does not come up.
    pub async fn start() -> Watched {
        Watched::with(|server| server, |sentinel| sentinel, "").await
    }

    /// Starts servers to which more is said, and sentinels to which more is said, with these lines
    /// besides.
    ///
    /// # Panics
    /// If one does not come up.
    pub async fn with(
        more: impl Fn(Builder) -> Builder,
        of_sentinels: impl Fn(Builder) -> Builder,
        lines: &str,
    ) -> Watched {
        let master = more(Redis::builder()).start().await;
        let port = master.port.to_string();
        let follows = ["--replicaof", "127.0.0.1", &port];
        let replica = more(Redis::builder()).args(&follows).start().await;
        let mut sentinels = Vec::new();
        for _ in 0..3 {
            let builder = Builder {
                file: Some(format!(
                    "sentinel monitor {MASTER} 127.0.0.1 {port} 2\n\
                     sentinel down-after-milliseconds {MASTER} 1000\n\
                     sentinel failover-timeout {MASTER} 6000\n{lines}"
                )),
                ..Builder::new(&[])
            };
            sentinels.push(of_sentinels(builder).start().await);
        }
        let watched = Watched {
            servers: vec![master, replica],
            sentinels,
        };
        wait::until_true("the sentinels to know all", || watched.is_complete()).await;
        watched
    }

    /// Where the sentinels listen.
    pub fn addresses(&self) -> Vec<String> {
        let each = self.sentinels.iter();
        each.map(|sentinel| sentinel.addr().to_string()).collect()
    }

    /// The sentinels.
    pub fn sentinels(&self) -> &[Redis] {
        &self.sentinels
    }

    /// Which of the servers the first sentinel that answers says is the master.
    ///
    /// # Panics
    /// If none does.
    pub fn master(&self) -> &Redis {
        let ask = ["SENTINEL", "get-master-addr-by-name", MASTER];
        let mut answers = self.sentinels.iter();
        let answer = answers.find_map(|sentinel| sentinel.try_command(&ask).ok());
        let answer = answer.expect("a sentinel answers");
        let named = |server: &&Redis| answer.lines().any(|line| line == server.port.to_string());
        let master = self.servers.iter().find(named);
        master.unwrap_or_else(|| panic!("none of the servers is {answer}"))
    }

    /// Has the sentinels make the replica the master, and waits until they have.
    ///
    /// # Panics
    /// If they do not.
    pub async fn fail_over(&self) {
        let before = self.master().port;
        wait::until_true("the sentinels to begin", || {
            let answer = self.sentinels[0].command(&["SENTINEL", "FAILOVER", MASTER]);
            answer == "OK"
        })
        .await;
        self.wait_for_another(before).await;
    }

    /// Kills the master, and waits until the sentinels have made the replica it.
    ///
    /// # Panics
    /// If they do not.
    pub async fn kill_master(&self) {
        let master = self.master();
        let before = master.port;
        master.kill().await;
        self.wait_for_another(before).await;
    }

    /// Starts the servers again that were killed.
    ///
    /// # Panics
    /// If they do not come up, or the sentinels do not make them replicas.
    pub async fn revive(&mut self) {
        for server in &mut self.servers {
            if server.child.status().is_some() {
                server.restart().await;
            }
        }
        wait::until_true("the sentinels to know all", || self.is_complete()).await;
    }

    async fn wait_for_another(&self, before: u16) {
        wait::until_true("another master", || self.master().port != before).await;
    }

    /// Whether every sentinel knows the others, and the replica has all that the master has.
    fn is_complete(&self) -> bool {
        let knows = |sentinel: &Redis| {
            let said = sentinel.try_command(&["SENTINEL", "MASTER", MASTER]);
            let said = said.unwrap_or_default();
            let said: Vec<&str> = said.lines().collect();
            let has = |key, value| said.chunks(2).any(|pair| *pair == [key, value]);
            has("num-other-sentinels", "2") && has("num-slaves", "1") && has("flags", "master")
        };
        let follows = |server: &&Redis| {
            // One that takes all from another is not to be spoken to for a moment.
            let said = server.try_command(&["INFO", "replication"]);
            let said = said.unwrap_or_default();
            said.contains("role:slave") && said.contains("master_link_status:up")
        };
        self.sentinels.iter().all(knows) && self.servers.iter().filter(follows).count() == 1
    }
}
