//! The run: everything is started once, then every round gives each contender the same burst,
//! in an order that rotates, so that what disturbs the machine disturbs all alike.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};

use crate::case::Case;
use crate::contender::{self, Contender, Kind, Site};
use crate::cpu;
use crate::failure::Failure;
use crate::instructions::Counter;
use crate::load::Clients;
use crate::machine;
use crate::process::{self, Process};

/// What a contender still does after the last answer (records, exports) is counted for so long.
const SETTLE: Duration = Duration::from_millis(300);

/// What to measure and how.
pub struct Options {
    /// The gateway's binary.
    pub weir: PathBuf,
    /// nginx's binary.
    pub nginx: PathBuf,
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
    /// The requests in a burst of `case`.
    pub fn burst(&self, case: Case) -> usize {
        if case == Case::LlmStream {
            self.streams
        } else {
            self.requests
        }
    }
}

/// What one burst cost one contender.
pub struct Round {
    /// Requests answered.
    pub requests: usize,
    /// CPU time of all of the contender's threads.
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

/// Starts everyone, measures, stops everyone. Interrupted, it stops everyone too.
pub fn run(options: &Options) -> Result<Vec<Table>, Failure> {
    // One thread, this one: children live as long as the thread that started them.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(Failure::during("cannot start the runtime"))?;
    runtime.block_on(async {
        tokio::select! {
            tables = measure(options) => tables,
            () = interrupted() => Err(Failure::new("interrupted")),
        }
    })
}

async fn interrupted() {
    let (Ok(mut interrupt), Ok(mut terminate)) = (
        signal(SignalKind::interrupt()),
        signal(SignalKind::terminate()),
    ) else {
        // Without handlers the signals end the process, and the kernel its children.
        return std::future::pending().await;
    };
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}

async fn measure(options: &Options) -> Result<Vec<Table>, Failure> {
    let directory = tempfile::Builder::new()
        .prefix("weir-bench-")
        .tempdir()
        .map_err(Failure::during("cannot make a temporary directory"))?;
    let cpu = if options.pin {
        machine::reserve_cpu()?
    } else {
        None
    };
    let site = Site {
        directory: directory.path().to_owned(),
        upstream: contender::free_address()?,
        sink: contender::free_address()?,
        nginx: options.nginx.clone(),
        weir: options.weir.clone(),
        cpu,
    };
    let mut upstream = start_upstream(&site, options.stream_gap)?;
    let mut contenders = Vec::new();
    for kind in &options.kinds {
        if let Some(case) = options.cases.iter().find(|case| kind.serves(**case)) {
            eprintln!("starting {}", kind.name());
            let started = Contender::start(*kind, *case, &site).await;
            upstream.check_alive()?;
            contenders.push(started?);
        }
    }
    let count = options.instructions && Counter::available(&site.directory)?;
    if options.instructions && !count {
        eprintln!("instructions are not counted: `perf stat` is missing or finds no counter here");
    }
    let mut tables = Vec::new();
    for case in &options.cases {
        let counter = count.then_some(site.directory.as_path());
        tables.push(table(*case, &mut contenders, options, counter).await?);
    }
    Ok(tables)
}

fn start_upstream(site: &Site, gap: Duration) -> Result<Process, Failure> {
    let this = std::env::current_exe().map_err(Failure::during("cannot find this program"))?;
    let arguments = [
        "upstream".to_owned(),
        format!("--address={}", site.upstream),
        format!("--sink={}", site.sink),
        format!("--stream-gap={}", gap.as_micros()),
    ];
    let mut command = vec![this.into()];
    command.extend(arguments.map(Into::into));
    Process::start(process::Plan {
        name: "upstream",
        command,
        environment: Vec::new(),
        directory: &site.directory,
        cpu: None,
    })
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
            let round = match burst(contender, case, options, counter).await {
                Ok(round) => round,
                Err(failure) => return Err(contender.explain(&failure)),
            };
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
    let mut clients = Clients::open(contender.address, case, options.connections).await?;
    let counter = match counter {
        Some(directory) => Some(Counter::attach(contender.measured, directory).await?),
        None => None,
    };
    let before = cpu::spent(contender.measured)?;
    let burst = clients.burst(options.burst(case)).await?;
    tokio::time::sleep(SETTLE).await;
    let after = cpu::spent(contender.measured)?;
    let instructions = counter.map(Counter::read).transpose()?;
    Ok(Round {
        requests: burst.requests(),
        cpu: after.saturating_sub(before),
        wall: burst.wall,
        p50: burst.percentile(50),
        p99: burst.percentile(99),
        resident: cpu::resident(contender.measured)?,
        instructions,
    })
}
