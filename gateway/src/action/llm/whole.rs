//! An answer in one JSON document.

use bytes::{Bytes, BytesMut};
use weir_protocols::openai::output::Output;
use weir_protocols::openai::{finish, usage};

use super::budget::Budget;
use super::count::Tally;
use super::note;
use crate::error::GatewayError;
use crate::policy::quota::{self, Usage};
use crate::proxy::{Downstream, Request};
use crate::upstream::{Body, Exchange, Incoming};

/// The longest answer searched for usage, in bytes.
const MAX_ANSWER: usize = 16 << 20;

/// Passes an answer on. `ok` is whether it is one and no error; each of its `choices` is learned
/// from, if it is counted.
pub(super) async fn pass(
    request: &mut Request,
    down: &mut Downstream,
    exchange: &mut Exchange,
    body: &mut Body,
    ok: bool,
    (budget, choices): (Option<Budget<'_>>, u64),
) -> Result<(), GatewayError> {
    let mut seen = Seen::default();
    // The last piece waits until it is known what the answer cost.
    let mut last = Bytes::new();
    let trailers = loop {
        let incoming = match exchange.next(request, down, body).await {
            Ok(incoming) => incoming,
            Err(stop) => {
                broke(request, &mut seen);
                // What came is passed on; the caller sees that it is not all.
                let _ = down.write_chunk(last).await;
                return Err(stop.into());
            }
        };
        match incoming {
            Incoming::Chunk(chunk) => {
                seen.add(&chunk);
                let before = std::mem::replace(&mut last, chunk);
                if !before.is_empty() {
                    down.write_chunk(before).await?;
                }
            }
            Incoming::End(trailers) => break trailers,
            Incoming::Informational(_) | Incoming::Head(_) => {}
        }
    };
    let document = seen.document();
    let told = usage::from_completion(&document);
    if let Some(usage) = &told {
        note::told(request, usage);
    } else if !ok {
        request.usage = Some(Usage::nothing());
    }
    let mut reasons = finish::reasons(&document);
    let reason = reasons.next().filter(|_| ok);
    note::stopped(request, || reason);
    if let Some(usage) = request.usage {
        quota::declare(request, usage);
    }
    let ended = async {
        if !last.is_empty() {
            down.write_chunk(last).await?;
        }
        down.write_end(trailers).await
    };
    let ended = ended.await;
    if let Some(mut budget) = budget.filter(|_| ok) {
        if told.is_none() {
            count(request, &mut budget, &document, seen.total).await;
        }
        if reason.is_some_and(note::is_whole) && reasons.all(note::is_whole) {
            note::learn(request, choices);
        }
    }
    ended
}

/// Of an answer that broke off, or whose caller left on the last byte of it, the provider may have
/// said already what it used.
fn broke(request: &mut Request, seen: &mut Seen) {
    if let Some(usage) = usage::from_completion(&seen.document()) {
        note::told(request, &usage);
    }
}

/// Counts an answer of so many `bytes` whose provider did not say what it used.
async fn count(request: &mut Request, budget: &mut Budget<'_>, document: &[u8], bytes: usize) {
    // Until it is counted: no token is shorter than a byte.
    note::estimated(request, budget.prompt.tokens, bytes as u64);
    let mut tally = Tally::of(budget.prompt.model);
    let Some(output) = Output::parse(document) else {
        return;
    };
    output.for_each_text(&mut |place, text| tally.add(place, text));
    if let Some(output) = tally.count().await {
        budget.prompt.count().await;
        note::counted(request, budget.prompt.tokens, output);
    }
}

/// What has passed of a document; one chunk alone is not copied.
#[derive(Default)]
struct Seen {
    first: Bytes,
    rest: BytesMut,
    total: usize,
}

impl Seen {
    fn add(&mut self, chunk: &Bytes) {
        if self.total == 0 {
            self.first = chunk.clone();
        } else if self.total < MAX_ANSWER {
            if self.rest.is_empty() {
                self.rest.extend_from_slice(&self.first);
            }
            self.rest.extend_from_slice(chunk);
        }
        self.total += chunk.len();
    }

    fn document(&mut self) -> Bytes {
        if self.rest.is_empty() {
            self.first.clone()
        } else {
            self.rest.split().freeze()
        }
    }
}
