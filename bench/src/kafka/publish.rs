//! What it costs to have a record acknowledged by the broker: the gateway beside stand-ins for
//! Karapace's REST proxy, on the same broker. Who says "written" is held against the topic.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::time::Duration;

use nix::unistd::Pid;
use tokio::time::sleep;

use super::broker::Broker;
use super::proxy::{Kind, Proxy};
use super::topics::Topics;
use super::{Options, post, record};
use crate::cpu;
use crate::failure::Failure;
use crate::gateway::{Gateway, Setting};
use crate::load::{Clients, Exchange, http};
use crate::machine;
use crate::report::at_least;
use crate::right::Right;
use crate::rounds::Round;
use crate::stats;

/// The sizes of records.
const SIZES: [usize; 2] = [100, 1024];
/// How many times the records per CPU second of Karapace's proxy are asked for.
const ASKED: f64 = 5.0;
/// Proxies get this part of a burst: they take longer.
const SHARE: usize = 5;
/// What is done after the last answer is counted for so long.
const SETTLE: Duration = Duration::from_millis(300);

/// Who takes records.
struct Bridge {
    name: &'static str,
    address: SocketAddr,
    process: Pid,
    /// A topic of its own, so that what it says it wrote can be counted.
    topic: &'static str,
    /// Which stand-in it is, if it is one.
    kind: Option<Kind>,
}

impl Bridge {
    fn of(proxy: &Proxy, name: &'static str, topic: &'static str, kind: Kind) -> Self {
        Self {
            name,
            address: proxy.address,
            process: proxy.process.pid(),
            topic,
            kind: Some(kind),
        }
    }

    /// The request that is one record.
    fn request(&self, record: &str) -> String {
        if self.kind.is_none() {
            return post("/events", "application/json", record);
        }
        let body = format!(r#"{{"records":[{{"value":{record}}}]}}"#);
        let path = format!("/topics/{}", self.topic);
        post(&path, "application/vnd.kafka.json.v2+json", &body)
    }

    /// The part of a burst that it gets.
    fn share(&self) -> usize {
        self.kind.map_or(1, |_| SHARE)
    }
}

/// Measures, and says what came of it as Markdown.
pub async fn run(options: &Options, broker: &Broker, topics: &Topics) -> Result<String, Failure> {
    let cpu = machine::reserve_cpu()?;
    // Everything else stays off the CPU on which is measured: Kafka, and every thread of this process.
    machine::place(Pid::this(), None)?;
    machine::place(broker.pid(), None)?;
    for topic in ["weir", "least", "like"] {
        topics.create(topic).await?;
    }
    let setting = Setting {
        workers: Some(1),
        ..options.setting()
    };
    let gateway = Gateway::set_up(&setting, &sections(broker.address))?;
    let least = Proxy::start(Kind::Least, &options.proxy, broker.address).await?;
    let like = Proxy::start(Kind::Like, &options.proxy, broker.address).await?;
    let bridges = [
        Bridge {
            name: "weir",
            address: gateway.address,
            process: gateway.process.pid(),
            topic: "weir",
            kind: None,
        },
        Bridge::of(&like, "karapace-like", "like", Kind::Like),
        Bridge::of(&least, "python-least", "least", Kind::Least),
    ];
    let mut text = String::new();
    for size in SIZES {
        eprintln!("publishing {size} bytes: {} rounds", options.rounds);
        let rounds = measure(options, topics, &bridges, size, cpu).await?;
        text.push_str(&table(size, &bridges, &rounds));
    }
    Ok(text)
}

async fn measure(
    options: &Options,
    topics: &Topics,
    bridges: &[Bridge; 3],
    size: usize,
    cpu: Option<usize>,
) -> Result<[Vec<Round>; 3], Failure> {
    let mut rounds = [const { Vec::new() }; 3];
    // Round 0 warms everything, and is forgotten.
    for number in 0..=options.rounds {
        for turn in 0..bridges.len() {
            let at = (number + turn) % bridges.len();
            let bridge = &bridges[at];
            if cpu.is_some() {
                machine::place(bridge.process, cpu)?;
            }
            let round = burst(options, topics, bridge, size)
                .await
                .map_err(Failure::during(bridge.name))?;
            machine::place(bridge.process, None)?;
            if number > 0 {
                rounds[at].push(round);
            }
        }
    }
    Ok(rounds)
}

async fn burst(
    options: &Options,
    topics: &Topics,
    bridge: &Bridge,
    size: usize,
) -> Result<Round, Failure> {
    let written = topics.written(bridge.topic)?;
    let exchange = http::Exchange {
        request: bridge.request(&record(size)).into_bytes(),
        right: Right::Written,
    };
    let callers = options.connections;
    let mut clients = Clients::open(bridge.address, Exchange::Http(exchange), callers).await?;
    let before = cpu::spent(bridge.process)?;
    let burst = clients
        .burst((options.records / bridge.share()).max(1))
        .await?;
    sleep(SETTLE).await;
    let after = cpu::spent(bridge.process)?;
    let answered = (burst.requests() + callers) as u64;
    let found = topics.written(bridge.topic)? - written;
    if found != answered {
        return Err(Failure::new(format!(
            "{answered} records were answered as written, {found} are in the topic"
        )));
    }
    Ok(Round {
        requests: burst.requests(),
        cpu: after.saturating_sub(before),
        wall: burst.wall,
        p50: burst.percentile(50),
        p99: burst.percentile(99),
        resident: cpu::resident(bridge.process)?,
        instructions: None,
    })
}

fn sections(broker: SocketAddr) -> String {
    format!(
        "kafka_clusters: [{{ name: events, bootstrap_servers: [\"{broker}\"] }}]
routes:
  - name: events
    matches: [{{ path: {{ exact: /events }}, methods: [POST] }}]
    publish: {{ cluster: events, topic: weir }}
"
    )
}

fn table(size: usize, bridges: &[Bridge; 3], rounds: &[Vec<Round>; 3]) -> String {
    let mut text = format!(
        "### A record of {size} bytes, acknowledged by all in-sync replicas\n\n\
         | | CPU µs per record | records per CPU s | × weir | records/s | p50 ms | p99 ms | RSS MiB |\n\
         |---|--:|--:|--:|--:|--:|--:|--:|\n"
    );
    let prices = |rounds: &[Round]| rounds.iter().map(Round::price).collect::<Vec<_>>();
    for (bridge, own) in bridges.iter().zip(rounds) {
        let of = |what: &dyn Fn(&Round) -> f64| stats::median(own.iter().map(what));
        let compared = bridge
            .kind
            .and_then(|kind| Some((kind, stats::paired(&prices(&rounds[0]), &prices(own))?)));
        let compared = compared.map_or_else(String::new, |(kind, ratio)| match kind {
            Kind::Like => at_least(ratio, ASKED),
            Kind::Least => format!("{:.1} (≥ {:.1})", ratio.median.recip(), ratio.upper.recip()),
        });
        writeln!(
            text,
            "| {} | {:.1} | {:.0} | {} | {:.0} | {:.2} | {:.2} | {:.1} |",
            bridge.name,
            // CPU seconds of a thousand are milliseconds of one.
            of(&Round::price) * 1000.0,
            of(&|round| 1000.0 / round.price()),
            compared,
            of(&|round| round.requests as f64 / round.wall.as_secs_f64()),
            of(&|round| round.p50.as_secs_f64() * 1000.0),
            of(&|round| round.p99.as_secs_f64() * 1000.0),
            of(&|round| round.resident as f64 / f64::from(1 << 20)),
        )
        .expect("a string takes all that is written");
    }
    text.push('\n');
    text
}
