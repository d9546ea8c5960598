//! One call of a provider: the head it gets, and what proves to it who calls. Knows no model, and
//! reads no answer.

use std::time::Instant;

use super::{Credential, Provider};
use crate::action::llm::ask::Outgoing;
use crate::error::GatewayError;
use crate::proxy::head::{self, Length};
use crate::proxy::{Downstream, Request};
use crate::upstream::{self, Body};

impl Provider {
    /// Sends a call by one of its keys, and waits for the head of its answer, until `deadline` at
    /// the latest.
    pub(in crate::action::llm) async fn send(
        &self,
        request: &mut Request,
        down: &mut Downstream,
        outgoing: &Outgoing,
        key: usize,
        deadline: Instant,
    ) -> Result<(upstream::Answer, Body), GatewayError> {
        let token = match &self.credential {
            Credential::Token(tokens) => Some(tokens.field(request, down).await?),
            Credential::None | Credential::Keys(..) | Credential::Signature(_) => None,
        };
        let to = head::Target {
            path: Some(&outgoing.path),
            host: Some(&self.authority),
            upgrade: false,
            length: Length::Known(outgoing.body.len()),
            expect: false,
        };
        let mut call = upstream::Call {
            body: Body::Whole(outgoing.body.clone()),
            hash_key: None,
            deadline,
            hasty: false,
        };
        let answer = upstream::call(
            &self.upstream,
            request,
            down,
            &mut call,
            |request, down, span| {
                let mut head = head::outgoing(request, down.head(), &to, span);
                self.introduce(&mut head.headers, outgoing.alike, key, token.as_ref());
                if let Credential::Signature(signer) = &self.credential {
                    let (path, body) = (&outgoing.path, &outgoing.body);
                    signer.sign(&mut head.headers, &self.authority, path, body);
                }
                head.into()
            },
        )
        .await?;
        Ok((answer, call.body))
    }
}
