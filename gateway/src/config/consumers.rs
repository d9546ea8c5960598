//! `consumers`, checked.

use super::check::{At, Checker, Item, Noun};
use super::raw::consumers as raw;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::SystemTime;

/// Who calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Consumer {
    /// The name.
    pub name: Arc<str>,
    /// The team it belongs to; it exists.
    pub team: Option<Arc<str>>,
    /// Groups, for authorization.
    pub groups: Vec<Arc<str>>,
    /// Its API keys. No two consumers share one.
    pub keys: Vec<Key>,
}

/// An API key, by its hash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// Tells the keys of one consumer apart.
    pub id: Arc<str>,
    /// SHA-256 of the key's bytes.
    pub sha256: [u8; 32],
    /// From when on it is refused.
    pub expires: Option<SystemTime>,
}

/// Checks one consumer.
pub(super) fn check(cx: &mut Checker<'_>, item: &Item<raw::Consumer>) -> Option<Consumer> {
    let raw = &item.raw;
    let team = match (&raw.team, &item.team) {
        (Some(named), Some(file)) if named.0 != **file => {
            let message = format!("this file belongs to team \"{file}\"");
            cx.fault(&item.at.key("team"), message, "leave `team` out here");
            return None;
        }
        (Some(named), _) => Some(cx.resolve(&item.at.key("team"), Noun::Team, &named.0, None)?),
        (None, file) => file.clone(),
    };
    let mut keys: Vec<Key> = Vec::new();
    for (index, credential) in raw.credentials.iter().enumerate() {
        let at = item.at.key("credentials").index(index);
        let raw::Credential::Key {
            id,
            sha256,
            expires,
        } = credential;
        if keys.iter().any(|key| *key.id == *id.0) {
            let message = format!("the id \"{}\" is used twice", id.0);
            cx.fault(
                &at.key("id"),
                message,
                "ids tell the keys of a consumer apart",
            );
        }
        let expires = expires.map(|day| day.begins());
        if expires.is_some_and(|moment| moment <= SystemTime::now()) {
            cx.warn(&at.key("expires"), "this key has expired", "remove it");
        }
        keys.push(Key {
            id: id.0.as_str().into(),
            sha256: sha256.0,
            expires,
        });
    }
    let groups = raw
        .groups
        .iter()
        .map(|group| group.0.as_str().into())
        .collect();
    Some(Consumer {
        name: raw.name.0.as_str().into(),
        team,
        groups,
        keys,
    })
}

/// Two credentials with one key would leave open who calls.
pub(super) fn check_shared_keys(cx: &mut Checker<'_>, items: &[Item<raw::Consumer>]) {
    let mut seen = HashMap::<[u8; 32], At>::new();
    for item in items {
        for (index, credential) in item.raw.credentials.iter().enumerate() {
            let raw::Credential::Key { sha256, .. } = credential;
            let at = item.at.key("credentials").index(index);
            if let Some(first) = seen.get(&sha256.0) {
                let message = format!("this is the same key as {}", first.path);
                cx.fault(
                    &at.key("sha256"),
                    message,
                    "make another with `weir key new`",
                );
            } else {
                seen.insert(sha256.0, at);
            }
        }
    }
}
