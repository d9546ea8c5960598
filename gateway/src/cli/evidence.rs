//! `weir evidence`: one file with all that a gateway can tell, for a ticket.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

use super::admin::Address;
use super::{Failure, Terminal};

/// Writes one JSON file with what a gateway can tell about itself and its failures: version, readiness,
/// configuration without secrets, routes, upstreams, quotas, figures, what the flight recorder holds, and
/// the explanations of some requests. It holds no header, query or body.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Requests to explain in it, by request id or trace id; the 20 latest failures, if none is named
    #[arg(value_name = "ID")]
    ids: Vec<String>,
    /// Where to write it; `-` prints it
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    #[command(flatten)]
    address: Address,
}

/// Asks, and writes.
pub(super) fn run(arguments: &Arguments, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
    let id = |id: &String| format!("id={}", utf8_percent_encode(id, NON_ALPHANUMERIC));
    let ids: Vec<_> = arguments.ids.iter().map(id).collect();
    let evidence = arguments.address.get_with("/evidence", &ids.join("&"))?;
    let absent = arguments
        .ids
        .iter()
        .filter(|id| evidence["explained"][&**id].is_null());
    for id in absent {
        writeln!(
            terminal.err,
            "\"{id}\" is not recorded: the access log has it, or another gateway"
        )?;
    }
    let out = arguments.out.clone().unwrap_or_else(|| {
        let now = jiff::Timestamp::now().strftime("%Y%m%dT%H%M%SZ");
        PathBuf::from(format!("weir-evidence-{now}.json"))
    });
    if arguments.address.json || out == Path::new("-") {
        return Ok(writeln!(terminal.out, "{evidence:#}")?);
    }
    write(&out, &evidence).map_err(|error| Failure::Told(format!("{}: {error}", out.display())))?;
    Ok(writeln!(terminal.out, "{}", out.display())?)
}

/// For its owner's eyes only, and never over another file.
fn write(path: &Path, evidence: &Value) -> std::io::Result<()> {
    let mut options = OpenOptions::new();
    let mut file = options
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    writeln!(file, "{evidence:#}")
}
