//! `weir spool`: records on disk that still have to go to Kafka, of a gateway that runs or of one that is
//! gone. It only reads.

use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::{Failure, Terminal};
use crate::kafka::Outgoing;
use crate::spool::Entry;
use crate::spool::survey::{self, Found, State};

/// What can be done with spools.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Lists the spools in a data directory: how much waits in each, and since when
    List {
        /// A data directory, or a copy of one
        #[arg(value_name = "DIR", default_value = "./data")]
        directory: PathBuf,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Prints what is in the spools of a data directory, one JSON object a line
    Export {
        /// A data directory, or a copy of one
        #[arg(value_name = "DIR")]
        directory: PathBuf,
        /// Only what is for this cluster
        #[arg(long, value_name = "NAME")]
        cluster: Option<String>,
    },
}

/// Looks and prints.
pub(super) fn run(command: &Command, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
    match command {
        Command::List { directory, json } => list(directory, *json, terminal),
        Command::Export { directory, cluster } => export(directory, cluster.as_deref(), terminal),
    }
}

fn spools(directory: &Path) -> Result<Vec<(String, PathBuf)>, Failure> {
    let at = directory.display();
    let spools = survey::spools(directory).map_err(|e| Failure::Told(format!("{at}: {e}")))?;
    match spools.is_empty() {
        true => Err(Failure::Told(format!(
            "{at}: there is no spool; give the `server.data_dir` of a gateway, or a copy of it"
        ))),
        false => Ok(spools),
    }
}

/// What a file says that cannot be read is told with its place, and is no failure to write.
fn look(
    directory: &Path,
    each: impl FnMut(State, &Entry) -> Result<(), Looked>,
) -> Result<Found, Failure> {
    survey::survey(directory, each).map_err(|looked| match looked {
        Looked::Read(error) => Failure::Told(format!("{}: {error}", directory.display())),
        Looked::Written(error) => Failure::Output(error),
    })
}

/// What went wrong.
enum Looked {
    Read(std::io::Error),
    Written(std::io::Error),
}

impl From<std::io::Error> for Looked {
    fn from(error: std::io::Error) -> Self {
        Self::Read(error)
    }
}

fn list(directory: &Path, json: bool, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
    for (cluster, path) in spools(directory)? {
        let found = look(&path, |_, _| Ok(()))?;
        let oldest = found.oldest.map(said);
        if json {
            let Found {
                waiting,
                rejected,
                bytes,
                damaged,
                ..
            } = found;
            let line = json!({
                "cluster": cluster, "waiting": waiting, "oldest": oldest,
                "rejected": rejected, "bytes": bytes, "damaged": damaged,
            });
            writeln!(terminal.out, "{line}")?;
            continue;
        }
        write!(
            terminal.out,
            "{cluster}: {} waiting",
            records(found.waiting)
        )?;
        if let Some(oldest) = oldest {
            write!(terminal.out, " since {oldest}")?;
        }
        write!(
            terminal.out,
            ", {} rejected, {} bytes",
            found.rejected, found.bytes
        )?;
        if found.damaged > 0 {
            write!(terminal.out, ", {} of them damaged", found.damaged)?;
        }
        writeln!(terminal.out)?;
    }
    Ok(())
}

fn export(
    directory: &Path,
    cluster: Option<&str>,
    terminal: &mut Terminal<'_>,
) -> Result<(), Failure> {
    let mut spools = spools(directory)?;
    if let Some(cluster) = cluster {
        let names: Vec<String> = spools.iter().map(|(name, _)| name.clone()).collect();
        spools.retain(|(name, _)| name == cluster);
        if spools.is_empty() {
            return Err(Failure::Told(format!(
                "there is no spool of \"{cluster}\"; there is one of {}",
                names.join(", ")
            )));
        }
    }
    for (cluster, path) in spools {
        let out = &mut *terminal.out;
        let found = look(&path, |state, entry| {
            writeln!(out, "{}", line(&cluster, state, entry)).map_err(Looked::Written)
        })?;
        if found.damaged > 0 {
            writeln!(
                terminal.err,
                "warning: {}: {} bytes are damaged and cannot be read",
                path.display(),
                found.damaged
            )?;
        }
    }
    Ok(())
}

/// An entry, with all that is needed to send it.
fn line(cluster: &str, state: State, entry: &Entry) -> Value {
    let Outgoing {
        topic,
        partition,
        key,
        value,
        headers,
        timestamp,
    } = &entry.record;
    let written = |bytes: &Option<bytes::Bytes>| bytes.as_ref().map(|bytes| STANDARD.encode(bytes));
    let headers: Vec<Value> = headers
        .iter()
        .map(|(name, value)| json!({ "name": **name, "value": written(value) }))
        .collect();
    json!({
        "id": entry.id.to_string(),
        "state": match state {
            State::Waiting => "waiting",
            State::Rejected => "rejected",
        },
        "reason": entry.reason.as_deref(),
        "cluster": cluster,
        "topic": **topic,
        "partition": partition,
        "timestamp": timestamp.unwrap_or(entry.time),
        "key": written(key),
        "value": written(value),
        "headers": headers,
    })
}

fn records(count: u64) -> String {
    format!("{count} record{}", if count == 1 { "" } else { "s" })
}

/// A time as people read it.
fn said(milliseconds: i64) -> String {
    jiff::Timestamp::from_millisecond(milliseconds)
        .map_or_else(|_| format!("{milliseconds} ms"), |at| at.to_string())
}
