//! `GET /tail`: failures as they happen, one JSON object a line, until who watches goes or the gateway does.
//!
//! | query | |
//! |---|---|
//! | `code`, `route`, `team`, `upstream` | only those with this name |
//! | `fault` | only those of `client`, `policy`, `gateway` or `upstream`; several, with commas between |
//! | `status` | only those answered with `503`, or `5xx` |
//! | `slow=true` | slow requests too, though they did not fail |
//!
//! An empty line comes every few seconds, so that a connection that is gone is noticed.

use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, TRANSFER_ENCODING};
use percent_encoding::percent_decode_str;
use pingora_core::protocols::http::ServerSession;
use pingora_http::ResponseHeader;
use serde_json::json;
use weir_telemetry::Fault;
use weir_telemetry::tail::{self, Filter, Told};

use super::problem::Problem;
use crate::gateway::Gateway;

/// How often something is written where nothing happens.
const BEAT: Duration = Duration::from_secs(5);

/// What is asked for.
pub(super) fn filter(query: Option<&str>) -> Result<Filter, Problem> {
    let mut filter = Filter::default();
    for pair in query
        .unwrap_or_default()
        .split('&')
        .filter(|pair| !pair.is_empty())
    {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let value = percent_decode_str(value).decode_utf8_lossy().into_owned();
        match name {
            "code" => filter.code = Some(value),
            "route" => filter.route = Some(value),
            "team" => filter.team = Some(value),
            "upstream" => filter.upstream = Some(value),
            "fault" => filter.faults = value.split(',').map(fault).collect::<Result<_, _>>()?,
            "status" => filter.status = Some(status(value)?),
            "slow" => filter.slow = value == "true",
            other => {
                return Err(Problem::bad(
                    format!("\"{other}\" is nothing to filter by"),
                    "there are code, route, team, upstream, fault, status and slow",
                ));
            }
        }
    }
    Ok(filter)
}

fn fault(word: &str) -> Result<Fault, Problem> {
    let all = [
        Fault::Client,
        Fault::Policy,
        Fault::Gateway,
        Fault::Upstream,
    ];
    all.into_iter()
        .find(|fault| fault.as_str() == word)
        .ok_or_else(|| {
            Problem::bad(
                format!("nothing is the fault of \"{word}\""),
                "name client, policy, gateway or upstream",
            )
        })
}

fn status(word: String) -> Result<String, Problem> {
    let digits = word.strip_suffix("xx").unwrap_or(&word);
    let length = if digits.len() == word.len() { 3 } else { 1 };
    match digits.len() == length && digits.bytes().all(|byte| byte.is_ascii_digit()) {
        true => Ok(word),
        false => Err(Problem::bad(
            format!("\"{word}\" is no status"),
            "write 503, or 5xx",
        )),
    }
}

/// Tells until somebody goes.
pub(super) async fn serve(
    gateway: &Gateway,
    session: &mut ServerSession,
    filter: &Filter,
) -> Result<(), pingora_error::BError> {
    let mut watch = gateway.telemetry.tail.watch();
    let mut head = ResponseHeader::build(StatusCode::OK, Some(3))?;
    head.insert_header(CONTENT_TYPE, "application/x-ndjson")?;
    head.insert_header(CACHE_CONTROL, "no-store")?;
    head.insert_header(TRANSFER_ENCODING, "chunked")?;
    session.set_keepalive(None);
    session.write_response_header(Box::new(head)).await?;
    // Who waits for the first line knows that it is heard.
    session
        .write_response_body(Bytes::from_static(b"\n"), false)
        .await?;
    loop {
        let line = tokio::select! {
            told = watch.next() => match told {
                Some(Told::Request(record)) if filter.takes(&record) => tail::line(&record),
                Some(Told::Request(_)) => continue,
                Some(Told::Missed(missed)) => json!({ "missed": missed }).to_string(),
                None => break,
            },
            () = tokio::time::sleep(BEAT) => String::new(),
            () = gateway.drain.closed() => break,
            // It has nothing more to say: it goes.
            _ = session.read_body_or_idle(true) => return Ok(()),
        };
        session
            .write_response_body(Bytes::from(line + "\n"), false)
            .await?;
    }
    session.finish_body().await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_for_is_read_and_what_makes_no_sense_refused() {
        let read = filter(Some(
            "code=dns_error&fault=gateway,upstream&status=5xx&slow=true",
        ))
        .expect("good");
        assert_eq!(read.code.as_deref(), Some("dns_error"));
        assert_eq!(read.faults, [Fault::Gateway, Fault::Upstream]);
        assert_eq!(read.status.as_deref(), Some("5xx"));
        assert!(read.slow);
        assert_eq!(filter(None).expect("all"), Filter::default());
        for bad in ["fault=somebody", "status=5", "status=55xx", "colour=red"] {
            let problem = filter(Some(bad)).expect_err(bad);
            assert!(!problem.hint.is_empty(), "{bad}");
        }
    }
}
