//! Operations of a WebSocket that are run here, side by side: what their caller is told, and when.
//!
//! It knows no frames, and not how an operation is run.

use std::collections::{HashMap, VecDeque};
use std::pin::Pin;
use std::time::Duration;

use async_graphql::BatchResponse;
use async_trait::async_trait;
use futures_util::future::{AbortHandle, Abortable, Aborted, BoxFuture};
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt as _, StreamExt as _};
use http::HeaderMap;
use serde_json::json;
use tokio::time::Sleep;
use weir_protocols::graphql::transport_ws::{self, Message, Violation};
use weir_telemetry::Code;

use super::MOST_TOLD;
use super::compose::aside::Aside;
use super::compose::{Composed, answer};
use super::socket::{Heard, Operations, closing, refusal};
use crate::action::websocket::inspect::Refusal;
use crate::action::websocket::serve::Serve;
use crate::error::GatewayError;
use crate::proxy::Request;

/// How long a caller has to begin, as it is to say `connection_init` at once.
const PATIENCE: Duration = Duration::from_secs(5);

/// The operations of one connection.
pub(super) struct Answered<'a> {
    operations: Operations<'a>,
    graph: &'a Composed,
    /// The longest message, in bytes.
    max_message: u64,
    /// Until when the caller has to begin; none once it has.
    patience: Option<Pin<Box<Sleep>>>,
    running: FuturesUnordered<Runs<'a>>,
    /// How those that run are given up.
    running_by_id: HashMap<Box<str>, AbortHandle>,
    /// Those of which something came that is to be told.
    over: VecDeque<(Box<str>, Came<'a>)>,
    /// What is to be said before.
    said: VecDeque<Said<'a>>,
}

/// What comes of an operation.
type Ran = Result<BatchResponse, GatewayError>;

/// One that runs: its id, and what comes of it next unless it is given up.
type Runs<'a> = BoxFuture<'a, (Box<str>, Result<Came<'a>, Aborted>)>;

/// What comes of it, and the rest, if there may be more.
type Came<'a> = (Ran, Option<Box<Aside<'a>>>);

/// A message that is to be said.
struct Said<'a> {
    text: Vec<u8>,
    /// The operation that it is the last of, or that goes on after it.
    of: Option<(Box<str>, Option<Box<Aside<'a>>>)>,
}

impl<'a> Answered<'a> {
    /// Begins with a connection on which nothing was said.
    pub(super) fn new(operations: Operations<'a>, graph: &'a Composed, max_message: u64) -> Self {
        Self {
            operations,
            graph,
            max_message,
            patience: Some(Box::pin(tokio::time::sleep(PATIENCE))),
            running: FuturesUnordered::new(),
            running_by_id: HashMap::new(),
            over: VecDeque::new(),
            said: VecDeque::new(),
        }
    }

    fn tell(&mut self, text: impl Into<Vec<u8>>) {
        self.said.push_back(Said {
            text: text.into(),
            of: None,
        });
    }

    /// Waits for what comes of an operation.
    fn run(&mut self, id: Box<str>, operation: Box<Aside<'a>>) {
        let (handle, registration) = AbortHandle::new_pair();
        self.running_by_id.insert(id.clone(), handle);
        let run = Abortable::new(operation.next(), registration).map(|came| (id, came));
        self.running.push(run.boxed());
    }

    /// Its caller wants to hear no more of an operation.
    fn give_up(&mut self, id: &str) {
        if let Some(handle) = self.running_by_id.remove(id) {
            handle.abort();
        }
        self.over.retain(|(over, _)| **over != *id);
        let of_it = |said: &Said<'_>| said.of.as_ref().is_some_and(|(of, _)| **of == *id);
        self.said.retain(|said| !of_it(said));
    }

    /// Says what came of an operation. It goes on once that was said.
    fn conclude(&mut self, request: &mut Request, id: Box<str>, (ran, rest): Came<'a>) {
        let result = ran.and_then(|answers| answer::body(request, answers));
        let result = result.and_then(|result| self.fitting(&id, &result));
        let (text, rest) = match result {
            Ok(next) if rest.is_some() => (next, rest),
            Ok(next) => {
                self.tell(next);
                (transport_ws::complete(&id), None)
            }
            Err(error) => (refusal(request, &id, &error), None),
        };
        self.said.push_back(Said {
            text,
            of: Some((id, rest)),
        });
    }

    /// The message with a result, if it is not too long.
    fn fitting(&self, id: &str, result: &[u8]) -> Result<Vec<u8>, GatewayError> {
        let next = transport_ws::next(id, result);
        let (found, max) = (next.len() as u64, self.max_message);
        if found <= max {
            return Ok(next);
        }
        let public = format!(
            "The limit of a message is {max} bytes, and the answer would take {found}; ask for less at \
             once."
        );
        let mut error = GatewayError::public(Code::GraphqlLimitExceeded, public)
            .source(format_args!("message: {found} bytes, at most {max}"));
        let figures = json!({ "name": "message", "max": max, "found": found });
        error.member = Some(Box::new(("limit", figures)));
        Err(error)
    }
}

#[async_trait]
impl Serve for Answered<'_> {
    async fn heard(
        &mut self,
        request: &mut Request,
        headers: &HeaderMap,
        text: &[u8],
    ) -> Result<(), Refusal> {
        match self.operations.hear(request, headers, text).await? {
            Heard::Other(Message::ConnectionInit) => {
                self.patience = None;
                self.operations.session.acknowledge();
                self.tell(transport_ws::CONNECTION_ACK);
            }
            Heard::Other(Message::Ping) => self.tell(transport_ws::PONG),
            Heard::Other(Message::Complete { id }) => self.give_up(&id),
            Heard::Other(Message::Pong | Message::Subscribe { .. }) => {}
            Heard::Refused(told) => self.tell(told),
            Heard::Operation {
                id,
                payload,
                instead,
                lasts,
            } => {
                // Those of operations that were given up are not told of by any other.
                request.take_in(MOST_TOLD);
                let asked = instead.unwrap_or_else(|| payload.as_bytes().to_vec());
                let aside = request.aside();
                let operation = Aside::new(self.graph, asked, lasts, aside, headers.clone());
                self.run(id.into(), operation.into());
            }
        }
        Ok(())
    }

    async fn work(&mut self) -> Result<(), Refusal> {
        let runs = !self.running.is_empty();
        tokio::select! {
            Some((id, came)) = self.running.next(), if runs => {
                // One that was given up may have the id of one that runs.
                if let Ok(came) = came {
                    self.running_by_id.remove(&id);
                    self.over.push_back((id, came));
                }
                Ok(())
            }
            () = at(&mut self.patience) => Err(closing(&Violation::Uninitialised)),
        }
    }

    fn say(&mut self, request: &mut Request) -> Option<Vec<u8>> {
        if self.said.is_empty()
            && let Some((id, came)) = self.over.pop_front()
        {
            request.take_in(MOST_TOLD);
            self.conclude(request, id, came);
        }
        let Said { text, of } = self.said.pop_front()?;
        match of {
            Some((id, Some(rest))) => self.run(id, rest),
            Some((id, None)) => self.operations.session.over(&id),
            None => {}
        }
        Some(text)
    }
}

/// Waits for a moment; for ever, if there is none.
async fn at(moment: &mut Option<Pin<Box<Sleep>>>) {
    match moment {
        Some(sleep) => sleep.await,
        None => std::future::pending().await,
    }
}
