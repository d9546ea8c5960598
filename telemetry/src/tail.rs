//! Failures as they happen, for whoever watches: nothing is kept, and a watcher that is slow misses some and
//! is told how many.
//!
//! While nobody watches it costs a request one atomic read.

use std::sync::Arc;

use tokio::sync::broadcast::{self, Receiver, Sender};

use crate::code::Fault;
use crate::json::Failure;
use crate::record::Record;

/// How many a watcher may be behind.
const BEHIND: usize = 1_024;

/// Where failed and slow requests are told of.
#[derive(Debug)]
pub struct Tail(Sender<Arc<Record>>);

impl Default for Tail {
    fn default() -> Self {
        Self(Sender::new(BEHIND))
    }
}

impl Tail {
    /// Whether anybody watches.
    pub fn is_watched(&self) -> bool {
        self.0.receiver_count() > 0
    }

    /// Watch from now on.
    pub fn watch(&self) -> Watch {
        Watch(self.0.subscribe())
    }

    /// Tell of a finished request.
    pub(crate) fn tell(&self, record: &Arc<Record>) {
        // Nobody may watch any more.
        let _ = self.0.send(Arc::clone(record));
    }
}

/// Somebody who watches.
#[derive(Debug)]
pub struct Watch(Receiver<Arc<Record>>);

/// What a watcher is told.
#[derive(Debug)]
pub enum Told {
    /// A request.
    Request(Arc<Record>),
    /// So many were missed.
    Missed(u64),
}

impl Watch {
    /// What comes next; `None` once there is nothing more.
    pub async fn next(&mut self) -> Option<Told> {
        match self.0.recv().await {
            Ok(record) => Some(Told::Request(record)),
            Err(broadcast::error::RecvError::Lagged(missed)) => Some(Told::Missed(missed)),
            Err(broadcast::error::RecvError::Closed) => None,
        }
    }
}

/// Which requests are of interest: those that are all that is asked for.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Filter {
    /// Those with this `error.type`.
    pub code: Option<String>,
    /// Those of this route.
    pub route: Option<String>,
    /// Those of this team.
    pub team: Option<String>,
    /// Those that asked this upstream.
    pub upstream: Option<String>,
    /// Those that are the fault of one of these; of all, if none is named.
    pub faults: Vec<Fault>,
    /// Those answered with this status, or `5xx`.
    pub status: Option<String>,
    /// Slow ones too, though they did not fail.
    pub slow: bool,
}

impl Filter {
    /// Whether it is one of them.
    pub fn takes(&self, record: &Record) -> bool {
        let same = |wanted: &Option<String>, is: Option<&str>| match wanted {
            Some(wanted) => is == Some(wanted),
            None => true,
        };
        let error = record.error_type().map(|error| error.to_string());
        let failed = error.is_some() || record.aborted;
        let fault = record.fault();
        let faulty =
            self.faults.is_empty() || fault.is_some_and(|fault| self.faults.contains(&fault));
        let asked = |name: &String| {
            record
                .attempts
                .iter()
                .any(|attempt| *attempt.upstream == **name)
        };
        (failed || self.slow)
            && same(&self.code, error.as_deref())
            && same(&self.route, record.route.as_deref())
            && same(&self.team, record.team.as_deref())
            && self.upstream.as_ref().is_none_or(asked)
            && faulty
            && self
                .status
                .as_ref()
                .is_none_or(|status| is_of(record.status, status))
    }
}

/// `503`, or `5xx`.
fn is_of(status: u16, wanted: &str) -> bool {
    match wanted.strip_suffix("xx") {
        Some(class) => (status / 100).to_string() == class,
        None => status.to_string() == wanted,
    }
}

/// One line of JSON that tells of a request: who, what, where, and why as far as that is known.
pub fn line(record: &Record) -> String {
    // Plain structs of strings and numbers: there is nothing to fail.
    serde_json::to_string(&Failure::of(record)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Attempt, sample};
    use crate::{Code, record};
    use std::time::Duration;

    fn failed() -> Record {
        let mut record = sample::plain("one");
        record.status = 502;
        record.code = Some(Code::ConnectionRefused);
        let attempt = Attempt::begin("orders".into(), "10.0.0.1:80".into(), Duration::ZERO);
        record.attempts = vec![record::Attempt {
            code: record.code,
            ..attempt
        }];
        record
    }

    #[test]
    fn a_filter_takes_what_is_all_that_it_asks_for() {
        let record = failed();
        let some = |word: &str| Some(word.to_owned());
        let takes = |filter: Filter| filter.takes(&record);
        assert!(takes(Filter::default()));
        assert!(takes(Filter {
            code: some("connection_refused"),
            ..Filter::default()
        }));
        assert!(!takes(Filter {
            code: some("dns_error"),
            ..Filter::default()
        }));
        assert!(takes(Filter {
            upstream: some("orders"),
            status: some("5xx"),
            ..Filter::default()
        }));
        assert!(takes(Filter {
            status: some("502"),
            ..Filter::default()
        }));
        assert!(!takes(Filter {
            status: some("503"),
            ..Filter::default()
        }));
        assert!(!takes(Filter {
            route: some("other"),
            ..Filter::default()
        }));
        assert!(!takes(Filter {
            faults: vec![Fault::Gateway, Fault::Policy],
            ..Filter::default()
        }));
        assert!(takes(Filter {
            faults: vec![Fault::Gateway, Fault::Upstream],
            ..Filter::default()
        }));
        let well = sample::plain("two");
        assert!(!Filter::default().takes(&well));
        assert!(
            Filter {
                slow: true,
                ..Filter::default()
            }
            .takes(&well)
        );
    }

    #[tokio::test]
    async fn who_is_slow_misses_some_and_is_told_how_many() {
        let tail = Tail::default();
        assert!(!tail.is_watched());
        let mut watch = tail.watch();
        assert!(tail.is_watched());
        for _ in 0..BEHIND + 5 {
            tail.tell(&Arc::new(failed()));
        }
        assert!(matches!(watch.next().await, Some(Told::Missed(5))));
        assert!(matches!(watch.next().await, Some(Told::Request(_))));
        drop(watch);
        assert!(!tail.is_watched());
    }

    #[test]
    fn a_line_names_the_endpoint_and_the_likely_cause() {
        let line: serde_json::Value = serde_json::from_str(&line(&failed())).expect("JSON");
        assert_eq!(line["error.type"], "connection_refused");
        assert_eq!(line["weir.upstream"], "orders");
        assert_eq!(line["endpoint"], "10.0.0.1:80");
        assert_eq!(line["runbook"], "runbooks/connection_refused.md");
        assert!(
            line["likely_cause"]
                .as_str()
                .is_some_and(|cause| cause.contains("nobody listens"))
        );
    }
}
