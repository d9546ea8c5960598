//! A gateway by itself, with nothing beside it, and a caller of it that waits for each answer.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::contender::free_address;
use crate::failure::Failure;
use crate::process::{Plan, Process};
use crate::wire::find;

/// How long the gateway may take to start.
const READY_WITHIN: Duration = Duration::from_secs(20);

/// A running gateway, stopped when it is dropped.
pub struct Gateway {
    /// Where it listens.
    pub address: SocketAddr,
    /// Where its figures are read.
    pub metrics: SocketAddr,
    /// Its process.
    pub process: Process,
    /// Where its files are, `data_dir` included.
    pub directory: TempDir,
}

/// How a gateway is set up, besides what its configuration says.
pub struct Setting<'a> {
    /// The gateway's binary.
    pub weir: &'a Path,
    /// Its workers; as many as there are cores, if not said.
    pub workers: Option<usize>,
    /// The directory its own is made in.
    pub parent: &'a Path,
}

impl Gateway {
    /// Starts the binary `weir` with as many workers as there are cores, a store `ledger` in memory, and
    /// the `sections` of a configuration beside.
    pub fn start(weir: &Path, sections: &str) -> Result<Self, Failure> {
        let setting = Setting {
            weir,
            workers: None,
            parent: &std::env::temp_dir(),
        };
        Self::set_up(&setting, sections)
    }

    /// The same, set up otherwise.
    pub fn set_up(setting: &Setting<'_>, sections: &str) -> Result<Self, Failure> {
        let directory = tempfile::Builder::new()
            .prefix("weir-bench-")
            .tempdir_in(setting.parent)
            .map_err(Failure::during("cannot make a temporary directory"))?;
        let (address, metrics) = (free_address()?, free_address()?);
        let workers = setting.workers.map_or_else(String::new, |workers| {
            format!("worker_threads: {workers}, ")
        });
        let text = format!(
            "version: 1
listeners: [{{ name: bench, address: {address} }}]
metrics: {{ address: {metrics} }}
admin: {{ address: {} }}
server: {{ {workers}data_dir: {:?} }}
telemetry: {{ access_log: {{ output: none }} }}
stores: [{{ name: ledger, kind: memory }}]
{sections}",
            free_address()?,
            directory.path().display().to_string(),
        );
        let path = directory.path().join("weir.yaml");
        let failed = "cannot write the gateway's configuration";
        fs::write(&path, text).map_err(Failure::during(failed))?;
        let command = [
            setting.weir.as_os_str(),
            "run".as_ref(),
            "--config".as_ref(),
            path.as_ref(),
        ];
        let mut process = Process::start(Plan {
            name: "weir",
            command: command.map(Into::into).into(),
            environment: Vec::new(),
            directory: directory.path(),
            cpu: None,
        })?;
        wait_until_ready(&mut process, address)?;
        Ok(Self {
            address,
            metrics,
            process,
            directory,
        })
    }
}

fn wait_until_ready(gateway: &mut Process, address: SocketAddr) -> Result<(), Failure> {
    let deadline = Instant::now() + READY_WITHIN;
    while TcpStream::connect(address).is_err() {
        gateway.check_alive()?;
        if Instant::now() > deadline {
            return Err(Failure::new(format!(
                "the gateway does not listen:\n{}",
                gateway.last_words()
            )));
        }
        thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

/// A connection that blocks, and reads answers with a Content-Length.
pub struct Client {
    socket: TcpStream,
    read: Vec<u8>,
}

impl Client {
    /// Connects.
    pub fn connect(address: SocketAddr) -> Result<Self, Failure> {
        let socket = TcpStream::connect(address)
            .and_then(|socket| socket.set_nodelay(true).map(|()| socket))
            .map_err(Failure::during(format_args!("cannot connect to {address}")))?;
        let read = Vec::new();
        Ok(Self { socket, read })
    }

    /// Sends a request, and waits for its whole answer, which has to have that status; how many bytes it
    /// has, its head included.
    pub fn ask(&mut self, request: &[u8], status: &[u8]) -> Result<usize, Failure> {
        let broken = "a connection broke before its answer was whole";
        self.read.clear();
        self.socket
            .write_all(request)
            .map_err(Failure::during(broken))?;
        let mut piece = vec![0; 64 * 1024];
        while !is_whole(&self.read) {
            let length = self
                .socket
                .read(&mut piece)
                .map_err(Failure::during(broken))?;
            if length == 0 {
                return Err(Failure::new(broken));
            }
            self.read.extend_from_slice(&piece[..length]);
        }
        if self.read.get(9..12) != Some(status) {
            let text = String::from_utf8_lossy(&self.read).into_owned();
            return Err(Failure::new(format!("an answer is another:\n{text}")));
        }
        Ok(self.read.len())
    }
}

fn is_whole(answer: &[u8]) -> bool {
    let Some(head) = find(answer, b"\r\n\r\n") else {
        return false;
    };
    let fields = String::from_utf8_lossy(&answer[..head]).to_lowercase();
    let mut length = fields.lines().filter_map(|line| {
        let value = line.strip_prefix("content-length:")?;
        value.trim().parse::<usize>().ok()
    });
    answer.len() >= head + 4 + length.next().unwrap_or(0)
}
