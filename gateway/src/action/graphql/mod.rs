//! `graphql`: passes GraphQL over HTTP, and on WebSockets, to an upstream, once each operation is known
//! to be within the limits of the route; or runs it on a graph composed of several sources.
//!
//! A document is parsed once: its tokens are counted before, its measures taken after, and what passed
//! is kept with its parse, so that it is not parsed again. The upstream's answer passes untouched; what
//! the gateway answers itself has the media type and the status that the specification wants.
//!
//! | Module | Knows |
//! |---|---|
//! | `receive` | how a request comes over HTTP: methods, media types, where its bytes are |
//! | `socket` | the operations of a WebSocket |
//! | `examine` | what is allowed of an operation: limits, introspection, fields |
//! | `documents` | which document is meant, and where it is found |
//! | `shelf` | documents kept within a number of bytes |
//! | `rewrite` | what goes upstream where that is not what came |
//! | `fault` | what callers are told |
//! | `compose` | graphs that are run here |
//! | `answered` | their operations on a WebSocket |

mod answered;
mod compose;
mod documents;
mod examine;
mod fault;
mod receive;
mod rewrite;
mod shelf;
mod socket;

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, UPGRADE};
use http::{HeaderMap, HeaderValue, Method};
use weir_protocols::graphql::document::Type;
use weir_protocols::graphql::request::strip_query;
use weir_protocols::graphql::response::{self, MediaType};
use weir_protocols::graphql::transport_ws::Session;
use weir_telemetry::{metrics, record};

use crate::action::destination::{Destination, Sending};
use crate::action::websocket::Connections;
use crate::config::routes::graphql as config;
use crate::error::GatewayError;
use crate::large;
use crate::policy::quota::{Bound, Usage, charge};
use crate::proxy::head::Length;
use crate::proxy::{Downstream, Request, reply, respond};
use crate::quota::{Amounts, Provenance, Unit};
use crate::runtime::{Dialect, Parts};
use crate::upstream::{Body, Call};

use answered::Answered;
use compose::Composed;
use documents::Documents;
use examine::{Operation, Refused};
use receive::Received;

/// The action.
pub(crate) struct Graphql {
    /// Who answers.
    by: By,
    /// The largest body, in bytes.
    max_body: u64,
    /// The most requests in a batch; 0 refuses batches.
    max_batch: usize,
    /// What is allowed of an operation.
    rules: config::Rules,
    /// Where documents are found.
    documents: Documents,
    /// Connections for subscriptions; without, there are no subscriptions at all.
    sockets: Option<Sockets>,
    /// Where figures go.
    metrics: Arc<metrics::Graphql>,
}

/// Connections on which operations come.
struct Sockets {
    /// What they may be.
    connections: Connections,
    /// The most operations in flight on one.
    max_in_flight: usize,
}

/// Who answers an operation.
enum By {
    /// An upstream.
    Upstream(Destination),
    /// The gateway, of what its sources say.
    Composed(Composed),
}

impl Graphql {
    /// Makes one ready from what the configuration says.
    pub(crate) fn build(
        route: &str,
        said: &config::Graphql,
        parts: &Parts<'_>,
    ) -> Result<Self, String> {
        let operations = match &said.documents {
            config::Documents::AllowList(trusted) => trusted.operations(),
            config::Documents::Any | config::Documents::Automatic(_) => Vec::new(),
        };
        let sockets = said.subscriptions.as_ref().map(|said| Sockets {
            connections: Connections {
                terms: said.terms.clone(),
                metrics: parts.metrics.websocket(route),
            },
            max_in_flight: said.max_in_flight,
        });
        let shown = said.rules.introspection == config::Introspection::Everybody;
        let by = match &said.by {
            config::By::Upstream(to) => By::Upstream(Destination::build(to, parts)?),
            config::By::Composed(graph) => By::Composed(Composed::build(graph, shown, parts)?),
        };
        Ok(Self {
            by,
            sockets,
            max_body: said.max_body,
            max_batch: said.max_batch,
            rules: said.rules.clone(),
            documents: Documents::build(&said.documents),
            metrics: parts.metrics.graphql(route, &operations),
        })
    }

