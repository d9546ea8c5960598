//! `stores`, checked.

use std::net::Ipv6Addr;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use openssl::x509::X509;

use super::check::{At, Checker, Item};
use super::platform::Server;
use super::quotas::Quota;
use super::raw::{self as sections, platform as raw};
use super::secret::Secret;
use super::tls;
use crate::price::Dollars;
use crate::quota::{Unit, Window};

/// How long a lease may be: what gateways say ten times a second must have time to arrive, and
/// what a dead one held should not be missing for long.
const LEASE: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(600);

/// The greatest number that Redis' scripts count exactly.
const EXACT: u64 = (1 << 53) - 1;

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
    /// Who a gateway is to the servers.
    pub login: Login,
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

/// How servers work together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Topology {
    /// There is one.
    Standalone,
    /// Sentinels know the master.
    Sentinel {
        /// What they call it.
        master: String,
        /// Who a gateway is to the sentinels.
        login: Login,
    },
    /// Redis Cluster.
    Cluster,
}

/// Who one is to a server: nobody in particular, if nothing is said.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Login {
    /// The user; the server's default one, if none.
    pub username: Option<String>,
    /// The user's password.
    pub password: Option<Secret>,
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
        raw::Store::Memory { .. } => {
            cx.keep_in_memory(name.clone());
            Kind::Memory
        }
        raw::Store::Local { .. } => Kind::Local(directory.join(format!("ledger-{name}.redb"))),
        raw::Store::Redis(raw) => {
            let journal = directory.join(format!("journal-{name}"));
            let servers = Arc::new(check_redis(cx, item, raw, journal)?);
            cx.serve_redis(name.clone(), servers.clone());
            Kind::Redis(servers)
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
    let addresses = check_addresses(cx, at, raw);
    let topology = check_topology(cx, item, &raw.topology)?;
    if topology == Topology::Cluster && raw.database != 0 {
        cx.fault(
            &at.key("database"),
            "a cluster has only database 0",
            "leave it out",
        );
    }
    let login = check_login(cx, item, at, (&raw.username, &raw.password))?;
    let tls = match &raw.tls {
        Some(tls) => Some(check_tls(cx, item, tls)?),
        None => None,
    };
    check_times(cx, at, raw);
    Some(Redis {
        addresses,
        topology,
        database: raw.database,
        login,
        tls,
        prefix: raw.prefix.0.clone(),
        timeout: raw.timeout.0,
        lease: raw.lease.0,
        journal,
    })
}

fn check_topology(
    cx: &mut Checker<'_>,
    item: &Item<raw::Store>,
    raw: &raw::Topology,
) -> Option<Topology> {
    let at = item.at.key("topology");
    Some(match raw {
        raw::Topology::Standalone => Topology::Standalone,
        raw::Topology::Cluster => Topology::Cluster,
        raw::Topology::Sentinel {
            master,
            username,
            password,
        } => {
            if master.is_empty() {
                cx.fault(
                    &at.key("master"),
                    "the master has no name",
                    "give the one of `sentinel monitor` in the sentinels' configuration",
                );
            }
            Topology::Sentinel {
                master: master.clone(),
                login: check_login(cx, item, &at, (username, password))?,
            }
        }
    })
}

fn check_login(
    cx: &mut Checker<'_>,
    item: &Item<raw::Store>,
    at: &At,
    (username, password): (&Option<String>, &Option<sections::SecretRef>),
) -> Option<Login> {
    if username.is_some() && password.is_none() {
        cx.fault(
            &at.key("username"),
            "there is no password for this user",
            "name the secret that holds it under `password`",
        );
    }
    let password = match password {
        Some(secret) => {
            let at = at.key("password").key("secret");
            Some(cx.reveal(&at, &secret.secret.0, item.team.as_ref())?)
        }
        None => None,
    };
    Some(Login {
        username: username.clone(),
        password,
    })
}

