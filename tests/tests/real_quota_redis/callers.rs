//! Callers who write down what they were told.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use tokio::task::JoinHandle;
use weir_tests::metered;
use weir_tests::wire::Response;

/// What callers were told.
#[derive(Debug, Default, Clone)]
pub struct Told {
    /// Tokens, by all answers together.
    pub tokens: u64,
    /// How often each status, with its `Weir-Error`, was answered.
    pub answers: BTreeMap<(u16, String), u64>,
    /// How long each answer took; to be read, never to be judged.
    pub took: Vec<Duration>,
}

impl Told {
    /// How many calls were served.
    pub fn served(&self) -> u64 {
        self.count(200, "")
    }

    /// How often that was answered.
    pub fn count(&self, status: u16, error: &str) -> u64 {
        let known = self.answers.get(&(status, error.to_owned()));
        known.copied().unwrap_or_default()
    }

    /// How many calls were answered.
    pub fn all(&self) -> u64 {
        self.answers.values().sum()
    }

    /// Prints what happened, and the times within which 99 of 100 and all answers came.
    #[expect(clippy::print_stdout, reason = "times are to be read, not judged")]
    pub fn print(&self, what: &str) {
        let mut took = self.took.clone();
        took.sort_unstable();
        let p99 = took.get(took.len() * 99 / 100);
        let answers = &self.answers;
        println!("{what}: {answers:?}, p99 {p99:?}, all {:?}", took.last());
    }

    /// Adds what others were told.
    pub fn add(&mut self, other: Told) {
        self.tokens += other.tokens;
        self.took.extend(other.took);
        for (answer, count) in other.answers {
            *self.answers.entry(answer).or_default() += count;
        }
    }

    /// Notes an answer.
    pub fn note(&mut self, response: &Response, took: Duration) {
        let error = response.header("weir-error").unwrap_or_default();
        *self
            .answers
            .entry((response.status, error.to_owned()))
            .or_default() += 1;
        self.took.push(took);
        if response.status == 200 {
            let used = response.json()["usage"]["total_tokens"].as_u64();
            self.tokens += used.unwrap_or_else(|| panic!("no usage: {}", response.text()));
        }
    }
}

/// Asks once, for an answer of one word.
pub async fn call(public: SocketAddr, consumer: &str, told: &mut Told) -> Response {
    ask(public, consumer, 1, told).await
}

/// Asks once, for an answer of so many words.
pub async fn ask(public: SocketAddr, consumer: &str, words: u64, told: &mut Told) -> Response {
    let began = Instant::now();
    let body = metered::ask(&format!(",\"max_tokens\":{words}"));
    // Its future is too large to be part of many others.
    let response = Box::pin(metered::post(public, consumer, body)).await;
    told.note(&response, began.elapsed());
    response
}

/// Asks at each place in turn for less and less, until none has anything left.
pub async fn spend_all(places: &[SocketAddr], consumer: &str, told: &mut Told) {
    for words in [2_000, 200, 20, 1] {
        let mut refused = 0;
        while refused < places.len() {
            refused = 0;
            for place in places {
                let response = ask(*place, consumer, words, told).await;
                match response.header("weir-error") {
                    None => {}
                    // The store is on its way back.
                    Some("quota_store_unavailable") => pause().await,
                    Some(error) => {
                        assert_eq!(error, "quota_exhausted", "{}", response.text());
                        refused += 1;
                    }
                }
            }
        }
    }
}

/// Many want much at the same moment, the first at which the store answers.
pub async fn rush(place: SocketAddr, consumer: &'static str) -> Told {
    let each = (0..64).map(|_| {
        tokio::spawn(async move {
            let mut told = Told::default();
            while ask(place, consumer, 2_000, &mut told).await.status == 503 {}
            told
        })
    });
    let mut told = Told::default();
    for one in join_all(each).await {
        told.add(one.unwrap());
    }
    told
}

async fn pause() {
    tokio::time::sleep(Duration::from_millis(20)).await;
}

/// Callers at work.
pub struct Callers {
    told: Arc<Mutex<Told>>,
    stop: Arc<AtomicBool>,
    tasks: Vec<JoinHandle<()>>,
}

impl Callers {
    /// So many of each consumer at each place, each of whom calls again and again.
    pub fn start(places: &[SocketAddr], consumers: &[&'static str], each: usize) -> Self {
        let told = Arc::<Mutex<Told>>::default();
        let stop = Arc::new(AtomicBool::new(false));
        let mut tasks = Vec::new();
        for place in places {
            for consumer in consumers {
                for _ in 0..each {
                    let (told, stop) = (Arc::clone(&told), Arc::clone(&stop));
                    tasks.push(tokio::spawn(keep_calling(*place, consumer, told, stop)));
                }
            }
        }
        Self { told, stop, tasks }
    }

    /// What they were told so far.
    pub fn told(&self) -> Told {
        self.told.lock().unwrap().clone()
    }

    /// Waits until nobody calls any more; what they were told.
    pub async fn stop(self) -> Told {
        self.stop.store(true, Ordering::Relaxed);
        for task in self.tasks {
            task.await.unwrap();
        }
        self.told.lock().unwrap().clone()
    }
}

async fn keep_calling(
    place: SocketAddr,
    consumer: &'static str,
    told: Arc<Mutex<Told>>,
    stop: Arc<AtomicBool>,
) {
    while !stop.load(Ordering::Relaxed) {
        let mut now = Told::default();
        call(place, consumer, &mut now).await;
        told.lock().unwrap().add(now);
        // So that a limit lasts for as long as a failover takes.
        pause().await;
    }
}
