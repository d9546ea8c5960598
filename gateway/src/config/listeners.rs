//! `listeners`, checked: addresses and certificates that can be used as they are.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use openssl::asn1::Asn1Time;
use openssl::pkey::{PKey, Private};
use openssl::x509::X509;

use super::check::{At, Checker, Item};
use super::hosts::Host;
use super::raw::listeners as raw;
use super::tls;

/// An address on which requests are accepted.
#[derive(Debug, Clone)]
pub struct Listener {
    /// Its name.
    pub name: Arc<str>,
    /// Where it listens; port 0 takes a free one.
    pub address: SocketAddr,
    /// TLS, if it terminates it.
    pub tls: Option<Tls>,
    /// Streams a client may have open on one HTTP/2 connection.
    pub max_concurrent_streams: u32,
    /// What one connection may cost.
    pub limits: Limits,
}

/// TLS of a listener.
#[derive(Debug, Clone)]
pub struct Tls {
    /// At least one. The first serves clients that name no server.
    pub certificates: Vec<Certificate>,
    /// The authorities that sign client certificates; when set, every client
    /// has to present one.
    pub client_ca: Option<Vec<X509>>,
}

/// A certificate chain and the key that fits it.
#[derive(Debug, Clone)]
pub struct Certificate {
    /// Server names it is used for; at least one.
    pub hosts: Vec<Host>,
    /// The chain, leaf first; at least one.
    pub chain: Vec<X509>,
    /// The leaf's private key.
    pub key: PKey<Private>,
    /// The file the chain came from.
    pub cert_file: PathBuf,
    /// The file the key came from.
    pub key_file: PathBuf,
}

impl Certificate {
    /// When the first of its chain expires, in seconds of Unix time.
    pub(crate) fn expiry(&self) -> Option<i64> {
        let epoch = Asn1Time::from_unix(0).ok()?;
        let seconds = |certificate: &X509| {
            let since = epoch.diff(certificate.not_after()).ok()?;
            Some(i64::from(since.days) * 86_400 + i64::from(since.secs))
        };
        self.chain.iter().filter_map(seconds).min()
    }
}

/// What one connection, and all of them together, may cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// From the first byte of a request head to its last.
    pub head_timeout: Duration,
    /// The longest request head in bytes.
    pub max_head_bytes: usize,
    /// The most header fields in a request.
    pub max_fields: usize,
    /// How long a connection may stay without a request.
    pub idle_timeout: Duration,
    /// The most connections at once.
    pub max_connections: Option<usize>,
}

/// Checks one listener.
pub(super) fn check(cx: &mut Checker<'_>, item: &Item<raw::Listener>) -> Option<Listener> {
    let raw = &item.raw;
    let tls = match &raw.tls {
        Some(tls) => Some(check_tls(cx, &item.at.key("tls"), tls)?),
        None => None,
    };
    let limits = &raw.limits;
    let too_large = limits.max_head_bytes.0 > MAX_HEAD;
    if too_large {
        let at = item.at.key("limits").key("max_head_bytes");
        cx.fault(
            &at,
            format!("{} is too large", limits.max_head_bytes),
            "the most is 1MiB",
        );
    }
    Some(Listener {
        name: raw.name.0.as_str().into(),
        address: raw.address.0,
        tls,
        max_concurrent_streams: raw.http2.max_concurrent_streams,
        limits: Limits {
            head_timeout: limits.head_timeout.0,
            max_head_bytes: usize::try_from(limits.max_head_bytes.0).ok()?,
            max_fields: limits.max_fields as usize,
            idle_timeout: limits.idle_timeout.0,
            max_connections: limits.max_connections.map(|most| most as usize),
        },
    })
}

/// A head is held in memory, for every connection at once.
const MAX_HEAD: u64 = 1 << 20;

fn check_tls(cx: &mut Checker<'_>, at: &At, raw: &raw::Tls) -> Option<Tls> {
    let client_ca = raw
        .client_ca
        .as_ref()
        .map(|file| tls::authorities(cx, &at.key("client_ca"), file));
    let mut certificates = Vec::new();
    for (index, certificate) in raw.certificates.iter().enumerate() {
        let at = at.key("certificates").index(index);
        certificates.extend(check_certificate(cx, &at, certificate));
    }
    let complete = certificates.len() == raw.certificates.len();
    let client_ca = match client_ca {
        Some(authorities) => Some(authorities?),
        None => None,
    };
    complete.then_some(Tls {
        certificates,
        client_ca,
    })
}

fn check_certificate(cx: &mut Checker<'_>, at: &At, raw: &raw::Certificate) -> Option<Certificate> {
    let pair = tls::pair(cx, (&at.key("cert"), &raw.cert), (&at.key("key"), &raw.key));
    let mut hosts = Vec::new();
    for (index, text) in raw.hosts.iter().enumerate() {
        match Host::parse(text) {
            Some(host) => hosts.push(host),
            None => cx.fault(
                &at.key("hosts").index(index),
                format!("\"{text}\" is no host"),
                "write it as api.example.com or *.example.com",
            ),
        }
    }
    let (chain, key) = pair?;
    if raw.hosts.is_empty() {
        hosts = tls::hosts(chain.first()?);
    }
    if hosts.is_empty() {
        cx.fault(
            at,
            "the certificate names no host",
            "say for which under `hosts`",
        );
        return None;
    }
    let (cert_file, key_file) = (cx.locate(at, &raw.cert), cx.locate(at, &raw.key));
    Some(Certificate {
        hosts,
        chain,
        key,
        cert_file,
        key_file,
    })
}
