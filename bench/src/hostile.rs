//! How long callers of a cheap route wait while prompts of a mebibyte arrive beside them, each of
//! which has to be counted token by token before it can be refused.
//!
//! Latency is what the question is about, so that this is no table of CPU time; who calls, who
//! sends prompts and who answers share the machine.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::failure::Failure;
use crate::gateway::{Client, Gateway};
use crate::stats;

/// The length of a prompt.
const MEBIBYTE: usize = 1 << 20;
/// How often one is sent.
const PROMPT_EVERY: Duration = Duration::from_millis(200);
/// How often the cheap route is called, and how often in one turn.
const CALL_EVERY: Duration = Duration::from_millis(2);
const CALLS: usize = 1_000;

/// What to measure.
pub struct Options {
    /// The gateway's binary.
    pub weir: PathBuf,
    /// Turns of each kind.
    pub rounds: usize,
}

/// What arrives beside the calls.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Beside {
    Nothing,
    Prose,
    Spaces,
    Letter,
}

impl Beside {
    const ALL: [Self; 4] = [Self::Nothing, Self::Prose, Self::Spaces, Self::Letter];

    const fn name(self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Prose => "prose",
            Self::Spaces => "spaces",
            Self::Letter => "one letter",
        }
    }

    /// The text of its prompts.
    fn text(self) -> Option<String> {
        let unit = match self {
            Self::Nothing => return None,
            Self::Prose => "The weir holds the river back, and measures it. ",
            Self::Spaces => " ",
            Self::Letter => "a",
        };
        Some(unit.repeat(MEBIBYTE / unit.len()))
    }
}

/// Measures, and says what came of it as a Markdown table.
pub fn run(options: &Options) -> Result<String, Failure> {
    let gateway = Gateway::start(&options.weir, SECTIONS)?;
    let address = gateway.address;
    let mut turns: [Vec<Turn>; 4] = Default::default();
    // Round 0 warms everything, vocabularies included, and is forgotten.
    for round in 0..=options.rounds {
        for turn in 0..Beside::ALL.len() {
            let at = (round + turn) % Beside::ALL.len();
            let measured = measure(address, Beside::ALL[at])?;
            if round > 0 {
                turns[at].push(measured);
            }
        }
    }
    Ok(table(&turns))
}

/// Latencies of one turn, in seconds, and how many prompts were answered in it.
struct Turn {
    p50: f64,
    p99: f64,
    prompts: usize,
}

fn measure(address: SocketAddr, beside: Beside) -> Result<Turn, Failure> {
    let sender = beside.text().map(|text| Sender::start(address, &text));
    let mut client = Client::connect(address)?;
    let request = format!("GET /cheap HTTP/1.1\r\nHost: {address}\r\n\r\n");
    let mut latencies = Vec::with_capacity(CALLS);
    let began = Instant::now();
    for call in 0..CALLS {
        sleep_until(began + CALL_EVERY * u32::try_from(call).unwrap_or(u32::MAX));
        let sent = Instant::now();
        client.ask(request.as_bytes(), b"200")?;
        latencies.push(sent.elapsed().as_secs_f64());
    }
    let prompts = sender.map_or(Ok(0), Sender::stop)?;
    latencies.sort_unstable_by(f64::total_cmp);
    Ok(Turn {
        p50: latencies[CALLS / 2],
        p99: latencies[CALLS * 99 / 100],
        prompts,
    })
}

/// Sends prompts from a thread of its own.
struct Sender {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Result<usize, Failure>>,
}

impl Sender {
    fn start(address: SocketAddr, text: &str) -> Self {
        let body = format!(r#"{{"model":"m","messages":[{{"role":"user","content":"{text}"}}]}}"#);
        let request = format!(
            "POST /v1/chat/completions HTTP/1.1\r\nHost: {address}\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = thread::spawn(move || {
            let mut client = Client::connect(address)?;
            let mut sent = 0;
            while !stopped.load(Ordering::Relaxed) {
                let next = Instant::now() + PROMPT_EVERY;
                client.ask(request.as_bytes(), b"429")?;
                sent += 1;
                sleep_until(next);
            }
            Ok(sent)
        });
        Self { stop, thread }
    }

    fn stop(self) -> Result<usize, Failure> {
        self.stop.store(true, Ordering::Relaxed);
        let ended = self.thread.join();
        ended.map_err(|_| Failure::new("a sender of prompts broke"))?
    }
}

fn sleep_until(moment: Instant) {
    thread::sleep(moment.saturating_duration_since(Instant::now()));
}

/// A route that answers by itself, and one whose quota no such prompt fits.
const SECTIONS: &str = "
providers: [{ name: nobody, dialect: openai, base_url: \"http://127.0.0.1:9/v1\" }]
models: [{ name: m, targets: [{ provider: nobody, model: gpt-4o }] }]
quotas:
  - { name: small, store: ledger, unit: tokens, limit: { default: 5000 }, window: { kind: fixed, every: month }, by: [route] }
routes:
  - { name: cheap, matches: [{ path: { prefix: /cheap } }], respond: { status: 200, body: ok } }
  - name: chat
    matches: [{ path: { prefix: /v1 } }]
    policies: [{ kind: quota, quotas: [small] }]
    llm: { models: [m] }
";

fn table(turns: &[Vec<Turn>; 4]) -> String {
    let mut text = format!(
        "### A cheap route while prompts of 1 MiB arrive, one every {} ms\n\n\
         | beside it | p50 ms | p99 ms | × with nothing beside |\n|---|--:|--:|--:|\n",
        PROMPT_EVERY.as_millis()
    );
    let p99 = |turns: &[Turn]| turns.iter().map(|turn| turn.p99).collect::<Vec<_>>();
    let quiet = p99(&turns[0]);
    for (beside, turns) in Beside::ALL.into_iter().zip(turns) {
        let compared = match beside {
            Beside::Nothing => String::new(),
            _ => stats::paired(&p99(turns), &quiet).map_or_else(String::new, |ratio| {
                format!("{:.2} (≤ {:.2})", ratio.median, ratio.upper)
            }),
        };
        let prompts: usize = turns.iter().map(|turn| turn.prompts).sum();
        let name = match beside {
            Beside::Nothing => beside.name().to_owned(),
            _ => format!("{} ({prompts} prompts)", beside.name()),
        };
        writeln!(
            text,
            "| {name} | {:.3} | {:.3} | {compared} |",
            stats::median(turns.iter().map(|turn| turn.p50)) * 1000.0,
            stats::median(p99(turns)) * 1000.0,
        )
        .expect("a string takes all that is written");
    }
    text
}
