//! A gateway with one webhook, records with numbers, and receivers of them.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use weir_tests::kafka::{Kafka, Written};
use weir_tests::upstream::{Behaviour, Received, Step, When};
use weir_tests::{Gateway, Upstream};

/// What signs, as Standard Webhooks write it.
pub(crate) const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYo=";

const QUOTA: &str = "
quotas:
  - name: sent
    store: memory
    unit: requests
    limit: { default: 6 }
    window: { kind: sliding, every: 3s }
    by: [team]
";

const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
const NOT_OK: &[u8] = b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n";

/// What gateways of a test have in common.
#[derive(Clone)]
pub(crate) struct Setup {
    bootstrap: String,
    receiver: String,
    topic: &'static str,
    otlp: String,
    breaker: &'static str,
    registry: String,
}

impl Setup {
    /// Records of a topic of that name go to `receiver`.
    pub(crate) async fn new(
        kafka: &Kafka,
        receiver: &Upstream,
        topic: &'static str,
        partitions: i32,
    ) -> Self {
        kafka.create_topic(topic, partitions).await;
        Self {
            bootstrap: kafka.bootstrap(),
            receiver: receiver.addr().to_string(),
            topic,
            otlp: String::new(),
            breaker: "",
            registry: String::new(),
        }
    }

    /// Sends spans there.
    pub(crate) fn otlp(mut self, endpoint: &str) -> Self {
        self.otlp = format!(", otlp: {{ endpoint: \"{endpoint}\", sample_ratio: 1.0 }}");
        self
    }

    /// The receiver has a breaker.
    pub(crate) fn breaker(mut self) -> Self {
        self.breaker = ", breaker: { error_percent: 50, minimum_requests: 4, open_for: 1s }";
        self
    }

    /// There is a registry, `main`, at that address.
    pub(crate) fn registry(mut self, url: &str) -> Self {
        self.registry = format!("schema_registries: [{{ name: main, url: \"{url}\" }}]");
        self
    }

    /// The same with another receiver.
    pub(crate) fn to(&self, receiver: &Upstream) -> Self {
        Self {
            receiver: receiver.addr().to_string(),
            ..self.clone()
        }
    }

    pub(crate) async fn start(&self, options: &str) -> Gateway {
        Gateway::start(&self.yaml(options)).await
    }

    /// The configuration; `options` are members of the webhook.
    pub(crate) fn yaml(&self, options: &str) -> String {
        let (topic, begin) = (self.topic, self.yaml_without());
        // One that nothing counts by is refused.
        let quota = match options.contains("quotas:") {
            true => QUOTA,
            false => "",
        };
        format!(
            "{begin}{quota}
webhooks:
  - name: hook
    team: shop
    cluster: events
    topics: [{topic}]
    group: g-{topic}
    start: earliest
    to: {{ upstream: receiver, path: \"/hook?x=1\", headers: {{ x-own: \"yes\" }} }}
    {options}
"
        )
    }

    /// The same without the webhook.
    pub(crate) fn yaml_without(&self) -> String {
        let Self {
            bootstrap,
            receiver,
            otlp,
            breaker,
            registry,
            ..
        } = self;
        format!(
            r#"
version: 1
listeners: [{{ name: public, address: "127.0.0.1:0" }}]
metrics: {{ address: "127.0.0.1:0" }}
admin: {{ address: "127.0.0.1:0" }}
server: {{ worker_threads: 1, data_dir: "${{DATA_DIR}}" }}
telemetry: {{ access_log: {{ output: "${{ACCESS_LOG}}" }}{otlp} }}
secrets: [{{ name: key, value: "{SECRET}" }}]
stores: [{{ name: memory, kind: memory }}]
teams: [{{ name: shop, organisation: acme, owns: {{ topics: ["*"], secrets: [key] }} }}]
kafka_clusters: [{{ name: events, bootstrap_servers: ["{bootstrap}"] }}]
upstreams: [{{ name: receiver, endpoints: [{{ address: "{receiver}" }}]{breaker} }}]
routes: [{{ name: alive, respond: {{ body: alive }} }}]
{registry}
"#
        )
    }
}

/// Writes records with consecutive numbers: in each partition the same number of keys, each with so many.
pub(crate) async fn write_numbered(
    kafka: &Kafka,
    topic: &str,
    partitions: i32,
    keys: usize,
    each: usize,
) -> usize {
    let mut next = 0;
    for partition in 0..partitions {
        let made: Vec<(String, String)> = (0..keys * each)
            .map(|index| {
                let number = next + index;
                let key = format!("{partition}-{}", index % keys);
                (key, format!("{{\"n\":{number}}}"))
            })
            .collect();
        next += made.len();
        let records: Vec<Written<'_>> = made
            .iter()
            .map(|(key, value)| Written {
                key: Some(key),
                value: Some(value.as_bytes()),
                ..Written::default()
            })
            .collect();
        kafka.write(topic, partition, &records).await;
    }
    next
}

/// The number of the record that a request carries.
pub(crate) fn number(request: &Received) -> u64 {
    request.json()["value"]["n"].as_u64().unwrap()
}

/// Each of the numbered records came, those of a key in their order: whenever one comes for the first time,
/// all before it have been there.
pub(crate) fn assert_each_and_in_order(requests: &[Received], written: usize) {
    let mut seen: HashSet<u64> = HashSet::new();
    let mut last: HashMap<String, u64> = HashMap::new();
    for request in requests.iter().filter(|request| request.complete) {
        let number = number(request);
        let key = request.json()["key"].as_str().unwrap().to_owned();
        if seen.insert(number) {
            let before = last.insert(key.clone(), number);
            assert!(
                before < Some(number),
                "{number} of {key} came after {before:?}"
            );
        }
    }
    assert_eq!(seen.len(), written);
}

/// Takes everything at once.
pub(crate) fn no_content() -> Behaviour {
    Behaviour::answer(204, &[], "")
}

/// Takes everything, and its time.
pub(crate) fn slow() -> Behaviour {
    Behaviour::steps([
        Step::Pause(Duration::from_millis(20)),
        Step::Send(OK.to_vec()),
    ])
}

/// Takes everything; for some records it takes ten times as long, so that keys get ahead of others.
pub(crate) fn uneven() -> Behaviour {
    Behaviour::new(When::Whole, |request| {
        let is_slow = number(request).is_multiple_of(10);
        let pause = Duration::from_millis(if is_slow { 150 } else { 15 });
        vec![Step::Pause(pause), Step::Send(OK.to_vec())]
    })
}

/// Fails so often on each of those records before it takes it.
pub(crate) fn failing_first(times: usize, which: fn(u64) -> bool) -> Behaviour {
    let failed: Mutex<HashMap<u64, usize>> = Mutex::default();
    Behaviour::new(When::Whole, move |request| {
        let number = number(request);
        let mut failed = failed.lock().unwrap_or_else(PoisonError::into_inner);
        let failed = failed.entry(number).or_default();
        if which(number) && *failed < times {
            *failed += 1;
            return vec![Step::Send(NOT_OK.to_vec())];
        }
        vec![Step::Send(OK.to_vec())]
    })
}
