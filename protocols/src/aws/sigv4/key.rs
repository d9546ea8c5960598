//! Credentials, and the key that is made of a secret for one day, region and service.

use std::fmt;

use hmac::{Hmac, Mac};
use sha2::Sha256;

use super::time;

/// Who signs.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The name of the key; no secret.
    pub access_key_id: String,
    /// The key.
    pub secret_access_key: String,
    /// What makes temporary credentials valid.
    pub session_token: Option<String>,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("access_key_id", &self.access_key_id)
            .finish_non_exhaustive()
    }
}

/// A signing key: good for one day (UTC), one region and one service.
#[derive(Clone)]
pub struct Key {
    bytes: [u8; 32],
    day: u64,
    scope: String,
}

impl Key {
    /// The key for the day of `now`, in seconds since the Unix epoch.
    pub fn derive(secret_access_key: &str, now: u64, region: &str, service: &str) -> Self {
        const END: &str = "aws4_request";
        let day = time::day(now);
        let date = time::date(day);
        let start = format!("AWS4{secret_access_key}");
        let of_day = mac(start.as_bytes(), &date);
        let of_region = mac(&of_day, region);
        let of_service = mac(&of_region, service);
        Self {
            bytes: mac(&of_service, END),
            day,
            scope: format!("{date}/{region}/{service}/{END}"),
        }
    }

    /// Whether it is good at `now`, in seconds since the Unix epoch.
    pub const fn is_of(&self, now: u64) -> bool {
        self.day == time::day(now)
    }

    pub(super) fn scope(&self) -> &str {
        &self.scope
    }

    pub(super) fn mac(&self, text: &str) -> [u8; 32] {
        mac(&self.bytes, text)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key")
            .field("scope", &self.scope)
            .finish_non_exhaustive()
    }
}

fn mac(key: &[u8], text: &str) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("keys of HMAC may have any length");
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().into()
}
