//! The command line. What each command does is its module's.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, Parser, Subcommand};

use crate::case::Case;
use crate::contender::{Kind, Programs};
use crate::failure::Failure;
use crate::{
    bare, documents, hostile, idle, kafka, llm, protocols, report, rounds, scrape, stage, tether,
    upstream,
};

/// What a request through the gateway costs.
#[derive(Parser)]
#[command(version, about)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Measure beside nginx and a bare Pingora proxy, and print a table per case.
    Run(Run),
    /// Measure beside other gateways of language models, and what the gateway adds to a call.
    Llm(Llm),
    /// Measure gRPC and WebSocket beside Envoy, and print a table for each.
    Protocols(Protocols),
    /// Measure what callers of a cheap route notice of prompts of a mebibyte.
    Hostile {
        /// The gateway's binary [default: `weir` beside this program].
        #[arg(long)]
        weir: Option<PathBuf>,
        /// Turns of each kind of prompt.
        #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
        rounds: u32,
    },
    /// Measure what it takes to read the figures of two thousand routes, and what callers notice of it.
    Scrape {
        /// The gateway's binary [default: `weir` beside this program].
        #[arg(long)]
        weir: Option<PathBuf>,
        /// Turns of each kind.
        #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
        rounds: u32,
    },
    /// Measure what it costs to refuse hostile GraphQL documents, beside reading as many bytes.
    Documents {
        /// The gateway's binary [default: `weir` beside this program].
        #[arg(long)]
        weir: Option<PathBuf>,
        /// Turns of each document.
        #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
        rounds: u32,
    },
    /// Measure what connections cost on which nobody speaks, and whether one is lost.
    Idle {
        /// The gateway's binary [default: `weir` beside this program].
        #[arg(long)]
        weir: Option<PathBuf>,
        /// Connections of each kind; fewer, where the limit of open files is below twice as many.
        #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..))]
        connections: u32,
        /// Put the table into this file, between its results markers.
        #[arg(long)]
        out: Option<PathBuf>,
    },
    /// Measure what the bridge to Kafka costs: to publish, to subscribe, to spool; and what a broker that
    /// stops answering does to others.
    Kafka(Kafka),
    /// Be the upstream (a run starts it itself).
    Upstream {
        /// Where to answer HTTP.
        #[arg(long)]
        address: SocketAddr,
        /// Where to answer gRPC.
        #[arg(long)]
        grpc: SocketAddr,
        /// Where to take spans over OTLP.
        #[arg(long)]
        sink: SocketAddr,
        /// Microseconds between two events of a stream.
        #[arg(long, default_value_t = 0)]
        stream_gap: u64,
    },
    /// Be the bare Pingora proxy (a run starts it itself).
    Bare {
        /// Where to take requests.
        #[arg(long)]
        listen: SocketAddr,
        /// Where to send them.
        #[arg(long)]
        upstream: SocketAddr,
    },
    /// Become a program that ends with the one that started it.
    #[command(hide = true)]
    Tether {
        #[arg(long)]
        cpu: Option<usize>,
        #[arg(last = true, required = true)]
        program: Vec<OsString>,
    },
}

/// How much is measured.
#[derive(Args)]
struct Load {
    /// The gateway's binary [default: `weir` beside this program].
    #[arg(long)]
    weir: Option<PathBuf>,
    /// Bursts each contender gets per case.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// Requests in a burst.
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..))]
    requests: u32,
    /// Connections of the load generator, each with one request at a time; of gRPC, which shares
    /// connections, the calls there are at a time.
    #[arg(long, default_value_t = 32, value_parser = clap::value_parser!(u32).range(1..=128))]
    connections: u32,
    /// Let the scheduler choose instead of giving the contenders a CPU of their own.
    #[arg(long)]
    no_pin: bool,
    /// Put the tables into this file, between its results markers.
    #[arg(long)]
    out: Option<PathBuf>,
}

/// How streams are measured.
#[derive(Args)]
struct Streams {
    /// Requests in a burst of streams.
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..))]
    streams: u32,
    /// Microseconds the upstream waits between two events of a stream, so that each arrives by
    /// itself as a model's tokens do; 0 sends them as fast as it can.
    #[arg(long, default_value_t = 1_000)]
    stream_gap: u64,
}

/// What to measure beside proxies, and how.
#[derive(Args)]
struct Run {
    #[command(flatten)]
    load: Load,
    #[command(flatten)]
    streams: Streams,
    /// nginx's binary.
    #[arg(long, default_value = "/usr/sbin/nginx")]
    nginx: PathBuf,
    /// Only these cases.
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = Case::PROXIED)]
    only: Vec<Case>,
    /// Only these contenders.
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = Kind::PROXIES)]
    contenders: Vec<Kind>,
    /// Also count instructions in user space with `perf stat`, where the machine can.
    #[arg(long)]
    instructions: bool,
    /// Write every round's measurements here, as JSON.
    #[arg(long)]
    json: Option<PathBuf>,
}

