//! The contenders: who they are, which cases each serves, and how one is started and found ready.
//!
//! What a contender's own configuration looks like is in [`nginx`], [`envoy`], [`weir`], [`litellm`]
//! and [`portkey`].

mod envoy;
mod litellm;
mod nginx;
mod portkey;
mod weir;

use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use nix::unistd::Pid;

use crate::case::Case;
use crate::cpu;
use crate::failure::Failure;
use crate::load::{Clients, Exchange};
use crate::machine;
use crate::process::{self, Process};

/// How long a contender may take until it answers; LiteLLM imports for a while.
const READY_WITHIN: Duration = Duration::from_secs(120);
/// More than any run uses: quotas are counted, never exhausted.
const PLENTY: u64 = 1_000_000_000_000;

/// Who is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Kind {
    /// nginx, one worker, upstream keep-alive, no access log.
    Nginx,
    /// A Pingora proxy without logic.
    Bare,
    /// The gateway: forward, metrics on.
    WeirForward,
    /// The gateway: forward, with key_auth, a quota of requests, and 1 % of spans exported.
    WeirPolicies,
    /// The gateway: the LLM route, with key_auth, a quota of tokens, metrics.
    WeirLlm,
    /// The same, with 1 % of spans exported.
    WeirOpenai,
    /// The same again, in front of a provider that speaks Anthropic's dialect.
    WeirAnthropic,
    /// Envoy, one worker, no access log.
    Envoy,
    /// The same, counting calls by method and status.
    EnvoyStats,
    /// The gateway: the gRPC route, metrics on.
    WeirGrpc,
    /// The gateway: the WebSocket route, metrics on.
    WeirWebsocket,
    /// Portkey's open gateway.
    Portkey,
    /// LiteLLM's proxy.
    Litellm,
}

impl Kind {
    /// Who is measured beside proxies, in the order of a table's lines.
    pub const PROXIES: [Self; 5] = [
        Self::Nginx,
        Self::Bare,
        Self::WeirForward,
        Self::WeirPolicies,
        Self::WeirLlm,
    ];
    /// Who is measured beside other gateways of language models.
    pub const GATEWAYS: [Self; 4] = [
        Self::WeirOpenai,
        Self::WeirAnthropic,
        Self::Portkey,
        Self::Litellm,
    ];

    /// Who is measured in protocols other than requests over HTTP/1.1.
    pub const PROTOCOLS: [Self; 5] = [
        Self::Envoy,
        Self::EnvoyStats,
        Self::WeirGrpc,
        Self::WeirWebsocket,
        Self::WeirForward,
    ];

    /// The name on the command line, in tables and in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Nginx => "nginx",
            Self::Bare => "bare",
            Self::WeirForward => "weir-forward",
            Self::WeirPolicies => "weir-policies",
            Self::WeirLlm => "weir-llm",
            Self::WeirOpenai => "weir-openai",
            Self::WeirAnthropic => "weir-anthropic",
            Self::Envoy => "envoy",
            Self::EnvoyStats => "envoy-stats",
            Self::WeirGrpc => "weir-grpc",
            Self::WeirWebsocket => "weir-websocket",
            Self::Portkey => "portkey",
            Self::Litellm => "litellm",
        }
    }

    /// Whether it takes part in `case`.
    pub fn serves(self, case: Case) -> bool {
        let chat = case.is_chat();
        match self {
            Self::Nginx | Self::Bare => !Case::PROTOCOLS.contains(&case),
            Self::WeirForward => !chat && case != Case::Grpc,
            Self::WeirPolicies => matches!(case, Case::Get | Case::Post),
            Self::WeirLlm
            | Self::WeirOpenai
            | Self::WeirAnthropic
            | Self::Portkey
            | Self::Litellm => chat,
            Self::Envoy => Case::PROTOCOLS.contains(&case),
            Self::EnvoyStats | Self::WeirGrpc => case == Case::Grpc,
            Self::WeirWebsocket => case == Case::Websocket,
        }
    }

    /// Whether it is the gateway, in whatever part.
    pub fn is_weir(self) -> bool {
        !matches!(
            self,
            Self::Nginx
                | Self::Bare
                | Self::Envoy
                | Self::EnvoyStats
                | Self::Portkey
                | Self::Litellm
        )
    }

    /// How it is loaded: by which part of a burst, and over how many connections at most. Who
    /// needs milliseconds for a request gets fewer, or a run would take an hour.
    pub fn share(self) -> (usize, usize) {
        match self {
            Self::Portkey => (5, 16),
            Self::Litellm => (25, 8),
            _ => (1, usize::MAX),
        }
    }

    /// The price it may have in `case`, as a multiple of the bare proxy's.
    pub fn asked(self, case: Case) -> Option<f64> {
        match (self, case) {
            (Self::WeirForward, _) => Some(1.2),
            (Self::WeirPolicies, _) => Some(1.45),
            (Self::WeirLlm, _) if case.is_stream() => Some(1.5),
            (Self::WeirLlm, _) => Some(1.4),
            _ => None,
        }
    }
}

