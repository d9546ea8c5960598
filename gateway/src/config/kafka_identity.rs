//! `kafka_clusters[].identity`, checked: who speaks to a cluster for a caller, and which callers may use
//! which topics. It opens no connection.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::check::{At, Checker, Noun};
use super::consumers::Consumer;
use super::fault::{either, suggest};
use super::kafka_clusters::{Cluster, check_property, is_topic};
use super::raw::Name;
use super::raw::kafka_identity as raw;
pub use super::raw::kafka_identity::Operation;
use super::routes::topic::owns;
use super::secret::Secret;

/// Who speaks to a cluster for a caller.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Identity {
    /// The gateway, for everybody.
    #[default]
    Gateway,
    /// The caller's own principal.
    Principals(Principals),
    /// The gateway, for whom these let.
    Acls(Vec<Rule>),
}

/// The credentials of callers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principals {
    /// How many may be connected at once.
    pub max: usize,
    /// After how long without use one is disconnected.
    pub idle: Duration,
    /// By the consumer's name.
    consumers: BTreeMap<Arc<str>, Arc<Principal>>,
    /// By the team's.
    teams: BTreeMap<Arc<str>, Arc<Principal>>,
}

/// One principal's credentials.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    /// librdkafka's settings.
    pub properties: Vec<(String, Secret)>,
    /// Where its tokens are.
    pub token_file: Option<PathBuf>,
}

/// What some callers may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    consumers: Vec<Arc<str>>,
    teams: Vec<Arc<str>>,
    groups: Vec<Arc<str>>,
    topics: Vec<String>,
    operations: Vec<Operation>,
}

impl Principals {
    /// The credentials of a consumer: its own before its team's.
    pub fn of(&self, consumer: &Consumer) -> Option<&Arc<Principal>> {
        let own = self.consumers.get(&consumer.name);
        own.or_else(|| self.teams.get(consumer.team.as_ref()?))
    }
}

impl Rule {
    /// Whether it is about a consumer.
    pub fn is_for(&self, consumer: &Consumer) -> bool {
        let in_group = |group| self.groups.contains(group);
        self.consumers.contains(&consumer.name)
            || (consumer.team.as_ref()).is_some_and(|team| self.teams.contains(team))
            || consumer.groups.iter().any(in_group)
    }

    /// Whether it allows this.
    pub fn allows(&self, operation: Operation, topic: &str) -> bool {
        self.operations.contains(&operation) && owns(&self.topics, topic)
    }
}

/// What a principal may say of itself.
const CREDENTIALS: [&str; 11] = [
    "sasl.mechanism",
    "sasl.mechanisms",
    "sasl.username",
    "sasl.password",
    "ssl.certificate.location",
    "ssl.certificate.pem",
    "ssl.key.location",
    "ssl.key.password",
    "ssl.key.pem",
    "ssl.keystore.location",
    "ssl.keystore.password",
];
/// How those begin that say how a token is come by; a principal's is in a file.
const TOKENS: &str = "sasl.oauthbearer.";
/// Those of them by which nobody proves who it is; the cluster's hold for all that say nothing else.
const MECHANISMS: [&str; 2] = ["sasl.mechanism", "sasl.mechanisms"];

/// A cluster as one of its callers' principals speaks to it. Of the cluster's own credentials nothing is
/// left.
pub(crate) fn by(cluster: &Cluster, principal: &Principal) -> Cluster {
    let said = |name: &str| principal.properties.iter().any(|(said, _)| said == name);
    let says_mechanism = MECHANISMS.iter().any(|name| said(name));
    let stays = |name: &str| match MECHANISMS.contains(&name) {
        true => !says_mechanism,
        false => !CREDENTIALS.contains(&name) && !name.starts_with(TOKENS),
    };
    let own = cluster.properties.iter().filter(|(name, _)| stays(name));
    let mut properties: Vec<_> = own.cloned().collect();
    properties.extend(principal.properties.iter().cloned());
    Cluster {
        properties,
        token_file: principal.token_file.clone(),
        is_callers: true,
        identity: Identity::Gateway,
        ..cluster.clone()
    }
}

