//! Which document a request means, and where it is found: among those that the route trusts, kept from
//! an earlier request, or in the request itself. A name is only believed if it is right.

use std::sync::Arc;

use sha2::{Digest, Sha256};
use weir_protocols::graphql::document::{Document, MAX_NESTING};
use weir_protocols::graphql::lex;
use weir_protocols::graphql::limits::Limits;
use weir_protocols::graphql::request::Request;
use weir_telemetry::metrics::graphql::Source;
use weir_telemetry::{Code, metrics};

use super::examine::{Refused, Unknown};
use super::fault;
use super::shelf::{Hash, Shelf};
use crate::config::routes::graphql as config;
use crate::config::routes::graphql::{Known, Trusted};
use crate::error::GatewayError;

/// Where documents are found.
pub(super) enum Documents {
    /// In requests; those of late are kept with their parse.
    Any(Shelf),
    /// Among these.
    AllowList(Arc<Trusted>),
    /// In requests, or by their hash among those of late.
    Automatic(Shelf),
}

/// What those of late may take where none goes by its hash, in bytes.
const KEPT: u64 = 8 << 20;

/// A document that was found.
pub(super) struct Found {
    pub(super) known: Arc<Known>,
    /// Its hash, if it is yet to be kept.
    new: Option<Hash>,
}

impl Documents {
    /// Makes them ready.
    pub(super) fn build(said: &config::Documents) -> Self {
        match said {
            config::Documents::Any => Self::Any(Shelf::new(KEPT)),
            config::Documents::AllowList(trusted) => Self::AllowList(trusted.clone()),
            config::Documents::Automatic(max) => Self::Automatic(Shelf::new(*max)),
        }
    }

    /// The document that `request` means, unless what is written of it is beyond `limits`.
    pub(super) fn find(
        &self,
        request: &Request<'_>,
        limits: &Limits,
        metrics: &metrics::Graphql,
    ) -> Result<Found, Refused> {
        let Some(text) = request.query.as_deref() else {
            let named = self.named(request, metrics)?;
            check_version(request)?;
            return Ok(Found {
                known: named,
                new: None,
            });
        };
        if request.document_id.is_some() {
            let public = "There is a document and the name of one; send one of both.";
            return Err(GatewayError::public(Code::RequestBodyInvalid, public).into());
        }
        // Before anything that takes longer for a longer text.
        let most = lex::Limits {
            tokens: limits.tokens,
            nesting: MAX_NESTING,
        };
        let count = lex::count(text, most).map_err(|wrong| fault::document(&wrong))?;
        limits
            .check_written(&count)
            .map_err(|exceeded| fault::exceeded(&exceeded))?;
        let hash: Hash = Sha256::digest(text.as_bytes()).into();
        check_version(request)?;
        if let Some(persisted) = &request.persisted
            && !hex(&hash).eq_ignore_ascii_case(&persisted.sha256)
        {
            let public = "The hash is not that of the document; send the SHA-256 of its text as it \
                          is.";
            let path = "extensions.persistedQuery.sha256Hash";
            return Err(GatewayError::public(Code::RequestBodyInvalid, public)
                .param(path)
                .into());
        }
        self.whole(text, hash, &count, metrics)
    }

    /// A document that came in full.
    fn whole(
        &self,
        text: &str,
        hash: Hash,
        count: &lex::Count,
        metrics: &metrics::Graphql,
    ) -> Result<Found, Refused> {
        let shelf = match self {
            Self::AllowList(trusted) => {
                let known = trusted.get(&hex(&hash)).cloned();
                return trust(known, metrics);
            }
            Self::Any(shelf) | Self::Automatic(shelf) => shelf,
        };
        if let Some(known) = shelf.get(&hash) {
            metrics.document(Source::Kept);
            return Ok(Found { known, new: None });
        }
        metrics.document(Source::Parsed);
        let document = Document::counted(text, count).map_err(|wrong| fault::document(&wrong))?;
        let known = Known {
            text: text.into(),
            document,
        };
        Ok(Found {
            known: Arc::new(known),
            new: Some(hash),
        })
    }

    /// A document that was only named.
    fn named(
        &self,
        request: &Request<'_>,
        metrics: &metrics::Graphql,
    ) -> Result<Arc<Known>, Refused> {
        let hash = request.persisted.as_ref().map(|named| &*named.sha256);
        let id = request.document_id.as_deref();
        if hash.is_some() && id.is_some() {
            let public = "A document is named twice, by its hash and as `documentId`; send one.";
            return Err(GatewayError::public(Code::RequestBodyInvalid, public).into());
        }
        let hash = hash.or_else(|| id?.strip_prefix("sha256:"));
        let unknown = |kept| {
            metrics.document(Source::Unknown);
            Err(Refused::Unknown(Unknown { kept, batch: None }))
        };
        match self {
            Self::AllowList(trusted) => {
                let by_hash = hash.and_then(|hash| trusted.get(&hash.to_ascii_lowercase()));
                let known = by_hash.or_else(|| trusted.get(id.or(hash)?));
                trust(known.cloned(), metrics).map(|found| found.known)
            }
            Self::Any(_) => unknown(false),
            Self::Automatic(shelf) => {
                match hash.and_then(unhex).and_then(|hash| shelf.get(&hash)) {
                    Some(known) => {
                        metrics.document(Source::Kept);
                        Ok(known)
                    }
                    None => unknown(true),
                }
            }
        }
    }

    /// Keeps a document that may be asked for again.
    pub(super) fn keep(&self, found: Found) {
        if let (Self::Any(shelf) | Self::Automatic(shelf), Some(hash)) = (self, found.new) {
            shelf.put(hash, found.known);
        }
    }
}

/// A document that the route trusts, or not.
fn trust(known: Option<Arc<Known>>, metrics: &metrics::Graphql) -> Result<Found, Refused> {
    let source = match &known {
        Some(_) => Source::Trusted,
        None => Source::Unknown,
    };
    metrics.document(source);
    let known = known.ok_or_else(fault::not_trusted)?;
    Ok(Found { known, new: None })
}

fn check_version(request: &Request<'_>) -> Result<(), Refused> {
    match &request.persisted {
        Some(persisted) if persisted.version != 1 => {
            let public = "There is but version 1 of persisted queries; send that.";
            let path = "extensions.persistedQuery.version";
            let error = GatewayError::public(Code::RequestBodyInvalid, public);
            Err(error.param(path).into())
        }
        _ => Ok(()),
    }
}

fn hex(hash: &Hash) -> String {
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Option<Hash> {
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    let mut hash = [0; 32];
    for (byte, at) in hash.iter_mut().zip((0..64).step_by(2)) {
        *byte = u8::from_str_radix(&text[at..at + 2], 16).ok()?;
    }
    Some(hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_is_read_as_it_is_written() {
        let hash: Hash = Sha256::digest(b"{a}").into();
        assert_eq!(unhex(&hex(&hash)), Some(hash));
        assert_eq!(unhex(&hex(&hash).to_uppercase()), Some(hash));
        assert_eq!(unhex("ab"), None);
        assert_eq!(unhex(&"ä".repeat(32)), None);
        assert_eq!(unhex(&"g".repeat(64)), None);
    }
}
