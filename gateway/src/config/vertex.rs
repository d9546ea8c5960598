//! `providers[].vertex`, checked: where Vertex AI is, and what proves to it who calls.

use std::fmt;
use std::sync::Arc;

use openssl::pkey::{PKey, Private};
use serde::Deserialize;

use super::address;
use super::check::{At, Checker, Item};
use super::raw::providers::{self as raw, Dialect};
use super::raw::upstreams::Breaker as RawBreaker;
use super::upstreams::{self, Balance, Breaker, Endpoint, Protocol, Upstream};

/// Gemini's models on Vertex AI.
#[derive(Debug, Clone)]
pub struct Vertex {
    /// The project's id.
    pub project: Arc<str>,
    /// The location, as `europe-west4` or `global`.
    pub location: Arc<str>,
    /// Who calls.
    pub account: Account,
    /// The Host of who gives tokens.
    pub authority: Arc<str>,
    /// The path at which they are given.
    pub path: Arc<str>,
    /// How whoever gives tokens is called; named `provider/NAME/tokens`.
    pub tokens: Arc<Upstream>,
}

/// Who calls Vertex AI.
#[derive(Clone)]
pub enum Account {
    /// A service account, which signs for itself.
    Service {
        /// Its name.
        email: Arc<str>,
        /// Which of its keys signs.
        key_id: Option<Arc<str>>,
        /// That key.
        key: PKey<Private>,
        /// Who is asked for tokens, as it is signed.
        audience: Arc<str>,
    },
    /// The machine's own, which its metadata server vouches for.
    Machine,
}

impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Service { email, .. } => {
                let mut shown = f.debug_struct("Service");
                shown.field("email", email).finish_non_exhaustive()
            }
            Self::Machine => f.write_str("Machine"),
        }
    }
}

/// The file of a service account's key, as Google gives it out.
#[derive(Deserialize)]
struct KeyFile {
    client_email: String,
    private_key: String,
    #[serde(default)]
    private_key_id: Option<String>,
    token_uri: String,
}

/// The path of a machine's tokens on its metadata server.
const METADATA: &str = "/computeMetadata/v1/instance/service-accounts/default/token";

impl Vertex {
    /// Where it is, unless it is said.
    pub(super) fn base_url(location: &str) -> String {
        match location {
            "global" => "https://aiplatform.googleapis.com".to_owned(),
            _ => format!("https://{location}-aiplatform.googleapis.com"),
        }
    }
}

/// Checks the section, if there is one.
pub(super) fn check(cx: &mut Checker<'_>, item: &Item<raw::Provider>) -> Option<Option<Vertex>> {
    let Some(vertex) = &item.raw.vertex else {
        return Some(None);
    };
    let at = item.at.key("vertex");
    if item.raw.dialect != Dialect::Gemini {
        let hint = "set dialect gemini, or leave `vertex` out";
        cx.fault(&at, "Vertex AI is called by Gemini's dialect", hint);
        return None;
    }
    if item.raw.api_key.is_some() || !item.raw.api_keys.is_empty() {
        let hint = "leave the key out";
        cx.fault(
            &item.at.key("api_key"),
            "Vertex AI is called by tokens",
            hint,
        );
    }
    let mut good = true;
    for (key, value, hint) in [
        (
            "project",
            &vertex.project,
            "write the project's id, as acme-models",
        ),
        (
            "location",
            &vertex.location,
            "write it as europe-west4 or global",
        ),
    ] {
        let is_plain =
            |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-.:".contains(&byte);
        if value.is_empty() || !value.bytes().all(is_plain) {
            cx.fault(&at.key(key), format!("this is no {key}"), hint);
            good = false;
        }
    }
    let (account, url) = check_account(cx, item, &at.key("credentials"), &vertex.credentials)?;
    let breaker = upstreams::check::check_breaker(cx, &at, &RawBreaker::default())?;
    good.then(|| {
        Some(Vertex {
            project: vertex.project.as_str().into(),
            location: vertex.location.as_str().into(),
            account,
            authority: url.authority.as_str().into(),
            path: url.path.as_str().into(),
            tokens: Arc::new(upstream(&item.raw, url, breaker)),
        })
    })
}

/// Who calls, and where tokens are had.
fn check_account(
    cx: &mut Checker<'_>,
    item: &Item<raw::Provider>,
    at: &At,
    raw: &raw::Credentials,
) -> Option<(Account, address::Url)> {
    match raw {
        raw::Credentials::Metadata { address } => {
            let url = address::url(&format!("{}{METADATA}", address.trim_end_matches('/')));
            let fault = |why| {
                cx.fault(
                    &at.key("address"),
                    why,
                    "write it as http://metadata.google.internal",
                )
            };
            Some((Account::Machine, url.map_err(fault).ok()?))
        }
        raw::Credentials::ServiceAccount { key } => {
            let at = at.key("key").key("secret");
            let secret = cx.reveal(&at, &key.secret.0, item.team.as_ref())?;
            let read = service(secret.expose());
            let fault = |why| {
                cx.fault(
                    &at,
                    why,
                    "give the JSON file of a service account's key, as Google made it",
                )
            };
            read.map_err(fault).ok()
        }
    }
}

fn service(json: &str) -> Result<(Account, address::Url), &'static str> {
    let file: KeyFile =
        serde_json::from_str(json).map_err(|_| "the secret is no key of a service account")?;
    let key = PKey::private_key_from_pem(file.private_key.as_bytes())
        .ok()
        .filter(|key| key.rsa().is_ok())
        .ok_or("the secret's `private_key` is no RSA key in PEM")?;
    let url = address::url(&file.token_uri).map_err(|_| "the secret's `token_uri` is no URL")?;
    let account = Account::Service {
        email: file.client_email.into(),
        key_id: file.private_key_id.map(Into::into),
        key,
        audience: file.token_uri.into(),
    };
    Ok((account, url))
}

/// How whoever gives tokens is called: with the waits and retries of the provider's calls.
fn upstream(raw: &raw::Provider, url: address::Url, breaker: Breaker) -> Upstream {
    Upstream {
        name: format!("provider/{}/tokens", raw.name.0).into(),
        tls: url.tls.then(upstreams::Tls::verified),
        endpoints: vec![Endpoint {
            host: url.host,
            port: url.port,
            weight: 1,
        }],
        protocol: Protocol::Http1,
        balance: Balance::RoundRobin,
        timeouts: upstreams::check::check_timeouts(&raw.timeouts),
        active: None,
        passive: None,
        breaker,
        retries: upstreams::Retries {
            max: raw.retries.max,
            budget_percent: raw.retries.budget_percent.0,
        },
        max_connections_per_endpoint: None,
        preserve_header_case: false,
    }
}
