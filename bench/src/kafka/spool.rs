//! What it costs to keep a record on disk and answer before Kafka has it, with a broker that takes what is
//! kept and with none. What was answered is looked for: in the topic, or on the disk.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::process::Command;
use std::time::{Duration, Instant};

use tokio::time::sleep;

use super::broker::Broker;
use super::topics::Topics;
use super::{Options, post, record};
use crate::contender::free_address;
use crate::cpu;
use crate::failure::Failure;
use crate::gateway::Gateway;
use crate::load::{Clients, Exchange, http};
use crate::right::Right;
use crate::rounds::Round;
use crate::stats;

/// The size of a record.
const SIZE: usize = 1024;
/// How long a drain may take.
const DRAINED_WITHIN: Duration = Duration::from_secs(120);
/// How many rounds there are of each.
const ROUNDS: usize = 5;

/// One burst, and how long it took until the topic had all of it.
struct Turn {
    round: Round,
    drained: Option<Duration>,
}

/// Measures, and says what came of it as Markdown.
pub async fn run(options: &Options, broker: &Broker, topics: &Topics) -> Result<String, Failure> {
    topics.create("spooled").await?;
    let mut text = format!(
        "### A record of {SIZE} bytes, kept on disk (`async: true`)\n\n\
         | | CPU µs per record | records per CPU s | answered per second | p50 ms | p99 ms | in the topic per second |\n\
         |---|--:|--:|--:|--:|--:|--:|\n"
    );
    for (name, there) in [("with a broker", true), ("without one", false)] {
        eprintln!("spooling {name}: {ROUNDS} rounds");
        let address = if there {
            broker.address
        } else {
            free_address()?
        };
        let turns = measure(options, topics, address, there).await?;
        let of = |what: &dyn Fn(&Turn) -> f64| stats::median(turns.iter().map(what));
        let sent = |turn: &Turn| {
            let drained = turn.drained.unwrap_or(Duration::MAX);
            turn.round.requests as f64 / drained.as_secs_f64()
        };
        writeln!(
            text,
            "| {name} | {:.1} | {:.0} | {:.0} | {:.2} | {:.2} | {} |",
            of(&|turn| turn.round.price()) * 1000.0,
            of(&|turn| 1000.0 / turn.round.price()),
            of(&|turn| turn.round.requests as f64 / turn.round.wall.as_secs_f64()),
            of(&|turn| turn.round.p50.as_secs_f64() * 1000.0),
            of(&|turn| turn.round.p99.as_secs_f64() * 1000.0),
            if there {
                format!("{:.0}", of(&sent))
            } else {
                String::new()
            },
        )
        .expect("a string takes all that is written");
    }
    text.push('\n');
    Ok(text)
}

/// Bursts of one gateway. With a broker, what sends the records on is part of their price.
async fn measure(
    options: &Options,
    topics: &Topics,
    broker: SocketAddr,
    there: bool,
) -> Result<Vec<Turn>, Failure> {
    let gateway = Gateway::set_up(&options.setting(), &sections(broker))?;
    let process = gateway.process.pid();
    let mut turns = Vec::new();
    let mut answered = 0;
    let before_all = topics.written("spooled")?;
    for number in 0..=ROUNDS {
        let exchange = http::Exchange {
            request: post("/events", "application/json", &record(SIZE)).into_bytes(),
            right: Right::Kept,
        };
        let callers = options.connections;
        let mut clients = Clients::open(gateway.address, Exchange::Http(exchange), callers).await?;
        answered += callers as u64;
        if there {
            drain(topics, before_all + answered).await?;
        }
        let before = cpu::spent(process)?;
        let began = Instant::now();
        let burst = clients.burst(options.records).await?;
        answered += burst.requests() as u64;
        let drained = if there {
            drain(topics, before_all + answered).await?;
            Some(began.elapsed())
        } else {
            None
        };
        let after = cpu::spent(process)?;
        let round = Round {
            requests: burst.requests(),
            cpu: after.saturating_sub(before),
            wall: burst.wall,
            p50: burst.percentile(50),
            p99: burst.percentile(99),
            resident: cpu::resident(process)?,
            instructions: None,
        };
        if number > 0 {
            turns.push(Turn { round, drained });
        }
    }
    if !there {
        kept(options, &gateway, answered)?;
    }
    Ok(turns)
}

/// Waits until so many records are in the topic; more are too many.
async fn drain(topics: &Topics, all: u64) -> Result<(), Failure> {
    let deadline = Instant::now() + DRAINED_WITHIN;
    loop {
        let found = topics.written("spooled")?;
        if found == all {
            return Ok(());
        }
        if found > all || Instant::now() > deadline {
            return Err(Failure::new(format!(
                "{all} records were answered as kept, {found} are in the topic"
            )));
        }
        sleep(Duration::from_millis(5)).await;
    }
}

/// Fails unless the gateway's own tool finds so many records on the disk.
fn kept(options: &Options, gateway: &Gateway, all: u64) -> Result<(), Failure> {
    let output = Command::new(&options.weir)
        .args(["spool", "list"])
        .arg(gateway.directory.path())
        .output()
        .map_err(Failure::during("cannot look into the spool"))?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    if !said.contains(&format!(" {all} records waiting")) {
        return Err(Failure::new(format!(
            "{all} records were answered as kept, but the spool says: {said}"
        )));
    }
    Ok(())
}

fn sections(broker: SocketAddr) -> String {
    format!(
        "kafka_clusters: [{{ name: events, bootstrap_servers: [\"{broker}\"], spool: {{ max_size: 1GiB }} }}]
routes:
  - name: events
    matches: [{{ path: {{ exact: /events }}, methods: [POST] }}]
    publish: {{ cluster: events, topic: spooled, async: true }}
"
    )
}