    /// Passes the request on, if all that it asks for is allowed.
    pub(crate) async fn run(
        &self,
        request: &mut Request,
        down: &mut Downstream,
    ) -> Result<(), GatewayError> {
        if request.extended_connect || wants_websocket(down) {
            return self.connect(request, down).await;
        }
        let received = receive::receive(down, self.max_body).await?;
        let mut operations = Vec::new();
        let caller = request.consumer.clone();
        let examined = large::work(received.len(), || {
            self.examine(&received, caller.as_deref(), &mut operations)
        });
        note(request, &operations);
        let lasts = |operation: &Operation| operation.ty == Type::Subscription;
        request.record.long_lived = operations.iter().any(lasts);
        let rewritten = match examined {
            Ok(rewritten) => rewritten,
            Err(Refused::Error(error)) => return Err(*error),
            Err(Refused::Unknown(unknown)) => {
                charge(request, &down.head().headers, Bound::default()).await?;
                let told = fault::unknown(request, unknown);
                return reply::answer(request, down, told).await;
            }
        };
        self.charge(request, &down.head().headers, &operations)
            .await?;
        match &self.by {
            By::Upstream(to) => forward(to, request, down, received, rewritten).await,
            By::Composed(graph) => {
                let asked = rewritten.map_or_else(|| received.into_bytes(), Bytes::from);
                if request.record.long_lived {
                    return match request.dialect {
                        Dialect::Graphql(MediaType::EventStream) => {
                            graph.stream(request, down, &asked).await
                        }
                        _ => Err(fault::not_by_one_answer()),
                    };
                }
                let told = graph.run(request, down, &asked).await?;
                reply::answer(request, down, told).await
            }
        }
    }

    /// Whether there is anything to subscribe to, and a way.
    const fn has_subscriptions(&self) -> bool {
        let known = match &self.by {
            By::Upstream(_) => true,
            By::Composed(graph) => graph.has_feeds(),
        };
        known && self.sockets.is_some()
    }

    /// Whether a request by GET is needed as a body would say it.
    const fn runs_here(&self) -> bool {
        matches!(self.by, By::Composed(_))
    }

    /// Opens a connection on which operations come.
    async fn connect(
        &self,
        request: &mut Request,
        down: &mut Downstream,
    ) -> Result<(), GatewayError> {
        let Some(sockets) = &self.sockets else {
            return Err(fault::no_subscriptions());
        };
        let quotas = request.deferred_quotas.clone();
        let mut operations = socket::Operations {
            graphql: self,
            max_in_flight: sockets.max_in_flight,
            quotas: quotas.filter(|quotas| quotas.count(Unit::GraphqlCost)),
            session: Session::default(),
        };
        let connections = &sockets.connections;
        match &self.by {
            By::Upstream(to) => {
                connections
                    .relay(to, request, down, Some(&mut operations))
                    .await
            }
            By::Composed(graph) => {
                let max_message = connections.terms.max_message;
                let mut answered = Answered::new(operations, graph, max_message);
                connections.serve(request, down, &mut answered).await
            }
        }
    }

    /// Charges what the operations cost. They are charged in full: what an upstream does of one that
    /// fails is its secret.
    async fn charge(
        &self,
        request: &mut Request,
        headers: &HeaderMap,
        operations: &[Operation],
    ) -> Result<(), GatewayError> {
        let amounts = Amounts::default().with(Unit::GraphqlCost, cost(operations));
        let bound = Bound {
            amounts,
            ..Bound::default()
        };
        charge(request, headers, bound).await?;
        request.usage = Some(Usage {
            amounts,
            provenance: Provenance::Counted,
        });
        for Operation { ty, name, cost } in operations {
            self.metrics.operation(ty.name(), name.as_deref(), *cost);
        }
        Ok(())
    }
}

