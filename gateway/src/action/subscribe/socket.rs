//! A subscriber on a WebSocket. It acknowledges what it has dealt with, and is given no more than so many
//! records that it has not: who does not acknowledge is waited for.
//!
//! | Message | From | Says |
//! |---|---|---|
//! | `open` | the gateway | where it is, and how many records may be under way |
//! | `record` | the gateway | a record, and the cursor after it |
//! | `gap` | the gateway | records that the topic does not hold any more |
//! | `ack` | the subscriber | that it has dealt with all up to a cursor |
//! | `flow` | the subscriber | how many records may be under way from now on; none for a pause |

use std::collections::VecDeque;

use async_trait::async_trait;
use http::HeaderMap;
use serde::Deserialize;
use tokio::time::{Instant, sleep_until};
use weir_protocols::websocket::Code as CloseCode;
use weir_telemetry::Code;

use super::feed::PACE;
use super::filter::Filter;
use super::reader::{Came, Reader};
use super::say;
use super::say::Speaker;
use super::shown::Shown;
use super::tally::{self, Tally};
use crate::action::websocket::inspect::Refusal;
use crate::action::websocket::serve::Serve;
use crate::error::GatewayError;
use crate::proxy::Request;

/// So many records are read ahead.
const FEW: usize = 64;

/// A subscriber.
pub(super) struct Socket {
    reader: Reader,
    filter: Filter,
    speaker: Speaker,
    /// How many records may be under way, and how many at most.
    window: usize,
    max_window: usize,
    /// The cursors of those that are, the oldest first.
    under_way: VecDeque<Box<str>>,
    /// What is to be said.
    said: VecDeque<Vec<u8>>,
    /// Read, and not said.
    read: VecDeque<Shown>,
    /// When it looks again what came.
    due: Instant,
    tally: Tally,
}

/// What a subscriber says.
#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
enum Heard {
    /// It has dealt with all up to there.
    Ack { cursor: Box<str> },
    /// So many may be under way.
    Flow { window: usize },
}

impl Socket {
    /// Begins where the reader is.
    pub(super) fn new(
        reader: Reader,
        filter: Filter,
        speaker: Speaker,
        tally: Tally,
        (window, max_window): (usize, usize),
    ) -> Self {
        let cursor = speaker.seal.write(reader.at());
        let open = format!("{{\"type\":\"open\",\"cursor\":\"{cursor}\",\"window\":{window}}}");
        Self {
            reader,
            filter,
            speaker,
            window,
            max_window,
            under_way: VecDeque::new(),
            said: VecDeque::from([open.into_bytes()]),
            read: VecDeque::new(),
            due: Instant::now(),
            tally,
        }
    }

    fn acknowledge(&mut self, cursor: &str) -> Result<(), Refusal> {
        let mut under_way = self.under_way.iter();
        let Some(index) = under_way.position(|sent| **sent == *cursor) else {
            let message = "`ack` names no cursor of a record that was sent and not acknowledged.";
            return Err(refuse(message.to_owned()));
        };
        self.under_way.drain(..=index);
        Ok(())
    }

    fn may_say_more(&self) -> bool {
        self.under_way.len() < self.window
    }

    /// The next record that passes, as it is said.
    fn next_record(&mut self) -> Option<Vec<u8>> {
        while let Some(shown) = self.read.pop_front() {
            self.reader.pass(&shown);
            if !self.filter.passes(&shown) {
                continue;
            }
            let cursor = self.speaker.seal.write(self.reader.at());
            let head = format!("{{\"type\":\"record\",\"cursor\":\"{cursor}\",");
            let mut text = head.into_bytes();
            self.speaker.members(&mut text, &shown);
            text.push(b'}');
            self.under_way.push_back(cursor.into());
            let lag = self.reader.lag();
            self.tally.told(1, tally::age([&shown.record]), lag);
            return Some(text);
        }
        None
    }
}

#[async_trait]
impl Serve for Socket {
    async fn heard(&mut self, _: &mut Request, _: &HeaderMap, text: &[u8]) -> Result<(), Refusal> {
        match serde_json::from_slice(text) {
            Ok(Heard::Ack { cursor }) => self.acknowledge(&cursor),
            Ok(Heard::Flow { window }) => {
                self.window = window.min(self.max_window);
                Ok(())
            }
            Err(error) => Err(refuse(format!(
                "A message is {{\"type\":\"ack\",\"cursor\":…}} or {{\"type\":\"flow\",\"window\":…}}: \
                 {error}."
            ))),
        }
    }

    async fn work(&mut self) -> Result<(), Refusal> {
        if !self.read.is_empty() || !self.may_say_more() {
            // Until something is acknowledged.
            return std::future::pending().await;
        }
        if self.reader.joined().is_some() {
            sleep_until(self.due).await;
        }
        match self.reader.next(FEW).await {
            Ok(Came::Joined) => {}
            Ok(Came::Records(records)) => self.read.extend(records),
            Ok(Came::Gaps(gaps)) => {
                let cursor = self.speaker.seal.write(self.reader.at());
                let head = format!("{{\"type\":\"gap\",\"cursor\":\"{cursor}\",\"gaps\":");
                let mut text = head.into_bytes();
                say::write_gaps(&mut text, &gaps);
                text.push(b'}');
                self.said.push_back(text);
            }
            Err(error) => return Err(Refusal::new(CloseCode::TRY_AGAIN_LATER, error)),
        }
        self.due = Instant::now() + PACE;
        Ok(())
    }

    fn say(&mut self, request: &mut Request) -> Option<Vec<u8>> {
        if let Some(text) = self.said.pop_front() {
            return Some(text);
        }
        if !self.may_say_more() {
            return None;
        }
        let text = self.next_record();
        self.tally.note(request);
        text
    }
}

fn refuse(message: String) -> Refusal {
    let error = GatewayError::public(Code::WebsocketMessageInvalid, message);
    Refusal::new(CloseCode::POLICY_VIOLATION, error)
}
