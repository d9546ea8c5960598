//! `weir tail`: failures of a running gateway as they happen.

use std::fmt::Write as _;
use std::time::Duration;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

use super::admin::Address;
use super::{Failure, Terminal};

/// How long after one connection, or a try to have one, the next is tried.
const AGAIN: Duration = Duration::from_secs(1);

/// Tells failures of a running gateway as they happen, one a line; those that are all that is asked for.
/// It survives restarts of the gateway.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Only those with this error code
    #[arg(long, value_name = "CODE")]
    code: Option<String>,
    /// Only those of this route
    #[arg(long, value_name = "NAME")]
    route: Option<String>,
    /// Only those of this team
    #[arg(long, value_name = "NAME")]
    team: Option<String>,
    /// Only those that asked this upstream
    #[arg(long, value_name = "NAME")]
    upstream: Option<String>,
    /// Only those that are the fault of client, policy, gateway or upstream; several, with commas between
    #[arg(long, value_name = "WHOSE")]
    fault: Option<String>,
    /// Only those answered with this status, as 503 or 5xx
    #[arg(long, value_name = "STATUS")]
    status: Option<String>,
    /// Slow ones too, though they did not fail
    #[arg(long)]
    slow: bool,
    /// Tell the likely cause of each as well
    #[arg(long, short)]
    verbose: bool,
    #[command(flatten)]
    address: Address,
}

/// Prints until it is stopped.
pub(super) fn run(arguments: &Arguments, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
    let query = query(arguments);
    let (mut heard, mut ever) = (false, false);
    loop {
        let mut on_line = |line: &str| {
            if !std::mem::replace(&mut heard, true) {
                writeln!(terminal.err, "watching {}", arguments.address.url())?;
            }
            tell(line, arguments, &mut *terminal.out)
        };
        let ended = arguments.address.follow(("/tail", &query), &mut on_line);
        ever |= heard;
        match ended {
            // Who was heard once comes back.
            Ok(()) | Err(Failure::Told(_)) if ever => {}
            other => return other,
        }
        if std::mem::take(&mut heard) {
            writeln!(terminal.err, "the gateway is gone; it is looked for")?;
        }
        std::thread::sleep(AGAIN);
    }
}

fn query(arguments: &Arguments) -> String {
    let mut query = String::new();
    let asked = [
        ("code", &arguments.code),
        ("route", &arguments.route),
        ("team", &arguments.team),
        ("upstream", &arguments.upstream),
        ("fault", &arguments.fault),
        ("status", &arguments.status),
    ];
    for (name, value) in asked {
        if let Some(value) = value {
            let value = utf8_percent_encode(value, NON_ALPHANUMERIC);
            let _ = write!(query, "{name}={value}&");
        }
    }
    let _ = write!(query, "slow={}", arguments.slow);
    query
}

fn tell(line: &str, arguments: &Arguments, out: &mut dyn std::io::Write) -> Result<(), Failure> {
    // An empty one says only that the gateway is there.
    if line.is_empty() {
        return Ok(());
    }
    if arguments.address.json {
        writeln!(out, "{line}")?;
    } else {
        let told: Value = serde_json::from_str(line).unwrap_or_default();
        writeln!(out, "{}", text(&told))?;
        if let Some(cause) = told["likely_cause"].as_str().filter(|_| arguments.verbose) {
            writeln!(out, "    {cause}")?;
        }
    }
    Ok(out.flush()?)
}

/// `TIME STATUS CODE (FAULT) ROUTE UPSTREAM ENDPOINT SECONDS METHOD PATH ID`.
fn text(told: &Value) -> String {
    if let Some(missed) = told["missed"].as_u64() {
        return format!("... {missed} were missed");
    }
    let said = |key: &str| told[key].as_str().unwrap_or("-");
    let mut text = format!(
        "{} {} {} ({}) {}",
        said("timestamp"),
        told["http.response.status_code"],
        said("error.type"),
        said("weir.fault"),
        said("weir.route"),
    );
    if told["weir.upstream"].is_string() {
        let _ = write!(text, " {} {}", said("weir.upstream"), said("endpoint"));
    }
    let seconds = told["weir.duration"].as_f64().unwrap_or_default();
    let (method, path) = (said("http.request.method"), said("url.path").escape_debug());
    let _ = write!(
        text,
        " {seconds:.3}s {method} {path} {}",
        said("request_id")
    );
    text
}
