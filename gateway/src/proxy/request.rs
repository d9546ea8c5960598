//! The context of one request: one typed value, filled stage by stage.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant};

use http::{HeaderName, HeaderValue};
use weir_telemetry::record::Record;
use weir_telemetry::{Code, Content, metrics};

use super::beside::Made;
use crate::config::policies::compression::Encoder;
use crate::gateway::Gateway;
use crate::policy::quota::{Held, Quotas, Usage};
use crate::price::Price;
use crate::routing::Captures;
use crate::runtime::{Consumer, Dialect, Route, Snapshot};
use crate::usage::Tally;
use crate::wire::Handle;

/// Where time went that was not ours.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Waits {
    /// Waiting for the caller.
    pub(crate) client: Duration,
    /// Waiting for upstreams.
    pub(crate) upstream: Duration,
}

/// The caller's connection, as a request sees it.
#[derive(Clone)]
pub(crate) struct Connection {
    /// The listener's name.
    pub(crate) listener: Arc<str>,
    /// The other end of the socket.
    pub(crate) peer: SocketAddr,
    /// The same, as `X-Forwarded-For` says it.
    pub(crate) peer_field: HeaderValue,
    /// Whether it is TLS.
    pub(crate) tls: bool,
    /// The listener's figures.
    pub(crate) metrics: Arc<metrics::Listener>,
    /// The other end of the stream that HTTP/1 sessions write to; none for HTTP/2, which flushes
    /// by itself.
    pub(crate) wire: Option<Handle>,
}

/// An address as a header field says it.
pub(crate) fn peer_field(peer: SocketAddr) -> HeaderValue {
    let text = peer.ip().to_canonical().to_string();
    HeaderValue::try_from(text).expect("an address is visible ASCII")
}

/// The largest request body where no policy says less, in bytes.
const MAX_BODY: u64 = 10 << 30;

/// What one request has become so far.
pub(crate) struct Request {
    /// What outlives reloads.
    pub(crate) gateway: Arc<Gateway>,
    /// The configuration this request began with, and keeps.
    pub(crate) snapshot: Arc<Snapshot>,
    /// The connection it came on.
    pub(crate) connection: Arc<Connection>,
    /// Whether it asks for a WebSocket on its HTTP/2 stream (RFC 8441); its head says GET then, as
    /// over HTTP/1.1.
    pub(crate) extended_connect: bool,
    /// When its head was complete.
    pub(crate) began: Instant,
    /// What will be told of it.
    pub(crate) record: Record,
    /// Where its time went.
    pub(crate) waits: Waits,
    /// The route, once one matched.
    pub(crate) route: Option<Arc<Route>>,
    /// The language its caller reads errors in.
    pub(crate) dialect: Dialect,
    /// What the route's path template captured.
    pub(crate) captures: Captures,
    /// The path without dot segments, where that is not the path as it came.
    pub(crate) normal_path: Option<String>,
    /// Who the caller proved to be.
    pub(crate) consumer: Option<Arc<Consumer>>,
    /// Whether no connection brought it, and the configuration says who the consumer is.
    pub(crate) vouched: bool,
    /// Whether it came by a trusted proxy.
    pub(crate) from_trusted_proxy: bool,
    /// The largest body the policies allow, in bytes.
    pub(crate) max_body: u64,
    /// Quotas that wait for what only the action knows.
    pub(crate) deferred_quotas: Option<Arc<Quotas>>,
    /// What was set aside for it.
    pub(crate) held: Option<Held>,
    /// What it settled of its quotas, where that is told.
    pub(crate) tally: Tally,
    /// What the model it asks costs, where that is known.
    pub(crate) price: Option<Price>,
    /// What it used, once that is known.
    pub(crate) usage: Option<Usage>,
    /// Header fields for whatever answer goes out, an error's included.
    pub(crate) answer_headers: Vec<(HeaderName, HeaderValue)>,
    /// What its answer is compressed with.
    pub(crate) compressor: Option<Encoder>,
    /// One for each attempt in the record.
    pub(crate) upstream_metrics: Vec<Arc<metrics::Upstream>>,
    /// Attempts of calls that were made beside it, if any were.
    pub(super) beside: Option<Arc<Made>>,
    /// Where the figures of a model call go: one for each target that was asked.
    pub(crate) model_metrics: Vec<Arc<metrics::Model>>,
    /// How fast the stream comes that is being received.
    pub(crate) pace: Option<metrics::Pace>,
    /// What was said to a model and by it, where that is to be shown on spans.
    pub(crate) content: Option<Box<Content>>,
    /// Where the figures of a Kafka record go.
    pub(crate) topic_metrics: Option<Arc<metrics::Topic>>,
    /// Where the figures of a WebSocket connection go.
    pub(crate) websocket_metrics: Option<Arc<metrics::WebSocket>>,
    /// Counts the messages of a call as they come from its caller.
    pub(crate) messages: Option<Arc<AtomicU64>>,
    /// Counted as active on its route.
    pub(crate) active: Option<metrics::InFlight>,
}

impl Request {
    /// Who called, once trusted proxies are taken off.
    pub(crate) fn client(&self) -> IpAddr {
        self.record.client
    }

    /// One of which no more is known than when it began and on which connection.
    pub(super) fn begin(
        gateway: Arc<Gateway>,
        snapshot: Arc<Snapshot>,
        connection: Arc<Connection>,
        (began, record): (Instant, Record),
    ) -> Box<Self> {
        Box::new(Request {
            gateway,
            snapshot,
            connection,
            extended_connect: false,
            began,
            record,
            waits: Waits::default(),
            route: None,
            dialect: Dialect::Problem,
            captures: Captures::default(),
            normal_path: None,
            consumer: None,
            vouched: false,
            from_trusted_proxy: false,
            max_body: MAX_BODY,
            deferred_quotas: None,
            held: None,
            tally: Tally::default(),
            price: None,
            usage: None,
            answer_headers: Vec::new(),
            compressor: None,
            upstream_metrics: Vec::new(),
            beside: None,
            model_metrics: Vec::new(),
            pace: None,
            content: None,
            topic_metrics: None,
            websocket_metrics: None,
            messages: None,
            active: None,
        })
    }

    /// What ended it where nobody said so: shutdown, or its caller.
    pub(super) fn cut(&self) -> Code {
        match self.gateway.drain.closing() {
            true => Code::Draining,
            false => Code::ClientDisconnected,
        }
    }
}
