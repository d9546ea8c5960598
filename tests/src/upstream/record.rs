//! What an upstream saw: connections, and requests as they arrive.
//!
//! It only remembers; judging is the test's.

use std::sync::{Arc, Mutex, MutexGuard};

use crate::http1::Fields;

/// A request as the upstream saw it.
#[derive(Debug, Clone, Default)]
pub struct Received {
    /// The number of its connection, from 0, in the order accepted.
    pub connection: usize,
    /// The method.
    pub method: String,
    /// The target as sent (`:path` in HTTP/2).
    pub target: String,
    /// The version as sent, such as `HTTP/1.1`.
    pub version: String,
    /// The header fields (in HTTP/2, with `host` from `:authority`).
    pub headers: Fields,
    /// The head's bytes; empty in HTTP/2.
    pub raw_head: Vec<u8>,
    /// What has arrived of the body, without chunk framing.
    pub body: Vec<u8>,
    /// The trailer fields.
    pub trailers: Fields,
    /// Whether the whole body has arrived.
    pub complete: bool,
}

impl Received {
    /// The first value of a header field.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    ///
    /// # Panics
    /// If it is none.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("no JSON ({error}): {}", self.text()))
    }

    /// What [`Behaviour::echo`](super::Behaviour::echo) answers: an object with `connection`,
    /// `method`, `target`, `version`, `headers` (a list of pairs) and `body` (as text).
    pub fn echo(&self) -> serde_json::Value {
        serde_json::json!({
            "connection": self.connection,
            "method": self.method,
            "target": self.target,
            "version": self.version,
            "headers": self.headers.0,
            "body": self.text(),
        })
    }
}

/// Everything an upstream saw so far.
#[derive(Debug, Default)]
pub struct Record(Mutex<Seen>);

#[derive(Debug, Default)]
struct Seen {
    connections: usize,
    open: usize,
    requests: Vec<Received>,
    handshakes_failed: Vec<String>,
    messages: Vec<String>,
    garbage: usize,
}

impl Record {
    /// Every request whose head has been read.
    pub fn requests(&self) -> Vec<Received> {
        self.lock().requests.clone()
    }

    /// How many connections were accepted.
    pub fn connections(&self) -> usize {
        self.lock().connections
    }

    /// How many connections are open.
    pub fn open(&self) -> usize {
        self.lock().open
    }

    /// Why TLS handshakes failed, one text each.
    pub fn handshakes_failed(&self) -> Vec<String> {
        self.lock().handshakes_failed.clone()
    }

    /// WebSocket messages received, as text.
    pub fn messages(&self) -> Vec<String> {
        self.lock().messages.clone()
    }

    /// How many connections sent something that is no HTTP: always 0 behind a sound gateway.
    pub fn garbage(&self) -> usize {
        self.lock().garbage
    }

    pub(super) fn handshake_failed(&self, error: String) {
        self.lock().handshakes_failed.push(error);
    }

    pub(super) fn message(&self, text: String) {
        self.lock().messages.push(text);
    }

    pub(super) fn saw_garbage(&self) {
        self.lock().garbage += 1;
    }

    /// Remembers a request and returns its index for [`Record::update`].
    pub(super) fn add(&self, request: Received) -> usize {
        let mut seen = self.lock();
        seen.requests.push(request);
        seen.requests.len() - 1
    }

    /// Changes a remembered request and returns it as it is now.
    pub(super) fn update(&self, index: usize, change: impl FnOnce(&mut Received)) -> Received {
        let mut seen = self.lock();
        let request = &mut seen.requests[index];
        change(request);
        request.clone()
    }

    /// Adds to a remembered request's body, without a copy of what is there.
    pub(super) fn extend(&self, index: usize, piece: &[u8]) {
        self.lock().requests[index].body.extend_from_slice(piece);
    }

    fn lock(&self) -> MutexGuard<'_, Seen> {
        self.0
            .lock()
            .expect("no thread panics while it holds the lock")
    }
}

/// A connection in the count of open ones; it leaves the count when dropped.
#[derive(Debug)]
pub(super) struct Opened {
    /// Its number, from 0.
    pub(super) number: usize,
    record: Arc<Record>,
}

impl Opened {
    pub(super) fn new(record: &Arc<Record>) -> Opened {
        let mut seen = record.lock();
        let number = seen.connections;
        seen.connections += 1;
        seen.open += 1;
        Opened {
            number,
            record: Arc::clone(record),
        }
    }
}

impl Drop for Opened {
    fn drop(&mut self) {
        self.record.lock().open -= 1;
    }
}
