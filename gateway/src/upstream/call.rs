//! The one way to call an upstream: an attempt loop that ends with a response head.
//!
//! Pick an endpoint, connect or reuse, send, await the first byte, decide whether another attempt
//! is safe. Every action calls upstreams through here, so every attempt is recorded, timed and
//! attributed in one place. What the answer means is the action's business.

use std::pin::pin;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use http::Method;
use pingora_error::ErrorType;
use pingora_http::{RequestHeader, ResponseHeader};
use weir_telemetry::Code;
use weir_telemetry::record::{Attempt, NotRetried};

use super::attribute::{self, Failure, Sent};
use super::dial::Opened;
use super::exchange::{Exchange, Incoming, Stop};
use super::pool::Facts;
use super::session::Session;
use super::slot::Slot;
use super::{Endpoint, Lease, Upstream};
use crate::error::GatewayError;
use crate::proxy::{Downstream, Request, head};

/// The request body of a call.
pub(crate) enum Body {
    /// There is none.
    None,
    /// All of it is here, so it can be sent again.
    Whole(Bytes),
    /// It is still coming from the client.
    Stream {
        /// What had arrived when the call began.
        first: Option<Bytes>,
        /// Whether that was all of it.
        last: bool,
        /// Whether more was taken from the client since: then it cannot be sent again.
        consumed: bool,
    },
}

impl Body {
    /// The client's body, with what has already arrived of it.
    pub(crate) async fn of(down: &mut Downstream) -> Result<Self, GatewayError> {
        if down.request_done() {
            return Ok(Body::None);
        }
        let first = down.read_ready().await?;
        let last = down.request_done();
        Ok(Body::Stream {
            first,
            last,
            consumed: false,
        })
    }

    /// Whether every byte that was sent could be sent again.
    pub(crate) fn is_whole(&self) -> bool {
        !matches!(self, Body::Stream { consumed: true, .. })
    }

    fn opening(&self) -> (Option<Bytes>, bool) {
        match self {
            Body::None => (None, true),
            Body::Whole(bytes) => (Some(bytes.clone()), true),
            Body::Stream { first, last, .. } => (first.clone(), *last),
        }
    }
}

/// What is to be sent, and where the choice of endpoint depends on it.
pub(crate) struct Call {
    /// The body.
    pub(crate) body: Body,
    /// What consistent hashing hashes; any endpoint will do without it.
    pub(crate) hash_key: Option<Vec<u8>>,
    /// The latest moment at which the whole exchange must be over.
    pub(crate) deadline: Instant,
    /// Whether the caller chose it: then an endpoint that misses it has not failed.
    pub(crate) hasty: bool,
}

/// An upstream's answer: the head, and the exchange its body is read from.
pub(crate) struct Answer {
    /// The final response head.
    pub(crate) head: Box<ResponseHeader>,
    /// Gives the body; must be finished or dropped.
    pub(crate) exchange: Exchange,
}

/// Calls `upstream` until an endpoint answers or no further attempt is safe.
///
/// `head` makes the head of one attempt, so that each carries its own span in `traceparent`.
pub(crate) async fn call(
    upstream: &Arc<Upstream>,
    request: &mut Request,
    down: &mut Downstream,
    call: &mut Call,
    head: impl Fn(&Request, &Downstream, [u8; 8]) -> RequestHeader,
) -> Result<Answer, GatewayError> {
    // A request may call it again, and again is not anew.
    let earlier = upstream.attempts(request);
    if earlier == 0 {
        upstream.budget.request();
    }
    let mut tried: Vec<usize> = Vec::new();
    let mut lease = upstream.lease(call.hash_key.as_deref(), &tried)?;
    loop {
        let index = request.record.attempts.len();
        let mut begun = Attempt::begin(
            upstream.name.clone(),
            lease.endpoint().name.clone(),
            request.began.elapsed(),
        );
        let outgoing = Box::new(head(request, down, begun.span_id));
        begun.scheme = upstream.scheme();
        let (method, path) = (outgoing.method.clone(), outgoing.uri.path());
        begun.method = (method != request.record.method).then(|| method.clone());
        begun.path = (path != request.record.path).then(|| path.into());
        request.record.attempts.push(begun);
        request.upstream_metrics.push(upstream.metrics.clone());
        tried.push(lease.index());

        let failure = match attempt(upstream, lease, request, down, call, outgoing).await {
            Ok(answer) => return Ok(answer),
            Err(Stop::Client(error)) => {
                close(request, index, error.code, None);
                return Err(error);
            }
            Err(Stop::Upstream(failure)) => failure,
        };
        close(request, index, failure.code, Some(&failure.detail));
        let again = upstream.retry(&method, call, &failure, (&tried, earlier + tried.len()));
        let attempt = &mut request.record.attempts[index];
        match again {
            Ok((reason, next)) => {
                attempt.retried = Some(reason);
                lease = next;
            }
            Err(why) => {
                attempt.not_retried = Some(why);
                return Err(failure.into());
            }
        }
    }
}

