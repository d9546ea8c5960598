//! AWS's signature of a request to Bedrock. Holds the keys; knows no model.

use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

use http::{HeaderMap, HeaderName, HeaderValue};
use parking_lot::Mutex;
use sha2::{Digest as _, Sha256};
use weir_protocols::aws::sigv4;
use weir_protocols::bedrock;

/// Signs for one provider.
pub(crate) struct Signer {
    credentials: sigv4::Credentials,
    region: String,
    /// The key of the day, which every request of that day is signed with.
    key: Mutex<Option<sigv4::Key>>,
}

impl Signer {
    pub(crate) fn new(credentials: sigv4::Credentials, region: impl Into<String>) -> Self {
        Self {
            credentials,
            region: region.into(),
            key: Mutex::new(None),
        }
    }

    /// Adds the signature of a POST of `body` to `path` at `authority` to its fields.
    pub(in crate::action::llm) fn sign(
        &self,
        fields: &mut HeaderMap,
        authority: &HeaderValue,
        path: &str,
        body: &[u8],
    ) {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        let now = since.map_or(0, |since| since.as_secs());
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let body: [u8; 32] = Sha256::digest(body).into();
        let request = sigv4::Request {
            method: "POST",
            host: authority.to_str().unwrap_or_default(),
            path,
            query,
            headers: &[],
            body_sha256: &body,
            hash_header: false,
        };
        let key = self.key(now);
        // The key is of the day that `now` is in.
        let Ok(signed) = sigv4::sign(&request, &self.credentials, &key, now) else {
            return;
        };
        for (name, value) in signed.headers() {
            if let Ok(mut value) = HeaderValue::try_from(value) {
                value.set_sensitive(true);
                fields.insert(HeaderName::from_static(name), value);
            }
        }
    }

    fn key(&self, now: u64) -> sigv4::Key {
        let mut kept = self.key.lock();
        match kept.as_ref().filter(|key| key.is_of(now)) {
            Some(key) => key.clone(),
            None => {
                let secret = &self.credentials.secret_access_key;
                let key = sigv4::Key::derive(secret, now, &self.region, bedrock::SERVICE);
                kept.insert(key).clone()
            }
        }
    }
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signer")
            .field("region", &self.region)
            .finish_non_exhaustive()
    }
}
