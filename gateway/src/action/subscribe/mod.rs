//! `subscribe`: gives out the records of a topic, as server-sent events, over a WebSocket, by polling, or as
//! a stream of gRPC.
//!
//! Nothing is kept of a subscriber: where it is, it is told as a cursor, by which any gateway goes on.
//!
//! | Module | Knows |
//! |---|---|
//! | `ask` | what a subscriber asks for |
//! | `cursor` | where one is, as a token |
//! | `keys` | what cursors are signed with where nobody says it |
//! | `filter` | which records it is given |
//! | `event` | CloudEvents that records carry |
//! | `decode` | values that were written by a schema |
//! | `shown` | a record as subscribers see it |
//! | `reader` | what comes next of a subscription, shown so |
//! | `say` | what it is told of a record |
//! | `message` | the same over gRPC |
//! | `voice` | which of the two |
//! | `course` | its way through the topic, told so |
//! | `feed` | what all are told alike |
//! | `tally` | what operators learn of it |
//! | `stream`, `socket`, `poll`, `call` | how it is told |

mod ask;
mod call;
mod course;
pub(crate) mod cursor;
pub(crate) mod decode;
pub(crate) mod event;
pub(super) mod feed;
mod filter;
pub(crate) mod keys;
mod message;
mod poll;
mod reader;
pub(crate) mod say;
pub(crate) mod shown;
mod socket;
pub(in crate::action) mod stream;
mod tally;
mod voice;

use std::sync::Arc;
use std::time::{Duration, Instant};

use http::Method;
use http::header::ACCEPT;
use weir_telemetry::{Code, Metrics};

use self::ask::Asked;
use self::course::Course;
use self::cursor::{Keys, Seal};
use self::decode::Decoder;
use self::feed::{Feed, Feeds};
use self::poll::Question;
use self::reader::Reader;
use self::say::Speaker;
use self::socket::Socket;
use self::tally::Tally;
use self::voice::Voice;
use super::websocket::Connections;
use crate::action::template::Values;
use crate::config::kafka_identity::Operation;
use crate::config::routes::subscribe as config;
use crate::error::GatewayError;
use crate::kafka::{Cluster, Session};
use crate::policy::quota::{self, Bound};
use crate::proxy::{Downstream, Request, head};

/// The action.
pub(crate) struct Subscribe {
    /// What it does, as configured.
    pub(crate) config: config::Subscribe,
    /// The cluster that the topic is in.
    pub(crate) cluster: Arc<Cluster>,
    /// What cursors are signed with.
    pub(crate) keys: Keys,
    /// What reads the values of its records, where a schema says what they are.
    pub(crate) decoder: Option<Arc<Decoder>>,
    /// Its WebSockets.
    pub(crate) connections: Connections,
    /// What all are told alike.
    pub(crate) feeds: Feeds,
    /// The route's name.
    pub(crate) route: Arc<str>,
    /// Where the figures of topics go.
    pub(crate) metrics: Metrics,
}

impl Subscribe {
    /// Gives out what comes until nobody wants more.
    pub(crate) async fn run(
        &self,
        request: &mut Request,
        down: &mut Downstream,
    ) -> Result<(), GatewayError> {
        if let Some(call) = &self.config.call {
            quota::charge(request, &down.head().headers, Bound::default()).await?;
            return call::run(self, call, request, down).await;
        }
        let upgrades = request.extended_connect || head::wants_upgrade(down.head());
        if !upgrades {
            quota::charge(request, &down.head().headers, Bound::default()).await?;
        }
        if down.head().method != Method::GET {
            let message = "Records are read by GET: as events, over a WebSocket, or by polling.";
            return Err(GatewayError::public(Code::MethodRefused, message));
        }
        let values = Values::of(request, down.head());
        let topic = self.topic(&values)?;
        let asked = Asked::read(&self.config, &values, down.head())?;
        let Opened {
            topic,
            session,
            reader,
            seal,
            tally,
        } = self.open(request, down, topic, &asked).await?;
        let speaker = Speaker {
            format: self.config.format,
            topic,
            seal,
        };
        if upgrades {
            let most = self.config.max_unacknowledged;
            let window = (asked.limit.unwrap_or(most).min(most), most);
            let mut socket = Socket::new(reader, asked.filter, speaker, tally, window);
            return self.connections.serve(request, down, &mut socket).await;
        }
        if asked.wait.is_none() && wants_events(down) {
            let voice = Voice::Events(speaker);
            let course = Course::new(self, &session, (reader, asked.filter), voice, tally);
            return stream::run(request, down, course).await;
        }
        let wait = asked.wait.unwrap_or(Duration::ZERO);
        let most = self.config.max_records;
        let question = Question {
            reader,
            filter: asked.filter,
            speaker,
            tally,
            until: Instant::now() + wait,
            limit: asked.limit.unwrap_or(most).min(most),
        };
        question.answer(request, down).await
    }