/// Checks what a cluster says; `cluster` is what is known of it otherwise.
pub(super) fn check(
    cx: &mut Checker<'_>,
    at: &At,
    raw: &raw::Identity,
    cluster: &Cluster,
    team: Option<&Arc<str>>,
    groups: &[Arc<str>],
) -> Option<Identity> {
    match raw {
        raw::Identity::Gateway => Some(Identity::Gateway),
        raw::Identity::Principals {
            max,
            idle,
            principals,
        } => {
            let mut all = Principals {
                max: *max,
                idle: idle.0,
                consumers: BTreeMap::new(),
                teams: BTreeMap::new(),
            };
            for (index, raw) in principals.iter().enumerate() {
                let at = at.key("principals").index(index);
                let principal = check_principal(cx, &at, raw, cluster, team);
                map(cx, &at, raw, &principal, &mut all);
            }
            Some(Identity::Principals(all))
        }
        raw::Identity::Acls { rules } => {
            let rules = rules.iter().enumerate().map(|(index, raw)| {
                let at = at.key("rules").index(index);
                check_rule(cx, &at, raw, groups)
            });
            Some(Identity::Acls(rules.collect()))
        }
    }
}

/// Gives a principal to those it is for; nobody has two.
fn map(
    cx: &mut Checker<'_>,
    at: &At,
    raw: &raw::Principal,
    principal: &Arc<Principal>,
    all: &mut Principals,
) {
    if raw.consumers.is_empty() && raw.teams.is_empty() {
        let message = "these credentials are nobody's";
        cx.fault(at, message, "name `consumers` or `teams`");
    }
    let consumers = (Noun::Consumer, "consumers", &raw.consumers);
    for (noun, key, names) in [consumers, (Noun::Team, "teams", &raw.teams)] {
        for (index, name) in names.iter().enumerate() {
            let at = at.key(key).index(index);
            let Some(name) = cx.resolve(&at, noun, &name.0, None) else {
                continue;
            };
            let known = match noun {
                Noun::Team => &mut all.teams,
                _ => &mut all.consumers,
            };
            if known.insert(name.clone(), principal.clone()).is_some() {
                let message = format!("\"{name}\" has credentials for this cluster already");
                cx.fault(&at, message, "leave one of them out");
            }
        }
    }
}

fn check_principal(
    cx: &mut Checker<'_>,
    at: &At,
    raw: &raw::Principal,
    cluster: &Cluster,
    team: Option<&Arc<str>>,
) -> Arc<Principal> {
    let mut properties = Vec::new();
    for (name, setting) in &raw.properties {
        let at = at.key("properties").key(name);
        if !CREDENTIALS.contains(&name.as_str()) {
            let message = format!("\"{name}\" is no credential of a principal");
            let hint = match name.starts_with(TOKENS) {
                true => "give a `token_file` beside `properties`",
                false => "write it in the `properties` of the cluster, for all",
            };
            cx.fault(&at, message, hint);
            continue;
        }
        let value = check_property(cx, &at, name, setting, team);
        properties.extend(value.map(|value| (name.clone(), value)));
    }
    let token_file = (raw.token_file.as_ref()).and_then(|path| token_file(cx, at, path));
    let principal = Principal {
        properties,
        token_file,
    };
    if raw.properties.is_empty() && raw.token_file.is_none() {
        let message = "there are no credentials here";
        cx.fault(at, message, "give `properties`, or a `token_file`");
    } else {
        check_sent(cx, at, &by(cluster, &principal));
    }
    Arc::new(principal)
}

/// Where tokens are read; the file is there.
pub(super) fn token_file(cx: &mut Checker<'_>, at: &At, path: &str) -> Option<PathBuf> {
    let at = at.key("token_file");
    let located = cx.locate(&at, path);
    if let Err(error) = std::fs::read(&located) {
        let hint = "paths are relative to the configuration file";
        cx.fault(&at, format!("\"{path}\" cannot be read: {error}"), hint);
        return None;
    }
    Some(located)
}

