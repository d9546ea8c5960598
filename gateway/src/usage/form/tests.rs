//! The form is what `docs/usage-events.md` and its schema say.

use std::time::{Duration, UNIX_EPOCH};

use serde_json::{Value, json};
use weir_telemetry::record::{Target, Tokens as Used};
use weir_telemetry::trace::{Context, RequestId};

use super::*;
use crate::quota::{
    By, Limit, Narrowed, OnExhausted, OnStoreFailure, Period, Provenance, Quota, Store, Unit,
    Window, Zone,
};

const SCHEMA: &str = include_str!("../../../../docs/usage-events.schema.json");

fn settlement() -> Settlement {
    let quota = Quota {
        name: "spend".into(),
        store: Store::memory("ledger"),
        unit: Unit::Money,
        limit: Limit {
            default: 1,
            overrides: Default::default(),
        },
        window: Window::Fixed {
            every: Period::Month(Zone::UTC),
        },
        by: vec![By::Team, By::Consumer],
        narrowed: Narrowed::default(),
        enforce: true,
        on_exhausted: OnExhausted::Refuse,
        on_store_failure: OnStoreFailure::Deny,
    };
    Settlement {
        quota: quota.into(),
        key: "shop/ann".into(),
        reserved: 100,
        used: 130,
        debt: 30,
        provenance: Provenance::Provider,
        parts: vec![Part {
            holder: 77,
            since: 1_793_491_200_000_000,
            settled: 100,
            debt: 30,
        }],
    }
}

fn begun() -> Record {
    let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let trace = Context::parse(trace, None).expect("a trace");
    let id = RequestId::from_header(b"r-1").expect("an id");
    let client = std::net::IpAddr::from([127, 0, 0, 1]);
    Record::begin(id, trace, "public".into(), client)
}

fn full() -> Record {
    let mut llm = Llm::new("chat", "smart".into());
    llm.targets = vec![Target {
        provider: "mock".into(),
        known: None,
        model: "word-1".into(),
        first_attempt: 0,
    }];
    llm.stream = true;
    llm.tokens = Used {
        input: Some(8),
        output: Some(5),
        cache_read: Some(2),
        cache_written: None,
        reasoning: Some(0),
    };
    llm.provenance = "provider";
    llm.cost = Some(123_000);
    Record {
        route: Some("chat".into()),
        action: "llm",
        status: 200,
        llm: Some(Box::new(llm)),
        ..begun()
    }
}

fn told(of: &Record, caller: Caller<'_>, settlements: &[Settlement]) -> Outgoing {
    let now = UNIX_EPOCH + Duration::from_nanos(1_795_392_000_123_456_789);
    record(&"usage".into(), of, caller, settlements.iter(), now)
}

fn value(of: &Outgoing) -> Value {
    serde_json::from_slice(of.value.as_deref().expect("a value")).expect("JSON")
}

const ANN: Caller<'static> = Caller {
    organisation: Some("acme"),
    team: Some("shop"),
    consumer: Some("ann"),
};

#[test]
fn a_record_says_who_used_what_of_which_quota() {
    let record = full();
    let told = told(&record, ANN, &[settlement()]);
    let span = record.trace.span_id_hex();
    let expected = json!({
        "version": 1,
        "id": format!("r-1.{}", span.as_str()),
        "time": "2026-11-23T00:00:00.123457Z",
        "request_id": "r-1",
        "trace_id": "0af7651916cd43dd8448eb211c80319c",
        "span_id": span.as_str(),
        "route": "chat",
        "action": "llm",
        "organisation": "acme",
        "team": "shop",
        "consumer": "ann",
        "status": 200,
        "error": null,
        "aborted": false,
        "llm": {
            "operation": "chat",
            "requested_model": "smart",
            "provider": "mock",
            "model": "word-1",
            "stream": true,
            "cache": null,
            "tokens": { "input": 8, "cache_read": 2, "cache_written": null, "output": 5, "reasoning": 0 },
            "provenance": "provider",
            "money": { "currency": "USD", "scale": 9, "amount": "123000" },
        },
        "quotas": [{
            "name": "spend",
            "store": "ledger",
            "unit": "money",
            "window": "month@UTC",
            "key": "shop/ann",
            "reserved": 100,
            "used": 130,
            "debt": 30,
            "provenance": "provider",
            "parts": [{ "holder": 77, "since": "2026-11-01T00:00:00Z", "settled": 100, "debt": 30 }],
        }],
    });
    assert_eq!(value(&told), expected);
    assert_eq!(told.key.as_deref(), Some(&b"shop/ann"[..]));
    assert_eq!(told.timestamp, Some(1_795_392_000_123));
    let id = Some(Bytes::from_static(b"r-1"));
    assert_eq!(told.headers, [("weir-request-id".into(), id)]);
}

#[test]
fn every_record_is_as_the_schema_says_and_is_read_again() {
    let schema: Value = serde_json::from_str(SCHEMA).expect("JSON");
    let schema = jsonschema::validator_for(&schema).expect("a schema");
    let nobody = told(&begun(), Caller::default(), &[]);
    assert_eq!(nobody.key.as_deref(), Some(&b"-/-"[..]));
    for told in [told(&full(), ANN, &[settlement()]), nobody] {
        let value = value(&told);
        let faults: Vec<String> = schema.iter_errors(&value).map(|e| e.to_string()).collect();
        assert_eq!(faults, [] as [String; 0], "{value}");
        let event = Event::read(told.value.as_deref().expect("a value")).expect("an event");
        assert_eq!(value["id"], event.id);
        let parts: Vec<Part> = event.quotas.iter().flat_map(Settled::parts).collect();
        let known = value["quotas"]
            .as_array()
            .is_some_and(|quotas| quotas.is_empty());
        let expected = if known { vec![] } else { settlement().parts };
        assert_eq!(parts, expected);
    }
}

#[test]
fn what_is_none_of_this_version_is_not_read() {
    let mut value = value(&told(&full(), ANN, &[settlement()]));
    value["more"] = json!("to come");
    assert!(
        Event::read(value.to_string().as_bytes()).is_some(),
        "{value}"
    );
    value["version"] = json!(2);
    assert!(Event::read(value.to_string().as_bytes()).is_none());
    for other in ["", "{}", "[]", "\u{0}", "null"] {
        assert!(Event::read(other.as_bytes()).is_none(), "{other}");
    }
}
