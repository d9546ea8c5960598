//! A real Prometheus from the system's package, scraping what it is told to.
//!
//! It answers whether the gateway's metrics arrive where operators look; it knows none by name.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::child::{self, Child};
use crate::scratch::Scratch;
use crate::{ports, wait, wire};

/// A running Prometheus; killed when dropped.
#[derive(Debug)]
pub struct Prometheus {
    port: u16,
    child: Child,
    _dir: Scratch,
}

impl Prometheus {
    /// Starts one that scrapes `/metrics` of these addresses every second and evaluates these
    /// rule files.
    ///
    /// # Panics
    /// If it does not come up; the message holds its log.
    pub async fn start(targets: &[SocketAddr], rules: &[&Path]) -> Prometheus {
        let targets: Vec<String> = targets.iter().map(SocketAddr::to_string).collect();
        // JSON is YAML.
        let configuration = serde_json::json!({
            "global": { "scrape_interval": "1s", "evaluation_interval": "1s" },
            "rule_files": rules,
            "scrape_configs": [{ "job_name": "weir", "static_configs": [{ "targets": targets }] }],
        });
        let mut failure = String::new();
        for _ in 0..3 {
            let dir = Scratch::new("prometheus");
            dir.write("prometheus.yml", configuration.to_string());
            let port = ports::free();
            let child = Child::start("prometheus", command(&dir, port));
            if child.ready(wait::DEADLINE, || ready(port)).await {
                return Prometheus {
                    port,
                    child,
                    _dir: dir,
                };
            }
            failure = child.transcript();
        }
        panic!("Prometheus does not start:\n{failure}");
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    /// The server's process id.
    pub fn pid(&self) -> u32 {
        self.child.pid()
    }

    /// The value of an instant query's first series; `None` if there is none.
    ///
    /// # Panics
    /// If the expression is refused.
    pub async fn query(&self, expression: &str) -> Option<f64> {
        let answer = self
            .api(&format!("query?query={}", escape(expression)))
            .await;
        let value = answer["data"]["result"][0]["value"][1].as_str()?;
        value.parse().ok()
    }

    /// Whether an instant query has an answer in which some value is a number.
    ///
    /// # Panics
    /// If the expression is refused.
    pub async fn has_a_number(&self, expression: &str) -> bool {
        let answer = self
            .api(&format!("query?query={}", escape(expression)))
            .await;
        let found = answer["data"]["result"].as_array().into_iter().flatten();
        let mut values = found.filter_map(|series| series["value"][1].as_str()?.parse().ok());
        values.any(|value: f64| !value.is_nan())
    }

    /// The labels of all series of an instant query.
    ///
    /// # Panics
    /// If the expression is refused.
    pub async fn series(&self, expression: &str) -> Vec<Value> {
        let answer = self
            .api(&format!("query?query={}", escape(expression)))
            .await;
        let found = answer["data"]["result"].as_array().into_iter().flatten();
        found.map(|series| series["metric"].clone()).collect()
    }

    /// Waits until [`Prometheus::query`] gives a value that `wanted` accepts.
    ///
    /// # Panics
    /// If it never does.
    pub async fn wait_for(&self, expression: &str, wanted: impl Fn(f64) -> bool) -> f64 {
        wait::until(format!("{expression} in Prometheus"), || async {
            self.query(expression).await.filter(|value| wanted(*value))
        })
        .await
    }

    /// GET on `/api/v1/PATH`, whose status must be `success`.
    ///
    /// # Panics
    /// If it is not.
    pub async fn api(&self, path: &str) -> Value {
        let answer = wire::get(self.addr(), &format!("/api/v1/{path}")).await;
        let answer = answer.json();
        assert_eq!(answer["status"], "success", "{path}: {answer}");
        answer
    }

    /// Stops it in order.
    ///
    /// # Panics
    /// If it does not end.
    pub async fn stop(&self) {
        self.child.stop().await;
    }
}

fn command(dir: &Scratch, port: u16) -> Command {
    let mut command = child::command("prometheus");
    command
        .current_dir(dir.path())
        .arg("--config.file=prometheus.yml")
        .arg("--storage.tsdb.path=data")
        .arg(format!("--web.listen-address=127.0.0.1:{port}"));
    command
}

async fn ready(port: u16) -> bool {
    let address: SocketAddr = (Ipv4Addr::LOCALHOST, port).into();
    if tokio::net::TcpStream::connect(address).await.is_err() {
        return false;
    }
    wire::get(address, "/-/ready").await.status == 200
}

/// Percent-encodes all but unreserved characters (RFC 3986 §2.3).
fn escape(text: &str) -> String {
    let byte = |byte: u8| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
            char::from(byte).to_string()
        }
        other => format!("%{other:02X}"),
    };
    text.bytes().map(byte).collect()
}
