//! The hosts: which groups of paths a request's host may look in, the most specific first.
//!
//! Knows host names; knows nothing of what a group holds.

use std::borrow::Cow;
use std::collections::HashMap;

use super::rule::HostPattern;

/// Host patterns to group numbers.
#[derive(Debug, Default)]
pub(super) struct Hosts {
    exact: HashMap<String, usize>,
    /// By suffix, without `*.`.
    wildcard: HashMap<String, usize>,
    any: Option<usize>,
}

impl Hosts {
    /// The pattern's place; `new` is the group it gets when it has none.
    pub(super) fn place(&mut self, pattern: &HostPattern, new: usize) -> usize {
        match pattern {
            HostPattern::Any => *self.any.get_or_insert(new),
            HostPattern::Exact(host) => *self.exact.entry(host.clone()).or_insert(new),
            HostPattern::Wildcard(suffix) => *self.wildcard.entry(suffix.clone()).or_insert(new),
        }
    }

    /// The groups for `host`, which is in [`canonical`] form: exact, then wildcards from the
    /// longest, then any.
    pub(super) fn groups<'h>(&'h self, host: &'h str) -> impl Iterator<Item = usize> + 'h {
        // A wildcard stands for at least one label, which is not empty.
        let suffixes = host
            .match_indices('.')
            .filter(|(dot, _)| *dot > 0)
            .map(|(dot, _)| &host[dot + 1..]);
        let suffixes = suffixes.take(if self.wildcard.is_empty() {
            0
        } else {
            usize::MAX
        });
        let wildcards = suffixes.filter_map(|suffix| self.wildcard.get(suffix));
        self.exact
            .get(host)
            .into_iter()
            .chain(wildcards)
            .chain(&self.any)
            .copied()
    }
}

/// A host as it is compared: in lower case and without a trailing dot (`example.com.` is the same
/// name).
pub(super) fn canonical(host: &str) -> Cow<'_, str> {
    let host = host.strip_suffix('.').unwrap_or(host);
    match host.bytes().any(|byte| byte.is_ascii_uppercase()) {
        true => Cow::Owned(host.to_ascii_lowercase()),
        false => Cow::Borrowed(host),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn groups(host: &str) -> Vec<usize> {
        let mut hosts = Hosts::default();
        for (at, text) in [
            "*",
            "*.example.com",
            "*.eu.example.com",
            "a.eu.example.com",
            "example.com",
        ]
        .iter()
        .enumerate()
        {
            assert_eq!(hosts.place(&HostPattern::parse(text).unwrap(), at), at);
        }
        hosts.groups(&canonical(host)).collect()
    }

    #[test]
    fn the_most_specific_host_comes_first() {
        assert_eq!(groups("a.eu.example.com"), [3, 2, 1, 0]);
        assert_eq!(groups("B.EU.Example.com."), [2, 1, 0]);
        assert_eq!(groups("c.b.example.com"), [1, 0]);
        assert_eq!(groups("example.com"), [4, 0]);
    }

    #[test]
    fn a_wildcard_needs_a_label() {
        for host in [
            "",
            ".",
            ".example.com",
            "other.com",
            "badexample.com",
            "[::1]",
        ] {
            assert_eq!(groups(host), [0], "{host:?}");
        }
    }

    #[test]
    fn a_pattern_keeps_its_group() {
        let mut hosts = Hosts::default();
        let pattern = HostPattern::Exact("a".into());
        assert_eq!(hosts.place(&pattern, 0), 0);
        assert_eq!(hosts.place(&pattern, 1), 0);
    }
}
