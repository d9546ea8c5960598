//! A real schema registry: Apicurio's, in memory, which speaks Confluent's REST API. `make deps` fetched
//! it.
//!
//! It knows no schema but those it is told of.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};

use crate::child::{self, Child};
use crate::scratch::{self, Scratch};
use crate::{ports, wire};

/// A JVM on a busy machine takes its time.
const DEADLINE: Duration = Duration::from_secs(180);

/// What stands before Confluent's own paths.
const BASE: &str = "/apis/ccompat/v7";

/// A running registry; killed when dropped.
#[derive(Debug)]
pub struct Registry {
    port: u16,
    child: Child,
    _dir: Scratch,
}

impl Registry {
    /// Starts one without schemas.
    ///
    /// # Panics
    /// If it does not come up; the message holds its log.
    pub async fn start() -> Registry {
        let mut failure = String::new();
        for _ in 0..3 {
            let dir = Scratch::new("registry");
            let port = ports::free();
            let child = Child::start("registry", command(&dir, port));
            if child.ready(DEADLINE, || ready(port)).await {
                return Registry {
                    port,
                    child,
                    _dir: dir,
                };
            }
            failure = child.transcript();
        }
        panic!("the registry does not start:\n{failure}");
    }

    /// Where its API begins.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}{BASE}", self.port)
    }

    /// Registers a schema under a subject; `kind` is `AVRO`, `JSON` or `PROTOBUF`, and `references`
    /// what it refers to: name, subject and version of each. Gives its id.
    ///
    /// # Panics
    /// If the registry refuses.
    pub async fn register(
        &self,
        subject: &str,
        kind: &str,
        schema: &str,
        references: &[(&str, &str, u32)],
    ) -> u64 {
        let named = |(name, subject, version): &(&str, &str, u32)| json!({ "name": name, "subject": subject, "version": version });
        let references: Vec<Value> = references.iter().map(named).collect();
        let body = json!({ "schema": schema, "schemaType": kind, "references": references });
        let path = format!("{BASE}/subjects/{subject}/versions");
        let media = "Content-Type: application/vnd.schemaregistry.v1+json";
        let answer = wire::request(
            address(self.port),
            "POST",
            &path,
            &[media],
            body.to_string().as_bytes(),
        )
        .await;
        assert_eq!(answer.status, 200, "{subject}: {}", answer.text());
        let id = answer.json()["id"].as_u64();
        id.unwrap_or_else(|| panic!("{subject} has no id: {}", answer.text()))
    }

    /// Stops it for good.
    ///
    /// # Panics
    /// If it does not end.
    pub async fn stop(&self) {
        self.child.stop().await;
    }
}

fn address(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}

async fn ready(port: u16) -> bool {
    if tokio::net::TcpStream::connect(address(port)).await.is_err() {
        return false;
    }
    let request = wire::request(address(port), "GET", "/health/ready", &[], b"");
    let answer = Box::pin(request).await;
    answer.status == 200
}

fn command(dir: &Scratch, port: u16) -> Command {
    let program = match std::env::var_os("JAVA_HOME") {
        Some(home) => PathBuf::from(home).join("bin").join("java"),
        None => PathBuf::from("java"),
    };
    let home = scratch::target_dir().join("servers/registry");
    let jar = home.join("apicurio-registry-app-2.6.13.Final-runner.jar");
    assert!(
        jar.is_file(),
        "no registry in {}: `make deps WHAT=test` fetches it",
        home.display()
    );
    let mut command = child::command(program);
    command
        .current_dir(dir.path())
        .args([
            "-Xmx384m",
            "-XX:+UseSerialGC",
            "-XX:TieredStopAtLevel=1",
            "-Dquarkus.http.host=127.0.0.1",
        ])
        .arg(format!("-Dquarkus.http.port={port}"))
        .arg("-jar")
        .arg(jar);
    command
}
