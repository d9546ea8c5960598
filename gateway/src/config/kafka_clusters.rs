//! `kafka_clusters`, checked: nothing in the properties contradicts what Weir promises.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rdkafka::ClientConfig;

use super::address;
use super::check::{At, Checker, Item};
use super::kafka_identity::{self, Identity};
use super::platform::Server;
use super::raw::kafka_clusters as raw;
use super::secret::Secret;
use super::units::Setting;
use crate::spool::{self, survey};

/// A Kafka cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cluster {
    /// Its name.
    pub name: Arc<str>,
    /// Brokers asked first, `host:port`, joined by commas.
    pub bootstrap_servers: String,
    /// librdkafka's settings, in the order of their names.
    pub properties: Vec<(String, Secret)>,
    /// Where its tokens are.
    pub token_file: Option<PathBuf>,
    /// Who speaks to it for a caller.
    pub identity: Identity,
    /// Whether these are credentials of callers, and what the brokers refuse them they refuse callers.
    pub is_callers: bool,
    /// From a record being taken to it being acknowledged or given up.
    pub delivery_timeout: Duration,
    /// What cursors are signed with: by the first, and all are believed. The gateway's own, if empty.
    pub cursor_keys: Vec<Secret>,
    /// How many who are behind read at once.
    pub max_catching_up: usize,
    /// How large the segments of its spool may get together, in bytes; none, if it has no spool.
    pub spool: Option<u64>,
}

/// How long a key of cursors is at least, in bytes.
const LEAST_KEY: usize = 32;
/// The smallest spool, in bytes: segments are a sixteenth of it, and records go into one.
const SMALLEST_SPOOL: u64 = 1 << 20;

/// Properties that Weir sets itself, and why.
const RESERVED: &[(&str, &str)] = &[
    (
        "acks",
        "Weir answers only once all replicas have the record",
    ),
    (
        "request.required.acks",
        "Weir answers only once all replicas have the record",
    ),
    ("enable.idempotence", "Weir never writes a record twice"),
    (
        "enable.gapless.guarantee",
        "Weir decides what a lost record means",
    ),
    ("max.in.flight", "Weir never writes a record twice"),
    (
        "max.in.flight.requests.per.connection",
        "Weir never writes a record twice",
    ),
    ("retries", "Weir never writes a record twice"),
    (
        "message.send.max.retries",
        "Weir never writes a record twice",
    ),
    (
        "transactional.id",
        "Weir gives each producer of transactions an id of its own",
    ),
    (
        "transaction.timeout.ms",
        "write `delivery_timeout` beside `properties`",
    ),
    (
        "delivery.timeout.ms",
        "write `delivery_timeout` beside `properties`",
    ),
    (
        "message.timeout.ms",
        "write `delivery_timeout` beside `properties`",
    ),
    (
        "bootstrap.servers",
        "write `bootstrap_servers` beside `properties`",
    ),
    (
        "metadata.broker.list",
        "write `bootstrap_servers` beside `properties`",
    ),
    (
        "statistics.interval.ms",
        "Weir watches the brokers by these statistics",
    ),
    ("group.id", "write `group` where a group is joined"),
    (
        "group.instance.id",
        "gateways that share a configuration would be one member",
    ),
    (
        "group.protocol",
        "Weir hands partitions over in the way of the classic protocol",
    ),
    (
        "partition.assignment.strategy",
        "Weir keeps what it has while partitions change hands",
    ),
    (
        "enable.auto.commit",
        "Weir commits what is done, and nothing before",
    ),
    (
        "enable.auto.offset.store",
        "Weir commits what is done, and nothing before",
    ),
    ("auto.offset.reset", "write `start` where a topic is read"),
    (
        "isolation.level",
        "Weir gives out nothing that may be taken back",
    ),
    (
        "max.poll.interval.ms",
        "Weir asks for records all the time, also while nothing may be done with them",
    ),
    (
        "enable.sasl.oauthbearer.unsecure.jwt",
        "write `token_file` beside `properties`",
    ),
    (
        "plugin.library.paths",
        "Weir loads no code by configuration",
    ),
];

/// Properties whose values are secret.
const SECRET: &[&str] = &[
    "sasl.password",
    "sasl.oauthbearer.client.secret",
    "sasl.oauthbearer.config",
    "ssl.key.password",
    "ssl.key.pem",
    "ssl.keystore.password",
];

