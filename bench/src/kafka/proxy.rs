//! The stand-ins for Karapace's REST proxy: `bench/karapace-like` says what they are, this starts them.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio::time::sleep;

use crate::contender::free_address;
use crate::failure::Failure;
use crate::process::{Plan, Process};

/// Where its text is kept, so that it is the one this program was built with.
const PROXY: &str = include_str!("../../karapace-like/proxy.py");
const READY_WITHIN: Duration = Duration::from_secs(30);

/// How much of Karapace's it does.
#[derive(Clone, Copy)]
pub enum Kind {
    /// What no proxy could leave out.
    Least,
    /// The steps that Karapace's source shows.
    Like,
}

impl Kind {
    const fn word(self) -> &'static str {
        match self {
            Self::Least => "least",
            Self::Like => "like",
        }
    }
}

/// The proxy, running.
pub struct Proxy {
    /// Where it listens.
    pub address: SocketAddr,
    /// Its process.
    pub process: Process,
    _directory: TempDir,
}

impl Proxy {
    /// Starts it with the Python environment `python`, and waits until it listens.
    pub async fn start(kind: Kind, python: &Path, broker: SocketAddr) -> Result<Self, Failure> {
        let program = python.join("bin/python");
        if !program.exists() {
            return Err(Failure::new(format!(
                "no Python at {}: `make deps WHAT=bench` makes it, or name another with --proxy",
                program.display()
            )));
        }
        let directory = tempfile::Builder::new()
            .prefix("weir-bench-")
            .tempdir()
            .map_err(Failure::during("cannot make a temporary directory"))?;
        let path = directory.path().join("proxy.py");
        fs::write(&path, PROXY).map_err(Failure::during("cannot write the proxy"))?;
        let address = free_address()?;
        let process = Process::start(Plan {
            name: "karapace-like",
            command: vec![
                program.into(),
                path.into(),
                kind.word().into(),
                broker.to_string().into(),
                address.port().to_string().into(),
            ],
            environment: Vec::new(),
            directory: directory.path(),
            cpu: None,
        })?;
        let mut proxy = Self {
            address,
            process,
            _directory: directory,
        };
        let deadline = Instant::now() + READY_WITHIN;
        while TcpStream::connect(address).await.is_err() {
            proxy.process.check_alive()?;
            if Instant::now() > deadline {
                return Err(Failure::new(format!(
                    "the proxy does not listen:\n{}",
                    proxy.process.last_words()
                )));
            }
            sleep(Duration::from_millis(50)).await;
        }
        Ok(proxy)
    }
}
