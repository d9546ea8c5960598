//! Signature Version 4: how a request to AWS proves who sent it (AWS, "Create a signed AWS API
//! request").
//!
//! Signing is a pure function of the request, the credentials, a key and the time. The key depends
//! only on the day, the region and the service, so whoever calls keeps one per day. Nothing here
//! finds credentials, reads a clock or sends anything; no secret is ever printed.
//!
//! Paths are encoded once more than they go out, as all services but S3 want it.

mod canonical;
mod key;
mod time;

use std::fmt;

use sha2::{Digest, Sha256};

pub use key::{Credentials, Key};

const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// What is signed of a request.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The method.
    pub method: &'a str,
    /// The value of `Host`, or `:authority`.
    pub host: &'a str,
    /// The path as it goes out, percent-encoded.
    pub path: &'a str,
    /// The query as it goes out, without `?`.
    pub query: &'a str,
    /// Other headers to sign, in any case and order; a name may stand several times. Not those
    /// that signing adds.
    pub headers: &'a [(&'a str, &'a str)],
    /// SHA-256 of the body.
    pub body_sha256: &'a [u8; 32],
    /// Whether that goes out in a header too: some services want it, none minds.
    pub hash_header: bool,
}

/// The headers that a signed request goes out with.
#[derive(Clone, PartialEq, Eq)]
pub struct Signed<'a> {
    /// `Authorization`.
    pub authorization: String,
    /// `X-Amz-Date`.
    pub date: String,
    /// `X-Amz-Content-Sha256`, if it was asked for.
    pub content_sha256: Option<String>,
    /// `X-Amz-Security-Token`, where credentials are temporary.
    pub security_token: Option<&'a str>,
}

/// The key is of another day than the time. Derive another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stale;

impl fmt::Display for Stale {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the signing key is of another day")
    }
}

impl std::error::Error for Stale {}

impl Signed<'_> {
    /// All of them, as name and value.
    pub fn headers(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let hash = self.content_sha256.as_deref();
        [
            ("authorization", Some(&*self.authorization)),
            ("x-amz-date", Some(&*self.date)),
            ("x-amz-content-sha256", hash),
            ("x-amz-security-token", self.security_token),
        ]
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?)))
    }
}

impl fmt::Debug for Signed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A signature and a token are good for some minutes to whoever reads them.
        f.debug_struct("Signed")
            .field("date", &self.date)
            .finish_non_exhaustive()
    }
}

/// Signs `request`, `now` seconds after the Unix epoch.
///
/// # Errors
/// [`Stale`] if `key` is of another day than `now`.
pub fn sign<'a>(
    request: &Request<'_>,
    credentials: &'a Credentials,
    key: &Key,
    now: u64,
) -> Result<Signed<'a>, Stale> {
    if !key.is_of(now) {
        return Err(Stale);
    }
    let date = time::stamp(now);
    let hash = hex(request.body_sha256);
    let security_token = credentials.session_token.as_deref();

    let mut headers = request.headers.to_vec();
    headers.push(("host", request.host));
    headers.push(("x-amz-date", &date));
    headers.extend(security_token.map(|token| ("x-amz-security-token", token)));
    headers.extend(
        request
            .hash_header
            .then_some(("x-amz-content-sha256", &*hash)),
    );
    let canonical = canonical::request(request, &headers, &hash);

    let scope = key.scope();
    let digest = hex(&Sha256::digest(canonical.text.as_bytes()).into());
    let signature = hex(&key.mac(&format!("{ALGORITHM}\n{date}\n{scope}\n{digest}")));
    let authorization = format!(
        "{ALGORITHM} Credential={}/{scope}, SignedHeaders={}, Signature={signature}",
        credentials.access_key_id, canonical.signed
    );
    Ok(Signed {
        authorization,
        date,
        content_sha256: request.hash_header.then_some(hash),
        security_token,
    })
}

fn hex(bytes: &[u8; 32]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |nibble: u8| char::from(DIGITS[usize::from(nibble)]);
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits.map(digit).collect()
}
