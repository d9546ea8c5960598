//! What every section needs to be checked: places, faults, names, files.
//!
//! Knows how to report, resolve and read; what is right in a section is known there.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sha2::{Digest, Sha256};

pub(super) use super::at::{At, Item};
use super::fault::{Fault, suggest};
use super::kafka_identity::Identity;
use super::platform::Team;
use super::raw::upstreams::Protocol;
use super::secret::Secret;
use super::source::File;
use super::stores::Redis;
use super::telemetry::LlmContent;
use super::template::{Malformed, Template, Variable};
use super::watched::Watched;
use crate::kafka::Partitioner;

/// What has a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Noun {
    Listener,
    Secret,
    Store,
    Team,
    Upstream,
    Provider,
    Model,
    Cluster,
    SchemaRegistry,
    Consumer,
    Quota,
    Webhook,
    LlmWorker,
    Route,
}

impl Noun {
    /// Each, with its section and what people call it.
    pub(super) const ALL: [(Self, &'static str, &'static str); 14] = [
        (Self::Listener, "listeners", "listener"),
        (Self::Secret, "secrets", "secret"),
        (Self::Store, "stores", "store"),
        (Self::Team, "teams", "team"),
        (Self::Upstream, "upstreams", "upstream"),
        (Self::Provider, "providers", "provider"),
        (Self::Model, "models", "model"),
        (Self::Cluster, "kafka_clusters", "Kafka cluster"),
        (Self::SchemaRegistry, "schema_registries", "schema registry"),
        (Self::Consumer, "consumers", "consumer"),
        (Self::Quota, "quotas", "quota"),
        (Self::Webhook, "webhooks", "webhook"),
        (Self::LlmWorker, "llm_workers", "LLM worker"),
        (Self::Route, "routes", "route"),
    ];

    fn spoken(self) -> &'static str {
        Self::ALL
            .iter()
            .find(|(noun, ..)| *noun == self)
            .map_or("", |(.., spoken)| spoken)
    }
}

/// Every name, whatever else is wrong with the entry that has it.
#[derive(Debug, Default)]
pub(super) struct Names(BTreeMap<Noun, BTreeMap<String, Named>>);

#[derive(Debug)]
struct Named {
    name: Arc<str>,
    at: At,
    team: Option<Arc<str>>,
}

/// Checks one configuration.
pub(super) struct Checker<'a> {
    files: &'a [File],
    /// What is wrong.
    pub faults: Vec<Fault>,
    /// What is probably not meant.
    pub warnings: Vec<Fault>,
    /// Files read on the way, to be watched.
    pub watched: Watched,
    /// SHA-256 of what those files hold, in hexadecimal, by the place that names them.
    pub digests: BTreeMap<At, String>,
    names: Names,
    secrets: BTreeMap<String, Secret>,
    teams: BTreeMap<Arc<str>, Arc<Team>>,
    llm_content: Option<LlmContent>,
    redis: BTreeMap<Arc<str>, Arc<Redis>>,
    /// The stores that are in memory.
    in_memory: BTreeSet<Arc<str>>,
    /// Whether each provider makes vectors.
    vectors: BTreeMap<Arc<str>, bool>,
    /// What is spoken to each upstream.
    protocols: BTreeMap<Arc<str>, Protocol>,
    /// The Kafka clusters that have a spool.
    spools: BTreeSet<Arc<str>>,
    /// Kafka clusters that say what cursors are signed with.
    signs: BTreeSet<Arc<str>>,
    /// The Kafka clusters that are spoken to for known callers only; whether as their own principals.
    identifies: BTreeMap<Arc<str>, bool>,
    /// Partitioners of clusters that the gateway does not know.
    foreign_partitioners: BTreeMap<Arc<str>, String>,
}

