//! A real Redis from the system's package, on a port and in a directory of its own; alone, behind
//! sentinels or in a cluster.
//!
//! It speaks to it through `redis-cli` only: what is stored there is the gateway's business.

mod cluster;
mod sentinel;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::child::{self, Child, Kind};
use crate::scratch::Scratch;
use crate::tls::{Authority, Validity};
use crate::{ports, wait};

pub use cluster::Cluster;
pub use sentinel::{MASTER, Watched};

/// What the gateway wants of a server: it appends to disk and never evicts.
const LASTING: [&str; 4] = ["--appendonly", "yes", "--maxmemory-policy", "noeviction"];

/// A running Redis; killed when dropped.
#[derive(Debug)]
pub struct Redis {
    dir: Scratch,
    port: u16,
    builder: Builder,
    child: Child,
}

/// A Redis to be started.
#[derive(Debug, Clone)]
pub struct Builder {
    /// What goes before `--port`, as the file a sentinel reads and writes.
    file: Option<String>,
    /// What the port is for.
    port: &'static str,
    arguments: Vec<String>,
    /// What `redis-cli` needs besides the port.
    cli: Vec<String>,
}

impl Builder {
    fn new(arguments: &[&str]) -> Builder {
        Builder {
            file: None,
            port: "--port",
            arguments: arguments.iter().map(|arg| (*arg).to_owned()).collect(),
            cli: Vec::new(),
        }
    }

    /// Adds arguments.
    #[must_use]
    pub fn args(mut self, arguments: &[&str]) -> Builder {
        let arguments = arguments.iter().map(|arg| (*arg).to_owned());
        self.arguments.extend(arguments);
        self
    }

    /// Has it speak TLS only, and only with who has a certificate of this authority. The files are
    /// written to `dir`: `ca.pem`, `redis.pem` and `redis.key`.
    #[must_use]
    pub fn tls(mut self, authority: &Authority, dir: &Path) -> Builder {
        let text = |path: PathBuf| path.display().to_string();
        let ca = text(authority.write(dir, "ca.pem"));
        let issued = authority.issue(&["127.0.0.1"], Validity::Current);
        let (certificate, key) = issued.write(dir, "redis");
        let (certificate, key) = (text(certificate), text(key));
        self.port = "--tls-port";
        self.cli.extend(["--tls".into(), "--cacert".into()]);
        self.cli.extend([ca.clone(), "--cert".into()]);
        self.cli.extend([certificate.clone(), "--key".into()]);
        self.cli.push(key.clone());
        self.args(&["--port", "0", "--tls-auth-clients", "yes"])
            .args(&["--tls-ca-cert-file", &ca, "--tls-key-file", &key])
            .args(&["--tls-cert-file", &certificate])
    }

    /// Turns the default user off, and lets in `root` with this password, who may do all and is
    /// who [`Redis::command`] speaks as, and the users of these lines of an access control list.
    #[must_use]
    pub fn users(mut self, root: &str, lines: &[&str]) -> Builder {
        self.cli.extend(["--user".into(), "root".into()]);
        self.cli.extend(["--pass".into(), root.to_owned()]);
        self.cli.push("--no-auth-warning".into());
        let root = format!("root on >{root} ~* &* +@all");
        let mut builder = self;
        for line in ["default off", &root].iter().chain(lines) {
            let words: Vec<&str> = line.split(' ').collect();
            builder = builder.args(&["--user"]).args(&words);
        }
        builder
    }

    /// Starts it.
    ///
    /// # Panics
    /// If it does not come up; the message holds its log.
    pub async fn start(self) -> Redis {
        let mut failure = String::new();
        for _ in 0..3 {
            let dir = Scratch::new("redis");
            if let Some(file) = &self.file {
                dir.write(sentinel::FILE, file);
            }
            let port = ports::free();
            let child = Child::start("redis", self.command(&dir, port));
            if child.ready(wait::DEADLINE, || self.answers(port)).await {
                return Redis {
                    dir,
                    port,
                    builder: self,
                    child,
                };
            }
            failure = child.transcript();
        }
        panic!("Redis does not start:\n{failure}");
    }