/// What to measure beside other gateways, and how.
#[derive(Args)]
struct Llm {
    #[command(flatten)]
    load: Load,
    #[command(flatten)]
    streams: Streams,
    /// A Python environment with LiteLLM in it [default: what `make deps WHAT=bench` makes].
    #[arg(long)]
    litellm: Option<PathBuf>,
    /// A directory of Node modules with Portkey in it [default: what `make deps WHAT=bench` makes].
    #[arg(long)]
    portkey: Option<PathBuf>,
    /// Only these contenders.
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = Kind::GATEWAYS)]
    contenders: Vec<Kind>,
}

/// What to measure beside Envoy, and how.
#[derive(Args)]
struct Protocols {
    #[command(flatten)]
    load: Load,
    /// Envoy's binary [default: what `make deps WHAT=bench` fetches].
    #[arg(long)]
    envoy: Option<PathBuf>,
    /// Only these cases.
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = Case::PROTOCOLS)]
    only: Vec<Case>,
    /// Only these contenders.
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = Kind::PROTOCOLS)]
    contenders: Vec<Kind>,
}

/// What to measure of the bridge to Kafka, and how much.
#[derive(Args)]
struct Kafka {
    /// The gateway's binary [default: `weir` beside this program].
    #[arg(long)]
    weir: Option<PathBuf>,
    /// A directory of Kafka's jars [default: what `make deps WHAT=bench` fetches].
    #[arg(long)]
    kafka: Option<PathBuf>,
    /// A Python environment for the stand-in beside which is measured [default: what
    /// `make deps WHAT=bench` makes].
    #[arg(long)]
    proxy: Option<PathBuf>,
    /// Only these parts.
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = kafka::Part::ALL)]
    only: Vec<kafka::Part>,
    /// Bursts of each who publishes, per size.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// Records in a burst; the stand-in gets a fifth.
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..))]
    records: u32,
    /// Connections of those who publish, each with one record at a time.
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=512))]
    connections: u32,
    /// Subscribers of one topic.
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..))]
    subscribers: u32,
    /// Records a second that they are given.
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..))]
    rate: u32,
    /// For how many seconds.
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..))]
    seconds: u32,
    /// How often the broker stops answering.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..))]
    stalls: u32,
    /// Put the tables into this file, between its results markers.
    #[arg(long)]
    out: Option<PathBuf>,
}

impl Cli {
    /// Does what was asked for.
    pub fn execute(self) -> Result<(), Failure> {
        match self.command {
            Command::Run(run) => run.execute(),
            Command::Llm(llm) => llm.execute(),
            Command::Protocols(protocols) => protocols.execute(),
            Command::Hostile { weir, rounds } => {
                let options = hostile::Options {
                    weir: weir.map_or_else(|| beside_us("weir"), Ok)?,
                    rounds: rounds as usize,
                };
                println!("{}", hostile::run(&options)?);
                Ok(())
            }
            Command::Scrape { weir, rounds } => {
                let options = scrape::Options {
                    weir: weir.map_or_else(|| beside_us("weir"), Ok)?,
                    rounds: rounds as usize,
                };
                println!("{}", scrape::run(&options)?);
                Ok(())
            }
            Command::Documents { weir, rounds } => {
                let options = documents::Options {
                    weir: weir.map_or_else(|| beside_us("weir"), Ok)?,
                    rounds: rounds as usize,
                };
                println!("{}", documents::run(&options)?);
                Ok(())
            }
            Command::Idle {
                weir,
                connections,
                out,
            } => idle(weir, connections as usize, out.as_deref()),
            Command::Kafka(kafka) => kafka.execute(),
            Command::Upstream {
                address,
                grpc,
                sink,
                stream_gap,
            } => upstream::serve(upstream::Options {
                address,
                grpc,
                sink,
                stream_gap: Duration::from_micros(stream_gap),
            }),
            Command::Bare { listen, upstream } => bare::serve(listen, upstream),
            Command::Tether { cpu, program } => Err(tether::become_program(cpu, &program)),
        }
    }
}

fn idle(weir: Option<PathBuf>, connections: usize, out: Option<&Path>) -> Result<(), Failure> {
    let weir = weir.map_or_else(|| beside_us("weir"), Ok)?;
    if let Some(path) = out {
        report::check_markers(path, idle::RESULTS)?;
    }
    let text = stage::block_on(idle::run(&idle::Options { weir, connections }))?;
    println!("{text}");
    out.map_or(Ok(()), |path| report::publish(path, idle::RESULTS, &text))
}

