//! Clients: each publishes one record after the other, and insists until it has an answer that says what
//! became of it.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio::time::sleep;
use weir_tests::wire;

/// How many there are.
const COUNT: usize = 64;
/// How long a client waits after each record, so that what befalls meets some of them in all they do.
const PAUSE: Duration = Duration::from_millis(50);
/// How long it waits before it tries again.
const AGAIN: Duration = Duration::from_millis(200);

/// Where the gateway is now.
#[derive(Clone)]
pub(super) struct Place(Arc<Mutex<SocketAddr>>);

impl Place {
    pub(super) fn new(at: SocketAddr) -> Self {
        Self(Arc::new(Mutex::new(at)))
    }

    pub(super) fn set(&self, at: SocketAddr) {
        *self.0.lock().unwrap() = at;
    }

    fn get(&self) -> SocketAddr {
        *self.0.lock().unwrap()
    }
}

/// How a client publishes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Manner {
    /// It waits for the brokers.
    Now,
    /// It is content with a promise.
    Later,
    /// It waits, and has a key.
    Once,
}

/// What a client was told of a record.
#[derive(Debug)]
pub(super) struct Told {
    pub(super) manner: Manner,
    pub(super) value: String,
    /// Where it is said to be, if that was said.
    pub(super) at: Option<(i32, i64)>,
    /// How often it did not learn what became of it.
    pub(super) ambiguous: usize,
    /// How often it was told that nothing was written.
    pub(super) refused: usize,
}

/// All clients.
pub(super) struct Clients {
    turns: Arc<Semaphore>,
    each: usize,
    clients: Vec<JoinHandle<Vec<Told>>>,
}

impl Clients {
    /// Starts them; they publish so many records, in so many turns.
    pub(super) fn start(place: &Place, records: usize, turns: usize) -> Self {
        let semaphore = Arc::new(Semaphore::new(0));
        let per_client = records.div_ceil(COUNT);
        let client = |number: usize| {
            let manner = [Manner::Now, Manner::Later, Manner::Now, Manner::Once][number % 4];
            let client = Client {
                place: place.clone(),
                manner,
                number,
                open: None,
            };
            tokio::spawn(client.run(semaphore.clone(), per_client))
        };
        let clients = (0..COUNT).map(client).collect();
        let each = (per_client * COUNT).div_ceil(turns);
        Self {
            turns: semaphore,
            each,
            clients,
        }
    }

    /// Lets them go on with the records of one turn.
    pub(super) fn release(&self) {
        self.turns.add_permits(self.each);
    }

    /// What they were told, once they are done.
    pub(super) async fn end(self) -> Vec<Told> {
        let mut told = Vec::new();
        for client in self.clients {
            told.extend(client.await.unwrap());
        }
        told
    }
}

struct Client {
    place: Place,
    manner: Manner,
    number: usize,
    open: Option<(SocketAddr, wire::Connection)>,
}

impl Client {
    async fn run(mut self, turns: Arc<Semaphore>, count: usize) -> Vec<Told> {
        let mut all = Vec::new();
        for n in 0..count {
            turns.acquire().await.unwrap().forget();
            all.push(self.publish(n).await);
            sleep(PAUSE).await;
        }
        all
    }

    /// Publishes a record, as often as it takes.
    async fn publish(&mut self, n: usize) -> Told {
        let mut told = Told {
            manner: self.manner,
            value: format!("{}/{n}", self.number),
            at: None,
            ambiguous: 0,
            refused: 0,
        };
        loop {
            match self.post(&told.value).await {
                Some(answer) if matches!(answer.status, 200 | 202) => {
                    if self.manner != Manner::Later {
                        let body = answer.json();
                        let partition = body["partition"].as_i64().unwrap();
                        let offset = body["offset"].as_i64().unwrap();
                        told.at = Some((i32::try_from(partition).unwrap(), offset));
                    }
                    return told;
                }
                Some(answer) => match answer.header("weir-error").unwrap_or("") {
                    "kafka_outcome_unknown" => told.ambiguous += 1,
                    "kafka_unavailable"
                    | "kafka_queue_full"
                    | "idempotency_in_progress"
                    | "idempotency_store_unavailable"
                    | "spool_full" => told.refused += 1,
                    _ => panic!("{}: {}", answer.status, answer.text()),
                },
                None => told.ambiguous += 1,
            }
            sleep(AGAIN).await;
        }
    }

    /// Sends it once; nothing, if there was no answer.
    async fn post(&mut self, value: &str) -> Option<wire::Response> {
        let at = self.place.get();
        let open = self.open.take().filter(|(to, _)| *to == at);
        let mut connection = match open {
            Some((_, connection)) => connection,
            None => wire::Connection::try_open(at).await.ok()?,
        };
        let path = match self.manner {
            Manner::Now => "/now",
            Manner::Later => "/later",
            Manner::Once => "/once",
        };
        let headers = [
            &*format!("X-Key: {}", self.number),
            &*format!("Idempotency-Key: \"{value}\""),
            "Content-Type: text/plain",
        ];
        let message = wire::message(at, "POST", path, &headers, value.as_bytes());
        connection.send(message).await.ok()?;
        let answer = connection.try_response_to("POST").await.ok()?;
        if answer.broken.is_some() {
            return None;
        }
        if !answer.closed {
            self.open = Some((at, connection));
        }
        Some(answer)
    }
}
