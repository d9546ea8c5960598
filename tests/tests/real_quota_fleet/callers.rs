//! Callers of a fleet, who write down what they were told.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;
use tokio::sync::RwLock;
use tokio::task::JoinHandle;
use tokio::time::sleep;
use weir_tests::Gateway;
use weir_tests::gateway::Builder;
use weir_tests::metered::{self, PROMPT};
use weir_tests::wire::Response;

/// Where a gateway runs, unless it is being replaced.
#[derive(Clone)]
pub struct Place(Arc<RwLock<Option<Gateway>>>);

impl Place {
    pub fn new(gateway: Gateway) -> Self {
        Self(Arc::new(RwLock::new(Some(gateway))))
    }

    /// Where to call.
    pub async fn get(&self) -> Option<SocketAddr> {
        self.0
            .read()
            .await
            .as_ref()
            .map(|gateway| gateway.addr("public"))
    }

    /// What was charged so far, by its access log: entries of `weir.quotas`, with their consumers.
    pub async fn charged(&self, consumer: &str) -> Vec<Value> {
        let gateway = self.0.read().await;
        let log = gateway.as_ref().unwrap().access_log().into_iter();
        log.filter(|line| line["weir.consumer"] == consumer)
            .filter_map(|line| line["weir.quotas"].as_array().cloned())
            .flatten()
            .collect()
    }

    /// What its admin address answers.
    pub async fn admin(&self, path: &str) -> Option<Response> {
        let gateway = self.0.read().await;
        Some(gateway.as_ref()?.admin(path).await)
    }

    /// Another process on the files of the one that is here.
    pub async fn successor(&self) -> Builder {
        self.0.read().await.as_ref().unwrap().successor()
    }

    pub async fn empty(&self) -> Gateway {
        self.0.write().await.take().unwrap()
    }

    /// The one that was here before, if any.
    pub async fn fill(&self, gateway: Gateway) -> Option<Gateway> {
        self.0.write().await.replace(gateway)
    }
}

/// What was told to one consumer, in tokens.
#[derive(Debug, Default, Clone, Copy)]
struct Told {
    /// By answers that were read whole.
    certain: u64,
    /// What calls may have used at most whose answers were not.
    uncertain: u64,
    answers: u64,
    refusals: u64,
}

type Book = Arc<Mutex<HashMap<&'static str, Told>>>;

pub struct Callers {
    words: u64,
    book: Book,
    stop: Arc<AtomicBool>,
    tasks: Mutex<Vec<JoinHandle<()>>>,
}

impl Callers {
    /// Nobody yet. The model says at most so many words to a call.
    pub fn new(words: u64) -> Self {
        Self {
            words,
            book: Book::default(),
            stop: Arc::default(),
            tasks: Mutex::default(),
        }
    }

    /// So many more at each place, as these consumers in turn.
    pub fn start(&self, places: &[Place], each: usize, consumers: &[&'static str]) {
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        for place in places {
            for index in 0..each {
                let caller = Caller {
                    place: place.clone(),
                    client: client.clone(),
                    book: Arc::clone(&self.book),
                    words: self.words,
                    consumer: consumers[index % consumers.len()],
                    stop: Arc::clone(&self.stop),
                };
                let task = tokio::spawn(caller.call(index as u64));
                self.tasks.lock().unwrap().push(task);
            }
        }
    }

    /// Waits until nobody calls any more.
    pub async fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
        let tasks = std::mem::take(&mut *self.tasks.lock().unwrap());
        for task in tasks {
            task.await.unwrap();
        }
    }

    /// What was told, in words.
    pub fn told(&self) -> String {
        format!("{:?}", self.book.lock().unwrap())
    }

    /// What a consumer certainly used, and what at most.
    pub fn used(&self, consumer: &str) -> (u64, u64) {
        let told = self.book.lock().unwrap()[consumer];
        assert!(told.answers > 0, "{consumer} was never served");
        (told.certain, told.certain + told.uncertain)
    }
}

struct Caller {
    place: Place,
    client: reqwest::Client,
    book: Book,
    words: u64,
    consumer: &'static str,
    stop: Arc<AtomicBool>,
}

impl Caller {
    async fn call(self, seed: u64) {
        let mut number = seed;
        while !self.stop.load(Ordering::Relaxed) {
            let Some(address) = self.place.get().await else {
                sleep(Duration::from_millis(20)).await;
                continue;
            };
            // Any order will do, if it is not always the same.
            number = number
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            let most = 1 + (number >> 33) % 60;
            let stream = number >> 63 == 1;
            let told = self.ask(address, most, stream).await;
            self.note(told);
            if told.answers == 0 {
                sleep(Duration::from_millis(20)).await;
            }
        }
    }

    fn note(&self, told: Told) {
        let mut book = self.book.lock().unwrap();
        let entry = book.entry(self.consumer).or_default();
        entry.certain += told.certain;
        entry.uncertain += told.uncertain;
        entry.answers += told.answers;
        entry.refusals += told.refusals;
    }

    async fn ask(&self, address: SocketAddr, most: u64, stream: bool) -> Told {
        let more = format!(r#","max_tokens":{most}"#);
        let body = match stream {
            true => metered::stream(&format!(
                r#"{more},"stream_options":{{"include_usage":true}}"#
            )),
            false => metered::ask(&more),
        };
        let sent = self
            .client
            .post(format!("http://{address}/v1/chat/completions"))
            .bearer_auth(self.consumer)
            .header("content-type", "application/json")
            .body(body)
            .send();
        let read = async {
            let response = sent.await?;
            let status = response.status().as_u16();
            Ok::<_, reqwest::Error>((status, response.text().await?))
        };
        let refused = Told {
            refusals: 1,
            ..Told::default()
        };
        let unsure = Told {
            uncertain: PROMPT + self.words,
            ..Told::default()
        };
        match read.await {
            Ok((200, text)) => match usage(&text) {
                Some(certain) => Told {
                    certain,
                    answers: 1,
                    ..Told::default()
                },
                None => unsure,
            },
            Ok((429 | 503, _)) => refused,
            // Nothing was sent: the model's machine is this one, and busy.
            Ok((504, text)) if text.contains("connection_timeout") => refused,
            Ok((status, text)) => panic!("{status}: {text}"),
            Err(_) => unsure,
        }
    }
}

/// The usage that an answer, whole or streamed to its end, tells.
fn usage(text: &str) -> Option<u64> {
    let told = match text.starts_with("data:") {
        true => {
            let events = text.strip_suffix("data: [DONE]\n\n")?;
            events.rsplit("data: ").next()?
        }
        false => text,
    };
    let told: serde_json::Value = serde_json::from_str(told.trim()).ok()?;
    told["usage"]["total_tokens"].as_u64()
}
