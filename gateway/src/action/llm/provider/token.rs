//! Tokens that prove to Google who calls (OAuth 2.0, RFC 6749): asked for with an assertion that a
//! service account signs (RFC 7523), or of the machine's metadata server.
//!
//! One token serves all calls until it is about to expire. One caller then asks for the next while
//! the others go on with the old one; they wait only where none is left. Knows no model.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use arc_swap::ArcSwapOption;
use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, HOST};
use http::{HeaderName, HeaderValue, Method, StatusCode};
use openssl::base64::encode_block;
use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::pkey::{PKey, Private};
use openssl::sign::Signer;
use pingora_http::RequestHeader;
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;
use weir_telemetry::Code;

use crate::action::llm::whole::{self, Seen};
use crate::config::vertex::{Account, Vertex};
use crate::error::GatewayError;
use crate::policy::quota::Usage;
use crate::proxy::{Downstream, Request};
use crate::upstream::{self, Body, Upstream};

/// What a token is for.
const SCOPE: &str = "https://www.googleapis.com/auth/cloud-platform";
/// How long an assertion is good for, in seconds: the longest that Google takes.
const ASSERTED_FOR: u64 = 3600;
/// How long before it expires a token is renewed; one that lasts no longer than twice this, halfway.
const AHEAD: Duration = Duration::from_secs(300);
/// How long asking for a token may take.
const WAIT: Duration = Duration::from_secs(10);
/// The longest answer that is read, in bytes.
const MAX_ANSWER: usize = 64 << 10;

/// The tokens of one account.
pub(crate) struct Tokens {
    account: Account,
    authority: HeaderValue,
    path: Arc<str>,
    upstream: Arc<Upstream>,
    current: ArcSwapOption<Token>,
    /// Held by who asks for the next.
    turn: Mutex<()>,
}

struct Token {
    /// As `Authorization` says it.
    field: HeaderValue,
    renew: Instant,
    expires: Instant,
}

/// What is answered to who asks for a token.
#[derive(Deserialize)]
struct Granted {
    access_token: String,
    expires_in: u64,
}

impl Tokens {
    /// Those of a provider, asked for over `upstream`.
    pub(crate) fn new(vertex: &Vertex, upstream: Arc<Upstream>) -> Self {
        Self {
            account: vertex.account.clone(),
            authority: HeaderValue::from_str(&vertex.authority)
                .expect("`check` parsed the address tokens are had at"),
            path: vertex.path.clone(),
            upstream,
            current: ArcSwapOption::empty(),
            turn: Mutex::new(()),
        }
    }

    /// What `Authorization` has to say now.
    pub(crate) async fn field(
        &self,
        request: &mut Request,
        down: &mut Downstream,
    ) -> Result<HeaderValue, GatewayError> {
        let now = Instant::now();
        let current = self.current.load_full();
        if let Some(token) = current.as_ref().filter(|token| now < token.renew) {
            return Ok(token.field.clone());
        }
        let spare = current.filter(|token| now < token.expires);
        let turn = match (self.turn.try_lock(), &spare) {
            (Ok(turn), _) => turn,
            (Err(_), Some(token)) => return Ok(token.field.clone()),
            (Err(_), None) => {
                let turn = tokio::time::timeout(WAIT, self.turn.lock()).await;
                turn.map_err(|_| refused("somebody else waits for one for too long"))?
            }
        };
        // Whoever had the turn before may have got one.
        let current = self.current.load_full();
        if let Some(token) = current.filter(|token| Instant::now() < token.renew) {
            return Ok(token.field.clone());
        }
        let asked = self.ask(request, down).await;
        drop(turn);
        if asked.is_err() {
            // No model was asked.
            request.usage = Some(Usage::nothing());
        }
        match (asked, spare) {
            (Ok(token), _) => Ok(token.field.clone()),
            (Err(error), Some(token)) => {
                log::warn!("no new token from {}: {error}", self.upstream.name);
                Ok(token.field.clone())
            }
            (Err(error), None) => Err(error),
        }
    }

    async fn ask(
        &self,
        request: &mut Request,
        down: &mut Downstream,
    ) -> Result<Arc<Token>, GatewayError> {
        let (head, body) = self.question().map_err(|why| {
            GatewayError::new(Code::InternalError).source(format!("asking for a token: {why}"))
        })?;
        let mut call = upstream::Call {
            body: body.map_or(Body::None, Body::Whole),
            hash_key: None,
            deadline: Instant::now() + WAIT.min(self.upstream.timeouts.total),
            hasty: false,
        };
        let answer = upstream::call(&self.upstream, request, down, &mut call, |_, _, _| {
            head.clone()
        })
        .await?;
        let (status, mut exchange) = (answer.head.status, answer.exchange);
        let mut seen = Seen::up_to(MAX_ANSWER);
        let read = whole::read(request, down, &mut exchange, &mut call.body, &mut seen).await;
        if let Err(failed) = read {
            exchange.abandon(request, failed.error());
            return Err(failed.error().clone());
        }
        exchange.finish(request);
        if status != StatusCode::OK {
            return Err(refused(&format!("it answered {}", status.as_u16())));
        }
        let granted = serde_json::from_slice::<Granted>(&seen.document())
            .map_err(|_| refused("it answered with no token"))?;
        let token = Token::new(&granted).ok_or_else(|| refused("its token fits in no header"))?;
        let token = Arc::new(token);
        self.current.store(Some(token.clone()));
        Ok(token)
    }

