//! What librdkafka tells of its connections: whether a cluster can be reached, and whether anything
//! was sent since some moment.
//!
//! Reports come at a fixed pace and are a little late, so a conclusion about the past waits for
//! reports made after it. Knows no record and no error of the gateway's.

use std::collections::HashMap;
use std::error::Error;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::client::{ClientContext, DefaultClientContext as Librdkafka, OAuthToken};
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::ConsumerContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::statistics::{Broker, Statistics};
use tokio::sync::watch;
use weir_telemetry::metrics::backlog::Figures;

use super::token;
use crate::config::kafka_clusters::Cluster;

/// How often librdkafka reports.
pub(super) const PACE: Duration = Duration::from_millis(500);
/// For how long nobody is tried in place of a client that broke: whoever may write nothing is not to open
/// connections by asking again.
const REST: Duration = Duration::from_secs(5);
/// How long a cluster may be out of reach before records are refused: brokers close connections
/// that lie idle, and librdkafka opens new ones at once.
const GRACE: Duration = Duration::from_secs(1);

/// For how long an error is not logged that is the same as the one before it.
const REPEAT: Duration = Duration::from_secs(60);

/// Watches the connections of one client.
#[derive(Clone, Default)]
pub(super) struct Watch {
    seen: Arc<watch::Sender<Seen>>,
    /// Where tokens are, if it is to have some.
    token_file: Option<PathBuf>,
    /// Whether its credentials are a caller's.
    pub(super) is_callers: bool,
}

/// What was reported so far.
#[derive(Default)]
struct Seen {
    /// How many reports there were.
    reports: u64,
    /// Whether the latest one had a broker connected.
    up: bool,
    /// Since when no broker is to be reached, as far as is known.
    down: Option<Instant>,
    /// Why its credentials are not taken, as long as no broker takes them.
    refused: Option<String>,
    /// Why it may write nothing at all, of which it does not recover.
    forbidden: Option<String>,
    /// Since when it cannot send anything any more.
    broken: Option<Instant>,
    /// Grows with every request that may have carried a record.
    produced: u64,
    /// What the client holds of records, in the latest report.
    held: Figures,
    /// Requests to each broker that carried records, in the latest report.
    by_broker: HashMap<String, i64>,
    /// The error logged last, and when.
    logged: Option<(String, Instant)>,
}

/// Why nothing is taken of a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Refused {
    /// No broker takes its credentials, for this reason.
    Credentials(String),
    /// They may write nothing, for this one.
    Rights(String),
}

/// A moment, as far as reports had come.
pub(super) struct Mark {
    produced: u64,
}

impl Seen {
    fn refused(&self) -> Option<Refused> {
        let rights = self.forbidden.clone().map(Refused::Rights);
        rights.or_else(|| self.refused.clone().map(Refused::Credentials))
    }
}

impl Watch {
    /// Watches a client of a cluster.
    pub(super) fn of(cluster: &Cluster) -> Self {
        Self {
            token_file: cluster.token_file.clone(),
            is_callers: cluster.is_callers,
            ..Self::default()
        }
    }

    /// Why nothing of it is taken, if that is so.
    pub(super) fn refused(&self) -> Option<Refused> {
        self.seen.borrow().refused()
    }

    /// Waits until nothing of it is taken.
    pub(super) async fn is_refused(&self) {
        let mut seen = self.seen.subscribe();
        // What sends changes is held here.
        let _ = seen.wait_for(|seen| seen.refused().is_some()).await;
    }

    /// Whether it cannot send anything any more, and it is time to try another.
    pub(super) fn is_broken(&self) -> bool {
        let broken = self.seen.borrow().broken;
        broken.is_some_and(|since| since.elapsed() >= REST)
    }

    /// Whether the cluster has been out of reach for a while.
    pub(super) fn is_down(&self) -> bool {
        self.seen
            .borrow()
            .down
            .is_some_and(|since| since.elapsed() >= GRACE)
    }

    /// What the client holds of records, as of its last report.
    pub(super) fn held(&self) -> Figures {
        self.seen.borrow().held
    }

    /// The present.
    pub(super) fn mark(&self) -> Mark {
        Mark {
            produced: self.seen.borrow().produced,
        }
    }

    /// A record got no answer in time. If no broker is connected, that is known to be why.
    pub(super) fn unanswered(&self) {
        self.seen.send_modify(|seen| {
            if !seen.up {
                seen.down.get_or_insert_with(Instant::now);
            }
        });
    }

