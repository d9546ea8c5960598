//! A record told as a story, for the engineer on call: what was asked, how
//! long it took and where, what each attempt met, whose fault it was and which
//! page to open.

use crate::code::Fault;
use crate::metrics::worker::{Kind, Outcome};
use crate::record::websocket::{Closer, WebSocket};
use crate::record::{Attempt, Kafka, Record};
use crate::timestamp::Rfc3339;
use std::fmt::{self, Write};
use std::time::Duration;

/// The story, as lines of plain text.
pub fn explain(record: &Record) -> String {
    let mut out = String::new();
    // Writing to a String cannot fail.
    let written = write_all(&mut out, record);
    debug_assert!(written.is_ok());
    out
}

fn write_all(out: &mut String, record: &Record) -> fmt::Result {
    write_head(out, record)?;
    for attempt in record.attempts.iter().enumerate() {
        write_attempt(out, attempt)?;
    }
    if let Some(kafka) = &record.kafka {
        write_kafka(out, kafka)?;
    }
    if let Some(delivery) = &record.delivery {
        writeln!(
            out,
            "  record {} of {}/{} on {} for the {} {}, tried {} times before: {}",
            delivery.offset,
            Quoted(&delivery.topic),
            delivery.partition,
            delivery.cluster,
            match delivery.kind {
                Kind::Webhook => "webhook",
                Kind::LlmWorker => "LLM worker",
            },
            delivery.name,
            delivery.tries,
            delivery.outcome.map_or("cut", Outcome::as_str)
        )?;
    }
    if let Some(websocket) = &record.websocket {
        write_websocket(out, websocket)?;
    }
    if let Some(subscription) = &record.subscription {
        writeln!(
            out,
            "  given {} records of {} on {}; {} behind its end at last",
            subscription.records,
            Quoted(&subscription.topic),
            subscription.cluster,
            subscription.lag
        )?;
    }
    if let Some(reply) = &record.reply {
        writeln!(
            out,
            "  +{} replied to by record {} of {}/{} on {} after {}",
            Took(reply.started),
            reply.offset,
            Quoted(&reply.topic),
            reply.partition,
            reply.cluster,
            Took(reply.took)
        )?;
    }
    write_verdict(out, record)
}

fn write_kafka(out: &mut String, kafka: &Kafka) -> fmt::Result {
    write!(out, "  +{} ", Took(kafka.started))?;
    match kafka.batch {
        Some(batch) => write!(out, "{} records", batch.messages)?,
        None => write!(out, "record")?,
    }
    write!(out, " of {} bytes to ", kafka.bytes)?;
    match &*kafka.topic {
        "" => write!(out, "several topics")?,
        topic => write!(out, "{}", Quoted(topic))?,
    }
    write!(out, " on {}", kafka.cluster)?;
    if let Some(id) = &kafka.spooled {
        write!(out, ": on disk as {id}, to be sent")?;
        return writeln!(out, " after {}", Took(kafka.took));
    }
    match (kafka.batch, kafka.partition, kafka.offset) {
        (Some(batch), ..) => {
            write!(out, ": {} acknowledged", batch.acknowledged)?;
            if let Some(code) = batch.code {
                write!(out, ", else {code}")?;
            }
        }
        (None, Some(partition), Some(offset)) => write!(
            out,
            ": acknowledged at partition {partition}, offset {offset}"
        )?,
        (None, ..) => write!(out, ": not acknowledged")?,
    }
    writeln!(out, " after {}", Took(kafka.took))
}

