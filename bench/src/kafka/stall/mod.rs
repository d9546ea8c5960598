//! What others notice while a broker answers nothing: a cheap route of the same gateway is called at a low,
//! constant rate with nothing beside it, while callers publish, and while the broker is frozen under them.
//! What those callers are answered, and how soon, is looked at too.

mod caller;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant};

use tokio::time::sleep;

use self::caller::{Answer, Callers};
use super::Options;
use super::broker::Broker;
use super::topics::Topics;
use crate::cpu;
use crate::failure::Failure;
use crate::gateway::{Client, Gateway};
use crate::report::{at_most, verdict};
use crate::stats;

/// How long the route lets a caller wait.
const TIMEOUT: Duration = Duration::from_secs(2);
/// What an answer may take beyond that.
const SLACK: Duration = Duration::from_millis(500);
/// How many times as much the cheap route's 99th percentile may be.
const ASKED: f64 = 1.2;
/// How often the cheap route is called, and how often in one turn.
const CALL_EVERY: Duration = Duration::from_millis(2);
const CALLS: usize = 1_500;
/// Callers publish for so long before it counts.
const WARM: Duration = Duration::from_millis(500);
/// How long it may take until a record is written again.
const RECOVERED_WITHIN: Duration = Duration::from_secs(60);
/// Records that may wait in the gateway: some more than callers have at once, so that it fills.
const SPARE: usize = 36;

/// One turn of each kind.
struct Turn {
    quiet: Latency,
    busy: Latency,
    stalled: Latency,
    /// Answered while it was frozen, until the last caller of then had its answer.
    answers: Vec<Answer>,
    /// Resident memory before and after.
    before: u64,
    after: u64,
}

/// Of the cheap route, in seconds.
struct Latency {
    p50: f64,
    p99: f64,
}

/// Measures, and says what came of it as Markdown.
pub async fn run(options: &Options, broker: &Broker, topics: &Topics) -> Result<String, Failure> {
    topics.create("stalled").await?;
    let sections = sections(broker.address, options.connections + SPARE);
    let gateway = Gateway::set_up(&options.setting(), &sections)?;
    let mut turns = Vec::new();
    // Turn 0 warms everything, and is forgotten.
    for number in 0..=options.stalls {
        eprintln!("freezing the broker: {number} of {}", options.stalls);
        let turn = measure(options, broker, &gateway).await?;
        if number > 0 {
            turns.push(turn);
        }
    }
    check(&turns)?;
    Ok(table(options, &turns))
}

async fn measure(options: &Options, broker: &Broker, gateway: &Gateway) -> Result<Turn, Failure> {
    let (address, process) = (gateway.address, gateway.process.pid());
    let quiet = probe(address).await?;
    let callers = Callers::start(address, options.connections);
    sleep(WARM).await;
    let busy = probe(address).await?;
    let before = cpu::resident(process)?;
    let frozen = broker.freeze()?;
    let began = Instant::now();
    sleep(WARM).await;
    let stalled = probe(address).await?;
    sleep(TIMEOUT).await;
    let after = cpu::resident(process)?;
    let until = Instant::now();
    drop(frozen);
    let all = callers.stop().await?;
    let answers = all
        .into_iter()
        .filter(|answer| answer.at >= began && answer.at < until)
        .collect();
    recover(address).await?;
    Ok(Turn {
        quiet,
        busy,
        stalled,
        answers,
        before,
        after,
    })
}

/// Calls the cheap route from a thread of its own.
async fn probe(address: SocketAddr) -> Result<Latency, Failure> {
    let calling = tokio::task::spawn_blocking(move || {
        let mut client = Client::connect(address)?;
        let request = format!("GET /cheap HTTP/1.1\r\nHost: {address}\r\n\r\n");
        let mut latencies = Vec::with_capacity(CALLS);
        let began = Instant::now();
        for call in 0..CALLS {
            let due = CALL_EVERY * u32::try_from(call).unwrap_or(u32::MAX);
            thread::sleep(due.saturating_sub(began.elapsed()));
            let sent = Instant::now();
            client.ask(request.as_bytes(), b"200")?;
            latencies.push(sent.elapsed().as_secs_f64());
        }
        latencies.sort_unstable_by(f64::total_cmp);
        Ok(Latency {
            p50: latencies[CALLS / 2],
            p99: latencies[CALLS * 99 / 100],
        })
    });
    calling.await.map_err(Failure::during("a thread broke"))?
}

/// Waits until a record is written again.
async fn recover(address: SocketAddr) -> Result<(), Failure> {
    let deadline = Instant::now() + RECOVERED_WITHIN;
    loop {
        let said = caller::once(address).await?;
        if said.code == caller::WRITTEN {
            return Ok(());
        }
        if Instant::now() > deadline {
            return Err(Failure::new(format!(
                "the broker answers again, and nothing is written: {}",
                said.code
            )));
        }
        sleep(Duration::from_millis(100)).await;
    }
}