    /// Whether it is certain that no record went to any broker since `mark`. Waits for the reports
    /// that can say so.
    pub(super) async fn nothing_sent_since(&self, mark: &Mark) -> bool {
        let mut reports = self.seen.subscribe();
        // The next one may have been under way while something was still being sent.
        let enough = self.seen.borrow().reports + 2;
        let reported = reports.wait_for(|seen| seen.reports >= enough);
        match tokio::time::timeout(PACE * 10, reported).await {
            Ok(Ok(seen)) => seen.produced == mark.produced,
            Ok(Err(_)) | Err(_) => false,
        }
    }

    /// Whether a reason is worth logging: the bindings tell each of a producer's errors twice.
    fn is_news(&self, reason: &str, now: Instant) -> bool {
        let mut news = false;
        self.seen.send_if_modified(|seen| {
            news = !seen.logged.as_ref().is_some_and(|(last, at)| {
                last == reason && now.saturating_duration_since(*at) < REPEAT
            });
            if news {
                seen.logged = Some((reason.to_owned(), now));
            }
            // Nobody waits for this.
            false
        });
        news
    }

    fn report(&self, brokers: &HashMap<String, Broker>) {
        self.seen.send_modify(|seen| {
            seen.reports += 1;
            // A bootstrap address (nodeid -1) may be a load balancer: it says little of brokers.
            seen.up = brokers
                .values()
                .any(|b| b.nodeid >= 0 && matches!(&*b.state, "UP" | "UPDATE"));
            if seen.up {
                seen.down = None;
                seen.refused = None;
            }
            let counts = brokers
                .iter()
                .map(|(name, broker)| (name.clone(), produced(broker)));
            let now: HashMap<String, i64> = counts.collect();
            if now != seen.by_broker && grew(&seen.by_broker, &now) {
                seen.produced += 1;
            }
            seen.by_broker = now;
        });
    }
}

/// What a client holds of records.
fn held(statistics: &Statistics) -> Figures {
    let sent = statistics.brokers.values();
    let in_flight: u64 = sent
        .map(|broker| u64::try_from(broker.waitresp_msg_cnt).unwrap_or(0))
        .sum();
    let share = |held: u64, most: u64| held as f64 / most.max(1) as f64;
    Figures {
        queued: statistics.msg_cnt.saturating_sub(in_flight),
        in_flight,
        fullest: share(statistics.msg_cnt, statistics.msg_max)
            .max(share(statistics.msg_size, statistics.msg_size_max)),
    }
}

/// Requests with records that went to a broker whole.
fn produced(broker: &Broker) -> i64 {
    broker.req.get("Produce").copied().unwrap_or_default()
}

/// Whether more was sent: a broker that is no longer reported may have been sent something last.
fn grew(before: &HashMap<String, i64>, now: &HashMap<String, i64>) -> bool {
    let more = now
        .iter()
        .any(|(name, count)| *count != before.get(name).copied().unwrap_or_default());
    more || before.keys().any(|name| !now.contains_key(name))
}

impl ClientContext for Watch {
    const ENABLE_REFRESH_OAUTH_TOKEN: bool = true;

    fn stats(&self, statistics: Statistics) {
        let held = held(&statistics);
        self.seen.send_modify(|seen| seen.held = held);
        self.report(&statistics.brokers);
    }

    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        // A cluster's properties are for clients of either kind, and each ignores those of the other.
        let is_others = facility == "CONFWARN" && message.contains("will be ignored by this");
        if !is_others {
            Librdkafka.log(level, facility, message);
        }
    }

    fn error(&self, error: KafkaError, reason: &str) {
        use RDKafkaErrorCode as E;
        // The client looks for the coordinator of a group that nobody joins.
        let is_group = error.rdkafka_error_code() == Some(E::GroupAuthorizationFailed);
        // Who asks to be told of the end of a partition is told with the records, too.
        let is_end = error.rdkafka_error_code() == Some(E::PartitionEOF);
        if !is_group && !is_end && self.is_news(reason, Instant::now()) {
            log::warn!("kafka: {error}: {reason}");
        }
        match error.rdkafka_error_code() {
            Some(E::AllBrokersDown) => self.seen.send_modify(|seen| {
                seen.up = false;
                seen.down.get_or_insert_with(Instant::now);
            }),
            // Where another broker takes them, they are not what is wrong.
            Some(E::Authentication | E::SaslAuthenticationFailed) => {
                self.seen.send_modify(|seen| {
                    if !seen.up {
                        seen.refused = Some(reason.to_owned());
                    }
                });
            }
            // It gets no id to write by, and never asks for one again.
            Some(E::ClusterAuthorizationFailed) => self.seen.send_modify(|seen| {
                seen.forbidden = Some(reason.to_owned());
                seen.broken.get_or_insert_with(Instant::now);
            }),
            Some(E::Fatal) => self.seen.send_modify(|seen| {
                seen.broken.get_or_insert_with(Instant::now);
            }),
            _ => {}
        }
    }

    fn generate_oauth_token(&self, _: Option<&str>) -> Result<OAuthToken, Box<dyn Error>> {
        let path = self.token_file.as_ref().ok_or("no `token_file` is given")?;
        token::read(path).map_err(Into::into)
    }
}