impl<'a> Checker<'a> {
    /// A checker that knows nothing yet but the files.
    pub(super) fn new(files: &'a [File]) -> Self {
        Self {
            files,
            faults: Vec::new(),
            warnings: Vec::new(),
            watched: Watched::default(),
            digests: BTreeMap::new(),
            names: Names::default(),
            secrets: BTreeMap::new(),
            teams: BTreeMap::new(),
            llm_content: None,
            redis: BTreeMap::new(),
            in_memory: BTreeSet::new(),
            vectors: BTreeMap::new(),
            protocols: BTreeMap::new(),
            spools: BTreeSet::new(),
            signs: BTreeSet::new(),
            identifies: BTreeMap::new(),
            foreign_partitioners: BTreeMap::new(),
        }
    }

    /// Reports what is wrong.
    pub(super) fn fault(&mut self, at: &At, message: impl Into<String>, hint: impl Into<String>) {
        let fault = self.say(at, message.into(), hint.into());
        self.faults.push(fault);
    }

    /// Reports what is probably not meant.
    pub(super) fn warn(&mut self, at: &At, message: impl Into<String>, hint: impl Into<String>) {
        let warning = self.say(at, message.into(), hint.into());
        self.warnings.push(warning);
    }

    fn say(&self, at: &At, message: String, hint: String) -> Fault {
        let file = self.files.get(at.file).and_then(|file| file.path.clone());
        Fault {
            file,
            path: at.path.clone(),
            message,
            hint,
        }
    }

    /// Remembers a name; two entries of a section may not share one.
    pub(super) fn name(&mut self, noun: Noun, name: &str, at: &At, team: Option<&Arc<str>>) {
        let names = self.names.0.entry(noun).or_default();
        if let Some(taken) = names.get(name) {
            let elsewhere = match self
                .files
                .get(taken.at.file)
                .and_then(|file| file.path.as_deref())
            {
                Some(file) if taken.at.file != at.file => {
                    format!("{} of {}", taken.at.path, file.display())
                }
                _ => taken.at.path.clone(),
            };
            let message = format!("the name \"{name}\" is taken by {elsewhere}");
            return self.fault(
                &at.key("name"),
                message,
                "names are unique within a section",
            );
        }
        let named = Named {
            name: name.into(),
            at: at.clone(),
            team: team.cloned(),
        };
        names.insert(name.to_owned(), named);
    }

    /// The name of what `name` refers to. `team` is whose entry refers to it:
    /// a team may use what is its own and what is the platform's.
    pub(super) fn resolve(
        &mut self,
        at: &At,
        noun: Noun,
        name: &str,
        team: Option<&Arc<str>>,
    ) -> Option<Arc<str>> {
        let empty = BTreeMap::new();
        let names = self.names.0.get(&noun).unwrap_or(&empty);
        let spoken = noun.spoken();
        let Some(named) = names.get(name) else {
            let hint = suggest(name, names.keys().map(String::as_str));
            self.fault(at, format!("no {spoken} named \"{name}\""), hint);
            return None;
        };
        let found = named.name.clone();
        if let (Some(owner), Some(team)) = (&named.team, team)
            && owner != team
        {
            let message =
                format!("the {spoken} \"{name}\" belongs to team \"{owner}\", not to \"{team}\"");
            self.fault(
                at,
                message,
                "use your own, or ask the platform to share one",
            );
            return None;
        }
        Some(found)
    }

    /// Remembers the value of a secret.
    pub(super) fn secret(&mut self, name: &str, value: Secret) {
        self.secrets.insert(name.to_owned(), value);
    }

    /// The value of the secret `name`; a team may name only those it owns.
    pub(super) fn reveal(
        &mut self,
        at: &At,
        name: &str,
        team: Option<&Arc<str>>,
    ) -> Option<Secret> {
        let name = self.resolve(at, Noun::Secret, name, None)?;
        let owned = team
            .and_then(|team| self.teams.get(team))
            .is_none_or(|team| team.secrets.contains(&name));
        if !owned {
            let team = team.map_or("", |team| team);
            let message = format!("team \"{team}\" does not own the secret \"{name}\"");
            self.fault(
                at,
                message,
                format!("list it under `owns.secrets` of team \"{team}\""),
            );
            return None;
        }
        self.secrets.get(&*name).cloned()
    }

