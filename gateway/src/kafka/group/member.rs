//! The client of a member: it polls all the time, so that the group never takes it for dead, commits what is
//! done, and leaves in order. It blocks, and has a thread of its own.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use rdkafka::TopicPartitionList;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::Message as _;
use weir_telemetry::metrics::Received;

use super::Plan;
use super::beginning::Beginning;
use super::context::{Context, commit, offsets};
use super::course::{Course, UNREACHABLE};
use super::desk::{Place, Room};
use crate::config::kafka_clusters::Cluster;
use crate::kafka::client;
use crate::kafka::record::Record;

/// How often the thread looks up while nothing comes.
const PACE: Duration = Duration::from_millis(100);
/// How often the client is told what is done. It commits that each second, and again what brokers refused
/// because the group was just counted anew.
const STORE: Duration = Duration::from_millis(200);
/// How long the cluster may take to say its name, each time.
const PATIENCE: Duration = Duration::from_secs(1);
/// How long a group may take to share out its partitions while a member that leaves waits to commit.
const SHARED_OUT: Duration = Duration::from_secs(5);
/// How long to wait before a client is made anew.
const REST: Duration = Duration::from_secs(5);

/// What a cluster's own properties may say otherwise.
const DEFAULTS: [(&str, &str); 4] = [
    // Topics and partitions that are new are noticed within that time.
    ("topic.metadata.refresh.interval.ms", "30000"),
    ("reconnect.backoff.max.ms", "1000"),
    ("queued.max.messages.kbytes", "4096"),
    ("fetch.message.max.bytes", "1048576"),
];

/// What a member's thread has.
pub(super) struct Member {
    pub(super) cluster: Cluster,
    pub(super) plan: Plan,
    pub(super) course: Arc<Course>,
    pub(super) beginning: Arc<Beginning>,
    pub(super) received: HashMap<Arc<str>, Arc<Received>>,
}

impl Member {
    /// Is a member until told to leave.
    pub(super) fn run(&self) {
        while !self.course.is_stopped() {
            let Err(error) = self.take_part() else {
                continue;
            };
            log::error!("kafka: the group \"{}\": {error}", self.plan.group);
            self.course.trouble(Some(error.to_string()));
            let until = Instant::now() + REST;
            while Instant::now() < until && !self.course.is_stopped() {
                std::thread::sleep(PACE);
            }
        }
    }

    fn open(&self) -> Result<BaseConsumer<Context>, KafkaError> {
        let context = Context {
            course: self.course.clone(),
            group: self.plan.group.clone(),
            beginning: self.beginning.clone(),
            lost: Mutex::default(),
        };
        client(&self.cluster, &DEFAULTS)
            .set("group.id", &*self.plan.group)
            .set("enable.auto.commit", "true")
            .set("auto.commit.interval.ms", "1000")
            .set("enable.auto.offset.store", "false")
            .set("isolation.level", "read_committed")
            .set("allow.auto.create.topics", "false")
            .set("partition.assignment.strategy", "cooperative-sticky")
            // Also where what was committed is not there any more: what is left comes next.
            .set("auto.offset.reset", "earliest")
            .set("statistics.interval.ms", "1000")
            .create_with_context(context)
    }

    /// Joins, and takes part until told to leave or the client breaks.
    fn take_part(&self) -> Result<(), KafkaError> {
        let client = self.open()?;
        let Some(cluster_id) = self.cluster_id(&client) else {
            return Ok(());
        };
        self.beginning.look(&client, &self.plan)?;
        let topics: Vec<&str> = self.plan.topics.iter().map(|topic| &**topic).collect();
        client.subscribe(&topics)?;
        let mut fetching = Fetching::default();
        let mut stored = Instant::now();
        while !self.course.is_stopped() {
            let polled = client.poll(PACE);
            if let Some(error) = client.context().lost.lock().take() {
                return Err(error);
            }
            match polled {
                None => {}
                Some(Ok(message)) => {
                    self.course.trouble(None);
                    if let Some((topic, received)) = self.received.get_key_value(message.topic()) {
                        received.add(1);
                        let place = (topic.clone(), message.partition());
                        self.course.admit(&place, &cluster_id, Record::of(&message));
                    }
                }
                Some(Err(error)) => self.stumble(&error)?,
            }
            fetching.regulate(&client, &self.course)?;
            if stored.elapsed() >= STORE {
                stored = Instant::now();
                self.store(&client);
            }
        }
        self.finish(&client);
        // Dropping the client leaves the group.
        Ok(())
    }

