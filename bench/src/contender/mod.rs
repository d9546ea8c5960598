//! The contenders: who they are, which cases each serves, and how one is started and found ready.
//!
//! What a contender's own configuration looks like is in [`nginx`] and [`weir`].

mod nginx;
mod weir;

use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use nix::unistd::Pid;

use crate::case::Case;
use crate::failure::Failure;
use crate::load::Clients;
use crate::process::{self, Process};

/// How long a contender may take until it answers.
const READY_WITHIN: Duration = Duration::from_secs(20);

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
}

impl Kind {
    /// Everyone, in the order of a table's lines.
    pub const ALL: [Self; 5] = [
        Self::Nginx,
        Self::Bare,
        Self::WeirForward,
        Self::WeirPolicies,
        Self::WeirLlm,
    ];

    /// The name on the command line, in tables and in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Nginx => "nginx",
            Self::Bare => "bare",
            Self::WeirForward => "weir-forward",
            Self::WeirPolicies => "weir-policies",
            Self::WeirLlm => "weir-llm",
        }
    }

    /// Whether it takes part in `case`.
    pub fn serves(self, case: Case) -> bool {
        let chat = matches!(case, Case::Llm | Case::LlmStream);
        match self {
            Self::Nginx | Self::Bare => true,
            Self::WeirForward | Self::WeirPolicies => !chat,
            Self::WeirLlm => chat,
        }
    }

    /// The price it may have in `case`, as a multiple of the bare proxy's.
    pub fn asked(self, case: Case) -> Option<f64> {
        match (self, case) {
            (Self::Nginx | Self::Bare, _) => None,
            (Self::WeirForward, _) => Some(1.2),
            (Self::WeirPolicies, _) => Some(1.45),
            (Self::WeirLlm, Case::LlmStream) => Some(1.5),
            (Self::WeirLlm, _) => Some(1.4),
        }
    }
}

/// Where contenders find what they need.
pub struct Site {
    /// A directory for configurations and logs.
    pub directory: PathBuf,
    /// The upstream's address.
    pub upstream: SocketAddr,
    /// Where spans may be exported to.
    pub sink: SocketAddr,
    /// nginx's binary.
    pub nginx: PathBuf,
    /// The gateway's binary.
    pub weir: PathBuf,
    /// The CPU contenders run on; all if none.
    pub cpu: Option<usize>,
}

/// A contender, running.
pub struct Contender {
    /// Who it is.
    pub kind: Kind,
    /// Where it takes requests.
    pub address: SocketAddr,
    /// The process whose CPU time is its price.
    pub measured: Pid,
    process: Process,
}

impl Contender {
    /// Starts it and waits until it answers `case` rightly.
    pub async fn start(kind: Kind, case: Case, site: &Site) -> Result<Self, Failure> {
        let address = free_address()?;
        let mut environment = Vec::new();
        let command = match kind {
            Kind::Nginx => nginx::command(site, address)?,
            Kind::Bare => bare_command(site, address)?,
            Kind::WeirForward | Kind::WeirPolicies | Kind::WeirLlm => {
                environment.push(weir::EXPORT_OFTEN);
                weir::command(kind, site, address)?
            }
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
        };
        contender.wait_until_ready(case).await?;
        if kind == Kind::Nginx {
            contender.measured = nginx::worker(contender.process.pid())?;
        }
        Ok(contender)
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
            match Clients::open(self.address, case, 1).await {
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
