//! A record told as a story, for the engineer on call: what was asked, why it took that route, what
//! each phase took and whose time that was, what policies and quotas said, what each attempt met, whose
//! fault it was and why it probably came about, what to look at next, and which page to open.
//!
//! It knows the record, and nothing that happened since but which configuration is in force.

mod attempt;
mod beyond;
mod cause;
mod next;
mod timeline;
mod words;

#[cfg(test)]
mod tests;

pub use cause::likely_cause;
pub use next::next;
pub use timeline::{Phase, timeline};

use crate::code::Fault;
use crate::record::{Record, Revision};
use crate::timestamp::Rfc3339;
use std::fmt::{self, Write};
use words::{Quoted, Took};

/// The story, as lines of plain text; `in_force` is the revision of the configuration in force now.
pub fn explain(record: &Record, in_force: Option<u64>) -> String {
    let mut out = String::new();
    // Writing to a String cannot fail.
    let written = write_all(&mut out, record, in_force);
    debug_assert!(written.is_ok());
    out
}

fn write_all(out: &mut String, record: &Record, in_force: Option<u64>) -> fmt::Result {
    write_head(out, record)?;
    write_route(out, record, in_force)?;
    timeline::write(out, record)?;
    write_policies(out, record)?;
    for attempt in record.attempts.iter().enumerate() {
        attempt::write(out, attempt)?;
    }
    beyond::write(out, record)?;
    write_verdict(out, record)
}

fn write_head(out: &mut String, record: &Record) -> fmt::Result {
    writeln!(
        out,
        "{} {} on {} from {} at {}",
        record.method,
        Quoted(&record.path),
        Quoted(&record.host),
        record.client,
        Rfc3339(record.started_at)
    )?;
    writeln!(
        out,
        "request {}, trace {}",
        record.request_id,
        record.trace.trace_id_hex()
    )?;
    writeln!(
        out,
        "answered {}{} after {}: {} in the gateway, {} waiting for upstreams, {} for the client",
        record.status,
        if record.aborted { ", then cut," } else { "" },
        Took(record.duration),
        Took(record.gateway_time),
        Took(record.upstream_wait),
        Took(record.client_wait())
    )
}

fn write_route(out: &mut String, record: &Record, in_force: Option<u64>) -> fmt::Result {
    match &record.route {
        Some(route) => write!(out, "route {route} ({})", record.action)?,
        None => write!(out, "no route (listener {})", record.listener)?,
    }
    if let Some(matched) = &record.matched {
        write!(out, ", which is for {matched}")?;
    }
    if let Some(team) = &record.team {
        write!(out, "; team {team}")?;
    }
    if let Some(consumer) = &record.consumer {
        write!(out, ", consumer {}", Quoted(consumer))?;
    }
    write!(out, "\nconfiguration {}", record.config_revision())?;
    match in_force {
        Some(now) if now == record.config_revision => writeln!(out, ", still in force"),
        Some(now) => writeln!(out, ", since replaced by {}", Revision(now)),
        None => writeln!(out),
    }
}

fn write_policies(out: &mut String, record: &Record) -> fmt::Result {
    for run in &record.policies {
        writeln!(
            out,
            "  policy {}: {} in {}",
            run.kind,
            run.verdict,
            Took(run.took)
        )?;
    }
    for quota in &record.quotas {
        writeln!(
            out,
            "  quota {}: {} {} reserved, {} used ({})",
            quota.quota, quota.reserved, quota.unit, quota.used, quota.provenance
        )?;
    }
    Ok(())
}

fn write_verdict(out: &mut String, record: &Record) -> fmt::Result {
    if let Some(code) = record.code {
        writeln!(out, "{code}: {}", code.title())?;
        if let Some(detail) = &record.detail {
            writeln!(out, "  {}", Quoted(detail))?;
        }
        let fault = match code.fault() {
            Fault::Client => "The caller's to mend.",
            Fault::Policy => "As configured: a policy said no.",
            Fault::Gateway => "The gateway's to mend.",
            Fault::Upstream => "The upstream's to mend.",
        };
        let retry = if code.retryable() {
            "can help"
        } else {
            "does not help"
        };
        writeln!(out, "{fault} A retry by the caller {retry}.")?;
    } else if record.error_type().is_none() {
        writeln!(out, "Nothing failed.")?;
    }
    if let Some(cause) = likely_cause(record) {
        writeln!(out, "Likely cause: {}", Quoted(&cause))?;
    }
    for look in next(record) {
        writeln!(out, "Look at: {}", Quoted(&look))?;
    }
    match record.code {
        Some(code) => writeln!(out, "What to do: {}", code.runbook()),
        None => Ok(()),
    }
}