    /// The name that the cluster has for itself, once a broker says it; none, if told to leave before.
    fn cluster_id(&self, client: &BaseConsumer<Context>) -> Option<Arc<str>> {
        while !self.course.is_stopped() {
            if let Some(id) = client.client().fetch_cluster_id(PATIENCE) {
                self.course.trouble(None);
                return Some(id.into());
            }
            self.course.trouble(Some(UNREACHABLE.to_owned()));
            // So that what went wrong is told.
            let _ = client.poll(Duration::ZERO);
        }
        None
    }

    /// Notes an error; those that the client does not get over by itself are returned.
    fn stumble(&self, error: &KafkaError) -> Result<(), KafkaError> {
        use RDKafkaErrorCode as E;
        log::warn!("kafka: the group \"{}\": {error}", self.plan.group);
        match error.rdkafka_error_code() {
            Some(E::Fatal) => return Err(error.clone()),
            // Told for as long as it is so.
            Some(E::AllBrokersDown | E::BrokerTransportFailure) => {}
            _ => self.course.trouble(Some(error.to_string())),
        }
        Ok(())
    }

    fn store(&self, client: &BaseConsumer<Context>) {
        let due = self.course.due();
        if !due.is_empty() {
            // What is not stored now, as the group just took it or gives it, is the next time.
            let stored = client.store_offsets(&offsets(&due));
            stored.unwrap_or_else(|error| log::debug!("kafka: not stored: {error}"));
        }
    }

    /// Waits for what is under way, and commits it.
    fn finish(&self, client: &BaseConsumer<Context>) {
        let places = self.course.places();
        let due = self.course.wind_up(&places);
        if let Err(error) = commit_at_last(client, due) {
            log::warn!(
                "kafka: the group \"{}\": not committed: {error}",
                self.plan.group
            );
        }
        self.course.remove(&places);
    }
}

/// Commits; if the group is about to share out its partitions anew, what of them is still ours then.
fn commit_at_last(
    client: &BaseConsumer<Context>,
    mut due: Vec<(Place, i64)>,
) -> Result<(), KafkaError> {
    use rdkafka::error::RDKafkaErrorCode as E;
    let until = Instant::now() + SHARED_OUT;
    while !due.is_empty() {
        let Err(error) = commit(client, &due) else {
            break;
        };
        let passing = matches!(
            error.rdkafka_error_code(),
            Some(E::IllegalGeneration | E::RebalanceInProgress | E::UnknownMemberId)
        );
        if !passing || Instant::now() > until {
            return Err(error);
        }
        client.poll(PACE);
        let ours = client.assignment()?;
        due.retain(|((topic, partition), _)| ours.find_partition(topic, *partition).is_some());
    }
    Ok(())
}

/// Which partitions are fetched: none of which enough waits here.
#[derive(Default)]
struct Fetching {
    paused: HashSet<(Place, u64)>,
}

impl Fetching {
    fn regulate(
        &mut self,
        client: &BaseConsumer<Context>,
        course: &Course,
    ) -> Result<(), KafkaError> {
        let rooms = course.rooms();
        // One that went is fetched when it comes again.
        self.paused
            .retain(|paused| rooms.iter().any(|(place, _)| place == paused));
        let (mut pause, mut resume) = (TopicPartitionList::new(), TopicPartitionList::new());
        for (place, room) in rooms {
            match room {
                Room::None if self.paused.insert(place.clone()) => {
                    let (topic, partition) = &place.0;
                    pause.add_partition(topic, *partition);
                }
                Room::Enough if self.paused.remove(&place) => {
                    let (topic, partition) = &place.0;
                    resume.add_partition(topic, *partition);
                }
                _ => {}
            }
        }
        if pause.count() > 0 {
            client.pause(&pause)?;
        }
        if resume.count() > 0 {
            client.resume(&resume)?;
        }
        Ok(())
    }
}