async fn forward(
    to: &Destination,
    request: &mut Request,
    down: &mut Downstream,
    received: Received,
    rewritten: Option<Vec<u8>>,
) -> Result<(), GatewayError> {
    let (body, length) = match (rewritten, received) {
        (Some(body), received) => {
            if let Received::Query(query) = received {
                into_post(down, &query);
            }
            (Body::Whole(body.clone().into()), Length::Known(body.len()))
        }
        (None, Received::Body(body) | Received::Socket(body)) => whole(body),
        (None, Received::Query(_)) => (Body::None, Length::AsSaid),
    };
    let backend = to.pick();
    let mut call = Call {
        body,
        hash_key: backend.hash_key(request, down),
        deadline: Instant::now() + backend.upstream.timeouts.total,
        hasty: false,
    };
    let sending = Sending::request(length);
    let calling = to.call(backend, request, down, &mut call, sending, |_| {});
    let answer = calling.await?;
    respond::stream(request, down, answer, &mut call.body).await
}

fn whole(body: Bytes) -> (Body, Length) {
    let length = Length::Known(body.len());
    (Body::Whole(body), length)
}

/// What a GET asked for goes up in a body, so that its query string does not say it too.
fn into_post(down: &mut Downstream, query: &str) {
    let head = down.head_mut();
    head.set_method(Method::POST);
    let path = head.uri.path();
    let target = match strip_query(query) {
        Some(rest) => format!("{path}?{rest}"),
        None => path.to_owned(),
    };
    let mut parts = head.uri.clone().into_parts();
    // A part of a valid target is one; were it not, the old one would stay.
    if let Ok(target) = target.parse() {
        parts.path_and_query = Some(target);
    }
    if let Ok(uri) = http::Uri::from_parts(parts) {
        head.set_uri(uri);
    }
    head.insert_header(CONTENT_TYPE, HeaderValue::from_static("application/json"))
        .expect("a typed header is valid");
}

fn wants_websocket(down: &Downstream) -> bool {
    let to = down.head().headers.get(UPGRADE);
    to.is_some_and(|to| to.as_bytes().eq_ignore_ascii_case(b"websocket"))
}

/// What the operations cost together.
fn cost(operations: &[Operation]) -> u64 {
    let each = operations.iter().map(|operation| operation.cost);
    each.fold(0, u64::saturating_add)
}

/// Writes down what was asked, as far as it was understood.
fn note(request: &mut Request, operations: &[Operation]) {
    let Some(first) = operations.first() else {
        return;
    };
    let name = first.name.as_deref();
    request.record.graphql = Some(Box::new(record::Graphql {
        operation_type: first.ty.name(),
        // Names are ASCII.
        operation_name: name.map(|name| name.chars().take(MAX_NAME).collect()),
        operations: operations.len() as u64,
        cost: cost(operations),
    }));
}

/// The same of what came later on a connection.
fn note_more(request: &mut Request, operations: &[Operation]) {
    match &mut request.record.graphql {
        Some(known) => {
            known.operations += operations.len() as u64;
            known.cost = known.cost.saturating_add(cost(operations));
        }
        None => note(request, operations),
    }
}

/// The most calls of sources that are told of what lasts, and may make any number of them.
const MOST_TOLD: usize = 100;

/// The most that is written down of an operation's name, in characters.
const MAX_NAME: usize = 128;

/// The dialect in which a caller who accepts this reads errors. Whoever accepts neither media type of
/// GraphQL is told in JSON.
pub(crate) fn dialect(headers: &HeaderMap) -> Dialect {
    let values = headers.get_all(http::header::ACCEPT).into_iter();
    let values: Vec<&str> = values.filter_map(|value| value.to_str().ok()).collect();
    let said = (!values.is_empty()).then(|| values.join(","));
    let media = response::negotiate(said.as_deref());
    Dialect::Graphql(media.unwrap_or(MediaType::Json))
}
