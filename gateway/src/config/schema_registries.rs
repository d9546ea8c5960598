//! `schema_registries`, checked: where a registry is, and how it is asked.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderValue;

use super::address;
use super::check::{At, Checker, Item};
use super::raw::schema_registries as raw;
use super::raw::upstreams as raw_upstreams;
use super::secret::Secret;
use super::upstreams::{self, Balance, Endpoint, Protocol, Retries, Upstream};

/// A schema registry.
#[derive(Debug, Clone, PartialEq)]
pub struct Registry {
    /// Its name.
    pub name: Arc<str>,
    /// The Host sent.
    pub authority: Arc<str>,
    /// What stands before the API's own paths; without a slash at the end, may be empty.
    pub base_path: Arc<str>,
    /// What `Authorization` says; it fits into a header.
    pub authorization: Option<Secret>,
    /// How long a question may take altogether.
    pub timeout: Duration,
    /// After how long the latest version is asked for anew.
    pub refresh: Duration,
    /// How it is called: one endpoint, named `schema_registry/NAME`.
    pub upstream: Arc<Upstream>,
}

/// Checks one registry.
pub(super) fn check(cx: &mut Checker<'_>, item: &Item<raw::SchemaRegistry>) -> Option<Registry> {
    let (raw, at) = (&item.raw, &item.at);
    let authorization = match &raw.auth {
        Some(auth) => Some(check_auth(cx, &at.key("auth"), auth, item.team.as_ref())?),
        None => None,
    };
    let url = match address::url(&raw.url) {
        Ok(url) => url,
        Err(why) => {
            cx.fault(
                &at.key("url"),
                why,
                "write it as https://registry.example.com",
            );
            return None;
        }
    };
    if raw.tls.is_some() && !url.tls {
        cx.fault(
            &at.key("tls"),
            "the address is spoken to in the clear",
            "write https:// in `url`, or leave `tls` out",
        );
    }
    let tls = match &raw.tls {
        Some(tls) => Some(upstreams::check::check_tls(cx, &at.key("tls"), tls)?),
        None => url.tls.then(upstreams::Tls::verified),
    };
    let breaker = raw_upstreams::Breaker::default();
    let upstream = Upstream {
        name: format!("schema_registry/{}", raw.name.0).into(),
        endpoints: vec![Endpoint {
            host: url.host,
            port: url.port,
            weight: 1,
        }],
        protocol: Protocol::Http1,
        tls,
        balance: Balance::RoundRobin,
        timeouts: upstreams::check::check_timeouts(&raw_upstreams::Timeouts::default()),
        active: None,
        passive: None,
        breaker: upstreams::check::check_breaker(cx, at, &breaker)?,
        retries: Retries {
            max: 1,
            budget_percent: 20,
        },
        max_connections_per_endpoint: None,
        preserve_header_case: false,
    };
    Some(Registry {
        name: raw.name.0.as_str().into(),
        authority: url.authority.into(),
        base_path: url.path.into(),
        authorization,
        timeout: raw.timeout.0,
        refresh: raw.refresh.0,
        upstream: Arc::new(upstream),
    })
}

fn check_auth(
    cx: &mut Checker<'_>,
    at: &At,
    raw: &raw::Auth,
    team: Option<&Arc<str>>,
) -> Option<Secret> {
    let (at, field) = match raw {
        raw::Auth::Basic { username, password } => {
            let at_password = at.key("password").key("secret");
            let password = cx.reveal(&at_password, &password.secret.0, team)?;
            if username.contains(':') {
                let hint = "a name for basic authentication has none";
                cx.fault(&at.key("username"), "there is a colon in it", hint);
                return None;
            }
            let pair = format!("{username}:{}", password.expose());
            (at_password, format!("Basic {}", STANDARD.encode(pair)))
        }
        raw::Auth::Bearer { token } => {
            let at_token = at.key("token").key("secret");
            let token = cx.reveal(&at_token, &token.secret.0, team)?;
            (at_token, format!("Bearer {}", token.expose()))
        }
    };
    if HeaderValue::from_str(&field).is_err() {
        cx.fault(
            &at,
            "the secret fits into no header",
            "give it without line breaks",
        );
        return None;
    }
    Some(Secret::new(field))
}