    /// The head and the body of what is asked.
    fn question(&self) -> Result<(RequestHeader, Option<Bytes>), String> {
        let (method, body) = match &self.account {
            Account::Machine => (Method::GET, None),
            Account::Service {
                email,
                key_id,
                key,
                audience,
            } => {
                let since = SystemTime::now().duration_since(UNIX_EPOCH);
                let claims = Claims::new(email, audience, since.map_or(0, |s| s.as_secs()));
                let assertion = assertion(&claims, key_id.as_deref(), key);
                let assertion = assertion.map_err(|error| error.to_string())?;
                let grant = "urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer";
                let form = format!("grant_type={grant}&assertion={assertion}");
                (Method::POST, Some(Bytes::from(form)))
            }
        };
        let broken = |error: Box<pingora_error::Error>| error.to_string();
        let path = self.path.as_bytes();
        let mut head = RequestHeader::build_no_case(method, path, Some(4)).map_err(broken)?;
        let mut put = |name: HeaderName, value: HeaderValue| head.insert_header(name, value);
        put(HOST, self.authority.clone()).map_err(broken)?;
        match &body {
            Some(body) => {
                let form = HeaderValue::from_static("application/x-www-form-urlencoded");
                put(CONTENT_TYPE, form).map_err(broken)?;
                put(CONTENT_LENGTH, HeaderValue::from(body.len())).map_err(broken)?;
            }
            None => {
                let name = HeaderName::from_static("metadata-flavor");
                put(name, HeaderValue::from_static("Google")).map_err(broken)?;
            }
        }
        Ok((head, body))
    }
}

impl Token {
    fn new(granted: &Granted) -> Option<Self> {
        let mut field = HeaderValue::try_from(format!("Bearer {}", granted.access_token)).ok()?;
        field.set_sensitive(true);
        // No token lasts for a day.
        let lasts = Duration::from_secs(granted.expires_in.min(86_400));
        let now = Instant::now();
        Some(Self {
            field,
            renew: now + lasts - AHEAD.min(lasts / 2),
            expires: now + lasts,
        })
    }
}

/// What a service account says of itself (RFC 7519).
#[derive(Serialize)]
struct Claims<'c> {
    iss: &'c str,
    scope: &'static str,
    aud: &'c str,
    iat: u64,
    exp: u64,
}

impl<'c> Claims<'c> {
    fn new(email: &'c str, audience: &'c str, now: u64) -> Self {
        Self {
            iss: email,
            scope: SCOPE,
            aud: audience,
            iat: now,
            exp: now + ASSERTED_FOR,
        }
    }
}

/// A signed JSON Web Token (RFC 7515, RS256).
fn assertion(
    claims: &Claims<'_>,
    key_id: Option<&str>,
    key: &PKey<Private>,
) -> Result<String, ErrorStack> {
    #[derive(Serialize)]
    struct Head<'h> {
        alg: &'static str,
        typ: &'static str,
        #[serde(skip_serializing_if = "Option::is_none")]
        kid: Option<&'h str>,
    }
    let head = Head {
        alg: "RS256",
        typ: "JWT",
        kid: key_id,
    };
    let head = serde_json::to_vec(&head).expect("strings always serialise");
    let claims = serde_json::to_vec(claims).expect("strings and numbers always serialise");
    let signed = format!("{}.{}", base64url(&head), base64url(&claims));
    let mut signer = Signer::new(MessageDigest::sha256(), key)?;
    let signature = signer.sign_oneshot_to_vec(signed.as_bytes())?;
    Ok(format!("{signed}.{}", base64url(&signature)))
}

/// Base64 for URLs, unpadded (RFC 4648, 5).
fn base64url(bytes: &[u8]) -> String {
    let url = |letter| match letter {
        '+' => '-',
        '/' => '_',
        other => other,
    };
    let padded = encode_block(bytes);
    padded.trim_end_matches('=').chars().map(url).collect()
}

fn refused(why: &str) -> GatewayError {
    let source = format!("whoever gives tokens gave none: {why}");
    GatewayError::new(Code::ProviderCredentialRejected).source(source)
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Tokens");
        shown
            .field("account", &self.account)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use openssl::base64::decode_block;
    use openssl::rsa::Rsa;
    use openssl::sign::Verifier;

    use super::*;

    #[test]
    fn an_assertion_says_who_asks_and_is_signed() {
        let key = PKey::from_rsa(Rsa::generate(2048).expect("a key")).expect("a key");
        let claims = Claims::new("a@b", "https://token", 100);
        let made = assertion(&claims, Some("k1"), &key).expect("signed");
        let parts: Vec<&str> = made.split('.').collect();
        let decoded = |part: &str| {
            let mut text = part.replace('-', "+").replace('_', "/");
            text.push_str(&"=".repeat((4 - text.len() % 4) % 4));
            decode_block(&text).expect("base64")
        };
        assert_eq!(
            decoded(parts[0]),
            br#"{"alg":"RS256","typ":"JWT","kid":"k1"}"#
        );
        let said: serde_json::Value = serde_json::from_slice(&decoded(parts[1])).expect("JSON");
        assert_eq!((&said["iss"], &said["exp"]), (&"a@b".into(), &3700.into()));
        let mut verifier = Verifier::new(MessageDigest::sha256(), &key).expect("a verifier");
        let signed = format!("{}.{}", parts[0], parts[1]);
        let holds = verifier.verify_oneshot(&decoded(parts[2]), signed.as_bytes());
        assert!(holds.expect("a verdict"));
    }

    #[test]
    fn a_token_is_renewed_before_it_expires() {
        let lasts = |expires_in| {
            let granted = Granted {
                access_token: "t".to_owned(),
                expires_in,
            };
            let token = Token::new(&granted).expect("a token");
            (token.expires - token.renew).as_secs()
        };
        assert_eq!((lasts(3600), lasts(100), lasts(0)), (300, 50, 0));
        let broken = Granted {
            access_token: "a\nb".to_owned(),
            expires_in: 1,
        };
        assert!(Token::new(&broken).is_none());
    }
}
