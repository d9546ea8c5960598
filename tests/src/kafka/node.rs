//! A node of a cluster in KRaft mode: a broker and a controller in one process, from the jars that
//! `make deps` fetched. Its ports and its log are its own, and stay when it is started again.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use crate::child::{self, Child, Kind};
use crate::ports;
use crate::scratch::{self, Scratch};

/// A JVM on a busy machine takes its time.
pub(super) const DEADLINE: Duration = Duration::from_secs(180);

/// Heaps this small start fast and hold what a test writes.
const JAVA: [&str; 5] = [
    "-Xmx384m",
    "-Xms128m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
];

/// What else is said of a broker.
#[derive(Debug, Default)]
pub struct Further {
    /// Listeners, each after a comma.
    pub listeners: String,
    /// What each of them speaks, likewise.
    pub protocols: String,
    /// Lines of `server.properties`.
    pub properties: String,
    /// Given when the storage is formatted.
    pub arguments: Vec<String>,
}

/// Where a node listens, and which it is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    pub(super) id: usize,
    pub(super) port: u16,
    controller: u16,
}

/// A node; killed when dropped.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) place: Place,
    dir: Scratch,
    pub(super) child: Child,
}

impl Place {
    /// Free ports for so many nodes.
    pub(super) fn several(count: usize) -> Vec<Self> {
        let place = |id| Self {
            id,
            port: ports::free(),
            controller: ports::free(),
        };
        (1..=count).map(place).collect()
    }

    /// Where clients find the broker.
    pub(super) fn bootstrap(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }
}

impl Node {
    /// Formats the storage of one of `all`, and starts it.
    pub(super) async fn start(place: Place, all: &[Place], further: &Further) -> Self {
        let dir = Scratch::new("kafka");
        dir.write("server.properties", properties(&dir, place, all, further));
        format(&dir, further).await;
        let child = begin(&dir);
        Self { place, dir, child }
    }

    /// Freezes it: connections stay, nothing is answered.
    pub(super) fn pause(&self) {
        self.child.freeze();
    }

    /// Lets it go on.
    pub(super) fn resume(&self) {
        self.child.signal(Kind::SIGCONT);
    }

    /// Stops it in order.
    pub(super) async fn stop(&self) {
        // A frozen process gets no SIGTERM.
        self.resume();
        self.child.stop().await;
    }

    /// Kills it, as a machine dies.
    pub(super) async fn kill(&self) {
        self.child.signal(Kind::SIGKILL);
        self.child.wait_exit().await;
    }

    /// Starts one that is stopped or was killed.
    pub(super) fn start_again(&mut self) {
        self.child = begin(&self.dir);
    }
}

fn begin(dir: &Scratch) -> Child {
    Child::start("kafka", java(dir, "kafka.Kafka", &["server.properties"]))
}

fn properties(dir: &Scratch, place: Place, all: &[Place], further: &Further) -> String {
    let Place {
        id,
        port,
        controller,
    } = place;
    let Further {
        listeners,
        protocols,
        properties,
        ..
    } = further;
    let voters = all
        .iter()
        .map(|place| format!("{}@127.0.0.1:{}", place.id, place.controller));
    let voters = voters.collect::<Vec<_>>().join(",");
    let data = dir.path().join("data");
    let replicas = all.len();
    let in_sync = replicas / 2 + replicas % 2;
    format!(
        "process.roles=broker,controller\n\
         node.id={id}\n\
         controller.quorum.voters={voters}\n\
         listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}{listeners}\n\
         advertised.listeners=PLAINTEXT://127.0.0.1:{port}{listeners}\n\
         listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT{protocols}\n\
         controller.listener.names=CONTROLLER\n\
         log.dirs={}\n\
         auto.create.topics.enable=false\n\
         min.insync.replicas={in_sync}\n\
         offsets.topic.replication.factor={replicas}\n\
         offsets.topic.num.partitions=1\n\
         transaction.state.log.replication.factor={replicas}\n\
         transaction.state.log.min.isr={in_sync}\n\
         transaction.state.log.num.partitions=1\n\
         share.coordinator.state.topic.replication.factor=1\n\
         share.coordinator.state.topic.min.isr=1\n\
         group.initial.rebalance.delay.ms=0\n\
         log.cleaner.dedupe.buffer.size=2097152\n\
         num.network.threads=2\n\
         num.io.threads=2\n\
         {properties}",
        data.display()
    )
}

async fn format(dir: &Scratch, further: &Further) {
    let mut all = vec![
        "format",
        "-t",
        "WeirTestsClusterId0000",
        "-c",
        "server.properties",
    ];
    all.extend(further.arguments.iter().map(String::as_str));
    let tool = Child::start("kafka-storage", java(dir, "kafka.tools.StorageTool", &all));
    let status = tool.wait_exit().await;
    assert!(
        status.success(),
        "the storage cannot be formatted:\n{}",
        tool.transcript()
    );
}

fn java(dir: &Scratch, class: &str, arguments: &[&str]) -> Command {
    let program = match std::env::var_os("JAVA_HOME") {
        Some(home) => PathBuf::from(home).join("bin").join("java"),
        None => PathBuf::from("java"),
    };
    let jars = scratch::target_dir().join("servers/kafka/libs");
    assert!(
        jars.is_dir(),
        "no Kafka in {}: `make deps WHAT=test` fetches it",
        jars.display()
    );
    let mut command = child::command(program);
    command
        .current_dir(dir.path())
        .args(JAVA)
        .arg("-cp")
        .arg(jars.join("*"))
        .arg(class)
        .args(arguments);
    command
}