fn write_websocket(out: &mut String, websocket: &WebSocket) -> fmt::Result {
    write!(
        out,
        "  +{} WebSocket open: {} messages ({} bytes) from the client, {} ({} bytes) to it",
        Took(websocket.opened),
        websocket.from_client.count,
        websocket.from_client.bytes,
        websocket.from_upstream.count,
        websocket.from_upstream.bytes
    )?;
    match &websocket.close {
        None => writeln!(out, "; nobody closed it"),
        Some(close) => {
            let by = match close.by {
                Closer::Client => "the client",
                Closer::Upstream => "the upstream",
                Closer::Gateway => "the gateway",
            };
            write!(out, "; {by} closed it at +{}", Took(close.at))?;
            match close.code {
                Some(code) => writeln!(out, " with {code}"),
                None => writeln!(out, " without a code"),
            }
        }
    }
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
    write!(
        out,
        "request {}, trace {}",
        record.request_id,
        record.trace.trace_id_hex()
    )?;
    match &record.route {
        Some(route) => writeln!(out, ", route {route} ({})", record.action)?,
        None => writeln!(out, ", no route (listener {})", record.listener)?,
    }
    writeln!(
        out,
        "answered {}{} after {}: {} in the gateway, {} waiting for upstreams",
        record.status,
        if record.aborted { ", then cut," } else { "" },
        Took(record.duration),
        Took(record.gateway_time),
        Took(record.upstream_wait)
    )?;
    for run in &record.policies {
        if run.verdict != "continue" {
            writeln!(out, "  policy {}: {}", run.kind, run.verdict)?;
        }
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

fn write_attempt(out: &mut String, (index, attempt): (usize, &Attempt)) -> fmt::Result {
    write!(
        out,
        "  +{} attempt {} at {}",
        Took(attempt.started),
        index + 1,
        attempt.upstream
    )?;
    if !attempt.endpoint.is_empty() {
        write!(out, " ({})", attempt.endpoint)?;
    }
    if attempt.reused {
        write!(
            out,
            ", connection reused (open for {}, idle for {})",
            Took(attempt.connection_age),
            Took(attempt.connection_idle)
        )?;
    } else if let Some(connect) = attempt.connect {
        write!(out, ", connected in {}", Took(connect))?;
    }
    if let Some(first_byte) = attempt.first_byte {
        write!(out, ", first byte after {}", Took(first_byte))?;
    }
    if let Some(status) = attempt.status {
        write!(out, ", status {status}")?;
    }
    if let Some(status) = attempt.rpc {
        write!(out, ", {}", status.name)?;
    }
    if let Some(code) = attempt.code {
        write!(out, ", failed: {code}")?;
    }
    if let Some(detail) = &attempt.detail {
        write!(out, " ({})", Quoted(detail))?;
    }
    write!(out, ", {} in all", Took(attempt.total))?;
    if let Some(race) = attempt.keep_alive_race {
        write!(out, "; a keep-alive race: the endpoint {} it", race.how)?;
        if let Some(timeout) = race.idle_timeout {
            write!(out, ", as it does with idle ones after {}", Took(timeout))?;
        }
    }
    if let Some(reason) = attempt.retried {
        write!(out, "; tried again: {reason}")?;
    }
    writeln!(out)
}

fn write_verdict(out: &mut String, record: &Record) -> fmt::Result {
    let Some(code) = record.code else {
        return match record.error_type() {
            Some(answered) => writeln!(out, "The upstream itself answered {answered}: look there."),
            None => writeln!(out, "Nothing failed."),
        };
    };
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
    writeln!(out, "What to do: {}", code.runbook())
}

/// A duration people can read: `1.234 s`, `12.3 ms`, `45 µs`.
struct Took(Duration);

impl fmt::Display for Took {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let micros = self.0.as_micros();
        match micros {
            0..1_000 => write!(f, "{micros} µs"),
            1_000..1_000_000 => write!(f, "{:.1} ms", micros as f64 / 1e3),
            _ => write!(f, "{:.3} s", self.0.as_secs_f64()),
        }
    }
}

/// Text that came from outside, with control characters made visible: this
/// ends up on a terminal.
struct Quoted<'a>(&'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars() {
            if c.is_control() {
                write!(f, "{}", c.escape_default())?;
            } else {
                f.write_char(c)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Code;
    use crate::record::{Race, sample};

    #[test]
    fn a_failure_is_told_with_its_attempts_and_its_page() {
        let mut record = sample::plain("one");
        record.status = 502;
        record.code = Some(Code::ConnectionRefused);
        record.detail = Some("both endpoints refused".into());
        let mut first = Attempt::begin(
            "orders".into(),
            "10.0.0.1:80".into(),
            Duration::from_micros(80),
        );
        first.code = Some(Code::ConnectionRefused);
        first.retried = Some("connection_refused");
        let mut second = first.clone();
        second.endpoint = "10.0.0.2:80".into();
        second.retried = None;
        record.attempts = vec![first, second];
        let story = explain(&record);
        for part in [
            "GET /orders/7 on shop.example.com from 192.0.2.7",
            "route orders (forward)",
            "+80 µs attempt 1 at orders (10.0.0.1:80), failed: connection_refused",
            "tried again: connection_refused",
            "attempt 2 at orders (10.0.0.2:80)",
            "both endpoints refused",
            "The upstream's to mend. A retry by the caller can help.",
            "runbooks/connection_refused.md",
        ] {
            assert!(story.contains(part), "{part:?} is missing in\n{story}");
        }
    }

    #[test]
    fn a_keep_alive_race_is_told_with_what_the_endpoint_does() {
        let mut record = sample::plain("one");
        let mut attempt = Attempt::begin("orders".into(), "10.0.0.1:80".into(), Duration::ZERO);
        attempt.reused = true;
        attempt.connection_idle = Duration::from_secs(5);
        attempt.code = Some(Code::ConnectionTerminated);
        attempt.keep_alive_race = Some(Race {
            how: "closed",
            idle_timeout: Some(Duration::from_secs(5)),
        });
        record.attempts = vec![attempt];
        let story = explain(&record);
        let race =
            "a keep-alive race: the endpoint closed it, as it does with idle ones after 5.000 s";
        assert!(
            story.contains("idle for 5.000 s") && story.contains(race),
            "{story}"
        );
    }

    #[test]
    fn a_connection_is_told_with_who_closed_it() {
        use crate::record::websocket::{Close, Messages};
        let mut record = sample::plain("one");
        record.websocket = Some(Box::new(WebSocket {
            from_client: Messages {
                count: 3,
                bytes: 40,
            },
            opened: Duration::from_millis(2),
            close: Some(Close {
                by: Closer::Gateway,
                code: Some(1009),
                at: Duration::from_secs(5),
            }),
            ..WebSocket::default()
        }));
        let story = explain(&record);
        for part in [
            "+2.0 ms WebSocket open: 3 messages (40 bytes) from the client, 0 (0 bytes) to it",
            "the gateway closed it at +5.000 s with 1009",
        ] {
            assert!(story.contains(part), "{part:?} is missing in\n{story}");
        }
    }

    #[test]
    fn a_terminal_is_safe_from_what_callers_send() {
        let mut record = sample::plain("one");
        record.path = "/\u{1b}[2J\u{9b}x".into();
        let story = explain(&record);
        assert!(!story.contains('\u{1b}') && !story.contains('\u{9b}'));
        assert!(story.contains("\\u{1b}[2J"));
    }

    #[test]
    fn an_upstreams_own_error_is_laid_at_its_door() {
        let mut record = sample::plain("one");
        record.status = 503;
        assert!(explain(&record).contains("The upstream itself answered 503"));
    }
}
