//! Operations under way, and the calls that they wait for. Whoever drives them says beside what each call
//! is made, and sees to it whether anybody still wants the answer.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;

use async_graphql::BatchResponse;
use futures_util::StreamExt as _;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use http::HeaderMap;
use tokio::sync::{mpsc, oneshot};

use super::calls::{Asked, Call, Calls, Outcome};
use super::{Composed, document};
use crate::error::GatewayError;
use crate::proxy::Request;

/// The most calls that are under way at once.
const AT_ONCE: usize = 16;

/// The operations of one request, or one of a connection.
pub(super) struct Running<'a> {
    graph: &'a Composed,
    executing: BoxFuture<'a, BatchResponse>,
    asked: mpsc::Receiver<Asked>,
    waiting: VecDeque<Asked>,
    flying: FuturesUnordered<BoxFuture<'a, Landed>>,
}

/// What came next.
pub(super) enum Turn {
    /// All is answered; there is no turn after this.
    Done(Box<BatchResponse>),
    /// There are calls to be made, by [`Running::call`].
    Calls,
    /// Something, and it goes on.
    More,
}

/// A call that is over, with what is to be told of it to whoever asked.
struct Landed {
    outcomes: Vec<(oneshot::Sender<Outcome>, Outcome)>,
}

impl<'a> Running<'a> {
    /// Begins with what `execute` makes of the place where calls are asked for.
    pub(super) fn begin<F>(graph: &'a Composed, execute: impl FnOnce(Arc<Calls>) -> F) -> Self
    where
        F: Future<Output = BatchResponse> + Send + 'a,
    {
        let (sender, asked) = mpsc::channel(graph.max_calls.max(1));
        Self {
            graph,
            executing: Box::pin(execute(Arc::new(Calls::new(sender, graph.max_calls)))),
            asked,
            waiting: VecDeque::new(),
            flying: FuturesUnordered::new(),
        }
    }

    /// Goes on until all is answered. Its calls are made beside `request`.
    pub(super) async fn run(
        mut self,
        request: &mut Request,
        headers: &HeaderMap,
    ) -> Result<BatchResponse, GatewayError> {
        loop {
            match self.turn().await {
                Turn::Done(answers) => return Ok(*answers),
                Turn::Calls => self.call(request, headers)?,
                Turn::More => {}
            }
        }
    }

    /// Whether calls are under way.
    pub(super) fn is_waiting(&self) -> bool {
        !self.flying.is_empty()
    }

    /// Goes on until something has come. May be dropped while pending.
    pub(super) async fn turn(&mut self) -> Turn {
        if self.flying.len() < AT_ONCE && !self.waiting.is_empty() {
            return match self.settle().await {
                Some(answers) => Turn::Done(Box::new(answers)),
                None => Turn::Calls,
            };
        }
        let under_way = self.is_waiting();
        tokio::select! {
            biased;
            done = &mut self.executing => return Turn::Done(Box::new(done)),
            Some(asked) = self.asked.recv() => self.waiting.push_back(asked),
            Some(landed) = self.flying.next(), if under_way => {
                for (reply, outcome) in landed.outcomes {
                    // Nobody waits for what a sibling's failure made superfluous.
                    let _ = reply.send(outcome);
                }
            }
        }
        Turn::More
    }

    /// Makes as many of the calls that are asked for as there may be at once, beside `request`.
    pub(super) fn call(
        &mut self,
        request: &mut Request,
        headers: &HeaderMap,
    ) -> Result<(), GatewayError> {
        while self.flying.len() < AT_ONCE
            && let Some(first) = self.waiting.front()
        {
            let source = self.graph.source(&first.call)?;
            let mut request = request.aside();
            let along = source.along(headers);
            let wanted = document::together(&mut self.waiting);
            self.flying.push(Box::pin(async move {
                let calls: Vec<&Call> = wanted.iter().map(|asked| &asked.call).collect();
                let outcomes = source.call(&calls, along, &mut request).await;
                let replies = wanted.into_iter().map(|asked| asked.reply);
                Landed {
                    outcomes: replies.zip(outcomes).collect(),
                }
            }));
        }
        Ok(())
    }

    /// Waits until nothing more is asked for the time being, so that all of it goes in as few calls as it
    /// can: amid much that is to be done, what runs pauses. Its answers, if it has ended.
    async fn settle(&mut self) -> Option<BatchResponse> {
        loop {
            let known = self.waiting.len();
            while let Ok(more) = self.asked.try_recv() {
                self.waiting.push_back(more);
            }
            // Only whoever begins anew may do much.
            tokio::task::yield_now().await;
            let executing = &mut self.executing;
            let polled = poll_fn(|cx| Poll::Ready(executing.as_mut().poll(cx))).await;
            if let Poll::Ready(answers) = polled {
                return Some(answers);
            }
            if self.asked.is_empty() && self.waiting.len() == known {
                return None;
            }
        }
    }
}