    /// Remembers that routes may show prompts and answers.
    pub(super) fn show_content(&mut self, content: LlmContent) {
        self.llm_content = Some(content);
    }

    /// What routes may show of prompts and answers.
    pub(super) fn content(&self) -> Option<LlmContent> {
        self.llm_content
    }

    /// Remembers the servers of a store.
    pub(super) fn serve_redis(&mut self, store: Arc<str>, servers: Arc<Redis>) {
        self.redis.insert(store, servers);
    }

    /// The servers of the store of this name, if it is in Redis.
    pub(super) fn redis(&self, store: &str) -> Option<Arc<Redis>> {
        self.redis.get(store).cloned()
    }

    /// Remembers that a store is in memory.
    pub(super) fn keep_in_memory(&mut self, store: Arc<str>) {
        self.in_memory.insert(store);
    }

    /// Whether the store of this name is in memory.
    pub(super) fn is_in_memory(&self, store: &str) -> bool {
        self.in_memory.contains(store)
    }

    /// Remembers whether a provider makes vectors.
    pub(super) fn vectors(&mut self, provider: Arc<str>, made: bool) {
        self.vectors.insert(provider, made);
    }

    /// Whether the provider of this name makes vectors; `None` if it is faulty.
    pub(super) fn makes_vectors(&self, provider: &str) -> Option<bool> {
        self.vectors.get(provider).copied()
    }

    /// Remembers what is spoken to an upstream.
    pub(super) fn speaks(&mut self, upstream: Arc<str>, protocol: Protocol) {
        self.protocols.insert(upstream, protocol);
    }

    /// What is spoken to the upstream of this name; `None` if it is faulty.
    pub(super) fn protocol_of(&self, upstream: &str) -> Option<Protocol> {
        self.protocols.get(upstream).copied()
    }

    /// Remembers that a Kafka cluster has a spool.
    pub(super) fn spools(&mut self, cluster: Arc<str>) {
        self.spools.insert(cluster);
    }

    /// Whether the Kafka cluster of this name has a spool.
    pub(super) fn has_spool(&self, cluster: &str) -> bool {
        self.spools.contains(cluster)
    }

    /// Remembers that a Kafka cluster says what cursors are signed with.
    pub(super) fn signs(&mut self, cluster: Arc<str>) {
        self.signs.insert(cluster);
    }

    /// Whether all gateways sign alike what they give out for the Kafka cluster of this name.
    pub(super) fn signs_cursors(&self, cluster: &str) -> bool {
        self.signs.contains(cluster)
    }

    /// Remembers who a Kafka cluster is spoken to for.
    pub(super) fn identifies(&mut self, cluster: Arc<str>, identity: &Identity) {
        match identity {
            Identity::Gateway => {}
            Identity::Principals(_) => drop(self.identifies.insert(cluster, true)),
            Identity::Acls(_) => drop(self.identifies.insert(cluster, false)),
        }
    }

    /// Whether the Kafka cluster of this name is spoken to for known callers only.
    pub(super) fn wants_caller(&self, cluster: &str) -> bool {
        self.identifies.contains_key(cluster)
    }

    /// Whether it is spoken to as the callers themselves.
    pub(super) fn has_principals(&self, cluster: &str) -> bool {
        self.identifies.get(cluster).copied().unwrap_or_default()
    }

    /// Remembers the partitioner of a Kafka cluster, if it is one that the gateway does not know.
    pub(super) fn partitions(&mut self, cluster: Arc<str>, partitioner: Option<&str>) {
        if let Some(name) = partitioner.filter(|name| Partitioner::named(Some(name)).is_none()) {
            self.foreign_partitioners.insert(cluster, name.to_owned());
        }
    }

