//! `ip_restriction`, checked.

use ipnet::IpNet;

use crate::config::address;
use crate::config::check::{At, Checker};
use crate::config::raw::policies as raw;

/// Lets in by client address. `deny` wins over `allow`; at least one of them holds something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Networks let in; all, if empty.
    pub allow: Vec<IpNet>,
    /// Networks refused.
    pub deny: Vec<IpNet>,
}

/// Checks `ip_restriction`.
pub(in crate::config) fn check(
    cx: &mut Checker<'_>,
    at: &At,
    raw: &raw::IpRestriction,
) -> Option<Config> {
    if raw.allow.is_empty() && raw.deny.is_empty() {
        cx.fault(
            at,
            "neither `allow` nor `deny` holds anything",
            "give one, or leave the policy out",
        );
        return None;
    }
    let mut networks = |key: &str, texts: &[String]| -> Vec<IpNet> {
        let at = at.key(key);
        let mut networks = Vec::new();
        for (index, text) in texts.iter().enumerate() {
            match address::network(text) {
                Some(network) => networks.push(network),
                None => {
                    let message = format!("\"{text}\" is no network");
                    cx.fault(
                        &at.index(index),
                        message,
                        "write it as 10.0.0.0/8 or 10.1.2.3",
                    );
                }
            }
        }
        networks
    };
    let (allow, deny) = (networks("allow", &raw.allow), networks("deny", &raw.deny));
    let complete = allow.len() == raw.allow.len() && deny.len() == raw.deny.len();
    complete.then_some(Config { allow, deny })
}
