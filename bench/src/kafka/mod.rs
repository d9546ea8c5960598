//! What the bridge to Kafka costs: to publish, to give a topic out to many, to keep records on disk, and
//! what others notice while a broker answers nothing. The broker is a real one.

mod broker;
mod fanout;
mod proxy;
mod publish;
mod spool;
mod stall;
mod topics;

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use self::broker::Broker;
use self::topics::Topics;
use crate::failure::Failure;
use crate::gateway::Setting;
use crate::machine;

/// The name of the section that holds these tables in a published file.
pub const RESULTS: &str = "kafka results";

/// What can be measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Part {
    /// Records acknowledged by the broker.
    Publish,
    /// A topic as server-sent events to many.
    Fanout,
    /// A broker that stops answering.
    Stall,
    /// Records kept on disk.
    Spool,
}

impl Part {
    /// In the order they are reported.
    pub const ALL: [Self; 4] = [Self::Publish, Self::Fanout, Self::Stall, Self::Spool];
}

/// What to measure, and how much.
pub struct Options {
    /// The gateway's binary.
    pub weir: PathBuf,
    /// Kafka's jars.
    pub kafka: PathBuf,
    /// A Python environment for the proxy beside which is measured.
    pub proxy: PathBuf,
    /// The disk on which Kafka and spools are.
    pub disk: PathBuf,
    /// The parts.
    pub parts: Vec<Part>,
    /// Bursts of each who publishes.
    pub rounds: usize,
    /// Records in a burst.
    pub records: usize,
    /// Connections of those who publish.
    pub connections: usize,
    /// How many subscribe.
    pub subscribers: usize,
    /// Records a second that they are given.
    pub rate: u32,
    /// For how long.
    pub lasting: Duration,
    /// How often the broker stops answering.
    pub stalls: usize,
}

impl Options {
    fn setting(&self) -> Setting<'_> {
        Setting {
            weir: &self.weir,
            workers: None,
            parent: &self.disk,
        }
    }
}

/// Measures, and says what came of it as Markdown.
pub async fn run(options: &Options) -> Result<String, Failure> {
    eprintln!("starting Kafka");
    let mut broker = Broker::start(&options.kafka, &options.disk)?;
    let topics = Topics::of(&mut broker).await?;
    let mut told = Vec::new();
    let wanted = |part: &Part| options.parts.contains(part);
    // To publish is measured on a CPU of its own, off which this process stays from then on: so it comes last.
    for part in Part::ALL.into_iter().rev().filter(wanted) {
        told.push(match part {
            Part::Publish => publish::run(options, &broker, &topics).await?,
            Part::Fanout => fanout::run(options, &broker, &topics).await?,
            Part::Stall => stall::run(options, &broker, &topics).await?,
            Part::Spool => spool::run(options, &broker, &topics).await?,
        });
    }
    let mut text = facts(options);
    told.iter().rev().for_each(|part| {
        text.push('\n');
        text.push_str(part.trim_end());
        text.push('\n');
    });
    Ok(text)
}

fn facts(options: &Options) -> String {
    let mut text = String::new();
    let proxy = ["aiohttp", "confluent_kafka", "ujson"].map(|name| {
        let version = machine::python_package(&options.proxy, name);
        format!("{name} {}", version.as_deref().unwrap_or("unknown"))
    });
    for (label, value) in [
        ("Machine", machine::machine()),
        (
            "Apache Kafka",
            kafka(&options.kafka).unwrap_or_else(|| "unknown".to_owned()) + ", one node",
        ),
        ("Stand-in for Karapace's REST proxy", proxy.join(", ")),
        ("Weir", machine::version(&options.weir, "--version")),
        ("Build", machine::build()),
        (
            "Load",
            format!(
                "{} rounds; bursts of {} records; {} connections; {} partitions",
                options.rounds,
                options.records,
                options.connections,
                topics::PARTITIONS
            ),
        ),
    ] {
        writeln!(text, "- {label}: {value}").expect("a string takes all that is written");
    }
    text
}

/// Its version, which is in the name of its jar.
fn kafka(libs: &Path) -> Option<String> {
    fs::read_dir(libs)
        .ok()?
        .flatten()
        .filter_map(|jar| jar.file_name().into_string().ok())
        .find_map(|jar| {
            let version = jar.strip_prefix("kafka_2.13-")?.strip_suffix(".jar")?;
            Some(version.to_owned())
        })
}

/// A record of so many bytes of JSON.
fn record(size: usize) -> String {
    let (begin, end) = (r#"{"order":4711,"state":"paid","note":""#, r#""}"#);
    let note = "x".repeat(size.saturating_sub(begin.len() + end.len()));
    format!("{begin}{note}{end}")
}

/// A request that brings it.
fn post(path: &str, media_type: &str, body: &str) -> String {
    format!(
        "POST {path} HTTP/1.1\r\nHost: bench\r\nContent-Type: {media_type}\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_json_of_its_size() {
        for size in [100, 1024] {
            let record = record(size);
            assert_eq!(record.len(), size);
            serde_json::from_str::<serde_json::Value>(&record).expect("it is JSON");
        }
    }
}
