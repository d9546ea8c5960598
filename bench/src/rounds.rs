//! The rounds of a case: each gives every contender its burst, in an order that rotates, so that
//! what disturbs the machine disturbs all alike.

use std::io::IsTerminal;
use std::path::Path;
use std::time::Duration;

use crate::case::Case;
use crate::contender::{Contender, Kind, Programs};
use crate::failure::Failure;
use crate::instructions::Counter;
use crate::load::Clients;
use crate::stage::{Plan, Stage};

/// What a contender still does after the last answer (records, exports) is counted for so long.
const SETTLE: Duration = Duration::from_millis(300);

/// What to measure and how.
pub struct Options {
    /// Where the programs are.
    pub programs: Programs,
    /// The cases, in order.
    pub cases: Vec<Case>,
    /// The contenders.
    pub kinds: Vec<Kind>,
    /// Bursts per contender and case.
    pub rounds: usize,
    /// Requests in a burst.
    pub requests: usize,
    /// Requests in a burst of streams.
    pub streams: usize,
    /// Connections of the load generator.
    pub connections: usize,
    /// The upstream's pause between two events of a stream.
    pub stream_gap: Duration,
    /// Whether contenders get a CPU of their own.
    pub pin: bool,
    /// Whether to count instructions, where possible.
    pub instructions: bool,
}

impl Options {
    /// What runs for it.
    pub fn plan(&self) -> Plan<'_> {
        Plan {
            kinds: &self.kinds,
            cases: &self.cases,
            programs: &self.programs,
            stream_gap: self.stream_gap,
            pin: self.pin,
        }
    }

    /// The requests in a burst of `case`, and the connections they come by.
    fn burst(&self, kind: Kind, case: Case) -> (usize, usize) {
        let whole = if case.is_stream() {
            self.streams
        } else {
            self.requests
        };
        let (part, connections) = kind.share();
        ((whole / part).max(1), connections.min(self.connections))
    }
}

/// What one burst cost one contender.
pub struct Round {
    /// Requests answered.
    pub requests: usize,
    /// CPU time of all of the contender's threads and processes.
    pub cpu: Duration,
    /// From the first request to the last answer.
    pub wall: Duration,
    /// Median latency.
    pub p50: Duration,
    /// 99th percentile of latency.
    pub p99: Duration,
    /// Resident memory in bytes after the burst.
    pub resident: u64,
    /// Instructions in user space, if counted.
    pub instructions: Option<u64>,
}

impl Round {
    /// CPU seconds per 1,000 requests.
    pub fn price(&self) -> f64 {
        self.cpu.as_secs_f64() / self.requests as f64 * 1000.0
    }
}

/// One contender's rounds in one case; the n-th of every contender were taken side by side.
pub struct Series {
    /// Whose they are.
    pub kind: Kind,
    /// In the order they were taken.
    pub rounds: Vec<Round>,
}

/// One case's measurements.
pub struct Table {
    /// The case.
    pub case: Case,
    /// One series per contender that serves it.
    pub series: Vec<Series>,
}

/// Starts everyone, measures, stops everyone.
pub async fn run(options: &Options) -> Result<Vec<Table>, Failure> {
    let mut stage = Stage::set(&options.plan()).await?;
    measure(options, &mut stage).await
}

/// Measures those who are running.
pub async fn measure(options: &Options, stage: &mut Stage) -> Result<Vec<Table>, Failure> {
    let directory = stage.site.directory.as_path();
    let count = options.instructions && Counter::available(directory)?;
    if options.instructions && !count {
        eprintln!("instructions are not counted: `perf stat` is missing or finds no counter here");
    }
    let counter = count.then_some(directory);
    for contender in &stage.contenders {
        contender.place(false)?;
    }
    let mut tables = Vec::new();
    for case in &options.cases {
        tables.push(table(*case, &mut stage.contenders, options, counter).await?);
    }
    Ok(tables)
}

async fn table(
    case: Case,
    contenders: &mut [Contender],
    options: &Options,
    counter: Option<&Path>,
) -> Result<Table, Failure> {
    let mut entrants: Vec<&mut Contender> = contenders
        .iter_mut()
        .filter(|contender| contender.kind.serves(case))
        .collect();
    let mut series: Vec<Series> = entrants
        .iter()
        .map(|contender| Series {
            kind: contender.kind,
            rounds: Vec::with_capacity(options.rounds),
        })
        .collect();
    // Round 0 warms caches, pools and allocators, and is forgotten.
    for number in 0..=options.rounds {
        progress(case, number, options.rounds);
        for turn in 0..entrants.len() {
            let at = (number + turn) % entrants.len();
            let contender = &mut *entrants[at];
            contender.place(true)?;
            let round = match burst(contender, case, options, counter).await {
                Ok(round) => round,
                Err(failure) => return Err(contender.explain(&failure)),
            };
            contender.place(false)?;
            if number > 0 {
                series[at].rounds.push(round);
            }
        }
    }
    Ok(Table { case, series })
}

/// One line per case that counts its rounds, where there is someone to watch; else one at its
/// start.
fn progress(case: Case, number: usize, rounds: usize) {
    let name = case.name();
    if std::io::stderr().is_terminal() {
        let end = if number == rounds { "\n" } else { "" };
        eprint!("\r{name}: round {number} of {rounds}{end}");
    } else if number == 0 {
        eprintln!("{name}: {rounds} rounds");
    }
}

async fn burst(
    contender: &Contender,
    case: Case,
    options: &Options,
    counter: Option<&Path>,
) -> Result<Round, Failure> {
    let (requests, connections) = options.burst(contender.kind, case);
    let exchange = contender.exchange(case);
    let mut clients = Clients::open(contender.address, exchange, connections).await?;
    let counter = match counter {
        Some(directory) => Some(Counter::attach(contender.measured, directory).await?),
        None => None,
    };
    let before = contender.spent()?;
    let burst = clients.burst(requests).await?;
    tokio::time::sleep(SETTLE).await;
    let after = contender.spent()?;
    let instructions = counter.map(Counter::read).transpose()?;
    Ok(Round {
        requests: burst.requests(),
        cpu: after.saturating_sub(before),
        wall: burst.wall,
        p50: burst.percentile(50),
        p99: burst.percentile(99),
        resident: contender.resident()?,
        instructions,
    })
}

/// Rounds that took so many microseconds of CPU each, alike in all else.
#[cfg(test)]
pub fn series(kind: Kind, micros: &[u64]) -> Series {
    let round = |micros: &u64| Round {
        requests: 10,
        cpu: Duration::from_micros(*micros),
        wall: Duration::from_millis(1),
        p50: Duration::from_micros(100),
        p99: Duration::from_micros(200),
        resident: 3 << 20,
        instructions: None,
    };
    Series {
        kind,
        rounds: micros.iter().map(round).collect(),
    }
}
