//! Sentinels: who agree on which of several servers is the master, though they do not all learn it
//! at the same moment.
//!
//! All are asked, and who knows of the latest election is believed. A master that was voted out
//! goes on as one until a sentinel tells it otherwise, for ten seconds or more: so they are asked
//! again and again, as what is entered there meanwhile is lost to who has gone over already.

use std::sync::Arc;
use std::time::Duration;

use redis::RedisResult;
use redis::aio::MultiplexedConnection;
use tokio::time::{sleep, timeout};

use crate::config::stores::{Login, Redis};

/// How often they are asked.
const ASK_EVERY: Duration = Duration::from_millis(250);

/// How long one of them is waited for.
const PATIENCE: Duration = Duration::from_millis(500);

/// The sentinels.
pub(super) struct Sentinels {
    servers: Arc<Redis>,
    login: Login,
    /// What they call the master.
    name: String,
    /// The ways to them, in the order of their addresses.
    open: Vec<Option<MultiplexedConnection>>,
}

/// The master, as a sentinel says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Master {
    pub(super) host: String,
    pub(super) port: u16,
    /// The number of the election that made it one.
    election: u64,
}

impl Sentinels {
    pub(super) fn new(servers: &Arc<Redis>, name: &str, login: &Login) -> Self {
        Self {
            open: servers.addresses.iter().map(|_| None).collect(),
            servers: Arc::clone(servers),
            login: login.clone(),
            name: name.to_owned(),
        }
    }

    /// Whom they take for the master.
    ///
    /// # Errors
    /// Why none of them says it.
    pub(super) async fn ask(&mut self) -> Result<Master, String> {
        let (servers, login, name) = (&self.servers, &self.login, &self.name);
        let each = servers.addresses.iter().zip(&mut self.open);
        let asking = each.map(|((host, port), open)| async move {
            let asking = async {
                let sentinel = match open {
                    Some(sentinel) => sentinel,
                    None => open.insert(super::to_sentinel(servers, login, host, *port).await?),
                };
                ask_one(sentinel, name).await
            };
            let said = timeout(PATIENCE, asking).await;
            let why = match said {
                Ok(Ok(Some(master))) => return Ok(master),
                Ok(Ok(None)) => format!("it knows no master {name:?}"),
                Ok(Err(e)) => e.to_string(),
                Err(_) => "it does not answer in time".to_owned(),
            };
            // Perhaps the way is broken.
            *open = None;
            Err(format!("{host}:{port}: {why}"))
        });
        let said = futures_util::future::join_all(asking).await;
        latest(said)
    }

    /// Waits until they have made another one the master, and says so.
    pub(super) async fn elect_another(mut self, than: Master) -> Arc<str> {
        loop {
            sleep(ASK_EVERY).await;
            if let Ok(master) = self.ask().await
                && master.election > than.election
                && (&master.host, master.port) != (&than.host, than.port)
            {
                let Master { host, port, .. } = master;
                return format!("the sentinels have made {host}:{port} the master of Redis").into();
            }
        }
    }
}

/// Asks for the address, which is right from the moment of the election on, and for its number.
async fn ask_one(sentinel: &mut MultiplexedConnection, name: &str) -> RedisResult<Option<Master>> {
    let mut address = redis::cmd("SENTINEL");
    address.arg("get-master-addr-by-name").arg(name);
    let known: Option<(String, u16)> = address.query_async(sentinel).await?;
    let Some((host, port)) = known else {
        return Ok(None);
    };
    let mut facts = redis::cmd("SENTINEL");
    facts.arg("master").arg(name);
    let facts: Vec<(String, String)> = facts.query_async(sentinel).await?;
    let election = facts.iter().find(|(fact, _)| fact == "config-epoch");
    Ok(Some(Master {
        host,
        port,
        election: election.map_or(0, |(_, number)| number.parse().unwrap_or_default()),
    }))
}

fn latest(said: Vec<Result<Master, String>>) -> Result<Master, String> {
    let (mut latest, mut whys) = (None::<Master>, Vec::new());
    for one in said {
        match one {
            Ok(master) => {
                let known = latest.as_ref().map(|known| known.election);
                if known.is_none_or(|known| known < master.election) {
                    latest = Some(master);
                }
            }
            Err(why) => whys.push(why),
        }
    }
    latest.ok_or_else(|| whys.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn master(port: u16, election: u64) -> Result<Master, String> {
        Ok(Master {
            host: "a".to_owned(),
            port,
            election,
        })
    }

    #[test]
    fn who_knows_of_the_latest_election_is_believed() {
        let silent = || Err("a:1: it does not answer in time".to_owned());
        let said = vec![silent(), master(1, 3), master(2, 4), master(1, 3)];
        assert_eq!(latest(said), master(2, 4));
        let unknown = Err("b:2: it knows no master \"x\"".to_owned());
        assert_eq!(
            latest(vec![silent(), unknown]),
            Err("a:1: it does not answer in time; b:2: it knows no master \"x\"".to_owned())
        );
    }
}
