//! The addresses behind an endpoint's host name, as last heard from the system's resolver.
//!
//! A name that once resolved keeps its addresses when the resolver fails: a broken resolver must
//! not take healthy endpoints down. When to ask again, and how long to wait for an answer, is the
//! caller's to decide.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use arc_swap::ArcSwap;

/// A host and port, and the addresses they stand for now.
pub(crate) struct Resolved {
    /// `None` for an address, which stands for itself.
    name: Option<String>,
    port: u16,
    addresses: ArcSwap<Vec<SocketAddr>>,
    turn: AtomicUsize,
}

impl Resolved {
    /// A host name, which has no address before the first [`Resolved::refresh`]; or an IP
    /// address (version 6 with or without brackets), which needs none.
    pub(crate) fn new(host: &str, port: u16) -> Resolved {
        let bare = host.strip_prefix('[').and_then(|h| h.strip_suffix(']'));
        match bare.unwrap_or(host).parse::<IpAddr>() {
            Ok(ip) => Resolved::literal(SocketAddr::new(ip, port)),
            Err(_) => Resolved {
                name: Some(host.to_owned()),
                port,
                addresses: ArcSwap::default(),
                turn: AtomicUsize::new(0),
            },
        }
    }

    /// An address that never changes.
    pub(crate) fn literal(address: SocketAddr) -> Resolved {
        Resolved {
            name: None,
            port: address.port(),
            addresses: ArcSwap::from_pointee(vec![address]),
            turn: AtomicUsize::new(0),
        }
    }

    /// Asks the resolver again and says whether the set of addresses changed. On an error (no
    /// such name, no answer, an answer without addresses) the last good one stays.
    pub(crate) async fn refresh(&self) -> Result<bool, String> {
        let Some(name) = &self.name else {
            return Ok(false);
        };
        let found = tokio::net::lookup_host((name.as_str(), self.port))
            .await
            .map_err(|e| format!("cannot resolve {name:?}: {e}"))?;
        self.adopt(name, found)
    }

    /// Keeps the resolver's order of preference (RFC 6724), but a mere change of order is no
    /// news: many name servers rotate their answers.
    fn adopt(&self, name: &str, found: impl Iterator<Item = SocketAddr>) -> Result<bool, String> {
        let mut seen = BTreeSet::new();
        let found: Vec<_> = found.filter(|address| seen.insert(*address)).collect();
        if found.is_empty() {
            return Err(format!("{name:?} resolves to no address"));
        }
        let known: BTreeSet<_> = self.addresses.load().iter().copied().collect();
        if known == seen {
            return Ok(false);
        }
        self.addresses.store(Arc::new(found));
        Ok(true)
    }

    /// The addresses known now; empty if the name never resolved.
    pub(crate) fn current(&self) -> Arc<Vec<SocketAddr>> {
        self.addresses.load_full()
    }

    /// All addresses, beginning with the one whose turn it is. Each call gets every address once,
    /// whatever others ask for meanwhile.
    pub(crate) fn in_turn(&self) -> Vec<SocketAddr> {
        let mut addresses = self.addresses.load().to_vec();
        if addresses.len() > 1 {
            let turn = self.turn.fetch_add(1, Ordering::Relaxed);
            let first = turn % addresses.len();
            addresses.rotate_left(first);
        }
        addresses
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(texts: &[&str]) -> Vec<SocketAddr> {
        let parsed = texts.iter().map(|text| text.parse());
        parsed.collect::<Result<_, _>>().expect("an address")
    }

    fn named() -> Resolved {
        Resolved::new("orders.example.com", 80)
    }

    fn adopt(resolved: &Resolved, texts: &[&str]) -> Result<bool, String> {
        resolved.adopt("orders.example.com", addresses(texts).into_iter())
    }

    #[tokio::test]
    async fn addresses_stand_for_themselves() {
        for (host, expected) in [
            ("127.0.0.1", "127.0.0.1:80"),
            ("::1", "[::1]:80"),
            ("[::1]", "[::1]:80"),
        ] {
            let resolved = Resolved::new(host, 80);
            assert_eq!(*resolved.current(), addresses(&[expected]));
            assert_eq!(resolved.refresh().await, Ok(false));
            assert_eq!(resolved.in_turn(), resolved.in_turn());
        }
    }

    #[tokio::test]
    async fn a_name_has_addresses_once_it_was_looked_up() {
        let resolved = Resolved::new("localhost", 4321);
        assert!(resolved.in_turn().is_empty());
        assert_eq!(resolved.refresh().await, Ok(true));
        let addresses = resolved.in_turn();
        let first = addresses.first().expect("localhost has an address");
        assert!(first.ip().is_loopback());
        assert_eq!(first.port(), 4321);
        assert_eq!(resolved.refresh().await, Ok(false));
    }

    #[tokio::test]
    async fn a_failed_lookup_names_the_host_and_keeps_the_last_answer() {
        // A name with a NUL is refused before any server is asked.
        let resolved = Resolved::new("no\0name", 80);
        let error = resolved.refresh().await.expect_err("no such host");
        assert!(error.contains(r#""no\0name""#), "{error}");
        assert!(resolved.current().is_empty());

        adopt(&resolved, &["10.0.0.1:80"]).expect("an answer");
        assert!(resolved.refresh().await.is_err());
        assert_eq!(*resolved.current(), addresses(&["10.0.0.1:80"]));
    }

    #[test]
    fn an_empty_answer_is_an_error_and_changes_nothing() {
        let resolved = named();
        adopt(&resolved, &["10.0.0.1:80"]).expect("an answer");
        let error = adopt(&resolved, &[]).expect_err("an empty answer");
        assert!(error.contains("orders.example.com"), "{error}");
        assert_eq!(*resolved.current(), addresses(&["10.0.0.1:80"]));
    }

    #[test]
    fn only_a_different_set_of_addresses_is_a_change() {
        let resolved = named();
        assert_eq!(adopt(&resolved, &["10.0.0.2:80", "10.0.0.1:80"]), Ok(true));
        assert_eq!(adopt(&resolved, &["10.0.0.1:80", "10.0.0.2:80"]), Ok(false));
        assert_eq!(
            adopt(&resolved, &["10.0.0.2:80", "10.0.0.1:80", "10.0.0.2:80"]),
            Ok(false)
        );
        assert_eq!(adopt(&resolved, &["10.0.0.1:80"]), Ok(true));
        assert_eq!(adopt(&resolved, &["10.0.0.3:80"]), Ok(true));
        assert_eq!(*resolved.current(), addresses(&["10.0.0.3:80"]));
    }

    #[test]
    fn several_addresses_begin_in_turn_and_none_is_left_out() {
        let resolved = named();
        let three = ["10.0.0.3:80", "10.0.0.1:80", "10.0.0.2:80"];
        adopt(&resolved, &three).expect("an answer");
        for first in [0, 1, 2, 0] {
            let mut expected = addresses(&three);
            expected.rotate_left(first);
            assert_eq!(resolved.in_turn(), expected);
        }
    }
}
