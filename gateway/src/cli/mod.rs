//! The commands: what a person types, and what they read.
//!
//! One file per command. A command writes to the [`Terminal`] it is given and
//! says how it ended; only [`main`] knows the process. What a command *does* is
//! done elsewhere: here are words and arguments.

use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::config::{self, Fault, Faults, Loaded};

mod admin;
mod check;
mod demo;
mod diff;
mod evidence;
mod explain;
mod grpc;
mod key;
mod quota;
mod route;
mod run;
mod schema;
mod spool;
mod tail;
mod usage;

/// An AI- and event-aware API gateway.
#[derive(Debug, Parser)]
#[command(
    name = "weir",
    version,
    arg_required_else_help = true,
    after_help = "Exit codes: 0 fine, 1 faults or failure, 2 usage."
)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serves a configuration
    Run(run::Arguments),
    /// Checks a configuration and prints everything that is wrong with it
    Check(check::Arguments),
    /// Tells which route a request would take, and why, without sending it
    Route(route::Arguments),
    /// Tells what a reload from one configuration to another would change
    Diff(diff::Arguments),
    /// Tells what happened to a request, or what an error code means and what to do first
    Explain(explain::Arguments),
    /// Tells failures of a running gateway as they happen
    Tail(tail::Arguments),
    /// Writes all that a running gateway can tell into one file, for a ticket
    Evidence(evidence::Arguments),
    /// Makes API keys
    #[command(subcommand)]
    Key(key::Command),
    /// Shows and changes how quotas stand in a running gateway
    #[command(subcommand)]
    Quota(quota::Command),
    /// Tells what can be called by gRPC at the upstreams of a running gateway
    #[command(subcommand)]
    Grpc(grpc::Command),
    /// Shows and exports records that are on disk and still have to go to Kafka
    #[command(subcommand)]
    Spool(spool::Command),
    /// Counts quotas anew from the records of usage
    #[command(subcommand)]
    Usage(usage::Command),
    /// Prints the JSON Schema of the configuration
    Schema,
    /// Serves a demonstration, with everything it calls inside
    Demo(demo::Arguments),
}

/// Where a command writes.
struct Terminal<'t> {
    /// What was asked for.
    out: &'t mut dyn Write,
    /// What went wrong, or might.
    err: &'t mut dyn Write,
}

/// Why a command did not do what was asked.
#[derive(Debug)]
enum Failure {
    /// The configuration is wrong.
    Faults(Faults),
    /// Something else; told in one line.
    Told(String),
    /// It has said why already.
    Silent,
    /// It could not write.
    Output(io::Error),
}

impl From<Faults> for Failure {
    fn from(faults: Faults) -> Self {
        Self::Faults(faults)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Output(error)
    }
}

/// Runs the command the process was started with: 0 is fine, 1 a fault or
/// failure, 2 wrong usage.
pub fn main() -> ExitCode {
    // `--help`, `--version` and wrong usage end the process here, with 0 and 2
    let arguments = Arguments::parse();
    let (mut out, mut err) = (io::stdout(), io::stderr());
    let mut terminal = Terminal {
        out: &mut out,
        err: &mut err,
    };
    let outcome = dispatch(arguments.command, &mut terminal);
    let outcome = outcome.and_then(|()| Ok(terminal.out.flush()?));
    ExitCode::from(conclude(outcome, &mut terminal))
}

fn dispatch(command: Command, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
    match command {
        Command::Run(arguments) => run::run(&arguments, terminal),
        Command::Check(arguments) => check::run(&arguments, terminal),
        Command::Route(arguments) => route::run(&arguments, terminal),
        Command::Diff(arguments) => diff::run(&arguments, terminal),
        Command::Explain(arguments) => explain::run(&arguments, terminal),
        Command::Tail(arguments) => tail::run(&arguments, terminal),
        Command::Evidence(arguments) => evidence::run(&arguments, terminal),
        Command::Key(command) => key::run(&command, terminal),
        Command::Quota(command) => quota::run(&command, terminal),
        Command::Grpc(command) => grpc::run(&command, terminal),
        Command::Spool(command) => spool::run(&command, terminal),
        Command::Usage(command) => usage::run(&command, terminal),
        Command::Schema => schema::run(terminal),
        Command::Demo(arguments) => demo::run(&arguments),
    }
}

/// Tells how a command ended. There is nobody to tell when that fails too.
fn conclude(outcome: Result<(), Failure>, terminal: &mut Terminal<'_>) -> u8 {
    match outcome {
        Ok(()) => return 0,
        // whoever was reading has seen enough, as in `weir schema | head`
        Err(Failure::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => return 0,
        Err(Failure::Output(error)) => drop(writeln!(terminal.err, "weir: cannot write: {error}")),
        Err(Failure::Told(why)) => drop(writeln!(terminal.err, "weir: {why}")),
        Err(Failure::Faults(faults)) => drop(print_faults(&faults, terminal)),
        Err(Failure::Silent) => {}
    }
    1
}

fn print_faults(faults: &Faults, terminal: &mut Terminal<'_>) -> io::Result<()> {
    writeln!(terminal.err, "{faults}")?;
    let count = faults.0.len();
    writeln!(
        terminal.err,
        "{count} {}",
        if count == 1 { "fault" } else { "faults" }
    )
}

/// Loads a configuration, and prints its warnings.
fn load(path: &Path, terminal: &mut Terminal<'_>) -> Result<Loaded, Failure> {
    let loaded = config::load(path)?;
    for warning in &loaded.warnings {
        writeln!(terminal.err, "warning: {}", located(warning))?;
    }
    Ok(loaded)
}

/// A warning with its file, as faults are printed.
fn located(warning: &Fault) -> String {
    match &warning.file {
        Some(file) => format!("{}: {warning}", file.display()),
        None => warning.to_string(),
    }
}

#[cfg(test)]
mod tests;
