//! How a record of usage is written, and what is read of one: `docs/usage-events.md` is for who reads
//! it elsewhere. No prompt, no answer, no header of the caller but those that a quota counts by.

use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;
use jiff::Timestamp;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use weir_telemetry::record::{Llm, Record};

use super::tally::Settlement;
use crate::kafka::Outgoing;
use crate::policy::quota::provenance;
use crate::proxy::Request;
use crate::quota::Part;

/// The version of the form.
const VERSION: u32 = 1;
/// The header that names the request.
const HEADER: &str = "weir-request-id";
/// How many digits of money stand after the point.
const SCALE: u32 = 9;

#[derive(Serialize)]
struct Written<'a> {
    version: u32,
    id: String,
    time: Moment,
    request_id: &'a str,
    trace_id: &'a str,
    span_id: &'a str,
    route: Option<&'a str>,
    action: &'a str,
    organisation: Option<&'a str>,
    team: Option<&'a str>,
    consumer: Option<&'a str>,
    status: u16,
    error: Option<&'static str>,
    aborted: bool,
    llm: Option<Model<'a>>,
    quotas: Vec<Quota<'a>>,
}

#[derive(Serialize)]
struct Model<'a> {
    operation: &'a str,
    requested_model: &'a str,
    /// Who was asked last: who answered, if anybody did.
    provider: Option<&'a str>,
    model: Option<&'a str>,
    stream: bool,
    cache: Option<&'a str>,
    tokens: Tokens,
    provenance: &'a str,
    money: Option<Money>,
}

#[derive(Serialize)]
struct Tokens {
    input: Option<u64>,
    cache_read: Option<u64>,
    cache_written: Option<u64>,
    output: Option<u64>,
    reasoning: Option<u64>,
}

/// An amount is text, as readers round numbers: `amount` · 10^-`scale`.
#[derive(Serialize)]
struct Money {
    currency: &'static str,
    scale: u32,
    amount: String,
}

#[derive(Serialize)]
struct Quota<'a> {
    name: &'a str,
    store: &'a str,
    unit: &'a str,
    window: String,
    key: &'a str,
    reserved: u64,
    used: u64,
    debt: u64,
    provenance: &'a str,
    parts: Vec<Place>,
}

/// A part of what was used: by which holder, and when the window begins in which it counts.
#[derive(Serialize, Deserialize)]
struct Place {
    holder: u64,
    since: Moment,
    settled: u64,
    debt: u64,
}

/// The record of a request that is over.
pub(super) fn write(topic: &Arc<str>, request: &Request) -> Outgoing {
    let consumer = request.consumer.as_deref();
    let team = consumer.and_then(|consumer| consumer.team.as_deref());
    let caller = Caller {
        organisation: team.and_then(|team| request.snapshot.organisation(team)),
        team,
        consumer: consumer.map(|consumer| &*consumer.name),
    };
    let settlements = request.tally.iter();
    record(
        topic,
        &request.record,
        caller,
        settlements,
        SystemTime::now(),
    )
}

/// Who called, as quotas count.
#[derive(Clone, Copy, Default)]
struct Caller<'a> {
    organisation: Option<&'a str>,
    team: Option<&'a str>,
    consumer: Option<&'a str>,
}

fn record<'a>(
    topic: &Arc<str>,
    record: &Record,
    caller: Caller<'_>,
    settlements: impl Iterator<Item = &'a Settlement>,
    now: SystemTime,
) -> Outgoing {
    let time = Timestamp::try_from(now).unwrap_or(Timestamp::UNIX_EPOCH);
    let request_id = record.request_id.as_str();
    let (trace, span) = (record.trace.trace_id_hex(), record.trace.span_id_hex());
    let written = Written {
        version: VERSION,
        // Whoever stands before the gateway may give one request id to two requests.
        id: format!("{request_id}.{}", span.as_str()),
        time: Moment(time.round(jiff::Unit::Microsecond).unwrap_or(time)),
        request_id,
        trace_id: trace.as_str(),
        span_id: span.as_str(),
        route: record.route.as_deref(),
        action: record.action,
        organisation: caller.organisation,
        team: caller.team,
        consumer: caller.consumer,
        status: record.status,
        error: record.code.map(|code| code.slug()),
        aborted: record.aborted,
        llm: record.llm.as_deref().map(model),
        quotas: settlements.map(quota).collect(),
    };
    let value = serde_json::to_vec(&written).unwrap_or_default();
    let key = format!(
        "{}/{}",
        caller.team.unwrap_or("-"),
        caller.consumer.unwrap_or("-")
    );
    let id = Bytes::copy_from_slice(request_id.as_bytes());
    Outgoing {
        topic: Arc::clone(topic),
        partition: None,
        key: Some(key.into()),
        value: Some(value.into()),
        headers: vec![(HEADER.into(), Some(id))],
        timestamp: Some(time.as_millisecond()),
    }
}

