//! `stores`, checked.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::check::{Checker, Item};
use super::platform::Server;
use super::raw::platform as raw;
pub use super::raw::platform::Topology;
use super::secret::Secret;

/// Where quotas are counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Store {
    /// Its name.
    pub name: Arc<str>,
    /// What it is.
    pub kind: Kind,
}

/// What a store is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// In this process.
    Memory,
    /// In a file.
    Local(PathBuf),
    /// In Redis.
    Redis(Arc<Redis>),
}

/// A store in Redis.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redis {
    /// Hosts and ports; at least one.
    pub addresses: Vec<(String, u16)>,
    /// How the servers work together.
    pub topology: Topology,
    /// The number of the database.
    pub database: u8,
    /// The user.
    pub username: Option<String>,
    /// Its password.
    pub password: Option<Secret>,
    /// Whom to trust and what to present, where TLS is spoken.
    pub tls: Option<Tls>,
    /// What keys begin with.
    pub prefix: String,
    /// How long a decision waits at most.
    pub timeout: Duration,
    /// How long a gateway may be silent.
    pub lease: Duration,
    /// Where this gateway notes what it has entered.
    pub journal: PathBuf,
}

/// TLS to Redis, in PEM.
#[derive(Clone, PartialEq, Eq)]
pub struct Tls {
    /// The authorities trusted; the system's, if none.
    pub ca: Option<Vec<u8>>,
    /// A certificate and its key.
    pub identity: Option<(Vec<u8>, Vec<u8>)>,
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let presents = self.identity.is_some();
        f.debug_struct("Tls")
            .field("presents", &presents)
            .finish_non_exhaustive()
    }
}

/// Checks one store; its files are in the data directory of `server`.
pub(super) fn check(
    cx: &mut Checker<'_>,
    item: &Item<raw::Store>,
    server: Option<&Server>,
) -> Option<Store> {
    let name: Arc<str> = item.raw.name().0.as_str().into();
    let directory = &server?.data_dir;
    let kind = match &item.raw {
        raw::Store::Memory { .. } => Kind::Memory,
        raw::Store::Local { .. } => Kind::Local(directory.join(format!("ledger-{name}.redb"))),
        raw::Store::Redis(raw) => {
            let journal = directory.join(format!("journal-{name}"));
            Kind::Redis(Arc::new(check_redis(cx, item, raw, journal)?))
        }
    };
    Some(Store { name, kind })
}

fn check_redis(
    cx: &mut Checker<'_>,
    item: &Item<raw::Store>,
    raw: &raw::Redis,
    journal: PathBuf,
) -> Option<Redis> {
    let at = &item.at;
    let mut addresses = Vec::new();
    for (index, text) in raw.addresses.iter().enumerate() {
        let split = text.rsplit_once(':');
        let address = split.and_then(|(host, port)| {
            let host = host.trim_matches(['[', ']']);
            (!host.is_empty()).then_some((host.to_owned(), port.parse().ok()?))
        });
        if address.is_none() {
            let message = format!("\"{text}\" is no host and port");
            cx.fault(
                &at.key("addresses").index(index),
                message,
                "write it as 127.0.0.1:6379",
            );
        }
        addresses.extend(address);
    }
    let one = raw.topology == Topology::Standalone;
    if raw.addresses.is_empty() || (one && raw.addresses.len() > 1) {
        let message = format!("{} servers are named", raw.addresses.len());
        let hint = "name one, or say under `topology` how they work together";
        cx.fault(&at.key("addresses"), message, hint);
    }
    if raw.topology == Topology::Cluster && raw.database != 0 {
        cx.fault(
            &at.key("database"),
            "a cluster has only database 0",
            "leave it out",
        );
    }
    let password = match &raw.password {
        Some(secret) => {
            let at = at.key("password").key("secret");
            Some(cx.reveal(&at, &secret.secret.0, item.team.as_ref())?)
        }
        None => None,
    };
    let tls = match &raw.tls {
        Some(tls) => Some(check_tls(cx, item, tls)?),
        None => None,
    };
    Some(Redis {
        addresses,
        topology: raw.topology.clone(),
        database: raw.database,
        username: raw.username.clone(),
        password,
        tls,
        prefix: raw.prefix.0.clone(),
        timeout: raw.timeout.0,
        lease: raw.lease.0,
        journal,
    })
}

fn check_tls(cx: &mut Checker<'_>, item: &Item<raw::Store>, raw: &raw::RedisTls) -> Option<Tls> {
    let at = item.at.key("tls");
    let mut read = |key: &str, file: &Option<String>| match file {
        Some(file) => cx.read(&at.key(key), file).map(Some),
        None => Some(None),
    };
    let ca = read("ca", &raw.ca)?;
    let cert = read("client_cert", &raw.client_cert)?;
    let key = read("client_key", &raw.client_key)?;
    let identity = match (cert, key) {
        (Some(cert), Some(key)) => Some((cert, key)),
        (None, None) => None,
        _ => {
            let message = "client_cert and client_key belong together";
            cx.fault(&at, message, "give both or none");
            return None;
        }
    };
    Some(Tls { ca, identity })
}