impl Load {
    /// With streams, if any are measured.
    fn options(&self, programs: Programs, streams: Option<&Streams>) -> rounds::Options {
        rounds::Options {
            programs,
            cases: Vec::new(),
            kinds: Vec::new(),
            rounds: self.rounds as usize,
            requests: self.requests as usize,
            streams: streams.map_or(0, |streams| streams.streams as usize),
            connections: self.connections as usize,
            stream_gap: Duration::from_micros(streams.map_or(0, |streams| streams.stream_gap)),
            pin: !self.no_pin,
            instructions: false,
        }
    }

    fn weir(&self) -> Result<PathBuf, Failure> {
        self.weir.clone().map_or_else(|| beside_us("weir"), Ok)
    }
}

impl Run {
    fn execute(self) -> Result<(), Failure> {
        let programs = Programs {
            weir: self.load.weir()?,
            nginx: self.nginx,
            ..Programs::default()
        };
        let options = rounds::Options {
            cases: self.only,
            kinds: self.contenders,
            instructions: self.instructions,
            ..self.load.options(programs, Some(&self.streams))
        };
        // The published table is looked at first: nobody waits for minutes to learn of a typo.
        if let Some(path) = &self.load.out {
            report::check_markers(path, report::RESULTS)?;
        }
        let tables = stage::block_on(rounds::run(&options))?;
        let text = report::markdown(&options, &tables);
        println!("{text}");
        if let Some(path) = &self.json {
            report::write_json(path, &options, &tables)?;
        }
        if let Some(path) = &self.load.out {
            report::publish(path, report::RESULTS, &text)?;
        }
        Ok(())
    }
}

impl Llm {
    fn execute(self) -> Result<(), Failure> {
        let programs = Programs {
            weir: self.load.weir()?,
            litellm: self
                .litellm
                .map_or_else(|| beside_us("../bench/litellm"), Ok)?,
            portkey: self
                .portkey
                .map_or_else(|| beside_us("../bench/portkey"), Ok)?,
            ..Programs::default()
        };
        let options = rounds::Options {
            cases: Case::CHATS.into(),
            kinds: self.contenders,
            ..self.load.options(programs, Some(&self.streams))
        };
        if let Some(path) = &self.load.out {
            report::check_markers(path, llm::RESULTS)?;
        }
        let text = stage::block_on(llm::run(&options))?;
        println!("{text}");
        if let Some(path) = &self.load.out {
            report::publish(path, llm::RESULTS, &text)?;
        }
        Ok(())
    }
}

impl Protocols {
    fn execute(self) -> Result<(), Failure> {
        let programs = Programs {
            weir: self.load.weir()?,
            envoy: self
                .envoy
                .map_or_else(|| beside_us("../bench/envoy/bin/envoy"), Ok)?,
            ..Programs::default()
        };
        let options = rounds::Options {
            cases: self.only,
            kinds: self.contenders,
            ..self.load.options(programs, None)
        };
        if let Some(path) = &self.load.out {
            report::check_markers(path, protocols::RESULTS)?;
        }
        let text = stage::block_on(protocols::run(&options))?;
        println!("{text}");
        if let Some(path) = &self.load.out {
            report::publish(path, protocols::RESULTS, &text)?;
        }
        Ok(())
    }
}

impl Kafka {
    fn execute(self) -> Result<(), Failure> {
        let or = |path: Option<PathBuf>, ours| path.map_or_else(|| beside_us(ours), Ok);
        let options = kafka::Options {
            weir: or(self.weir, "weir")?,
            kafka: or(self.kafka, "../servers/kafka/libs")?,
            proxy: or(self.proxy, "../bench/karapace-like")?,
            disk: beside_us(".")?,
            parts: self.only,
            rounds: self.rounds as usize,
            records: self.records as usize,
            connections: self.connections as usize,
            subscribers: self.subscribers as usize,
            rate: self.rate,
            lasting: Duration::from_secs(self.seconds.into()),
            stalls: self.stalls as usize,
        };
        if let Some(path) = &self.out {
            report::check_markers(path, kafka::RESULTS)?;
        }
        let text = stage::block_on(kafka::run(&options))?;
        println!("{text}");
        if let Some(path) = &self.out {
            report::publish(path, kafka::RESULTS, &text)?;
        }
        Ok(())
    }
}

/// A path relative to the directory this program is in.
fn beside_us(path: &str) -> Result<PathBuf, Failure> {
    let this = std::env::current_exe().map_err(Failure::during("cannot find this program"))?;
    Ok(this.parent().unwrap_or(&this).join(path))
}
