//! Which fields a `jq` program asks for, and which there are: those of an
//! access-log line, and of the flight recorder's answers.

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;
use weir_telemetry::access_log::FIELDS;
use weir_telemetry::metrics::worker::{Kind, Outcome};
use weir_telemetry::record::websocket::{Close, Closer, WebSocket};
use weir_telemetry::record::{
    Delivery, Graphql, Kafka, Llm, NotRetried, PolicyRun, QuotaUse, Race, Reply, Rpc, RpcStatus,
    Subscription, Target, Tokens,
};
use weir_telemetry::trace::{Context, RequestId};
use weir_telemetry::{AccessLog, Attempt, Code, Metrics, Record, Recorder};

/// A failed request that has everything in it.
/// The names by which fields are chosen are those of a line that has them all.
#[test]
fn fields_are_chosen_by_the_names_they_have() {
    let recorder = Recorder::default();
    recorder.keep(Arc::new(record()));
    let told = recorder.find_json("req-1", 0).expect("it is kept");
    let told: serde_json::Value = serde_json::from_str(&told).expect("JSON");
    let told: BTreeSet<&str> = told
        .as_object()
        .expect("members")
        .keys()
        .map(|k| &**k)
        .collect();
    let more = [
        "explanation",
        "likely_cause",
        "next",
        "runbook",
        "timeline",
        "weir.route.matched",
    ];
    let chosen: BTreeSet<&str> = FIELDS.iter().copied().chain(more).collect();
    assert_eq!(told, chosen);
}

fn record() -> Record {
    let id = RequestId::from_header(b"req-1").expect("harmless");
    let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let trace = Context::parse(parent, None).expect("a traceparent").child();
    let client = "192.0.2.7".parse().expect("an address");
    let some = Some(Duration::from_millis(1));
    let mut attempt = Attempt::begin("orders".into(), "10.0.0.1:80".into(), Duration::ZERO);
    (attempt.connect, attempt.first_byte, attempt.body) = (some, some, some);
    (attempt.status, attempt.code) = (Some(200), Some(Code::ResponseStalled));
    (attempt.detail, attempt.retried) = (Some("silent".into()), Some("idempotent"));
    attempt.not_retried = Some(NotRetried::Max);
    attempt.rpc = attempt_status();
    attempt.keep_alive_race = Some(Race {
        how: "closed",
        idle_timeout: some,
    });
    let mut record = Record::begin(id, trace, "public".into(), client);
    record.peer = Some("192.0.2.1:4711".parse().expect("an address"));
    record.host = "shop.example.com:8080".into();
    record.user_agent = Some("curl".into());
    record.route = Some("orders".into());
    record.matched = Some("any host, any path".into());
    record.team = Some("shop".into());
    record.consumer = Some("checkout".into());
    record.action = "forward";
    record.status = 200;
    record.code = Some(Code::ResponseStalled);
    record.detail = Some("silent for 60s".into());
    record.aborted = true;
    record.attempts = vec![attempt];
    record.policies = vec![PolicyRun {
        kind: "quota",
        took: Duration::ZERO,
        verdict: "continue",
    }];
    record.quotas = vec![quota()];
    record.llm = Some(Box::new(llm()));
    record.rpc = Some(Rpc {
        status: attempt_status(),
        request_messages: 1,
        response_messages: 2,
    });
    record.kafka = Some(Box::new(kafka()));
    record.graphql = Some(Box::new(Graphql {
        operation_type: "query",
        operation_name: Some("Orders".into()),
        operations: 1,
        cost: 12,
    }));
    record.subscription = Some(Box::new(Subscription {
        span_id: [6; 8],
        started: Duration::ZERO,
        cluster: "events".into(),
        topic: "orders".into(),
        records: 3,
        lag: 0,
    }));
    record.reply = Some(Box::new(Reply {
        cluster: "events".into(),
        topic: "replies".into(),
        partition: 2,
        offset: 7,
        bytes: 64,
        span_id: [7; 8],
        context: Context::parse(
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            None,
        ),
        started: Duration::ZERO,
        took: Duration::from_millis(3),
    }));
    record.delivery = Some(Box::new(Delivery {
        kind: Kind::Webhook,
        name: "partner".into(),
        cluster: "events".into(),
        group: "weir-partner".into(),
        topic: "orders".into(),
        partition: 2,
        offset: 7,
        bytes: 64,
        tries: 1,
        outcome: Some(Outcome::DeadLetter),
    }));
    record.websocket = Some(Box::new(WebSocket {
        subprotocol: Some("chat.v1".into()),
        close: Some(Close {
            by: Closer::Client,
            code: Some(1000),
            at: Duration::ZERO,
        }),
        ..WebSocket::default()
    }));
    record
}

fn attempt_status() -> Option<RpcStatus> {
    let (number, name) = (14, "UNAVAILABLE");
    Some(RpcStatus { number, name })
}

fn quota() -> QuotaUse {
    let (reserved, used) = (100, 42);
    QuotaUse {
        quota: "tokens".into(),
        unit: "tokens",
        reserved,
        used,
        provenance: "provider",
    }
}

