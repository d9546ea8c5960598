//! The small platform sections, checked: `metrics`, `admin`, `server`,
//! `stores`, `teams`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;

use super::address;
use super::check::{Checker, Item, Noun};
use super::hosts::Host;
use super::raw::platform as raw;
use super::secret::Secret;

/// The admin address.
#[derive(Debug, Clone)]
pub struct Admin {
    /// Where it listens.
    pub address: SocketAddr,
    /// The bearer token callers present; always there unless the address is loopback.
    pub token: Option<Secret>,
}

/// The process.
#[derive(Debug, Clone)]
pub struct Server {
    /// Threads that carry requests.
    pub worker_threads: usize,
    /// Directory for what outlives the process; may not exist yet.
    pub data_dir: PathBuf,
    /// The socket on which a new binary asks the old one for its listeners.
    pub upgrade_socket: PathBuf,
    /// How long open requests may go on after SIGTERM.
    pub drain_timeout: Duration,
    /// Networks whose `Forwarded` and `X-Forwarded-For` are believed.
    pub trusted_proxies: Vec<IpNet>,
}

/// A team, and what it owns.
#[derive(Debug, Clone)]
pub struct Team {
    /// Its name.
    pub name: Arc<str>,
    /// The organisation it belongs to.
    pub organisation: Option<Arc<str>>,
    /// Hosts its routes may match; any, if empty.
    pub hosts: Vec<Host>,
    /// Path prefixes its routes may match, without a slash at the end; any, if empty.
    pub paths: Vec<String>,
    /// Topics its routes may publish to: exact, or a prefix before `*`.
    pub topics: Vec<String>,
    /// Secrets it may name.
    pub secrets: Vec<Arc<str>>,
}

/// The longest path a Unix socket can have on Linux, less the final zero.
const MAX_SOCKET_PATH: usize = 107;

/// Checks `admin`.
pub(super) fn check_admin(cx: &mut Checker<'_>, item: &Item<raw::Admin>) -> Option<Admin> {
    let address = item.raw.address.0;
    if item.raw.token.is_none() && !address.ip().is_loopback() {
        cx.fault(
            &item.at,
            format!("{address} can be reached from elsewhere, and no token is asked for"),
            "add `token: { secret: NAME }`, or listen on 127.0.0.1",
        );
        return None;
    }
    let token = match &item.raw.token {
        Some(token) => {
            Some(cx.reveal(&item.at.key("token").key("secret"), &token.secret.0, None)?)
        }
        None => None,
    };
    Some(Admin { address, token })
}

/// Checks `server`; what is not written gets its default.
pub(super) fn check_server(cx: &mut Checker<'_>, item: &Item<raw::Server>) -> Option<Server> {
    let raw = &item.raw;
    let mut trusted_proxies = Vec::new();
    for (index, text) in raw.trusted_proxies.iter().enumerate() {
        match address::network(text) {
            Some(network) => trusted_proxies.push(network),
            None => cx.fault(
                &item.at.key("trusted_proxies").index(index),
                format!("\"{text}\" is no network"),
                "write it as 10.0.0.0/8 or 10.1.2.3",
            ),
        }
    }
    let data_dir = cx.locate(&item.at, &raw.data_dir);
    let upgrade_socket = data_dir.join("upgrade.sock");
    if upgrade_socket.as_os_str().len() > MAX_SOCKET_PATH {
        cx.fault(
            &item.at.key("data_dir"),
            format!("the path of the upgrade socket in it would exceed {MAX_SOCKET_PATH} bytes"),
            "choose a shorter one",
        );
        return None;
    }
    let cores = || std::thread::available_parallelism().map_or(1, usize::from);
    Some(Server {
        worker_threads: raw
            .worker_threads
            .map_or_else(cores, |threads| threads as usize),
        data_dir,
        upgrade_socket,
        drain_timeout: raw.drain_timeout.0,
        trusted_proxies,
    })
}

/// Checks one team.
pub(super) fn check_team(cx: &mut Checker<'_>, item: &Item<raw::Team>) -> Team {
    let (raw, at) = (&item.raw, item.at.key("owns"));
    let mut hosts = Vec::new();
    for (index, text) in raw.owns.hosts.iter().enumerate() {
        match Host::parse(text) {
            Some(host) => hosts.push(host),
            None => cx.fault(
                &at.key("hosts").index(index),
                format!("\"{text}\" is no host"),
                "write it as shop.example.com or *.example.com",
            ),
        }
    }
    let mut paths = Vec::new();
    for (index, text) in raw.owns.paths.iter().enumerate() {
        match super::routes::matches::literal_path(text) {
            Ok(path) => paths.push(path.trim_end_matches('/').to_owned()),
            Err((message, hint)) => cx.fault(&at.key("paths").index(index), message, hint),
        }
    }
    for (index, text) in raw.owns.topics.iter().enumerate() {
        let stem = text.strip_suffix('*').unwrap_or(text);
        if !(stem.is_empty() || super::kafka_clusters::is_topic(stem)) {
            cx.fault(
                &at.key("topics").index(index),
                format!("\"{text}\" is no topic"),
                "write it as orders.created, or orders.* for all that begin so",
            );
        }
    }
    let mut secrets = Vec::new();
    for (index, name) in raw.owns.secrets.iter().enumerate() {
        secrets.extend(cx.resolve(&at.key("secrets").index(index), Noun::Secret, &name.0, None));
    }
    Team {
        name: raw.name.0.as_str().into(),
        organisation: raw.organisation.as_ref().map(|name| name.0.as_str().into()),
        hosts,
        paths,
        topics: raw.owns.topics.clone(),
        secrets,
    }
}
