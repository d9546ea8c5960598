//! `weir explain`: what happened to a request, or what a code means and what to do first.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use weir_telemetry::Code;

use super::admin::Address;
use super::{Failure, Terminal};
use crate::runbooks::{self, Page};

/// Tells what happened to a request, by its request id or its trace id: its route and why, each phase, policy,
/// quota and attempt, the likely cause and what to look at next. Of an error code, or of any page of the
/// runbooks, it tells what it means, what to do first, and which requests met it of late.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// A request id, a trace id, an error code, or the name of a runbook
    #[arg(value_name = "ID|CODE")]
    what: String,
    /// Print the whole page of a code
    #[arg(long)]
    page: bool,
    /// Look into a file that `weir evidence` wrote, and ask no gateway
    #[arg(long, value_name = "FILE")]
    from: Option<PathBuf>,
    #[command(flatten)]
    address: Address,
}

/// Prints the story, or the page.
pub(super) fn run(arguments: &Arguments, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
    match runbooks::find(&arguments.what) {
        Some(page) if arguments.page => Ok(write!(terminal.out, "{}", page.text)?),
        Some(page) => about(page, arguments, terminal),
        None => request(arguments, terminal),
    }
}

fn request(arguments: &Arguments, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
    let id = &arguments.what;
    let told = match &arguments.from {
        Some(file) => {
            let told = read(file)?["explained"][id].take();
            if told.is_null() {
                let file = file.display();
                return Err(Failure::Told(format!(
                    "{file} does not explain \"{id}\"; `weir evidence {id}` writes one that does"
                )));
            }
            told
        }
        None => arguments.address.get(&format!("/requests/{id}"))?,
    };
    if arguments.address.json {
        return Ok(writeln!(terminal.out, "{told:#}")?);
    }
    let story = told["explanation"].as_str().unwrap_or_default();
    Ok(write!(terminal.out, "{story}")?)
}

fn about(page: Page, arguments: &Arguments, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
    let recorded = match &arguments.from {
        Some(file) => Ok(read(file)?["requests"].take()),
        None => arguments.address.get("/requests"),
    };
    let (latest, unasked) = match recorded {
        Ok(recorded) => (met(&recorded, page.name), None),
        // What the page says holds without a gateway too.
        Err(Failure::Told(why)) => (Vec::new(), Some(why)),
        Err(other) => return Err(other),
    };
    let code = page.name.parse::<Code>().ok();
    let first = page.section("In sixty seconds").unwrap_or_default();
    if arguments.address.json {
        let told = json!({
            "name": page.name,
            "status": code.map(Code::status),
            "fault": code.map(|code| code.fault().as_str()),
            "retryable": code.map(Code::retryable),
            "title": code.map(Code::title),
            "in_sixty_seconds": first,
            "latest": latest,
        });
        writeln!(terminal.out, "{told:#}")?;
    } else {
        print(page, code, &latest, terminal)?;
    }
    if let Some(why) = unasked {
        writeln!(terminal.err, "no gateway was asked who met it: {why}")?;
    }
    Ok(())
}

fn print(
    page: Page,
    code: Option<Code>,
    latest: &[Value],
    terminal: &mut Terminal<'_>,
) -> Result<(), Failure> {
    match code {
        Some(code) => {
            let retry = if code.retryable() {
                "can help"
            } else {
                "does not help"
            };
            let (status, fault) = (code.status(), code.fault());
            writeln!(terminal.out, "{code}: {}", code.title())?;
            writeln!(
                terminal.out,
                "status {status}, fault {fault}; a retry by the caller {retry}"
            )?;
        }
        None => {
            let meaning = page.section("What it means").unwrap_or_default();
            writeln!(terminal.out, "{}: {meaning}", page.name)?;
        }
    }
    if let Some(first) = page.section("In sixty seconds") {
        writeln!(terminal.out, "\nIn sixty seconds:\n{first}")?;
    }
    writeln!(
        terminal.out,
        "\nThe whole page: weir explain --page {}",
        page.name
    )?;
    if !latest.is_empty() {
        writeln!(
            terminal.out,
            "\nThe latest, as `weir explain ID` tells them:"
        )?;
    }
    for request in latest {
        let said = |key: &str| request[key].as_str().unwrap_or("-");
        writeln!(
            terminal.out,
            "  {}  {}  route {}  {} {}",
            said("timestamp"),
            said("request_id"),
            said("weir.route"),
            said("http.request.method"),
            said("url.path"),
        )?;
    }
    Ok(())
}

/// How many requests are named.
const MOST: usize = 10;

/// The latest requests that met this code.
fn met(recorded: &Value, code: &str) -> Vec<Value> {
    let of = |kind: &str| recorded[kind].as_array().cloned().unwrap_or_default();
    let mut met: Vec<_> = ["failed", "refused", "mistaken"]
        .into_iter()
        .flat_map(of)
        .collect();
    met.retain(|request| request["error.type"] == code);
    met.truncate(MOST);
    met
}

/// A file of evidence.
fn read(file: &Path) -> Result<Value, Failure> {
    let told = |why: String| Failure::Told(format!("{}: {why}", file.display()));
    let text = std::fs::read(file).map_err(|error| told(error.to_string()))?;
    serde_json::from_slice(&text)
        .map_err(|error| told(format!("it is not what `weir evidence` writes: {error}")))
}