/// Checks that a principal's credentials are whole, and are sent at all: all whose are not would be one
/// and the same to the brokers.
fn check_sent(cx: &mut Checker<'_>, at: &At, cluster: &Cluster) {
    let said = |wanted: &str| {
        let found = cluster.properties.iter().find(|(name, _)| name == wanted);
        found.map(|(_, value)| value.expose().to_ascii_lowercase())
    };
    let protocol = said("security.protocol").unwrap_or_else(|| "plaintext".to_owned());
    if protocol == "plaintext" {
        let message = "the cluster is spoken to by `security.protocol: plaintext`, which sends no credentials";
        let hint = "write sasl_ssl, ssl or sasl_plaintext in its `properties`";
        return cx.fault(at, message, hint);
    }
    let has_any = |names: &[&str]| names.iter().any(|name| said(name).is_some());
    if protocol == "ssl" {
        let certificate = ["ssl.certificate.location", "ssl.certificate.pem"];
        let key = ["ssl.key.location", "ssl.key.pem"];
        let has_pair = has_any(&certificate) && has_any(&key);
        if !has_pair && !has_any(&["ssl.keystore.location"]) {
            let message =
                "by `security.protocol: ssl` a principal is its certificate, and this has none";
            let hint = "give `ssl.certificate.location` and `ssl.key.location`, or a keystore";
            cx.fault(at, message, hint);
        }
        return;
    }
    let mechanism = MECHANISMS.iter().find_map(|name| said(name));
    match mechanism.as_deref() {
        Some("oauthbearer") if cluster.token_file.is_none() => {
            let message = "OAUTHBEARER takes a token, and there is none";
            cx.fault(at, message, "give a `token_file`");
        }
        Some("plain" | "scram-sha-256" | "scram-sha-512")
            if !has_any(&["sasl.username"]) || !has_any(&["sasl.password"]) =>
        {
            let message = "a principal has a name and a password";
            let hint = "give `sasl.username` and `sasl.password: { secret: NAME }`";
            cx.fault(at, message, hint);
        }
        Some("oauthbearer" | "plain" | "scram-sha-256" | "scram-sha-512") => {}
        _ => {
            let known = ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"];
            let message = "nothing says by which mechanism of SASL";
            let hint = format!("write `sasl.mechanism`: {}", either(&known, "or"));
            cx.fault(at, message, hint);
        }
    }
}

fn check_rule(cx: &mut Checker<'_>, at: &At, raw: &raw::Rule, groups: &[Arc<str>]) -> Rule {
    if raw.consumers.is_empty() && raw.teams.is_empty() && raw.groups.is_empty() {
        let message = "this rule is about nobody";
        cx.fault(at, message, "name `consumers`, `teams` or `groups`");
    }
    let mut named = |noun, key, names: &[Name]| -> Vec<Arc<str>> {
        let names = names.iter().enumerate();
        let names = names
            .filter_map(|(index, name)| cx.resolve(&at.key(key).index(index), noun, &name.0, None));
        names.collect()
    };
    let consumers = named(Noun::Consumer, "consumers", &raw.consumers);
    let teams = named(Noun::Team, "teams", &raw.teams);
    let mut known = Vec::new();
    for (index, name) in raw.groups.iter().enumerate() {
        match groups.iter().find(|group| ***group == *name.0) {
            Some(group) => known.push(group.clone()),
            None => cx.fault(
                &at.key("groups").index(index),
                format!("no consumer is in a group \"{}\"", name.0),
                suggest(&name.0, groups.iter().map(|group| &**group)),
            ),
        }
    }
    for (index, topic) in raw.topics.iter().enumerate() {
        let name = topic.strip_suffix('*').unwrap_or(topic);
        if topic != "*" && !is_topic(name) {
            let at = at.key("topics").index(index);
            let hint = "write a topic's name, or how such names begin, as orders.*";
            cx.fault(&at, format!("\"{topic}\" is no topic"), hint);
        }
    }
    Rule {
        consumers,
        teams,
        groups: known,
        topics: raw.topics.clone(),
        operations: raw.operations.clone(),
    }
}