    /// Begins to read a topic as it is asked for.
    async fn open(
        &self,
        request: &mut Request,
        down: &mut Downstream,
        topic: Arc<str>,
        asked: &Asked,
    ) -> Result<Opened, GatewayError> {
        let access = self.cluster.of(request.consumer.as_ref())?;
        access.may(Operation::Read, &topic)?;
        let session = access.session();
        let follower = session.follow(&topic);
        let follower = while_there(request, down, follower).await?;
        let seal = self.keys.of(follower.cluster_id(), &topic);
        let start = asked.start(&seal)?;
        let subscription = session.subscribe(&topic, follower, start);
        let subscription = while_there(request, down, subscription).await?;
        let decoder = self.decoder.as_ref();
        Ok(Opened {
            session: session.clone(),
            reader: Reader::new(subscription, decoder.map(|decoder| decoder.of(request))),
            seal,
            tally: self.tally(request, &topic),
            topic,
        })
    }

    fn tally(&self, request: &mut Request, topic: &Arc<str>) -> Tally {
        let cluster = &self.config.topic.cluster;
        let metrics = self.metrics.subscription(&self.route, cluster, topic);
        Tally::begin(request, metrics, (cluster, topic))
    }

    fn topic(&self, values: &Values<'_>) -> Result<Arc<str>, GatewayError> {
        let topic = &self.config.topic;
        let name = values.render(&topic.name);
        let name = name.map_err(|missing| {
            let message =
                format!("This route makes the topic of {missing}, and the request has none.");
            GatewayError::public(Code::QueryInvalid, message)
        })?;
        if !topic.allows(&name) {
            let message = "This route gives out no topic of that name.";
            return Err(GatewayError::public(Code::KafkaTopicUnknown, message));
        }
        Ok(name.into())
    }

    /// What all are told alike of the topic of a subscription.
    async fn feed(
        &self,
        session: &Session,
        voice: &Voice,
        reader: &Reader,
    ) -> Result<Arc<Feed>, GatewayError> {
        let topic = reader.topic();
        if let Some(feed) = self.feeds.known(session, topic) {
            return Ok(feed);
        }
        let follower = session.follow(topic).await?;
        Ok(self
            .feeds
            .start(session, follower, topic, (voice, reader.decoding())))
    }
}

/// A topic that is about to be read.
struct Opened {
    topic: Arc<str>,
    session: Arc<Session>,
    reader: Reader,
    seal: Seal,
    tally: Tally,
}

/// Waits for something while the caller is there.
pub(in crate::action) async fn while_there<T>(
    request: &mut Request,
    down: &mut Downstream,
    work: impl Future<Output = Result<T, GatewayError>>,
) -> Result<T, GatewayError> {
    let began = Instant::now();
    let mut work = std::pin::pin!(work);
    let done = loop {
        tokio::select! {
            biased;
            done = &mut work => break done,
            gone = down.read() => { gone?; }
        }
    };
    request.waits.upstream += began.elapsed();
    done
}

/// Whether the caller asks for events.
pub(in crate::action) fn wants_events(down: &Downstream) -> bool {
    let accepted = down.head().headers.get_all(ACCEPT).into_iter();
    let mut accepted = accepted.filter_map(|value| value.to_str().ok());
    accepted.any(|value| value.contains("text/event-stream"))
}
