//! `external_guard`: asks a service whether a prompt may pass, and waits for what it says.
//!
//! The call goes the one way upstreams are called, so that it has its attempt in the record, its
//! span and its deadlines. Of the caller's own head nothing goes with it.

mod ask;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Instant;

use async_trait::async_trait;
use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, HOST};
use http::{HeaderValue, StatusCode};
use pingora_http::RequestHeader;
use weir_telemetry::Code;
use weir_telemetry::code::Fault;
use weir_telemetry::metrics::Findings;

use super::Policy;
use super::speech::{self, Answers, Guard, Prompt};
use crate::config::policies::external_guard::Config;
use crate::error::GatewayError;
use crate::upstream::{self, Body, Call, Upstream};
use ask::Said;

/// The longest answer that is read, in bytes: a prompt may come back whole.
const MAX_ANSWER: usize = 32 << 20;

/// The policy.
pub(crate) struct ExternalGuard {
    config: Config,
    upstream: Arc<Upstream>,
    denied: Findings,
    replaced: Findings,
    unavailable: Findings,
}

impl ExternalGuard {
    /// Counts what is decided where `findings` says, told the decision and the direction.
    pub(crate) fn new(
        config: Config,
        upstream: Arc<Upstream>,
        findings: &dyn Fn(&str, &str) -> Findings,
    ) -> Self {
        Self {
            config,
            upstream,
            denied: findings("denied", "request"),
            replaced: findings("replaced", "request"),
            unavailable: findings("unavailable", "request"),
        }
    }

    /// Sends the question and reads what comes. The error of a guard says what is wrong with it;
    /// one that is the caller's is of no guard.
    async fn call(&self, prompt: &mut Prompt<'_>, question: Bytes) -> Result<Bytes, GatewayError> {
        let Prompt { request, down, .. } = prompt;
        let length = question.len();
        let mut call = Call {
            body: Body::Whole(question),
            hash_key: None,
            deadline: Instant::now() + self.config.timeout,
            hasty: false,
        };
        let head = |request: &crate::proxy::Request, _: &crate::proxy::Downstream, span| {
            let trace = request.record.trace.traceparent_of(span);
            self.head(length, &trace)
        };
        let answer = upstream::call(&self.upstream, request, down, &mut call, head).await?;
        let (head, exchange) = (answer.head, answer.exchange);
        if head.status != StatusCode::OK {
            let status = head.status.as_u16();
            let error = unavailable(format!("the guard answered {status}"));
            exchange.abandon(request, &error);
            return Err(error);
        }
        let too_long = || unavailable("the guard's answer is longer than a prompt");
        exchange
            .whole(request, down, &mut call.body, MAX_ANSWER, too_long)
            .await
    }

    fn head(&self, length: usize, trace: &str) -> RequestHeader {
        let path = self.config.path.as_bytes();
        let mut head = RequestHeader::build_no_case("POST", path, Some(4))
            .expect("`check` wants a path that can be sent");
        let host = HeaderValue::from_str(self.upstream.authority());
        let fields = [
            (HOST, host.unwrap_or(HeaderValue::from_static("guard"))),
            (CONTENT_TYPE, HeaderValue::from_static("application/json")),
            (CONTENT_LENGTH, HeaderValue::from(length)),
        ];
        for (name, value) in fields {
            head.insert_header(name, value)
                .expect("a typed header is valid");
        }
        head.insert_header("traceparent", trace)
            .expect("a trace context is visible ASCII");
        head
    }

    /// What the guard says of these texts.
    async fn ask(&self, prompt: &mut Prompt<'_>) -> Result<Said, GatewayError> {
        let (question, count) = {
            let texts = speech::texts(prompt.dialect, &prompt.body)?;
            (ask::question(prompt, &texts), texts.len())
        };
        let answer = self.call(prompt, question.into()).await?;
        Said::read(&answer, count).map_err(unavailable)
    }
}

fn unavailable(why: impl std::fmt::Display) -> GatewayError {
    GatewayError::new(Code::GuardUnavailable).source(why)
}

impl Policy for ExternalGuard {
    fn guard(&self) -> Option<&dyn Guard> {
        Some(self)
    }
}

#[async_trait]
impl Guard for ExternalGuard {
    async fn on_prompt(
        &self,
        prompt: &mut Prompt<'_>,
    ) -> Result<Option<Arc<dyn Answers>>, GatewayError> {
        let said = match self.ask(prompt).await {
            Ok(said) => said,
            // A caller who leaves and a gateway that shuts down are no failures of the guard.
            Err(error) if matches!(error.code.fault(), Fault::Client) => return Err(error),
            Err(error) if error.code == Code::Draining => return Err(error),
            Err(error) => {
                self.unavailable.add(1);
                return match self.config.fails_open {
                    true => Ok(None),
                    false => Err(unavailable(error)),
                };
            }
        };
        match said {
            Said::Allow => {}
            Said::Deny(reason) => {
                self.denied.add(1);
                return Err(GatewayError::new(Code::GuardDenied).source(reason));
            }
            Said::Replace(new) => {
                self.replaced.add(1);
                let body = {
                    let mut texts = speech::texts(prompt.dialect, &prompt.body)?;
                    for (index, text) in new.into_iter().enumerate() {
                        if let Some(text) = text {
                            texts.change(index, text);
                        }
                    }
                    texts.finish()
                };
                if let Some(body) = body {
                    prompt.body = body.into();
                }
            }
        }
        Ok(None)
    }
}
