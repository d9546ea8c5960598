//! What a request had to do with beyond upstreams: records of Kafka, and the connection it became.

use std::fmt::{self, Write};

use super::words::{Quoted, Took};
use crate::metrics::worker::{Kind, Outcome};
use crate::record::websocket::{Closer, WebSocket};
use crate::record::{Kafka, Record};

/// All of it.
pub(super) fn write(out: &mut String, record: &Record) -> fmt::Result {
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
    Ok(())
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
