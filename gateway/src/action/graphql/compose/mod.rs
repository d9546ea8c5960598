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
//! | `events` | subscriptions: which feed is meant, and what is made of a record |
//! | `following` | a subscription that is run |
//! | `stream` | one that is answered by events over HTTP |
//! | `aside` | an operation apart from the request that it came by |
//! | `running` | operations under way, and the calls that they wait for |
//! | `source` | how one is made |
//! | `rest` | what is sent and answered by HTTP and JSON |
//! | `grpc` | the same by gRPC |
//! | `give` | what answers are as values of the graph |
//! | `nulls` | empty places in lists |
//! | `order` | in which order fields are answered |
//! | `answer` | what callers are told |

pub(super) mod answer;
pub(super) mod aside;
mod ask;
mod calls;
mod document;
mod events;
mod following;
mod give;
mod given;
mod grpc;
mod nulls;
mod order;
mod plan;
mod prepare;
mod rest;
mod running;
mod schema;
mod source;
mod stream;

use std::sync::Arc;
use std::time::Instant;

use async_graphql::dynamic::Schema;
use async_graphql::{BatchRequest, BatchResponse, Response};
use futures_util::future::join_all;
use weir_telemetry::Code;

use crate::config::routes::graphql::compose as config;
use crate::error::GatewayError;
use crate::proxy::{Downstream, Reply, Request};
use crate::runtime::Parts;

use calls::Call;
use events::Events;
use nulls::Nulls;
use running::{Running, Turn};
use source::Source;

/// The graph, ready to be asked.
pub(super) struct Composed {
    schema: Schema,
    graph: Arc<config::Composed>,
    sources: Vec<Arc<Source>>,
    max_calls: usize,
    events: Option<Events>,
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
            events: match graph.subscription.is_empty() {
                true => None,
                false => Some(Events::build(&graph, shown, parts)?),
            },
            graph,
            sources: sources.map(Arc::new).collect(),
            max_calls: said.max_calls,
        })
    }

    /// Runs what was asked, as JSON that was found to be right, while its caller is there.
    pub(super) async fn run(
        &self,
        request: &mut Request,
        down: &mut Downstream,
        asked: &[u8],
    ) -> Result<Reply, GatewayError> {
        let batch = read(asked)?;
        let mut running = Running::begin(self, |calls| self.execute(batch.data(calls)));
        loop {
            let (began, waiting) = (Instant::now(), running.is_waiting());
            let turn = tokio::select! {
                biased;
                turn = running.turn() => turn,
                gone = down.read() => {
                    gone?;
                    Turn::More
                }
            };
            if waiting {
                request.waits.upstream += began.elapsed();
            }
            match turn {
                Turn::Done(answers) => return answer::reply(request, *answers),
                Turn::Calls => running.call(request, &down.head().headers)?,
                Turn::More => {}
            }
        }
    }

    /// Whether it has anything to subscribe to.
    pub(super) const fn has_feeds(&self) -> bool {
        self.events.is_some()
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

/// What was asked, as JSON that was found to be right.
fn read(asked: &[u8]) -> Result<BatchRequest, GatewayError> {
    serde_json::from_slice(asked)
        .map_err(|error| GatewayError::new(Code::RequestBodyInvalid).source(error))
}
