//! A call of an upstream that is made beside others of one request: a context of its own, whose attempts go
//! back to that request however the call ends, also where it is dropped amid one.
//!
//! It refuses to know what is called, and what comes of it.

use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use parking_lot::Mutex;
use weir_telemetry::metrics;
use weir_telemetry::record::{Attempt, Record};

use super::Request;

/// Attempts of calls that are over, and where the figures of each go.
pub(super) type Made = Mutex<Vec<(Attempt, Arc<metrics::Upstream>)>>;

/// The context of such a call, or of several that are made beside it in turn. Dropping it gives their
/// attempts back.
pub(crate) struct Beside {
    request: Box<Request>,
    made: Arc<Made>,
}

impl Request {
    /// The same request for a call of an upstream that is made beside others. Who waits for several at
    /// once knows for how long.
    pub(crate) fn aside(&mut self) -> Beside {
        let made = self.beside.get_or_insert_default().clone();
        let of = &self.record;
        let mut record = Record::begin(
            of.request_id.clone(),
            of.trace.clone(),
            of.listener.clone(),
            of.client,
        );
        record.route.clone_from(&of.route);
        let (gateway, snapshot) = (self.gateway.clone(), self.snapshot.clone());
        let begun = (self.began, record);
        let mut request = Request::begin(gateway, snapshot, self.connection.clone(), begun);
        request.route.clone_from(&self.route);
        request.dialect = self.dialect;
        request.consumer.clone_from(&self.consumer);
        request.from_trusted_proxy = self.from_trusted_proxy;
        request.max_body = self.max_body;
        Beside { request, made }
    }

    /// Takes in the attempts of calls that were made [aside](Self::aside) and are over: counts them, and
    /// keeps them to be told of, as long as no more than `most` are.
    pub(crate) fn take_in(&mut self, most: usize) {
        let Some(made) = &self.beside else {
            return;
        };
        for (attempt, metrics) in made.lock().drain(..) {
            metrics.attempt(&attempt);
            if self.record.attempts.len() < most {
                self.record.attempts.push(attempt);
            }
        }
    }
}

impl Drop for Beside {
    fn drop(&mut self) {
        let request = &mut *self.request;
        let ended = request.cut();
        if let Some(last) = request.record.attempts.last_mut()
            && last.total.is_zero()
        {
            last.total = request.began.elapsed().saturating_sub(last.started);
            last.code = Some(ended);
        }
        let attempts = request.record.attempts.drain(..);
        let made = attempts.zip(request.upstream_metrics.drain(..));
        let mut all = self.made.lock();
        all.extend(made);
        if let Some(further) = &request.beside {
            all.append(&mut further.lock());
        }
    }
}

impl Deref for Beside {
    type Target = Request;

    fn deref(&self) -> &Request {
        &self.request
    }
}

impl DerefMut for Beside {
    fn deref_mut(&mut self) -> &mut Request {
        &mut self.request
    }
}
