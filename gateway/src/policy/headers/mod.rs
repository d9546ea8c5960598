//! `headers`: sets, adds and removes header fields, on the way up and on the way down.

#[cfg(test)]
mod tests;

use async_trait::async_trait;
use http::{HeaderName, HeaderValue};
use pingora_http::{RequestHeader, ResponseHeader};

use super::{Policy, RequestCx, ResponseCx, Verdict};
use crate::config::policies::headers::{Config, Edits};
use crate::error::GatewayError;

/// The policy.
pub(crate) struct Headers(pub(crate) Config);

#[async_trait]
impl Policy for Headers {
    async fn on_request(&self, cx: &mut RequestCx<'_>) -> Result<Verdict, GatewayError> {
        apply(&self.0.request, cx.head);
        Ok(Verdict::Continue)
    }

    async fn on_response(&self, cx: &mut ResponseCx<'_>) -> Result<Verdict, GatewayError> {
        apply(&self.0.response, cx.head);
        Ok(Verdict::Continue)
    }
}

/// A head whose fields can be edited.
trait Fields {
    fn remove(&mut self, name: &HeaderName);
    fn set(&mut self, name: &HeaderName, value: &HeaderValue);
    fn add(&mut self, name: &HeaderName, value: &HeaderValue);
}

macro_rules! fields {
    ($head:ty) => {
        impl Fields for $head {
            fn remove(&mut self, name: &HeaderName) {
                self.remove_header(name);
            }
            fn set(&mut self, name: &HeaderName, value: &HeaderValue) {
                self.insert_header(name, value)
                    .expect("a typed header is valid");
            }
            fn add(&mut self, name: &HeaderName, value: &HeaderValue) {
                self.append_header(name, value)
                    .expect("a typed header is valid");
            }
        }
    };
}

fields!(RequestHeader);
fields!(ResponseHeader);

fn apply(edits: &Edits, head: &mut impl Fields) {
    edits.remove.iter().for_each(|name| head.remove(name));
    edits
        .set
        .iter()
        .for_each(|(name, value)| head.set(name, value));
    edits
        .add
        .iter()
        .for_each(|(name, value)| head.add(name, value));
}