/// Writes down how an attempt ended.
fn close(request: &mut Request, index: usize, code: Code, detail: Option<&str>) {
    let elapsed = request.began.elapsed();
    let attempt = &mut request.record.attempts[index];
    attempt.total = elapsed.saturating_sub(attempt.started);
    attempt.code = Some(code);
    attempt.detail = detail.map(str::to_owned);
}

async fn attempt(
    upstream: &Arc<Upstream>,
    mut lease: Lease,
    request: &mut Request,
    down: &mut Downstream,
    call: &mut Call,
    head: Box<RequestHeader>,
) -> Result<Answer, Stop> {
    let waited = Instant::now();
    let connected = connect(upstream, lease.endpoint(), call.deadline).await;
    let now = Instant::now();
    request.waits.upstream += now - waited;
    let (mut session, facts) = match connected {
        Ok(connected) => connected,
        Err(failure) => {
            if failure.is_the_endpoints() {
                lease.failed();
            }
            return Err(Stop::Upstream(failure));
        }
    };
    note_connection(request, &facts, now);

    let (first, last) = call.body.opening();
    let asked = session.will_ask(&head);
    let sent = {
        // Pinned here, because a future is copied wherever it is moved to.
        let sending = pin!(session.send(head, first, last));
        tokio::time::timeout_at(call.deadline.into(), sending).await
    };
    let (writer, head_bytes) = match sent {
        Ok(Ok(sent)) => sent,
        Ok(Err(error)) if *error.etype() == ErrorType::InvalidHTTPHeader => {
            // It could not even be written down, as without a Host for HTTP/2's `:authority`.
            let error = GatewayError::new(Code::RequestHeadMalformed).source(error);
            return Err(Stop::Client(error));
        }
        Ok(Err(error)) => {
            lease.failed();
            let failure = attribute::awaiting_head(&error, session.heard());
            if failure.code == Code::ConnectionTerminated
                && let Some(attempt) = request.record.attempts.last_mut()
            {
                let pool = &lease.endpoint().pool;
                let how = attribute::how_it_ended(&error);
                attempt.keep_alive_race = pool.ended_in_use(&facts, now.elapsed(), how);
            }
            return Err(Stop::Upstream(failure));
        }
        Err(_) => {
            if !call.hasty {
                lease.failed();
            }
            return Err(Stop::Upstream(too_late(Sent::Some)));
        }
    };
    let mut exchange = Exchange::begin(
        session,
        (writer, head_bytes),
        facts,
        lease,
        request,
        (call.deadline, call.hasty),
    );
    if asked {
        exchange.hold();
    }
    loop {
        match exchange.next(request, down, &mut call.body).await? {
            Incoming::Head(head) => {
                let head = match upstream.preserves_header_case() {
                    true => head,
                    false => Box::new(head::respelled(*head)),
                };
                return Ok(Answer { head, exchange });
            }
            Incoming::Informational(head) => {
                down.write_informational(head).await.map_err(Stop::Client)?
            }
            Incoming::Chunk(_) | Incoming::End(_) => {
                return Err(Stop::Upstream(Failure::new(
                    Code::HttpProtocolError,
                    Sent::Some,
                    "a body came before its head",
                )));
            }
        }
    }
}

