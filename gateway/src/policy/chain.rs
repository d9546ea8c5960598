//! A route's policies in their order, and the walks along them.
//!
//! Before the action they run first to last, before the answer last to first, and each is timed.

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::{Duration, Instant};

use pingora_http::ResponseHeader;
use weir_telemetry::record::PolicyRun;

use super::speech::{Answers, Prompt};
use super::{Direction, FilterCx, Policy, RequestCx, ResponseCx, Verdict};
use crate::error::GatewayError;
use crate::proxy::{Downstream, Reply, Request};

/// One policy of a route.
pub(crate) struct Link {
    /// Its kind, as configured.
    pub(crate) kind: &'static str,
    /// What it does.
    pub(crate) policy: Arc<dyn Policy>,
}

/// A route's policies, in the order they run.
#[derive(Default)]
pub(crate) struct Chain(Vec<Link>);

impl Chain {
    /// A chain of `links`, already in order.
    pub(crate) fn new(links: Vec<Link>) -> Self {
        Chain(links)
    }

    /// The kinds, in order.
    pub(crate) fn kinds(&self) -> Vec<&'static str> {
        self.0.iter().map(|link| link.kind).collect()
    }

    /// The way to the action; `Some` if a policy answers instead.
    pub(crate) async fn before(
        &self,
        request: &mut Request,
        down: &mut Downstream,
    ) -> Result<Option<Reply>, GatewayError> {
        let mut begun = Instant::now();
        for link in &self.0 {
            let verdict = {
                let mut cx = RequestCx {
                    request,
                    head: down.head_mut(),
                };
                link.policy.on_request(&mut cx).await
            };
            let word = match &verdict {
                Ok(Verdict::Continue) => "continue",
                Ok(Verdict::Respond(_)) => "respond",
                Err(error) => error.code.slug(),
            };
            // One policy's end is the next one's beginning: half the looks at the clock.
            let now = Instant::now();
            let took = now - begun;
            begun = now;
            request.record.policies.push(PolicyRun {
                kind: link.kind,
                took,
                verdict: word,
            });
            if let Verdict::Respond(reply) = verdict? {
                return Ok(Some(reply));
            }
        }
        self.filter(Direction::Request, request, down, None);
        Ok(None)
    }

    /// The way back to the caller; `Some` if a policy answers instead. `follows` says whether the
    /// head is followed by a body that filters see.
    pub(crate) async fn after(
        &self,
        request: &mut Request,
        down: &mut Downstream,
        head: &mut ResponseHeader,
        follows: bool,
    ) -> Result<Option<Reply>, GatewayError> {
        let mut begun = Instant::now();
        for (i, link) in self.0.iter().enumerate().rev() {
            let verdict = {
                let mut cx = ResponseCx {
                    request,
                    request_head: down.head(),
                    head,
                    follows,
                };
                link.policy.on_response(&mut cx).await
            };
            let now = Instant::now();
            add_time(request, i, now - begun);
            begun = now;
            if let Verdict::Respond(reply) = verdict? {
                return Ok(Some(reply));
            }
        }
        self.filter(Direction::Response, request, down, Some(head));
        Ok(None)
    }

    /// Whether any of them minds the calls of models.
    pub(crate) fn is_guarded(&self) -> bool {
        self.0.iter().any(|link| link.policy.guard().is_some())
    }

    /// Shows a call of a model to those that mind it, in order; what they have to do with its
    /// answer, last to first.
    pub(crate) async fn prompt(
        &self,
        prompt: &mut Prompt<'_>,
    ) -> Result<Vec<Arc<dyn Answers>>, GatewayError> {
        let mut answers = Vec::new();
        for (i, link) in self.0.iter().enumerate() {
            let Some(guard) = link.policy.guard() else {
                continue;
            };
            let begun = Instant::now();
            let minded = guard.on_prompt(prompt).await;
            add_time(prompt.request, i, begun.elapsed());
            if let (Err(error), Some(run)) = (&minded, prompt.request.record.policies.get_mut(i)) {
                run.verdict = error.code.slug();
            }
            answers.extend(minded?);
        }
        answers.reverse();
        Ok(answers)
    }

    /// When the request is over.
    pub(crate) fn finish(&self, request: &Request) {
        for link in &self.0 {
            link.policy.on_finish(request);
        }
    }

    fn filter(
        &self,
        direction: Direction,
        request: &Request,
        down: &mut Downstream,
        response_head: Option<&ResponseHeader>,
    ) {
        let mut found: Vec<_> = {
            let cx = FilterCx {
                request,
                request_head: down.head(),
                response_head,
            };
            self.0
                .iter()
                .filter_map(|link| link.policy.filter(direction, &cx))
                .collect()
        };
        match direction {
            Direction::Request => found.into_iter().for_each(|f| down.request_filters.push(f)),
            Direction::Response => {
                found.reverse();
                found
                    .into_iter()
                    .for_each(|f| down.response_filters.push(f));
            }
        }
    }
}

fn add_time(request: &mut Request, index: usize, took: Duration) {
    if let Some(run) = request.record.policies.get_mut(index) {
        run.took += took;
    }
}
