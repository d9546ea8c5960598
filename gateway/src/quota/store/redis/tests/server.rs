//! A Redis of the system's package, for one test.

use std::net::{Ipv4Addr, TcpListener};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// A running server; killed when dropped.
pub(super) struct Server {
    pub(super) port: u16,
    pub(super) dir: PathBuf,
    arguments: Vec<String>,
    child: Child,
}

impl Server {
    /// Starts one that keeps nothing, unless the arguments say otherwise.
    pub(super) fn start(arguments: &[&str]) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        drop(listener);
        let name = format!("weir-redis-{}-{port}", std::process::id());
        let dir = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&dir).unwrap();
        let arguments: Vec<String> = arguments.iter().map(ToString::to_string).collect();
        let child = run(port, &dir, &arguments);
        let server = Self {
            port,
            dir,
            arguments,
            child,
        };
        drop(server.connect());
        server
    }

    /// A connection of the test's own, once the server answers.
    pub(super) fn connect(&self) -> redis::Connection {
        let client = redis::Client::open(format!("redis://127.0.0.1:{}", self.port)).unwrap();
        let mut failure = String::new();
        for _ in 0..500 {
            match client.get_connection() {
                Ok(mut connection) => {
                    let pong: redis::RedisResult<String> =
                        redis::cmd("PING").query(&mut connection);
                    match pong {
                        Ok(_) => return connection,
                        Err(e) => failure = e.to_string(),
                    }
                }
                Err(e) => failure = e.to_string(),
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        panic!("redis-server does not come up: {failure}");
    }

    /// Kills it as a crash would, and starts it again.
    pub(super) fn crash(&mut self) {
        self.kill();
        self.child = run(self.port, &self.dir, &self.arguments);
        drop(self.connect());
    }

    pub(super) fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn run(port: u16, dir: &PathBuf, arguments: &[String]) -> Child {
    Command::new("redis-server")
        .args(["--bind", "127.0.0.1", "--save", "", "--port"])
        .arg(port.to_string())
        .arg("--dir")
        .arg(dir)
        .args(arguments)
        .stdout(Stdio::null())
        .spawn()
        .expect("redis-server is installed (`make deps`)")
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}
