//! `providers`, checked.

use std::sync::Arc;
use std::time::Duration;

use super::address;
use super::check::{At, Checker, Item};
use super::raw::SecretRef;
use super::raw::providers as raw;
pub use super::raw::providers::Dialect;
use super::secret::Secret;
use super::servers::Server;
use super::upstreams::Upstream;
use super::upstreams::{self, Balance, Breaker, Endpoint, Protocol, Retries};
use super::vertex::{self, Vertex};

/// The most keys of one provider.
const MOST_KEYS: usize = 64;

/// A service that answers LLM calls.
#[derive(Debug, Clone)]
pub struct Provider {
    /// Its name.
    pub name: Arc<str>,
    /// What it speaks.
    pub dialect: Dialect,
    /// Which server it is, if it speaks OpenAI's dialect.
    pub server: Server,
    /// The Host sent: the authority of its address.
    pub authority: Arc<str>,
    /// What stands before the API's own paths, as `/v1`; without a slash at the end, may be empty.
    pub base_path: Arc<str>,
    /// The keys sent to it, in turn; none, if it wants none.
    pub api_keys: Vec<ApiKey>,
    /// The version of Azure's API, if it is Azure's.
    pub azure_api_version: Option<Arc<str>>,
    /// What signs calls of Bedrock; there if it is that.
    pub aws: Option<Aws>,
    /// Where on Vertex AI, if it is that.
    pub vertex: Option<Vertex>,
    /// The longest `Retry-After` that is waited for.
    pub longest_wait: Duration,
    /// How it is called: one endpoint, named `provider/NAME`.
    pub upstream: Arc<Upstream>,
}

/// A key of a provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiKey {
    /// The secret's name, which is what operators see of it.
    pub name: Arc<str>,
    /// The key; it fits into a header.
    pub value: Secret,
}

/// What signs calls of Bedrock.
#[derive(Debug, Clone)]
pub struct Aws {
    /// The region.
    pub region: Arc<str>,
    /// The access key's id.
    pub access_key_id: Secret,
    /// The access key itself.
    pub secret_access_key: Secret,
    /// The token of a session.
    pub session_token: Option<Secret>,
}

impl Provider {
    /// Whether it makes vectors of texts.
    pub fn makes_vectors(&self) -> bool {
        match self.dialect {
            Dialect::Openai => true,
            Dialect::Gemini => self.vertex.is_none(),
            Dialect::Anthropic | Dialect::Bedrock => false,
        }
    }
}

/// Checks one provider.
pub(super) fn check(cx: &mut Checker<'_>, item: &Item<raw::Provider>) -> Option<Provider> {
    let (raw, at) = (&item.raw, &item.at);
    let url = check_url(cx, item);
    let api_keys = check_keys(cx, item);
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
    let api_keys = api_keys?;
    let aws = check_aws(cx, item)?;
    let azure_api_version = check_azure(cx, item)?;
    let vertex = vertex::check(cx, item)?;
    let server = check_server(cx, item, &url.authority)?;
    let breaker = upstreams::check::check_breaker(cx, &at.key("breaker"), &raw.breaker)?;
    let endpoint = Endpoint {
        host: url.host,
        port: url.port,
        weight: 1,
    };
    Some(Provider {
        name: raw.name.0.as_str().into(),
        dialect: raw.dialect,
        server,
        authority: url.authority.into(),
        base_path: url.path.into(),
        api_keys,
        azure_api_version,
        aws,
        vertex,
        longest_wait: raw.retries.longest_wait.0,
        upstream: Arc::new(upstream(raw, endpoint, tls, breaker)),
    })
}

/// Where it is: as written, or where its server is to everybody.
fn check_url(cx: &mut Checker<'_>, item: &Item<raw::Provider>) -> Option<address::Url> {
    let (raw, at) = (&item.raw, item.at.key("base_url"));
    let public = raw.server.and_then(|server| server.entry().base_url);
    let vertex = raw.vertex.as_ref();
    let vertex = vertex.map(|vertex| Vertex::base_url(&vertex.location));
    let public = vertex.as_deref().or(public);
    let Some(url) = raw.base_url.as_deref().or(public) else {
        let hint = "write it as https://api.openai.com/v1";
        cx.fault(&at, "where it is called is missing", hint);
        return None;
    };
    let read = address::url(url).map_err(|message| {
        cx.fault(&at, message, "write it as https://api.openai.com/v1");
    });
    read.ok()
}

/// Which server it is. Azure's has its own section.
fn check_server(
    cx: &mut Checker<'_>,
    item: &Item<raw::Provider>,
    authority: &str,
) -> Option<Server> {
    let (raw, at) = (&item.raw, item.at.key("server"));
    match raw.server {
        Some(_) if raw.dialect != Dialect::Openai => {
            let hint = "leave it out, or set dialect openai";
            cx.fault(&at, "servers differ in OpenAI's dialect only", hint);
            None
        }
        Some(_) if raw.azure.is_some() => {
            let hint = "leave either `server` or `azure` out";
            cx.fault(&at, "it is Azure's", hint);
            None
        }
        Some(server) => Some(server),
        None if raw.azure.is_some() => Some(Server::Openai),
        None => Some(Server::of_authority(authority)),
    }
}

