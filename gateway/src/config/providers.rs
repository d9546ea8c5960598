//! `providers`, checked.

use std::sync::Arc;

use super::address;
use super::check::{Checker, Item};
use super::raw::SecretRef;
use super::raw::providers as raw;
pub use super::raw::providers::Dialect;
use super::secret::Secret;
use super::upstreams::Upstream;
use super::upstreams::{self, Balance, Breaker, Endpoint, Protocol};

/// A service that answers LLM calls.
#[derive(Debug, Clone)]
pub struct Provider {
    /// Its name.
    pub name: Arc<str>,
    /// What it speaks.
    pub dialect: Dialect,
    /// The Host sent: the authority of its address.
    pub authority: Arc<str>,
    /// What stands before the API's own paths, as `/v1`; without a slash at the end, may be empty.
    pub base_path: Arc<str>,
    /// The key sent to it.
    pub api_key: Option<Secret>,
    /// How it is called: one endpoint, named `provider/NAME`.
    pub upstream: Arc<Upstream>,
}

/// Checks one provider.
pub(super) fn check(cx: &mut Checker<'_>, item: &Item<raw::Provider>) -> Option<Provider> {
    let (raw, at) = (&item.raw, &item.at);
    let url = match address::url(&raw.base_url) {
        Ok(url) => Some(url),
        Err(message) => {
            cx.fault(
                &at.key("base_url"),
                message,
                "write it as https://api.openai.com/v1",
            );
            None
        }
    };
    let api_key = raw.api_key.as_ref().map(|key| check_key(cx, item, key));
    let tls = raw
        .tls
        .as_ref()
        .map(|tls| upstreams::check::check_tls(cx, &at.key("tls"), tls));
    let url = url?;
    if raw.tls.is_some() && !url.tls {
        cx.fault(
            &at.key("tls"),
            "the address is spoken to in the clear",
            "write https:// in `base_url`, or leave `tls` out",
        );
    }
    let tls = match tls {
        Some(tls) => Some(tls?),
        None => url.tls.then(upstreams::Tls::verified),
    };
    let api_key = match api_key {
        Some(key) => Some(key?),
        None => None,
    };
    let breaker = upstreams::check::check_breaker(cx, &at.key("breaker"), &raw.breaker)?;
    let endpoint = Endpoint {
        host: url.host,
        port: url.port,
        weight: 1,
    };
    Some(Provider {
        name: raw.name.0.as_str().into(),
        dialect: raw.dialect,
        authority: url.authority.into(),
        base_path: url.path.into(),
        api_key,
        upstream: Arc::new(upstream(raw, endpoint, tls, breaker)),
    })
}

/// The provider's key; it has to fit into a header.
fn check_key(cx: &mut Checker<'_>, item: &Item<raw::Provider>, key: &SecretRef) -> Option<Secret> {
    let at = item.at.key("api_key").key("secret");
    let key = cx.reveal(&at, &key.secret.0, item.team.as_ref())?;
    if http::HeaderValue::from_str(key.expose()).is_err() {
        cx.fault(
            &at,
            "the secret cannot be sent in a header",
            "it holds control characters",
        );
        return None;
    }
    Some(key)
}

/// How the provider is called.
fn upstream(
    raw: &raw::Provider,
    endpoint: Endpoint,
    tls: Option<upstreams::Tls>,
    breaker: Breaker,
) -> Upstream {
    Upstream {
        name: format!("provider/{}", raw.name.0).into(),
        endpoints: vec![endpoint],
        protocol: Protocol::Http1,
        tls,
        balance: Balance::RoundRobin,
        timeouts: upstreams::check::check_timeouts(&raw.timeouts),
        active: None,
        passive: None,
        breaker,
        retries: upstreams::check::check_retries(&raw.retries),
        max_connections_per_endpoint: None,
    }
}