/// Checks one cluster.
pub(super) fn check(
    cx: &mut Checker<'_>,
    item: &Item<raw::KafkaCluster>,
    groups: &[Arc<str>],
) -> Option<Cluster> {
    let at = item.at.key("bootstrap_servers");
    for (index, server) in item.raw.bootstrap_servers.iter().enumerate() {
        if address::host_port(server).is_none() {
            let message = format!("\"{server}\" is no address");
            cx.fault(&at.index(index), message, "write it as broker:9092");
        }
    }
    let mut properties = Vec::new();
    for (name, setting) in &item.raw.properties {
        let at = item.at.key("properties").key(name);
        let value = check_property(cx, &at, name, setting, item.team.as_ref());
        properties.extend(value.map(|value| (name.clone(), value)));
    }
    let partitioner = properties.iter().find(|(name, _)| name == "partitioner");
    let partitioner = partitioner.map(|(_, value): &(String, Secret)| value.expose());
    cx.partitions(item.raw.name.0.as_str().into(), partitioner);
    let mut cursor_keys = Vec::new();
    for (index, key) in item.raw.cursor_keys.iter().enumerate() {
        let at = item.at.key("cursor_keys").index(index).key("secret");
        let key = cx.reveal(&at, &key.secret.0, item.team.as_ref())?;
        if key.expose().len() < LEAST_KEY {
            let message = format!("a key of less than {LEAST_KEY} bytes is soon guessed");
            cx.fault(&at, message, "make one by `openssl rand -base64 32`");
        }
        cursor_keys.push(key);
    }
    let spool = item.raw.spool.as_ref().map(|spool| spool.max_size.0);
    if spool.is_some_and(|size| size < SMALLEST_SPOOL) {
        let at = item.at.key("spool").key("max_size");
        cx.fault(&at, "this is too small for a spool", "give at least 1MiB");
    }
    if !cursor_keys.is_empty() {
        cx.signs(item.raw.name.0.as_str().into());
    }
    if spool.is_some() {
        cx.spools(item.raw.name.0.as_str().into());
    }
    let token_file = item.raw.token_file.as_ref();
    let token_file = token_file.and_then(|path| kafka_identity::token_file(cx, &item.at, path));
    let mut cluster = Cluster {
        name: item.raw.name.0.as_str().into(),
        bootstrap_servers: item.raw.bootstrap_servers.join(","),
        properties,
        token_file,
        identity: Identity::Gateway,
        is_callers: false,
        delivery_timeout: item.raw.delivery_timeout.0,
        cursor_keys,
        max_catching_up: item.raw.max_catching_up,
        spool,
    };
    let (at, team) = (item.at.key("identity"), item.team.as_ref());
    cluster.identity = kafka_identity::check(cx, &at, &item.raw.identity, &cluster, team, groups)?;
    cx.identifies(cluster.name.clone(), &cluster.identity);
    Some(cluster)
}

/// Warns of records on disk for which no cluster has a spool: nobody sends them.
pub(super) fn check_left(
    cx: &mut Checker<'_>,
    at: &At,
    server: Option<&Server>,
    clusters: &[Arc<Cluster>],
) {
    let directory = server.map(|server| server.data_dir.join(spool::DIRECTORY));
    // There is none where nothing was ever kept.
    let Some(Ok(left)) = directory.map(|directory| survey::spools(&directory)) else {
        return;
    };
    for (name, directory) in left {
        let of_it = |cluster: &&Arc<Cluster>| cluster.spool.is_some() && *cluster.name == *name;
        if clusters.iter().any(|cluster| of_it(&cluster)) {
            continue;
        }
        let found = survey::survey(&directory, |_, _| Ok::<_, std::io::Error>(()));
        if let Ok(found) = found
            && found.waiting > 0
        {
            let path = directory.display();
            cx.warn(
                at,
                format!("{} records in {path} are sent by nobody", found.waiting),
                format!("give a cluster \"{name}\" a `spool`, or see `weir spool export {path}`"),
            );
        }
    }
}

/// Checks one of librdkafka's settings, and lets librdkafka judge it.
pub(super) fn check_property(
    cx: &mut Checker<'_>,
    at: &At,
    name: &str,
    setting: &Setting,
    team: Option<&Arc<str>>,
) -> Option<Secret> {
    if let Some((_, why)) = RESERVED.iter().find(|(reserved, _)| *reserved == name) {
        cx.fault(at, format!("\"{name}\" is set by Weir"), *why);
        return None;
    }
    let value = match setting {
        Setting::Text(_) if SECRET.contains(&name) => {
            let hint = "put it under `secrets` and write `{ secret: NAME }`";
            cx.fault(at, format!("\"{name}\" is secret"), hint);
            return None;
        }
        Setting::Text(text) => Secret::new(text.as_str()),
        Setting::Secret(secret) => cx.reveal(&at.key("secret"), &secret.0, team)?,
    };
    let judged = ClientConfig::new()
        .set(name, value.expose())
        .create_native_config();
    if judged.is_err() {
        // librdkafka's own words may hold the value
        let message = format!("librdkafka does not take this as \"{name}\"");
        cx.fault(at, message, "its CONFIGURATION.md lists names and values");
        return None;
    }
    Some(value)
}

/// Whether Kafka allows this as the name of a topic: letters, digits, `.`, `_` and `-`, at most 249, and
/// neither `.` nor `..`.
pub(crate) fn is_topic(text: &str) -> bool {
    (1..=249).contains(&text.len())
        && text != "."
        && text != ".."
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'))
}

#[cfg(test)]
mod tests {
    use super::is_topic;

    #[test]
    fn topic_names_are_kafkas() {
        for good in ["a", "orders.v1", "a_b-c", &"x".repeat(249)] {
            assert!(is_topic(good), "{good}");
        }
        for bad in ["", ".", "..", "a/b", "a b", "ä", &"x".repeat(250)] {
            assert!(!is_topic(bad), "{bad}");
        }
    }
}
