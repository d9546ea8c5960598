//! What it costs to give a topic out to many: records at a constant rate, each to every subscriber as a
//! server-sent event. Every subscriber has to get every record, or the run fails.

mod note;
mod reader;
mod writer;

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;
use tokio::time::sleep;

use self::reader::Audience;
use self::writer::Pace;
use super::Options;
use super::broker::Broker;
use super::topics::Topics;
use crate::cpu;
use crate::failure::Failure;
use crate::gateway::Gateway;
use crate::report::verdict;

/// Cores of the gateway that it may take, and MiB of memory.
const CORES: f64 = 1.0;
const MEMORY: f64 = 200.0;
/// Records are written for so long before it counts.
const WARM: Duration = Duration::from_secs(3);
/// What is late is waited for.
const LATE: Duration = Duration::from_secs(20);

const TOPIC: &str = "feed";

/// Measures, and says what came of it as Markdown.
pub async fn run(options: &Options, broker: &Broker, topics: &Topics) -> Result<String, Failure> {
    topics.create(TOPIC).await?;
    let gateway = Gateway::set_up(&options.setting(), &sections(broker.address))?;
    let process = gateway.process.pid();
    let count = |lasting: Duration| lasting.as_secs().saturating_mul(options.rate.into());
    let pace = Pace {
        every: Duration::from_secs(1) / options.rate,
        before: count(WARM),
        records: count(options.lasting),
    };
    eprintln!(
        "{} subscribers, {} records/s",
        options.subscribers, options.rate
    );
    let audience = Audience {
        gateway: gateway.address,
        subscribers: options.subscribers,
        uncounted: pace.before,
        all: pace.before + pace.records,
        within: WARM + options.lasting + LATE,
    };
    let (ready, listening) = oneshot::channel();
    let readers = tokio::task::spawn_blocking(move || audience.listen(ready));
    if listening.await.is_err() {
        return Err(failed(readers.await)?
            .err()
            .unwrap_or_else(|| Failure::new("no subscriber")));
    }
    let (warm, counts) = oneshot::channel();
    let address = broker.address;
    let writer = tokio::task::spawn_blocking(move || writer::write(address, TOPIC, pace, warm));
    if counts.await.is_err() {
        return Err(failed(writer.await)?
            .err()
            .unwrap_or_else(|| Failure::new("no writer")));
    }
    let (began, before) = (Instant::now(), cpu::spent(process)?);
    // It is looked at the moment the time is over, not when the last has read what it has.
    sleep(options.lasting).await;
    let (wall, spent) = (began.elapsed(), cpu::spent(process)?.saturating_sub(before));
    failed(writer.await)??;
    let latencies = failed(readers.await)??;
    Ok(table(
        options,
        &Seen {
            cores: spent.as_secs_f64() / wall.as_secs_f64(),
            spent,
            peak: cpu::peak(process)?,
            latencies,
        },
    ))
}

/// What was seen.
struct Seen {
    cores: f64,
    spent: Duration,
    peak: u64,
    /// Of some subscribers, ascending.
    latencies: Vec<Duration>,
}

fn failed<T>(ended: Result<T, tokio::task::JoinError>) -> Result<T, Failure> {
    ended.map_err(Failure::during("a thread broke"))
}

fn sections(broker: SocketAddr) -> String {
    format!(
        "kafka_clusters: [{{ name: events, bootstrap_servers: [\"{broker}\"] }}]
routes:
  - name: feed
    matches: [{{ path: {{ exact: /feed }} }}]
    subscribe: {{ cluster: events, topic: {TOPIC}, start: latest }}
"
    )
}

fn table(options: &Options, seen: &Seen) -> String {
    let Options {
        subscribers,
        rate,
        lasting,
        ..
    } = options;
    let delivered = u64::from(*rate) * lasting.as_secs() * *subscribers as u64;
    let rank = |percent: usize| {
        let at = (seen.latencies.len() * percent).div_ceil(100).max(1) - 1;
        seen.latencies.get(at).map_or(0.0, Duration::as_secs_f64) * 1000.0
    };
    let peak = seen.peak as f64 / f64::from(1 << 20);
    let mut text = format!(
        "### {rate} records of {} bytes a second to {subscribers} subscribers, for {lasting:?}\n\n\
         | | | asked |\n|---|--:|---|\n",
        note::SIZE
    );
    for (what, is, asked) in [
        (
            "cores of the gateway",
            format!("{:.2}", seen.cores),
            format!("{CORES}: {}", verdict(seen.cores <= CORES)),
        ),
        (
            "RSS at its highest, MiB",
            format!("{peak:.1}"),
            format!("{MEMORY}: {}", verdict(peak <= MEMORY)),
        ),
        (
            "events delivered per CPU s",
            format!("{:.0}", delivered as f64 / seen.spent.as_secs_f64()),
            String::new(),
        ),
        (
            "from before a record is written to after its event is read, p50 ms",
            format!("{:.1}", rank(50)),
            String::new(),
        ),
        (
            "the same, p99 ms",
            format!("{:.1}", rank(99)),
            String::new(),
        ),
        (
            "subscribers that got every record once, in order",
            format!("{subscribers} of {subscribers}"),
            "all: met".to_owned(),
        ),
    ] {
        writeln!(text, "| {what} | {is} | {asked} |").expect("a string takes all that is written");
    }
    text.push('\n');
    text
}
