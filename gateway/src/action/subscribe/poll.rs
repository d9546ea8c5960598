//! A subscriber that asks again and again: each time it is given what came, and the cursor to ask with next.

use std::time::{Duration, Instant};

use http::header::CACHE_CONTROL;
use http::{HeaderValue, StatusCode};
use tokio::time::{sleep, sleep_until};

use super::feed::PACE;
use super::filter::Filter;
use super::reader::{Came, Reader};
use super::say;
use super::say::Speaker;
use super::tally::{self, Tally};
use crate::error::GatewayError;
use crate::kafka::Gap;
use crate::proxy::{Downstream, Reply, Request, reply};

/// How much is answered at most, in bytes, but for the last record.
const MOST: usize = 4 << 20;

/// How much longer it may take to read what was written before now.
const GRACE: Duration = Duration::from_secs(5);

/// A question for what came.
pub(super) struct Question {
    pub(super) reader: Reader,
    pub(super) filter: Filter,
    pub(super) speaker: Speaker,
    pub(super) tally: Tally,
    /// Until when something may come.
    pub(super) until: Instant,
    /// How many records it is given at most.
    pub(super) limit: usize,
}

/// What is answered.
#[derive(Default)]
struct Given {
    records: Vec<u8>,
    count: usize,
    gaps: Vec<Gap>,
    /// Of the first record.
    age: Option<Duration>,
}

impl Question {
    /// Answers with what came, once something did.
    pub(super) async fn answer(
        mut self,
        request: &mut Request,
        down: &mut Downstream,
    ) -> Result<(), GatewayError> {
        let mut given = Given::default();
        let began = Instant::now();
        loop {
            let joined = self.reader.joined().is_some();
            let until = self.until + if joined { Duration::ZERO } else { GRACE };
            tokio::select! {
                biased;
                // Whoever asks again is answered by another gateway.
                () = request.gateway.drain.must_end() => break,
                filled = self.fill(&mut given) => {
                    if filled? {
                        break;
                    }
                }
                gone = down.read() => { gone?; }
                () = sleep_until(until.into()) => break,
            }
        }
        request.waits.upstream += began.elapsed();
        self.tally
            .told(given.count as u64, given.age, self.reader.lag());
        self.tally.note(request);
        let no_store = HeaderValue::from_static("no-store");
        let reply = Reply::json(StatusCode::OK, self.body(&given)).header(CACHE_CONTROL, no_store);
        reply::answer(request, down, reply).await
    }

    /// Takes what comes, and says whether that is enough. May be dropped while pending: nothing is lost.
    async fn fill(&mut self, given: &mut Given) -> Result<bool, GatewayError> {
        while given.count < self.limit && given.records.len() < MOST {
            let next = self.reader.next(self.limit - given.count);
            let next = match given.count + given.gaps.len() {
                0 => next.await?,
                _ => tokio::select! {
                    biased;
                    next = next => next?,
                    // What comes soon comes with it.
                    () = sleep(PACE) => return Ok(true),
                },
            };
            match next {
                Came::Joined => return Ok(false),
                Came::Gaps(gaps) => given.gaps.extend(gaps),
                Came::Records(records) => {
                    for shown in records {
                        self.reader.pass(&shown);
                        if self.filter.passes(&shown) {
                            if given.count > 0 {
                                given.records.push(b',');
                            }
                            given.age = given.age.or_else(|| tally::age([&shown.record]));
                            self.speaker.record(&mut given.records, &shown);
                            given.count += 1;
                        }
                    }
                }
            }
        }
        Ok(true)
    }

    fn body(&self, given: &Given) -> Vec<u8> {
        let cursor = self.speaker.seal.write(self.reader.at());
        let mut body = Vec::with_capacity(given.records.len() + 128);
        body.extend_from_slice(format!("{{\"cursor\":\"{cursor}\"").as_bytes());
        if !given.gaps.is_empty() {
            body.extend_from_slice(b",\"gaps\":");
            say::write_gaps(&mut body, &given.gaps);
        }
        body.extend_from_slice(b",\"records\":[");
        body.extend_from_slice(&given.records);
        body.extend_from_slice(b"]}");
        body
    }
}