/// The addresses that are good.
fn check_addresses(cx: &mut Checker<'_>, at: &At, raw: &raw::Redis) -> Vec<(String, u16)> {
    let mut addresses = Vec::new();
    for (index, text) in raw.addresses.iter().enumerate() {
        let address = address(text);
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
    let one = matches!(raw.topology, raw::Topology::Standalone);
    if raw.addresses.is_empty() || (one && raw.addresses.len() > 1) {
        let message = format!("{} servers are named", raw.addresses.len());
        let hint = "name one, or say under `topology` how they work together";
        cx.fault(&at.key("addresses"), message, hint);
    }
    addresses
}

/// A host, which may be an IPv6 address in brackets, and a port.
fn address(text: &str) -> Option<(String, u16)> {
    let (host, port) = text.rsplit_once(':')?;
    let port: u16 = port.parse().ok().filter(|port| *port > 0)?;
    let bracketed = host.strip_prefix('[').and_then(|h| h.strip_suffix(']'));
    let is_good = match bracketed {
        Some(host) => host.parse::<Ipv6Addr>().is_ok(),
        None => {
            let of_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
            !host.is_empty() && host.chars().all(of_name)
        }
    };
    is_good.then(|| (bracketed.unwrap_or(host).to_owned(), port))
}

fn check_times(cx: &mut Checker<'_>, at: &At, raw: &raw::Redis) {
    if !LEASE.contains(&raw.lease.0) {
        cx.fault(
            &at.key("lease"),
            format!("a lease of {} is none that gateways can keep", raw.lease),
            "give 1s to 10m: what a dead gateway held is missing for so long",
        );
    } else if raw.timeout >= raw.lease {
        cx.fault(
            &at.key("timeout"),
            format!(
                "a decision would wait for {}, as long as a lease lasts",
                raw.timeout
            ),
            "make it shorter; 100ms is usual",
        );
    }
}

/// Checks that what is counted in Redis is counted exactly there.
pub(super) fn check_limits(cx: &mut Checker<'_>, stores: &[Store], quotas: &[(At, Arc<Quota>)]) {
    let is_redis = |name: &str| {
        let mut stores = stores.iter();
        stores.any(|store| *store.name == *name && matches!(store.kind, Kind::Redis(_)))
    };
    for (at, quota) in quotas.iter().filter(|(_, quota)| is_redis(&quota.store)) {
        let overrides = quota.limit.overrides.iter().map(|(key, limit)| {
            let at = at.key("limit").key("overrides").key(key);
            (at, *limit)
        });
        let burst = match quota.window {
            Window::TokenBucket { burst, .. } => Some((at.key("window").key("burst"), burst)),
            _ => None,
        };
        let default = (at.key("limit").key("default"), quota.limit.default);
        // A burst that is not said is the limit, of which enough is said.
        let burst = burst.filter(|(_, burst)| *burst != quota.limit.default);
        let all = std::iter::once(default).chain(overrides).chain(burst);
        for (at, _) in all.filter(|(_, amount)| *amount > EXACT) {
            let most = match quota.unit {
                Unit::Money => format!("{} dollars", Dollars(EXACT)),
                _ => EXACT.to_string(),
            };
            let message = format!("Redis counts exactly up to {most}");
            cx.fault(
                &at,
                message,
                "lower it, or count in a store of another kind",
            );
        }
    }
}

fn check_tls(cx: &mut Checker<'_>, item: &Item<raw::Store>, raw: &raw::RedisTls) -> Option<Tls> {
    let at = item.at.key("tls");
    let pem = |chain: Vec<X509>| -> Vec<u8> {
        let each = chain.iter().filter_map(|one| one.to_pem().ok());
        each.flatten().collect()
    };
    let ca = match &raw.ca {
        Some(file) => Some(pem(tls::authorities(cx, &at.key("ca"), file)?)),
        None => None,
    };
    let identity = match (&raw.client_cert, &raw.client_key) {
        (Some(cert), Some(key)) => {
            let (cert_at, key_at) = (at.key("client_cert"), at.key("client_key"));
            let (chain, key) = tls::pair(cx, (&cert_at, cert), (&key_at, key))?;
            Some((pem(chain), key.private_key_to_pem_pkcs8().ok()?))
        }
        (None, None) => None,
        _ => {
            let message = "client_cert and client_key belong together";
            cx.fault(&at, message, "give both or none");
            return None;
        }
    };
    Some(Tls { ca, identity })
}
