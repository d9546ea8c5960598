//! What it takes to read the figures of a gateway with two thousand routes, and what callers notice while
//! somebody reads them every five seconds, which is three times as often as Prometheus does.
//!
//! Who calls, who reads and who answers share the machine.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::failure::Failure;
use crate::gateway::{Client, Gateway};
use crate::report::verdict;
use crate::stats;

/// How many routes there are, all of which have been called.
const ROUTES: usize = 2_000;
/// How often the figures are read.
const READ_EVERY: Duration = Duration::from_secs(5);
/// How often a route is called, and how often in one turn.
const CALL_EVERY: Duration = Duration::from_millis(1);
const CALLS: usize = 10_000;
/// What a reading may take, in seconds, and how many times the 99th percentile may be what it was.
const ASKED: (f64, f64) = (0.1, 1.1);

/// What to measure.
pub struct Options {
    /// The gateway's binary.
    pub weir: PathBuf,
    /// Turns of each kind.
    pub rounds: usize,
}

/// Measures, and says what came of it as Markdown.
pub fn run(options: &Options) -> Result<String, Failure> {
    let gateway = Gateway::start(&options.weir, &sections())?;
    let mut client = Client::connect(gateway.address)?;
    for route in 0..ROUTES {
        client.ask(&request(gateway.address, &format!("/{route}")), b"200")?;
    }
    let (mut quiet, mut read, mut took) = (Vec::new(), Vec::new(), Vec::new());
    let mut bytes = 0;
    // Round 0 warms everything, and is forgotten.
    for round in 0..=options.rounds {
        // Which of the two comes first changes with each round.
        let order = if round % 2 == 0 {
            [false, true]
        } else {
            [true, false]
        };
        for is_read in order {
            let reader = is_read.then(|| Reader::start(gateway.metrics));
            let p99 = call(gateway.address)?;
            let (readings, size) = reader.map_or(Ok(Default::default()), Reader::stop)?;
            if round == 0 {
                continue;
            }
            bytes = bytes.max(size);
            took.extend(readings);
            if is_read { &mut read } else { &mut quiet }.push(p99);
        }
    }
    Ok(said(&quiet, &read, took, bytes))
}

fn said(quiet: &[f64], read: &[f64], mut took: Vec<f64>, bytes: usize) -> String {
    took.sort_unstable_by(f64::total_cmp);
    let worst = took.last().copied().unwrap_or_default();
    let ratio = stats::paired(read, quiet);
    let (moved, upper) = ratio.map_or((0.0, f64::INFINITY), |ratio| (ratio.median, ratio.upper));
    format!(
        "### Reading the figures of {ROUTES} routes\n\n\
         | readings | size, KiB | median ms | longest ms | asked | p99 of calls, ms | while read, ms | × | asked |\n\
         |--:|--:|--:|--:|---|--:|--:|--:|---|\n\
         | {} | {} | {:.1} | {:.1} | {}: {} | {:.3} | {:.3} | {moved:.2} (≤ {upper:.2}) | {}: {} |\n",
        took.len(),
        bytes / 1024,
        stats::median(took.iter().copied()) * 1000.0,
        worst * 1000.0,
        ASKED.0 * 1000.0,
        verdict(worst < ASKED.0),
        stats::median(quiet.iter().copied()) * 1000.0,
        stats::median(read.iter().copied()) * 1000.0,
        ASKED.1,
        verdict(upper < ASKED.1),
    )
}

fn request(address: SocketAddr, target: &str) -> Vec<u8> {
    format!("GET {target} HTTP/1.1\r\nHost: {address}\r\n\r\n").into_bytes()
}

/// The 99th percentile of one turn's calls, in seconds.
fn call(address: SocketAddr) -> Result<f64, Failure> {
    let mut client = Client::connect(address)?;
    let mut latencies = Vec::with_capacity(CALLS);
    let began = Instant::now();
    for call in 0..CALLS {
        sleep_until(began + CALL_EVERY * u32::try_from(call).unwrap_or(u32::MAX));
        let request = request(address, &format!("/{}", call % ROUTES));
        let sent = Instant::now();
        client.ask(&request, b"200")?;
        latencies.push(sent.elapsed().as_secs_f64());
    }
    latencies.sort_unstable_by(f64::total_cmp);
    Ok(latencies[CALLS * 99 / 100])
}

/// Reads the figures from a thread of its own.
struct Reader {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Result<(Vec<f64>, usize), Failure>>,
}

impl Reader {
    fn start(metrics: SocketAddr) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = thread::spawn(move || {
            let mut client = Client::connect(metrics)?;
            let (mut took, mut size) = (Vec::new(), 0);
            while !stopped.load(Ordering::Relaxed) {
                let sent = Instant::now();
                size = client.ask(&request(metrics, "/metrics"), b"200")?;
                took.push(sent.elapsed().as_secs_f64());
                let next = sent + READ_EVERY;
                while Instant::now() < next && !stopped.load(Ordering::Relaxed) {
                    thread::sleep(Duration::from_millis(50));
                }
            }
            Ok((took, size))
        });
        Self { stop, thread }
    }

    fn stop(self) -> Result<(Vec<f64>, usize), Failure> {
        self.stop.store(true, Ordering::Relaxed);
        let ended = self.thread.join();
        ended.map_err(|_| Failure::new("a reader of the figures broke"))?
    }
}

fn sleep_until(moment: Instant) {
    thread::sleep(moment.saturating_duration_since(Instant::now()));
}

/// Routes that answer by themselves, each behind a quota, and upstreams for a tenth of them.
fn sections() -> String {
    let routes = (0..ROUTES).map(|route| {
        format!("  - {{ name: route-{route:04}, matches: [{{ path: {{ exact: /{route} }} }}], policies: [{{ kind: quota, quotas: [calls] }}], respond: {{ status: 200, body: ok }} }}\n")
    });
    let upstreams = (0..ROUTES / 10).map(|upstream| {
        format!(
            "  - {{ name: upstream-{upstream:03}, endpoints: [{{ address: \"127.0.0.1:9\" }}] }}\n"
        )
    });
    format!(
        "quotas: [{{ name: calls, store: ledger, unit: requests, limit: {{ default: 1000000000 }}, window: {{ kind: fixed, every: month }}, by: [route] }}]\nupstreams:\n{}routes:\n{}",
        upstreams.collect::<String>(),
        routes.collect::<String>()
    )
}