/// What may be answered to who publishes to a broker that answers nothing. One whose answer was on its way
/// when it was frozen may say more.
const RIGHT: [&str; 4] = [
    caller::WRITTEN,
    "kafka_outcome_unknown",
    "kafka_unavailable",
    "kafka_queue_full",
];

fn check(turns: &[Turn]) -> Result<(), Failure> {
    let answers = turns.iter().flat_map(|turn| &turn.answers);
    for answer in answers {
        if !RIGHT.contains(&answer.code.as_str()) {
            return Err(Failure::new(format!(
                "a caller was answered {} while the broker was frozen",
                answer.code
            )));
        }
    }
    Ok(())
}

fn sections(broker: SocketAddr, room: usize) -> String {
    format!(
        "kafka_clusters:
  - name: events
    bootstrap_servers: [\"{broker}\"]
    delivery_timeout: 10s
    properties: {{ queue.buffering.max.messages: {room} }}
routes:
  - {{ name: cheap, matches: [{{ path: {{ exact: /cheap }} }}], respond: {{ status: 200, body: ok }} }}
  - name: events
    matches: [{{ path: {{ exact: /events }}, methods: [POST] }}]
    publish: {{ cluster: events, topic: stalled, timeout: {}s }}
",
        TIMEOUT.as_secs()
    )
}

fn table(options: &Options, turns: &[Turn]) -> String {
    let mut text = format!(
        "### A broker that stops answering while {} callers publish with `timeout: {TIMEOUT:?}`\n\n\
         | a cheap route beside it | p50 ms | p99 ms | × with nothing beside | × while it answers |\n\
         |---|--:|--:|--:|--:|\n",
        options.connections
    );
    let p99 = |of: &dyn Fn(&Turn) -> &Latency| -> Vec<f64> {
        turns.iter().map(|turn| of(turn).p99).collect()
    };
    let (quiet, busy) = (p99(&|turn| &turn.quiet), p99(&|turn| &turn.busy));
    type Of = fn(&Turn) -> &Latency;
    let rows: [(&str, Of, bool, bool); 3] = [
        ("nobody publishes", |turn| &turn.quiet, false, false),
        ("the broker answers", |turn| &turn.busy, true, false),
        ("the broker is frozen", |turn| &turn.stalled, true, true),
    ];
    for (name, of, to_quiet, to_busy) in rows {
        let own = p99(&of);
        let compared = |to: &[f64], wanted: bool, asked| match wanted {
            true => stats::paired(&own, to).map_or_else(String::new, |r| at_most(r, asked, 2)),
            false => String::new(),
        };
        writeln!(
            text,
            "| {name} | {:.3} | {:.3} | {} | {} |",
            stats::median(turns.iter().map(|turn| of(turn).p50)) * 1000.0,
            stats::median(own.iter().copied()) * 1000.0,
            compared(&quiet, to_quiet, None),
            compared(&busy, to_busy, Some(ASKED)),
        )
        .expect("a string takes all that is written");
    }
    text.push_str(&answers(turns));
    text
}

/// What the callers were answered meanwhile, and what it took the gateway of memory.
fn answers(turns: &[Turn]) -> String {
    let mut by_code: BTreeMap<&str, Vec<Duration>> = BTreeMap::new();
    for answer in turns.iter().flat_map(|turn| &turn.answers) {
        by_code.entry(&answer.code).or_default().push(answer.took);
    }
    let mut text =
        "\n| answered while it is frozen | | p50 ms | longest ms |\n|---|--:|--:|--:|\n".to_owned();
    let most = TIMEOUT + SLACK;
    for (code, mut took) in by_code {
        took.sort_unstable();
        let longest = took[took.len() - 1];
        writeln!(
            text,
            "| `{code}` | {} | {:.1} | {:.1} (asked {}: {}) |",
            took.len(),
            took[took.len() / 2].as_secs_f64() * 1000.0,
            longest.as_secs_f64() * 1000.0,
            most.as_millis(),
            verdict(longest <= most),
        )
        .expect("a string takes all that is written");
    }
    let mebibytes = |bytes: u64| bytes as f64 / f64::from(1 << 20);
    let first = turns.first().map_or(0, |turn| turn.before);
    let most = turns.iter().map(|turn| turn.after).max().unwrap_or(0);
    let last = turns.last().map_or(0, |turn| turn.after);
    writeln!(
        text,
        "\nRSS of the gateway: {:.1} MiB before the first time, {:.1} at most while it was frozen, {:.1} the last time.",
        mebibytes(first),
        mebibytes(most),
        mebibytes(last)
    )
    .expect("a string takes all that is written");
    text
}
