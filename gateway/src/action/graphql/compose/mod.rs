//! A graph composed of several sources, run here: an operation's fields ask for calls, and one request's
//! calls are made side by side.
//!
//! | Module | Knows |
//! |---|---|
//! | `schema` | which call each field asks for |
//! | `plan` | a call's path, query and body |
//! | `calls` | which calls a request makes, once each |
//! | `source` | how one is made |
//! | `rest` | what is sent and answered by HTTP and JSON |
//! | `grpc` | the same by gRPC |
//! | `give` | what answers are as values of the graph |
//! | `answer` | what callers are told |

mod answer;
mod calls;
mod give;
mod grpc;
mod plan;
mod rest;
mod schema;
mod source;

use std::collections::VecDeque;
use std::pin::pin;
use std::sync::Arc;
use std::time::Instant;

use async_graphql::dynamic::Schema;
use async_graphql::{BatchRequest, BatchResponse};
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

use calls::{Asked, Calls, Outcome};
use source::Source;

/// The most calls that are under way at once for a request.
const AT_ONCE: usize = 16;

/// The graph, ready to be asked.
pub(super) struct Composed {
    schema: Schema,
    sources: Vec<Arc<Source>>,
    max_calls: usize,
}

enum Event {
    Done(BatchResponse),
    Asked(Asked),
    Landed(Landed),
    Caller(Result<Option<Bytes>, GatewayError>),
}

/// A call that is over, with what is to be told of it.
struct Landed {
    reply: oneshot::Sender<Outcome>,
    outcome: Outcome,
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
        Ok(Self {
            schema: schema::build(&Arc::new(said.clone()), shown)?,
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
            while flying.len() < AT_ONCE
                && let Some(Asked { call, reply }) = waiting.pop_front()
            {
                let source = self.source(&call)?;
                let (mut request, aside) = (request.aside(), down.aside());
                let along = source.along(&down.head().headers);
                flying.push(async move {
                    let outcome = source.call(&call, along, &mut request, aside).await;
                    Landed { reply, outcome }
                });
            }
            let began = Instant::now();
            let under_way = !flying.is_empty();
            let event = tokio::select! {
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
                    // Nobody waits for what a sibling's failure made superfluous.
                    let _ = landed.reply.send(landed.outcome);
                }
                Event::Caller(read) => {
                    read?;
                }
            }
        }
    }

    fn source(&self, call: &calls::Call) -> Result<Arc<Source>, GatewayError> {
        let source = self.sources.get(call.source).cloned();
        source.ok_or_else(|| GatewayError::new(Code::InternalError).source("no such source"))
    }

    async fn execute(&self, batch: BatchRequest) -> BatchResponse {
        match batch {
            BatchRequest::Single(one) => BatchResponse::Single(self.schema.execute(one).await),
            BatchRequest::Batch(all) => {
                let all = all.into_iter().map(|one| self.schema.execute(one));
                BatchResponse::Batch(join_all(all).await)
            }
        }
    }
}