/// Where the programs are; of those that are not to run it does not matter.
#[derive(Clone, Debug, Default)]
pub struct Programs {
    /// The gateway's binary.
    pub weir: PathBuf,
    /// nginx's binary.
    pub nginx: PathBuf,
    /// Envoy's binary, or a launcher of it.
    pub envoy: PathBuf,
    /// A Python environment with LiteLLM in it.
    pub litellm: PathBuf,
    /// A directory of Node modules with Portkey and a Node among them.
    pub portkey: PathBuf,
}

/// Where contenders find what they need.
pub struct Site {
    /// A directory for configurations and logs.
    pub directory: PathBuf,
    /// The upstream's address.
    pub upstream: SocketAddr,
    /// Where it answers gRPC.
    pub grpc: SocketAddr,
    /// Where spans may be exported to.
    pub sink: SocketAddr,
    /// Where the programs are.
    pub programs: Programs,
    /// The CPU contenders run on; all if none.
    pub cpu: Option<usize>,
}

/// A contender, running.
pub struct Contender {
    /// Who it is.
    pub kind: Kind,
    /// Where it takes requests.
    pub address: SocketAddr,
    /// The process whose CPU time is its price, and that of all that descend from it.
    pub measured: Pid,
    process: Process,
    /// The CPU it is measured on, if it has one to itself.
    cpu: Option<usize>,
    /// Lines that its callers add to the heads of requests.
    header: String,
}

impl Contender {
    /// Starts it and waits until it answers `case` rightly.
    pub async fn start(kind: Kind, case: Case, site: &Site) -> Result<Self, Failure> {
        let address = free_address()?;
        let (name, value) = weir::EXPORT_OFTEN;
        let mut environment = vec![(name, value.to_owned())];
        let mut header = String::new();
        let command = match kind {
            Kind::Nginx => nginx::command(site, address)?,
            Kind::Bare => bare_command(site, address)?,
            Kind::Envoy | Kind::EnvoyStats => envoy::command(kind, site, address)?,
            Kind::Litellm => {
                environment.extend(litellm::environment(site));
                litellm::command(site, address)?
            }
            Kind::Portkey => {
                environment.extend(portkey::environment());
                header = portkey::header(site.upstream);
                portkey::command(site, address)?
            }
            _ => weir::command(kind, site, address)?,
        };
        let process = Process::start(process::Plan {
            name: kind.name(),
            command,
            environment,
            directory: &site.directory,
            cpu: site.cpu,
        })?;
        let mut contender = Self {
            kind,
            address,
            measured: process.pid(),
            process,
            cpu: site.cpu,
            header,
        };
        contender.wait_until_ready(case).await?;
        if kind == Kind::Nginx {
            contender.measured = nginx::worker(contender.process.pid())?;
        }
        Ok(contender)
    }

    /// What its callers send it in `case`, and what it must answer.
    pub fn exchange(&self, case: Case) -> Exchange {
        let written = Kind::GATEWAYS.contains(&self.kind);
        case.exchange(self.address, &self.header, written)
    }

    /// Puts it on the contenders' CPU to be measured, or out of the way of who is: what Python does
    /// while nobody calls it would be in the caches of everybody else.
    pub fn place(&self, measured: bool) -> Result<(), Failure> {
        let Some(cpu) = self.cpu else {
            return Ok(());
        };
        cpu::tree(self.process.pid())
            .into_iter()
            .try_for_each(|process| machine::place(process, measured.then_some(cpu)))
    }

    /// CPU time it has spent, with all that descend from it and are still there.
    pub fn spent(&self) -> Result<Duration, Failure> {
        cpu::tree(self.measured).into_iter().map(cpu::spent).sum()
    }

    /// Resident memory in bytes.
    pub fn resident(&self) -> Result<u64, Failure> {
        cpu::tree(self.measured)
            .into_iter()
            .map(cpu::resident)
            .sum()
    }

    /// Adds who it was, and what it said last, to why a burst failed.
    pub fn explain(&mut self, failure: &Failure) -> Failure {
        let name = self.kind.name();
        let words = match self.process.check_alive() {
            Err(left) => left.to_string(),
            Ok(()) => self.process.last_words(),
        };
        Failure::new(format!("{name}: {failure}\n{words}"))
    }

    async fn wait_until_ready(&mut self, case: Case) -> Result<(), Failure> {
        let deadline = Instant::now() + READY_WITHIN;
        loop {
            self.process.check_alive()?;
            match Clients::open(self.address, self.exchange(case), 1).await {
                Ok(_) => return Ok(()),
                Err(failure) if Instant::now() > deadline => return Err(self.explain(&failure)),
                Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        }
    }
}

fn bare_command(site: &Site, address: SocketAddr) -> Result<Vec<std::ffi::OsString>, Failure> {
    let this = std::env::current_exe().map_err(Failure::during("cannot find this program"))?;
    Ok(vec![
        this.into(),
        "bare".into(),
        "--listen".into(),
        address.to_string().into(),
        "--upstream".into(),
        site.upstream.to_string().into(),
    ])
}

/// A loopback address nobody listens on. Somebody may take it before it is used; then whoever
/// it was meant for fails to start and says so.
pub fn free_address() -> Result<SocketAddr, Failure> {
    TcpListener::bind((std::net::Ipv4Addr::LOCALHOST, 0))
        .and_then(|listener| listener.local_addr())
        .map_err(Failure::during("cannot find a free port"))
}
