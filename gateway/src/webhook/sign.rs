//! Signatures of webhooks, as Standard Webhooks 1.0.0 say: HMAC-SHA256 of `id.timestamp.body`, in base64,
//! one for each key.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac as _};
use sha2::Sha256;

use crate::config::webhooks::Key;

/// The value of `webhook-signature`; none without a key.
pub(super) fn signature(keys: &[Key], id: &str, timestamp: &str, body: &[u8]) -> Option<String> {
    let one = |key: &Key| {
        let mut mac = Hmac::<Sha256>::new_from_slice(key.expose()).ok()?;
        for piece in [id.as_bytes(), b".", timestamp.as_bytes(), b".", body] {
            mac.update(piece);
        }
        let digest = mac.finalize().into_bytes();
        Some(format!("v1,{}", STANDARD.encode(digest)))
    };
    let signatures: Vec<String> = keys.iter().filter_map(one).collect();
    (!signatures.is_empty()).then(|| signatures.join(" "))
}
