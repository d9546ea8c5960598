//! A graph composed of several sources, run here: an operation's fields ask for calls, and one request's
//! calls are made side by side.
//!
//! | Module | Knows |
//! |---|---|
//! | `schema` | which call each field asks for |
//! | `prepare` | what is mended of a request before it is run |
//! | `given` | the arguments of a field |
//! | `plan` | a call's path, query and body |
//! | `ask` | what is asked of a GraphQL server for a field |
//! | `document` | several of that in one call |
//! | `calls` | which calls a request makes, once each |
//! | `source` | how one is made |
//! | `rest` | what is sent and answered by HTTP and JSON |
//! | `grpc` | the same by gRPC |
//! | `give` | what answers are as values of the graph |
//! | `nulls` | empty places in lists |
//! | `order` | in which order fields are answered |
//! | `answer` | what callers are told |

mod answer;
mod ask;
mod calls;
mod document;
mod give;
mod given;
mod grpc;
mod nulls;
mod order;
mod plan;
mod prepare;
mod rest;
mod schema;
mod source;

use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::Instant;

use async_graphql::dynamic::Schema;
use async_graphql::{BatchRequest, BatchResponse, Response};
use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::future::join_all;
use futures_util::stream::FuturesUnordered;
use tokio::sync::{mpsc, oneshot};
use weir_telemetry::Code;

use crate::config::routes::graphql::compose as config;
use crate::error::GatewayError;
use crate::proxy::{Downstream, Reply, Request};
use crate::runtime::Parts;

use calls::{Asked, Call, Calls, Outcome};
use nulls::Nulls;
use source::Source;

/// The most calls that are under way at once for a request.
const AT_ONCE: usize = 16;

/// The graph, ready to be asked.
pub(super) struct Composed {
    schema: Schema,
    graph: Arc<config::Composed>,
    sources: Vec<Arc<Source>>,
    max_calls: usize,
}

enum Event {
    Done(BatchResponse),
    Asked(Asked),
    Landed(Landed),
    Caller(Result<Option<Bytes>, GatewayError>),
}

/// A call that is over, with what is to be told of it to whoever asked.
struct Landed {
    outcomes: Vec<(oneshot::Sender<Outcome>, Outcome)>,
}

impl Composed {
    /// Makes it ready. `shown` says that whoever asks may see its schema.
    pub(super) fn build(
        said: &config::Composed,
        shown: bool,
        parts: &Parts<'_>,
    ) -> Result<Self, String> {
        let sources = said.sources.iter().map(|source| Source {
            upstream: parts.upstream(&source.upstream),
            headers: source.headers.clone(),
        });
        let graph = Arc::new(said.clone());
        Ok(Self {
            schema: schema::build(&graph, shown)?,
            graph,
            sources: sources.map(Arc::new).collect(),
            max_calls: said.max_calls,
        })
    }

    /// Runs what was asked, as JSON that was found to be right.
    pub(super) async fn run(
        &self,
        request: &mut Request,
        down: &mut Downstream,
        asked: &[u8],
    ) -> Result<Reply, GatewayError> {
        let batch: BatchRequest = serde_json::from_slice(asked)
            .map_err(|error| GatewayError::new(Code::RequestBodyInvalid).source(error))?;
        let (sender, mut asked) = mpsc::channel(self.max_calls.max(1));
        let batch = batch.data(Arc::new(Calls::new(sender, self.max_calls)));
        let mut running = pin!(self.execute(batch));
        let mut flying = FuturesUnordered::new();
        let mut waiting = VecDeque::new();
        loop {
            let room = flying.len() < AT_ONCE && !waiting.is_empty();
            if room && let Some(answers) = settle(&mut running, &mut asked, &mut waiting).await {
                return answer::reply(request, answers);
            }
            while flying.len() < AT_ONCE
                && let Some(first) = waiting.front()
            {
                let source = self.source(&first.call)?;
                let mut request = request.aside();
                let along = source.along(&down.head().headers);
                let wanted = document::together(&mut waiting);
                flying.push(async move {
                    let calls: Vec<&Call> = wanted.iter().map(|asked| &asked.call).collect();
                    let outcomes = source.call(&calls, along, &mut request).await;
                    let replies = wanted.into_iter().map(|asked| asked.reply);
                    Landed {
                        outcomes: replies.zip(outcomes).collect(),
                    }
                });
            }
            let began = Instant::now();
            let under_way = !flying.is_empty();
            let event = tokio::select! {
                biased;
                done = &mut running => Event::Done(done),
                Some(asked) = asked.recv() => Event::Asked(asked),
                Some(landed) = flying.next(), if under_way => Event::Landed(landed),
                gone = down.read() => Event::Caller(gone),
            };
            if under_way {
                request.waits.upstream += began.elapsed();
            }
            match event {
                Event::Done(answers) => return answer::reply(request, answers),
                Event::Asked(asked) => waiting.push_back(asked),
                Event::Landed(landed) => {
                    for (reply, outcome) in landed.outcomes {
                        // Nobody waits for what a sibling's failure made superfluous.
                        let _ = reply.send(outcome);
                    }
                }
                Event::Caller(read) => {
                    read?;
                }
            }
        }
    }

    fn source(&self, call: &Call) -> Result<Arc<Source>, GatewayError> {
        let source = self.sources.get(call.source).cloned();
        source.ok_or_else(|| GatewayError::new(Code::InternalError).source("no such source"))
    }

    async fn execute(&self, batch: BatchRequest) -> BatchResponse {
        match batch {
            BatchRequest::Single(one) => BatchResponse::Single(self.execute_one(0, one).await),
            BatchRequest::Batch(all) => {
                let all = all.into_iter().enumerate();
                let all = all.map(|(number, one)| self.execute_one(number, one));
                BatchResponse::Batch(join_all(all).await)
            }
        }
    }

    async fn execute_one(&self, number: usize, mut one: async_graphql::Request) -> Response {
        let order = prepare::prepare(&self.graph, number, &mut one);
        let nulls = Nulls::default();
        let mut answer = self.schema.execute(one.data(nulls.clone())).await;
        nulls.apply(&mut answer.data);
        if let Some(order) = order {
            order.apply(&mut answer.data);
        }
        answer
    }
}

/// Waits until nothing more is asked for the time being, so that all of it goes in as few calls as it can:
/// amid much that is to be done, what runs pauses. Its answers, if it has ended.
async fn settle<R: Future>(
    running: &mut Pin<&mut R>,
    asked: &mut mpsc::Receiver<Asked>,
    waiting: &mut VecDeque<Asked>,
) -> Option<R::Output> {
    loop {
        let known = waiting.len();
        while let Ok(more) = asked.try_recv() {
            waiting.push_back(more);
        }
        // Only whoever begins anew may do much.
        tokio::task::yield_now().await;
        if let Poll::Ready(answers) = poll_fn(|cx| Poll::Ready(running.as_mut().poll(cx))).await {
            return Some(answers);
        }
        if asked.is_empty() && waiting.len() == known {
            return None;
        }
    }
}