fn llm() -> Llm {
    let mut llm = Llm::new("chat", "smart".into());
    llm.ask(Target {
        provider: "openai".into(),
        known: None,
        model: "gpt-4o".into(),
        first_attempt: 0,
    });
    Llm {
        stream: true,
        tokens: Tokens {
            input: Some(30),
            output: Some(12),
            cache_read: Some(10),
            cache_written: Some(5),
            reasoning: Some(4),
        },
        provenance: "provider",
        cache: Some("semantic_hit"),
        similarity: Some(0.97),
        cost: Some(1),
        first_chunk: Some(Duration::from_millis(9)),
        finish_reason: Some("stop".into()),
        ..llm
    }
}

fn kafka() -> Kafka {
    Kafka {
        cluster: "events".into(),
        topic: "orders".into(),
        batch: Some(weir_telemetry::record::Batch {
            messages: 3,
            acknowledged: 2,
            code: Some(Code::KafkaUnavailable),
        }),
        span_id: weir_telemetry::trace::span_id(),
        started: Duration::ZERO,
        partition: Some(2),
        offset: Some(7),
        bytes: 64,
        took: Duration::ZERO,
        spooled: Some("9f86d081884c7d6500000007".into()),
    }
}

#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Vec<u8>>>);

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("not poisoned").write(bytes)
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Every key in a line of the access log, at any depth.
pub fn of_the_access_log() -> BTreeSet<String> {
    let written = Shared::default();
    let log = AccessLog::to_writer(Box::new(written.clone()), 8, &Metrics::new());
    let log = log.expect("a thread");
    log.write(&Arc::new(record()));
    assert!(log.flush(Duration::from_secs(30)));
    let line = serde_json::from_slice(&written.0.lock().expect("not poisoned"));
    keys(&line.expect("a line is JSON"))
}

/// Every key in the answers to `/requests` and `/requests/{id}`.
pub fn of_the_recorder() -> BTreeSet<String> {
    let recorder = Recorder::default();
    recorder.keep(Arc::new(record()));
    let one = recorder.find_json("req-1", 0).expect("it is kept");
    let mut all = keys(&serde_json::from_str(&one).expect("JSON"));
    all.extend(keys(
        &serde_json::from_str(&recorder.list_json()).expect("JSON"),
    ));
    all
}

fn keys(value: &Value) -> BTreeSet<String> {
    match value {
        Value::Array(items) => items.iter().flat_map(keys).collect(),
        Value::Object(members) => members
            .iter()
            .flat_map(|(key, member)| std::iter::once(key.clone()).chain(keys(member)))
            .collect(),
        _ => BTreeSet::new(),
    }
}

/// The `jq` programs of a line of shell.
pub fn programs(line: &str) -> Vec<&str> {
    let after = line.split("jq ").skip(1);
    after
        .map(|rest| {
            let rest = rest.trim_start_matches(['-', 'r', 'c', 'n', 's', ' ']);
            match rest.strip_prefix('\'') {
                Some(quoted) => quoted.split('\'').next().unwrap_or_default(),
                None => rest.split([' ', ';', '|']).next().unwrap_or_default(),
            }
        })
        .collect()
}

/// The fields a program asks for: `.name` and `."na.me"`.
pub fn asked(program: &str) -> Vec<String> {
    let mut fields = Vec::new();
    let mut rest = program;
    while let Some(first) = rest.chars().next() {
        let dot = first == '.';
        let after = &rest[first.len_utf8()..];
        rest = match after.strip_prefix('"').filter(|_| dot) {
            Some(quoted) => {
                let (name, after) = quoted.split_once('"').unwrap_or((quoted, ""));
                fields.push(name.to_owned());
                after
            }
            None if dot => {
                let end = after.trim_start_matches(|c: char| c.is_ascii_alphanumeric() || c == '_');
                let name = &after[..after.len() - end.len()];
                fields.extend((!name.is_empty()).then(|| name.to_owned()));
                end
            }
            None if first == '"' => after.split_once('"').map_or("", |(_, after)| after),
            None => after,
        };
    }
    fields
}

/// Codes a program compares with.
pub fn codes(program: &str) -> Vec<&str> {
    ["\"error.type\"==\"", ".error==\""]
        .iter()
        .flat_map(|begin| program.split(begin).skip(1))
        .filter_map(|after| after.split('"').next())
        .collect()
}

#[test]
fn programs_are_taken_apart() {
    let line = "jq -c 'select(.\"error.type\"==\"dns_error\") | [.timestamp, .gen_ai.\"request.model\"]' access.log";
    let [program] = programs(line)[..] else {
        panic!("one program")
    };
    assert_eq!(
        asked(program),
        ["error.type", "timestamp", "gen_ai", "request.model"]
    );
    assert_eq!(codes(program), ["dns_error"]);
    assert_eq!(
        programs("tail -1 access.log | jq -r .timestamp; df"),
        [".timestamp"]
    );
}