    fn command(&self, dir: &Scratch, port: u16) -> Command {
        let mut command = child::command("redis-server");
        match self.file {
            Some(_) => command
                .arg(dir.path().join(sentinel::FILE))
                .arg("--sentinel"),
            None => command.args(["--save", ""]),
        };
        command
            .args([self.port, &port.to_string()])
            .args(["--bind", "127.0.0.1", "--dir"])
            .arg(dir.path())
            .args(&self.arguments);
        command
    }

    async fn answers(&self, port: u16) -> bool {
        self.cli(port, &["PING"])
            .is_ok_and(|answer| answer == "PONG")
    }

    fn cli(&self, port: u16, words: &[&str]) -> Result<String, String> {
        let output = Command::new("redis-cli")
            .args(["-p", &port.to_string()])
            .args(&self.cli)
            .args(words)
            .output()
            .map_err(|error| error.to_string())?;
        match output.status.success() {
            true => Ok(String::from_utf8_lossy(&output.stdout)
                .trim_end()
                .to_owned()),
            false => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
        }
    }
}

impl Redis {
    /// Starts one as the gateway wants it: `appendonly yes`, `maxmemory-policy noeviction`.
    ///
    /// # Panics
    /// If it does not come up; the message holds its log.
    pub async fn start() -> Redis {
        Redis::builder().start().await
    }

    /// Starts one with these arguments instead.
    ///
    /// # Panics
    /// If it does not come up; the message holds its log.
    pub async fn with(arguments: &[&str]) -> Redis {
        Builder::new(arguments).start().await
    }

    /// One as the gateway wants it, to which more may be said.
    pub fn builder() -> Builder {
        Builder::new(&LASTING)
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    /// `redis://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("redis://{}", self.addr())
    }

    /// The server's process id.
    pub fn pid(&self) -> u32 {
        self.child.pid()
    }

    /// Runs one command and returns what `redis-cli` prints, without the last line end.
    ///
    /// # Panics
    /// If `redis-cli` fails.
    pub fn command(&self, words: &[&str]) -> String {
        self.try_command(words)
            .unwrap_or_else(|error| panic!("redis-cli {words:?}: {error}"))
    }

    /// The same where nobody may answer.
    ///
    /// # Errors
    /// What `redis-cli` says.
    pub fn try_command(&self, words: &[&str]) -> Result<String, String> {
        self.builder.cli(self.port, words)
    }

    /// Freezes it: connections stay, nothing is answered.
    pub fn pause(&self) {
        self.child.freeze();
    }

    /// Lets it go on.
    pub fn resume(&self) {
        self.child.signal(Kind::SIGCONT);
    }

    /// Stops it in order; its files stay for [`Redis::restart`].
    ///
    /// # Panics
    /// If it does not end.
    pub async fn stop(&self) {
        self.resume();
        self.child.stop().await;
    }

    /// Kills it; what it had written stays for [`Redis::restart`].
    ///
    /// # Panics
    /// If it does not end.
    pub async fn kill(&self) {
        self.child.signal(Kind::SIGKILL);
        self.child.wait_exit().await;
    }

    /// Kills it and starts it again on the same port and files, which hold what it had written.
    ///
    /// # Panics
    /// If it does not come up.
    pub async fn crash(&mut self) {
        self.kill().await;
        self.restart().await;
    }

    /// Kills it and starts it again with nothing of what it kept. A node of a cluster is still
    /// that node.
    ///
    /// # Panics
    /// If it does not come up.
    pub async fn lose(&mut self) {
        self.kill().await;
        // There is none if it never appended.
        let _ = std::fs::remove_dir_all(self.dir.path().join("appendonlydir"));
        self.restart().await;
    }

    /// Starts it again on the same port and files.
    ///
    /// # Panics
    /// If it does not come up.
    pub async fn restart(&mut self) {
        self.stop().await;
        let port = self.port;
        self.child = Child::start("redis", self.builder.command(&self.dir, port));
        let answers = || self.builder.answers(port);
        assert!(
            self.child.ready(wait::DEADLINE, answers).await,
            "Redis does not start again:\n{}",
            self.child.transcript()
        );
    }
}