impl ConsumerContext for Watch {}

#[cfg(test)]
mod tests {
    use super::*;

    fn brokers(reported: &[(&str, &str, i64)]) -> HashMap<String, Broker> {
        let one = |(name, state, produced): &(&str, &str, i64)| {
            let broker = Broker {
                nodeid: if name.contains("bootstrap") { -1 } else { 1 },
                state: (*state).to_owned(),
                req: HashMap::from([
                    ("Produce".to_owned(), *produced),
                    ("Metadata".to_owned(), 7),
                ]),
                ..Broker::default()
            };
            ((*name).to_owned(), broker)
        };
        reported.iter().map(one).collect()
    }

    async fn nothing_sent(before: &[(&str, &str, i64)], after: &[(&str, &str, i64)]) -> bool {
        let watch = Watch::default();
        watch.report(&brokers(before));
        let mark = watch.mark();
        let reports = async {
            for _ in 0..2 {
                tokio::task::yield_now().await;
                watch.report(&brokers(after));
            }
        };
        tokio::join!(watch.nothing_sent_since(&mark), reports).0
    }

    #[tokio::test]
    async fn only_equal_counts_say_that_nothing_was_sent() {
        assert!(nothing_sent(&[("a/1", "UP", 3)], &[("a/1", "DOWN", 3)]).await);
        assert!(!nothing_sent(&[("a/1", "UP", 3)], &[("a/1", "DOWN", 4)]).await);
        assert!(
            !nothing_sent(
                &[("a/1", "DOWN", 0)],
                &[("a/1", "DOWN", 0), ("b/2", "UP", 1)]
            )
            .await
        );
    }

    #[tokio::test]
    async fn a_broker_that_is_gone_may_have_been_sent_something() {
        assert!(!nothing_sent(&[("a/1", "UP", 1)], &[("b/1", "UP", 0)]).await);
        assert!(
            nothing_sent(
                &[("a/1", "INIT", 0)],
                &[("a/1", "INIT", 0), ("b/2", "INIT", 0)]
            )
            .await
        );
    }

    #[test]
    fn only_a_broker_brings_a_cluster_back() {
        let watch = Watch::default();
        watch.unanswered();
        let is_down = || watch.seen.borrow().down.is_some();
        assert!(is_down());
        watch.report(&brokers(&[("lb/bootstrap", "UP", 0), ("a/1", "DOWN", 0)]));
        assert!(is_down());
        watch.report(&brokers(&[("a/1", "UP", 0)]));
        assert!(!is_down());
        watch.unanswered();
        assert!(!is_down(), "a connected cluster is slow, not down");
    }

    #[test]
    fn credentials_are_refused_until_a_broker_takes_them() {
        use RDKafkaErrorCode as E;
        let watch = Watch::default();
        watch.error(KafkaError::Global(E::Authentication), "no");
        let refused = Some(Refused::Credentials("no".to_owned()));
        assert_eq!(watch.refused(), refused);
        watch.report(&brokers(&[("a/1", "UP", 0)]));
        assert_eq!(watch.refused(), None);
        watch.error(KafkaError::Global(E::Authentication), "no");
        assert_eq!(watch.refused(), None, "another broker takes them");
        // Of this it does not recover, connected or not.
        watch.error(KafkaError::Global(E::ClusterAuthorizationFailed), "never");
        watch.report(&brokers(&[("a/1", "UP", 0)]));
        let forbidden = Some(Refused::Rights("never".to_owned()));
        assert_eq!(watch.refused(), forbidden);
    }

    #[test]
    fn an_error_told_again_is_logged_once_a_while() {
        let (watch, now) = (Watch::default(), Instant::now());
        assert!(watch.is_news("down", now));
        assert!(!watch.is_news("down", now));
        assert!(watch.is_news("refused", now));
        assert!(watch.is_news("down", now));
        assert!(watch.is_news("down", now + REPEAT));
    }
}
