//! How a connection goes, whoever is at its ends: when it was used last, when it is over at the latest,
//! what it failed by, and what is written down of it.
//!
//! It knows neither frames nor who says what.

use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::HeaderMap;
use tokio::time::Sleep;
use weir_protocols::websocket::Code as CloseCode;
use weir_telemetry::metrics;
use weir_telemetry::record::websocket as record;

use super::Connections;
use super::pulse::Pulse;
use super::way::Refusal;
use crate::error::GatewayError;
use crate::policy::quota::Quotas;
use crate::proxy::Request;
use crate::quota::Unit;

/// How long a side has to answer a close.
pub(super) const CLOSING: Duration = Duration::from_secs(5);
/// How long one has that the other no longer waits for, or that is told why it was broken off.
pub(super) const PARTING: Duration = Duration::from_secs(1);

/// How far a side is from being done with.
pub(super) struct End {
    pub(super) pulse: Pulse,
    /// It was sent a close; nothing may follow that.
    pub(super) told: bool,
    /// It sent a close, or something after which it is not listened to.
    pub(super) done: bool,
    /// It has ended its direction.
    pub(super) ended: bool,
    /// It can neither be heard nor told any more.
    pub(super) gone: bool,
}

impl End {
    /// One that has just been connected.
    pub(super) fn new(connections: &Connections, now: Instant) -> Self {
        End {
            pulse: Pulse::new(connections.terms.ping, now),
            told: false,
            done: false,
            ended: false,
            gone: false,
        }
    }

    pub(super) fn is_settled(&self) -> bool {
        self.gone || (self.told && self.done)
    }
}

/// A connection in progress.
pub(super) struct Course<'a> {
    pub(super) connections: &'a Connections,
    pub(super) request: &'a mut Request,
    /// Those that count callers' messages, if any.
    quotas: Option<Arc<Quotas>>,
    /// When something last passed that was more than a sign of life to the gateway.
    pub(super) used: Instant,
    /// When it is over at the latest, once it is ending.
    pub(super) until: Option<Instant>,
    failure: Option<GatewayError>,
    alarm: Pin<Box<Sleep>>,
    _open: metrics::InFlight,
}

/// Why a wait is over.
pub(super) enum Woken<T> {
    /// Something happened.
    Event(T),
    /// The process is going down.
    Drain,
    /// It is time to look at the clock.
    Due,
}

impl<'a> Course<'a> {
    /// Begins now.
    pub(super) fn new(
        connections: &'a Connections,
        request: &'a mut Request,
        quotas: Option<Arc<Quotas>>,
    ) -> Self {
        let now = Instant::now();
        let idle = now + connections.terms.idle;
        Course {
            connections,
            request,
            quotas,
            used: now,
            until: None,
            failure: None,
            alarm: Box::pin(tokio::time::sleep_until(idle.into())),
            _open: connections.metrics.begin(),
        }
    }

    /// Waits for whatever comes first, and says when that was. `turn` is dropped where it did not come;
    /// who is `ending` already is not told of a drain.
    pub(super) async fn wait<T>(
        &mut self,
        due: Instant,
        ending: bool,
        turn: impl Future<Output = T>,
    ) -> (Woken<T>, Instant) {
        let waiting = Instant::now();
        let alarm = &mut self.alarm;
        if due < alarm.deadline().into_std() {
            alarm.as_mut().reset(due.into());
        }
        let woken = tokio::select! {
            biased;
            () = self.request.gateway.drain.must_end(), if !ending => Woken::Drain,
            event = turn => Woken::Event(event),
            () = alarm.as_mut() => {
                if Instant::now() < due {
                    alarm.as_mut().reset(due.into());
                }
                Woken::Due
            }
        };
        let now = Instant::now();
        // However long it lasts, hardly any of it is the gateway's own time.
        self.request.waits.client += now - waiting;
        (woken, now)
    }

    /// When it has been idle for too long, unless something passes.
    pub(super) fn idle_at(&self) -> Instant {
        self.used + self.connections.terms.idle
    }

    /// Charges a message to the quotas that count them.
    pub(super) async fn charge(&mut self, headers: &HeaderMap) -> Result<(), Refusal> {
        let Some(quotas) = &self.quotas else {
            return Ok(());
        };
        let spent = quotas.spend(self.request, headers, Unit::WebsocketMessages, 1);
        spent
            .await
            .map_err(|error| Refusal::new(CloseCode::POLICY_VIOLATION, error))
    }

    /// The first failure is what the connection failed by.
    pub(super) fn fail(&mut self, error: GatewayError) {
        self.failure.get_or_insert(error);
    }

    /// What it failed by, if it did.
    pub(super) fn outcome(self) -> Result<(), GatewayError> {
        self.failure.map_or(Ok(()), Err)
    }

    pub(super) fn end_by(&mut self, latest: Instant) {
        let until = self.until.map_or(latest, |until| until.min(latest));
        self.until = Some(until);
    }

    /// Writes down who closed; the first counts.
    pub(super) fn note_close(&mut self, by: record::Closer, code: Option<u16>, now: Instant) {
        let at = now - self.request.began;
        if let Some(record) = &mut self.request.record.websocket {
            record.close.get_or_insert(record::Close { by, code, at });
        }
    }

    pub(super) fn note_close_by_gateway(&mut self, code: CloseCode, now: Instant) {
        self.note_close(record::Closer::Gateway, Some(code.0), now);
    }
}