fn model(llm: &Llm) -> Model<'_> {
    let target = llm.targets.last();
    let tokens = &llm.tokens;
    Model {
        operation: llm.operation,
        requested_model: &llm.requested_model,
        provider: target.map(|target| &*target.provider),
        model: target.map(|target| &*target.model),
        stream: llm.stream,
        cache: llm.cache,
        tokens: Tokens {
            input: tokens.input,
            cache_read: tokens.cache_read,
            cache_written: tokens.cache_written,
            output: tokens.output,
            reasoning: tokens.reasoning,
        },
        provenance: llm.provenance,
        money: llm.cost.map(|nano| Money {
            currency: "USD",
            scale: SCALE,
            amount: nano.to_string(),
        }),
    }
}

fn quota(settlement: &Settlement) -> Quota<'_> {
    let quota = &settlement.quota;
    let place = |part: &Part| Place {
        holder: part.holder,
        since: Moment::of(part.since),
        settled: part.settled,
        debt: part.debt,
    };
    Quota {
        name: &quota.name,
        store: quota.store.name(),
        unit: quota.unit.as_str(),
        window: quota.window.to_string(),
        key: &settlement.key,
        reserved: settlement.reserved,
        used: settlement.used,
        debt: settlement.debt,
        provenance: provenance(settlement.provenance),
        parts: settlement.parts.iter().map(place).collect(),
    }
}

/// A time as RFC 3339 has it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moment(Timestamp);

impl Moment {
    fn of(micros: u64) -> Self {
        let micros = i64::try_from(micros).unwrap_or(i64::MAX);
        Self(Timestamp::from_microsecond(micros).unwrap_or(Timestamp::MAX))
    }

    /// Microseconds since the Unix epoch.
    pub(super) fn micros(self) -> u64 {
        u64::try_from(self.0.as_microsecond()).unwrap_or_default()
    }
}

impl Serialize for Moment {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Moment {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        text.parse().map(Self).map_err(D::Error::custom)
    }
}

/// What is read of a record.
#[derive(Debug, Deserialize)]
pub(super) struct Event {
    version: u32,
    pub(super) id: String,
    pub(super) time: Moment,
    pub(super) organisation: Option<String>,
    pub(super) team: Option<String>,
    pub(super) consumer: Option<String>,
    pub(super) quotas: Vec<Settled>,
}

/// What is read of a quota.
#[derive(Debug, Deserialize)]
pub(super) struct Settled {
    pub(super) name: String,
    pub(super) store: String,
    pub(super) unit: String,
    pub(super) window: String,
    pub(super) key: String,
    parts: Vec<Place>,
}

impl std::fmt::Debug for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Debug::fmt(&Part::from(self), f)
    }
}

impl From<&Place> for Part {
    fn from(place: &Place) -> Self {
        Self {
            holder: place.holder,
            since: place.since.micros(),
            settled: place.settled,
            debt: place.debt,
        }
    }
}

impl Event {
    /// Reads one; `None` for whatever is none of this version.
    pub(super) fn read(value: &[u8]) -> Option<Self> {
        let event: Self = serde_json::from_slice(value).ok()?;
        (event.version == VERSION).then_some(event)
    }
}

impl Settled {
    pub(super) fn parts(&self) -> impl Iterator<Item = Part> {
        self.parts.iter().map(Part::from)
    }
}

#[cfg(test)]
mod tests;