/// The provider's keys, by either of the two ways to say them; `None` if one is faulty.
fn check_keys(cx: &mut Checker<'_>, item: &Item<raw::Provider>) -> Option<Vec<ApiKey>> {
    let (raw, at) = (&item.raw, item.at.key("api_keys"));
    if let Some(key) = &raw.api_key {
        if !raw.api_keys.is_empty() {
            cx.fault(
                &at,
                "there is an `api_key` as well",
                "give either one key or several",
            );
        }
        return Some(vec![check_key(cx, item, &item.at.key("api_key"), key)?]);
    }
    if raw.api_keys.len() > MOST_KEYS {
        cx.fault(
            &at,
            format!("these are more than {MOST_KEYS} keys"),
            "leave some out",
        );
        return None;
    }
    let mut keys: Vec<ApiKey> = Vec::new();
    for (index, key) in raw.api_keys.iter().enumerate() {
        let at = at.index(index);
        let key = check_key(cx, item, &at, key)?;
        if keys.iter().any(|other| other.name == key.name) {
            cx.fault(&at, "this key is given twice", "leave one out");
        }
        keys.push(key);
    }
    Some(keys)
}

/// A key has to fit into a header.
fn check_key(
    cx: &mut Checker<'_>,
    item: &Item<raw::Provider>,
    at: &At,
    key: &SecretRef,
) -> Option<ApiKey> {
    let at = at.key("secret");
    let name = key.secret.0.as_str().into();
    let key = cx.reveal(&at, &key.secret.0, item.team.as_ref())?;
    if http::HeaderValue::from_str(key.expose()).is_err() {
        cx.fault(
            &at,
            "the secret cannot be sent in a header",
            "it holds control characters",
        );
        return None;
    }
    Some(ApiKey { name, value: key })
}

/// Bedrock's calls are signed, and nobody else's.
fn check_aws(cx: &mut Checker<'_>, item: &Item<raw::Provider>) -> Option<Option<Aws>> {
    let (raw, at) = (&item.raw, item.at.key("aws"));
    let bedrock = raw.dialect == Dialect::Bedrock;
    let Some(aws) = &raw.aws else {
        if bedrock && raw.api_key.is_none() && raw.api_keys.is_empty() {
            cx.fault(
                &at,
                "nothing proves to Bedrock who calls",
                "give the region and an access key, or an `api_key`",
            );
            return None;
        }
        return Some(None);
    };
    if !bedrock {
        cx.fault(
            &at,
            "only calls of Bedrock are signed",
            "leave it out, or set dialect bedrock",
        );
        return None;
    }
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    if aws.region.is_empty() || !aws.region.bytes().all(is_plain) {
        cx.fault(
            &at.key("region"),
            "this is no region",
            "write it as eu-central-1",
        );
    }
    let keys = [
        ("api_key", raw.api_key.is_some()),
        ("api_keys", !raw.api_keys.is_empty()),
    ];
    if let Some((key, _)) = keys.iter().find(|(_, given)| *given) {
        cx.fault(
            &item.at.key(key),
            "calls are signed instead",
            "give either a key or `aws`",
        );
    }
    let mut secret = |key: &str, secret: &SecretRef| {
        cx.reveal(
            &at.key(key).key("secret"),
            &secret.secret.0,
            item.team.as_ref(),
        )
    };
    let access_key_id = secret("access_key_id", &aws.access_key_id);
    let secret_access_key = secret("secret_access_key", &aws.secret_access_key);
    let session_token = aws
        .session_token
        .as_ref()
        .map(|t| secret("session_token", t));
    Some(Some(Aws {
        region: aws.region.as_str().into(),
        access_key_id: access_key_id?,
        secret_access_key: secret_access_key?,
        session_token: match session_token {
            Some(token) => Some(token?),
            None => None,
        },
    }))
}

/// Azure serves OpenAI's dialect only.
fn check_azure(cx: &mut Checker<'_>, item: &Item<raw::Provider>) -> Option<Option<Arc<str>>> {
    let Some(azure) = &item.raw.azure else {
        return Some(None);
    };
    let at = item.at.key("azure");
    if item.raw.dialect != Dialect::Openai {
        cx.fault(
            &at,
            "Azure OpenAI speaks OpenAI's dialect",
            "set dialect openai, or leave `azure` out",
        );
        return None;
    }
    let version = &azure.api_version;
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
    if version.is_empty() || !version.bytes().all(is_plain) {
        cx.fault(
            &at.key("api_version"),
            "this is no version of an API",
            "write it as 2024-10-21",
        );
        return None;
    }
    Some(Some(version.as_str().into()))
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
        retries: Retries {
            max: raw.retries.max,
            budget_percent: raw.retries.budget_percent.0,
        },
        max_connections_per_endpoint: None,
        preserve_header_case: false,
    }
}
