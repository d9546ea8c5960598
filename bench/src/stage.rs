//! Everyone who is running: the upstream, and the contenders in front of it. They end with it, and
//! so do their files. What is asked of them is not known here.

use std::time::Duration;

use tempfile::TempDir;
use tokio::signal::unix::{SignalKind, signal};

use crate::case::Case;
use crate::contender::{self, Contender, Kind, Programs, Site};
use crate::failure::Failure;
use crate::machine;
use crate::process::{self, Process};

/// What is to run, and where.
pub struct Plan<'a> {
    /// The contenders.
    pub kinds: &'a [Kind],
    /// What they will be asked; who serves none of it is not started.
    pub cases: &'a [Case],
    /// Where the programs are.
    pub programs: &'a Programs,
    /// The upstream's pause between two events of a stream.
    pub stream_gap: Duration,
    /// Whether contenders get a CPU of their own.
    pub pin: bool,
}

/// Everyone, running.
pub struct Stage {
    /// In the order they were named.
    pub contenders: Vec<Contender>,
    /// Where they are.
    pub site: Site,
    _upstream: Process,
    _directory: TempDir,
}

impl Stage {
    /// Starts everyone, and returns when each has answered rightly.
    pub async fn set(plan: &Plan<'_>) -> Result<Self, Failure> {
        let directory = tempfile::Builder::new()
            .prefix("weir-bench-")
            .tempdir()
            .map_err(Failure::during("cannot make a temporary directory"))?;
        let cpu = if plan.pin {
            machine::reserve_cpu()?
        } else {
            None
        };
        let site = Site {
            directory: directory.path().to_owned(),
            upstream: contender::free_address()?,
            grpc: contender::free_address()?,
            sink: contender::free_address()?,
            programs: plan.programs.clone(),
            cpu,
        };
        let mut upstream = start_upstream(&site, plan.stream_gap)?;
        let mut contenders = Vec::new();
        for kind in plan.kinds {
            if let Some(case) = plan.cases.iter().find(|case| kind.serves(**case)) {
                eprintln!("starting {}", kind.name());
                let started = Contender::start(*kind, *case, &site).await;
                upstream.check_alive()?;
                contenders.push(started?);
            }
        }
        Ok(Self {
            contenders,
            site,
            _upstream: upstream,
            _directory: directory,
        })
    }
}

/// Does `work` on this thread alone, because children live as long as the thread that started
/// them; interrupted, gives it up, and with it all that it has started.
pub fn block_on<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(Failure::during("cannot start the runtime"))?;
    runtime.block_on(async {
        tokio::select! {
            done = work => done,
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

fn start_upstream(site: &Site, gap: Duration) -> Result<Process, Failure> {
    let this = std::env::current_exe().map_err(Failure::during("cannot find this program"))?;
    let arguments = [
        "upstream".to_owned(),
        format!("--address={}", site.upstream),
        format!("--grpc={}", site.grpc),
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
