//! Apache Kafka, one node that is broker and controller, from the jars that `make deps` fetched. What is
//! written to it is not known here.

use std::ffi::OsString;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

use crate::contender::free_address;
use crate::failure::Failure;
use crate::process::{Plan, Process};

const JAVA: [&str; 4] = [
    "-Xmx512m",
    "-Xms512m",
    "-XX:+UseSerialGC",
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
];

/// The node; it ends when this is dropped, and so do its files.
pub struct Broker {
    /// Where clients find it.
    pub address: SocketAddr,
    process: Process,
    _directory: TempDir,
}

impl Broker {
    /// Starts it, on the disk that `parent` is on; it takes a while until it answers.
    pub fn start(libs: &Path, parent: &Path) -> Result<Self, Failure> {
        if !libs.is_dir() {
            return Err(Failure::new(format!(
                "no Kafka at {}: `make deps WHAT=bench` fetches it, or name its jars with --kafka",
                libs.display()
            )));
        }
        let directory = tempfile::Builder::new()
            .prefix("weir-bench-kafka-")
            .tempdir_in(parent)
            .map_err(Failure::during("cannot make a temporary directory"))?;
        let address = free_address()?;
        let path = directory.path().join("server.properties");
        let text = properties(address, free_address()?, directory.path());
        fs::write(&path, text).map_err(Failure::during("cannot write Kafka's configuration"))?;
        format(libs, &path)?;
        let process = Process::start(Plan {
            name: "kafka",
            command: java(libs, "kafka.Kafka", &[path.as_os_str().into()]),
            environment: Vec::new(),
            directory: directory.path(),
            cpu: None,
        })?;
        Ok(Self {
            address,
            process,
            _directory: directory,
        })
    }

    /// Its process.
    pub fn pid(&self) -> Pid {
        self.process.pid()
    }

    /// Fails, with its last words, if it has left.
    pub fn check_alive(&mut self) -> Result<(), Failure> {
        self.process.check_alive()
    }

    /// Freezes it until what this gives is dropped: connections stay, nothing is answered.
    pub fn freeze(&self) -> Result<Frozen, Failure> {
        kill(self.pid(), Signal::SIGSTOP).map_err(Failure::during("cannot freeze Kafka"))?;
        Ok(Frozen(self.pid()))
    }
}

/// That it is frozen.
pub struct Frozen(Pid);

impl Drop for Frozen {
    fn drop(&mut self) {
        // Refused only if it is gone, which the next who asks it will notice.
        kill(self.0, Signal::SIGCONT).ok();
    }
}

fn properties(address: SocketAddr, controller: SocketAddr, directory: &Path) -> String {
    format!(
        "process.roles=broker,controller
node.id=1
controller.quorum.voters=1@{controller}
listeners=PLAINTEXT://{address},CONTROLLER://{controller}
advertised.listeners=PLAINTEXT://{address}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
controller.listener.names=CONTROLLER
log.dirs={}
auto.create.topics.enable=false
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
",
        directory.join("data").display()
    )
}

fn format(libs: &Path, properties: &Path) -> Result<(), Failure> {
    let failed = "Kafka's storage cannot be formatted";
    let mut arguments = ["format", "-t", "WeirBenchClusterId0000", "-c"]
        .map(OsString::from)
        .to_vec();
    arguments.push(properties.into());
    let command = java(libs, "kafka.tools.StorageTool", &arguments);
    let output = Command::new(&command[0])
        .args(&command[1..])
        .output()
        .map_err(Failure::during(format_args!("{failed} (is Java there?)")))?;
    if !output.status.success() {
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said).into_owned();
        return Err(Failure::new(format!("{failed}:\n{said}")));
    }
    Ok(())
}

fn java(libs: &Path, class: &str, arguments: &[OsString]) -> Vec<OsString> {
    let home = std::env::var_os("JAVA_HOME").map(PathBuf::from);
    let program = home.map_or_else(|| "java".into(), |home| home.join("bin/java"));
    let mut command = vec![program.into()];
    command.extend(JAVA.map(OsString::from));
    command.extend(["-cp".into(), libs.join("*").into(), class.into()]);
    command.extend_from_slice(arguments);
    command
}