    /// The partitioner of the Kafka cluster of this name, if the gateway does not know it.
    pub(super) fn foreign_partitioner(&self, cluster: &str) -> Option<String> {
        self.foreign_partitioners.get(cluster).cloned()
    }

    /// Remembers a team.
    pub(super) fn team(&mut self, team: Arc<Team>) {
        self.teams.insert(team.name.clone(), team);
    }

    /// The team of this name.
    pub(super) fn team_named(&self, name: &str) -> Option<Arc<Team>> {
        self.teams.get(name).cloned()
    }

    /// Whether anything was found wrong in one of these sections.
    pub(super) fn is_faulty(&self, sections: &[&str]) -> bool {
        let in_one = |path: &str| sections.iter().any(|section| path.starts_with(section));
        self.faults.iter().any(|fault| in_one(&fault.path))
    }

    /// The organisations that teams belong to.
    pub(super) fn organisations(&self) -> Vec<Arc<str>> {
        let teams = self.teams.values();
        teams.filter_map(|team| team.organisation.clone()).collect()
    }

    /// `path` from where the file of `at` is.
    pub(super) fn locate(&self, at: &At, path: &str) -> PathBuf {
        let directory = self
            .files
            .get(at.file)
            .map_or(Path::new("."), |file| &file.directory);
        directory.join(path)
    }

    /// What the file `path` holds; it will be watched.
    pub(super) fn read(&mut self, at: &At, path: &str) -> Option<Vec<u8>> {
        let located = self.locate(at, path);
        self.watched.note(&located);
        match fs::read(&located) {
            Ok(bytes) => {
                let digest = Sha256::digest(&bytes);
                self.digests
                    .insert(at.clone(), super::units::Sha256(digest.into()).to_string());
                Some(bytes)
            }
            Err(error) => {
                self.fault(
                    at,
                    format!("\"{path}\" cannot be read: {error}"),
                    "paths are relative to the configuration file",
                );
                None
            }
        }
    }

    /// Reads `text` as a template.
    pub(super) fn template(&mut self, at: &At, text: &str) -> Option<Template> {
        self.parsed(at, Template::parse(text))
    }

    /// Reads `text` as a template of what is known of a caller who sends no body.
    pub(super) fn caller_template(&mut self, at: &At, text: &str) -> Option<Template> {
        self.parsed(at, Template::parse_caller(text))
    }

    /// Reads `text` as a template that a record is made with.
    pub(super) fn record_template(&mut self, at: &At, text: &str) -> Option<Template> {
        self.parsed(at, Template::parse_record(text))
    }

    fn parsed(&mut self, at: &At, read: Result<Template, Malformed>) -> Option<Template> {
        match read {
            Ok(template) => Some(template),
            Err(malformed) => {
                self.fault(at, malformed.message, malformed.hint);
                None
            }
        }
    }

    /// Whether every `{path.x}` of `template` is captured by each of `captured`,
    /// the captures of a route's matches; `None` for those of one that is faulty.
    pub(super) fn captured(
        &mut self,
        at: &At,
        template: &Template,
        captured: &[Option<Vec<Arc<str>>>],
    ) -> bool {
        let mut all = true;
        for variable in template.variables() {
            let Variable::Path(name) = variable else {
                continue;
            };
            let mut known = captured.iter().flatten();
            if let Some(lacking) = known.find(|names| !names.contains(name)) {
                let hint = match super::fault::closest(name, lacking.iter().map(|name| &**name)) {
                    Some(close) => format!("did you mean \"{{path.{close}}}\"?"),
                    None => format!("match on a template such as `/…/{{{name}}}`"),
                };
                self.fault(
                    at,
                    format!("no match of this route captures \"{{path.{name}}}\"").replace(
                        "no match",
                        if captured.len() > 1 {
                            "not every match"
                        } else {
                            "no match"
                        },
                    ),
                    hint,
                );
                all = false;
            }
        }
        all
    }
}
