//! A real Redis from the system's package, on a port and in a directory of its own.
//!
//! It speaks to it through `redis-cli` only: what is stored there is the gateway's business.

use std::net::{Ipv4Addr, SocketAddr};
use std::process::Command;

use crate::child::{self, Child, Kind};
use crate::scratch::Scratch;
use crate::{ports, wait};

/// A running Redis that appends to disk and never evicts; killed when dropped.
#[derive(Debug)]
pub struct Redis {
    dir: Scratch,
    port: u16,
    arguments: Vec<String>,
    child: Child,
}

impl Redis {
    /// Starts one as the gateway wants it: `appendonly yes`, `maxmemory-policy noeviction`.
    ///
    /// # Panics
    /// If it does not come up; the message holds its log.
    pub async fn start() -> Redis {
        Redis::with(&["--appendonly", "yes", "--maxmemory-policy", "noeviction"]).await
    }

    /// Starts one with these arguments instead.
    ///
    /// # Panics
    /// If it does not come up; the message holds its log.
    pub async fn with(arguments: &[&str]) -> Redis {
        let arguments: Vec<String> = arguments.iter().map(|arg| (*arg).to_owned()).collect();
        let mut failure = String::new();
        for _ in 0..3 {
            let dir = Scratch::new("redis");
            let port = ports::free();
            let child = Child::start("redis", command(&dir, port, &arguments));
            if child.ready(wait::DEADLINE, || answers(port)).await {
                return Redis {
                    dir,
                    port,
                    arguments,
                    child,
                };
            }
            failure = child.transcript();
        }
        panic!("Redis does not start:\n{failure}");
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
        cli(self.port, words).unwrap_or_else(|error| panic!("redis-cli {words:?}: {error}"))
    }

    /// Freezes it: connections stay, nothing is answered.
    pub fn pause(&self) {
        self.child.signal(Kind::SIGSTOP);
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

    /// Starts it again on the same port and files.
    ///
    /// # Panics
    /// If it does not come up.
    pub async fn restart(&mut self) {
        self.stop().await;
        self.child = Child::start("redis", command(&self.dir, self.port, &self.arguments));
        let port = self.port;
        assert!(
            self.child.ready(wait::DEADLINE, || answers(port)).await,
            "Redis does not start again:\n{}",
            self.child.transcript()
        );
    }
}

fn command(dir: &Scratch, port: u16, arguments: &[String]) -> Command {
    let mut command = child::command("redis-server");
    command
        .args(["--port", &port.to_string()])
        .args(["--bind", "127.0.0.1", "--save", "", "--dir"])
        .arg(dir.path())
        .args(arguments);
    command
}

async fn answers(port: u16) -> bool {
    cli(port, &["PING"]).is_ok_and(|answer| answer == "PONG")
}

fn cli(port: u16, words: &[&str]) -> Result<String, String> {
    let output = Command::new("redis-cli")
        .args(["-p", &port.to_string()])
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