/// A session on a pooled connection if there is one, else on a new one.
async fn connect(
    upstream: &Upstream,
    endpoint: &Endpoint,
    deadline: Instant,
) -> Result<(Session, Facts), Failure> {
    let addresses = endpoint.resolved.current();
    if let Some((handle, facts)) = endpoint.pool.take(&addresses, upstream.timeouts.pool_idle) {
        return Ok((Session::http1(handle), facts));
    }
    if let Some((connection, facts)) = endpoint.pool.shared(&addresses)
        && let Ok(Some(session)) = Session::http2(&connection).await
    {
        return Ok((session, facts));
    }
    let take = || Slot::take(&endpoint.connections, upstream.max_connections);
    let slot = take().or_else(|| {
        endpoint.pool.make_room();
        take()
    });
    let slot = slot.ok_or_else(|| {
        Failure::new(
            Code::ConnectionLimitReached,
            Sent::Nothing,
            format!("{} has all the connections it is allowed", endpoint.name),
        )
    })?;
    let (opened, facts) = open(upstream, endpoint, slot, deadline).await?;
    match opened {
        Opened::Http1(handle) => Ok((Session::http1(handle), facts)),
        Opened::Http2(connection) => {
            let session = Session::http2(&connection)
                .await
                .map_err(|e| attribute::connecting(&e))?;
            endpoint.pool.share(connection, facts);
            session.map(|s| (s, facts)).ok_or_else(|| {
                Failure::new(
                    Code::StreamRefused,
                    Sent::Refused,
                    "a new connection takes no stream",
                )
            })
        }
    }
}

/// Opens a connection to one of the endpoint's addresses: a name often stands for one of each
/// family, and the server behind it may listen on one only. What is left of the time is shared
/// out, so that an address nobody answers at leaves some for the next.
async fn open(
    upstream: &Upstream,
    endpoint: &Endpoint,
    slot: Slot,
    deadline: Instant,
) -> Result<(Opened, Facts), Failure> {
    let until = deadline.min(Instant::now() + upstream.timeouts.connect);
    if endpoint.resolved.current().is_empty() {
        let asked = tokio::time::timeout_at(until.into(), endpoint.resolved.refresh()).await;
        asked
            .unwrap_or_else(|_| Err("no answer from the resolver in time".to_owned()))
            .map_err(|why| dns_error(endpoint, &why))?;
    }
    let slot = Arc::new(slot);
    let addresses = endpoint.resolved.in_turn();
    let mut failure = dns_error(endpoint, "it has no address");
    for (address, left) in addresses.iter().zip((1..=addresses.len() as u32).rev()) {
        let within = until.saturating_duration_since(Instant::now()) / left;
        let opened = upstream
            .dialer
            .open(*address, &endpoint.server_name, slot.clone(), within);
        match opened.await {
            Ok(opened) => return Ok(opened),
            Err(error) => failure = attribute::connecting(&error),
        }
    }
    Err(if Instant::now() >= deadline {
        too_late(Sent::Nothing)
    } else {
        failure
    })
}

fn too_late(sent: Sent) -> Failure {
    Failure::new(
        Code::RequestDeadlineExceeded,
        sent,
        "the request's total deadline has passed",
    )
}

fn dns_error(endpoint: &Endpoint, why: &str) -> Failure {
    Failure::new(
        Code::DnsError,
        Sent::Nothing,
        format!("{}: {why}", endpoint.name),
    )
}

fn note_connection(request: &mut Request, facts: &Facts, now: Instant) {
    if let Some(attempt) = request.record.attempts.last_mut() {
        attempt.reused = facts.reused();
        attempt.connection_age = now.saturating_duration_since(facts.opened);
        attempt.connection_idle = facts.idle_for;
        attempt.connect = (!facts.reused()).then_some(facts.connect_took);
    }
}

/// Why another attempt is safe (RFC 9110, 9.2.2), or not.
pub(super) fn replay_reason(
    method: &Method,
    body: &Body,
    failure: &Failure,
) -> Result<&'static str, NotRetried> {
    let no_answer = matches!(failure.code, Code::ConnectionTerminated);
    match failure.sent {
        Sent::Some if !no_answer => Err(NotRetried::Failure),
        Sent::Some if !method.is_idempotent() => Err(NotRetried::Method),
        _ if !body.is_whole() => Err(NotRetried::Body),
        Sent::Nothing => Ok("not_connected"),
        Sent::Refused => Ok("stream_refused"),
        Sent::Some => Ok("idempotent"),
    }
}
