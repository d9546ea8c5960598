//! Active health: asking an endpoint whether it is well, and what to make of the answers.
//!
//! A probe opens a connection of its own, asks once and closes. It knows no TLS (the caller hands
//! over an established stream), no schedule and no telemetry.

pub(crate) mod grpc;

use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;

/// The longest status line that is waited for, in bytes.
const MAX_STATUS_LINE: usize = 1024;

/// The statuses of an endpoint that is well.
pub(crate) const WELL: RangeInclusive<u16> = 200..=299;

/// How a probe calls itself.
pub(crate) const USER_AGENT: &str = "weir-health";

/// How many answers of a kind it takes to change one's mind; 0 is taken as 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Settings {
    /// Good answers in a row after which an unhealthy endpoint is healthy.
    pub(crate) healthy_after: u32,
    /// Bad answers in a row after which a healthy endpoint is unhealthy.
    pub(crate) unhealthy_after: u32,
}

/// A change of mind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Transition {
    Healthy,
    Unhealthy,
}

/// What is believed of one endpoint: healthy, until probes have shown otherwise.
pub(crate) struct Health {
    settings: Settings,
    healthy: AtomicBool,
    /// Answers in a row that speak against what is believed.
    against: Mutex<u32>,
}

impl Health {
    /// Goes on from what was believed before, such as before a reload; a new endpoint is believed
    /// to be healthy.
    pub(crate) fn resume(settings: Settings, healthy: bool) -> Health {
        Health {
            settings,
            healthy: AtomicBool::new(healthy),
            against: Mutex::new(0),
        }
    }

    /// Takes in one probe's result; says so if it changed what is believed.
    pub(crate) fn observe(&self, good: bool) -> Option<Transition> {
        let mut against = self.against.lock();
        if good == self.is_healthy() {
            *against = 0;
            return None;
        }
        *against = against.saturating_add(1);
        let (needed, transition) = match good {
            true => (self.settings.healthy_after, Transition::Healthy),
            false => (self.settings.unhealthy_after, Transition::Unhealthy),
        };
        if *against < needed {
            return None;
        }
        *against = 0;
        self.healthy.store(good, Ordering::Relaxed);
        Some(transition)
    }

    pub(crate) fn is_healthy(&self) -> bool {
        self.healthy.load(Ordering::Relaxed)
    }
}

/// Well if it accepts a connection. The error is a phrase for people, naming the address.
pub(crate) async fn tcp(addr: SocketAddr, timeout: Duration) -> Result<(), String> {
    match tokio::time::timeout(timeout, connect(addr)).await {
        Ok(connected) => connected.map(drop),
        Err(_) => Err(format!("no connection to {addr} within {timeout:?}")),
    }
}

/// Well if it answers `GET path` with an `expected` status over HTTP/1.1, on a stream that the
/// caller has established. `timeout` covers asking and waiting for the status line.
pub(crate) async fn http_over<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    host: &str,
    path: &str,
    expected: RangeInclusive<u16>,
    timeout: Duration,
) -> Result<(), String> {
    let asked = exchange(stream, host, path, expected);
    match tokio::time::timeout(timeout, asked).await {
        Ok(answer) => answer,
        Err(_) => Err(no_answer(timeout)),
    }
}

fn no_answer(timeout: Duration) -> String {
    format!("connected, but no status line within {timeout:?}")
}

async fn connect(addr: SocketAddr) -> Result<TcpStream, String> {
    let connected = TcpStream::connect(addr).await;
    connected.map_err(|e| format!("cannot connect to {addr}: {e}"))
}

async fn exchange<S: AsyncRead + AsyncWrite + Unpin>(
    mut stream: S,
    host: &str,
    path: &str,
    expected: RangeInclusive<u16>,
) -> Result<(), String> {
    let request = request(host, path)?;
    let sent = async {
        stream.write_all(request.as_bytes()).await?;
        stream.flush().await
    };
    sent.await
        .map_err(|e| format!("cannot send the request: {e}"))?;
    judge(status(&read_status_line(&mut stream).await?)?, &expected)
}

/// Whether `status` is the answer of an endpoint that is well.
pub(crate) fn judge(status: u16, expected: &RangeInclusive<u16>) -> Result<(), String> {
    if expected.contains(&status) {
        return Ok(());
    }
    let (low, high) = (expected.start(), expected.end());
    Err(match low == high {
        true => format!("answered {status}, expected {low}"),
        false => format!("answered {status}, expected {low} to {high}"),
    })
}

/// The request's bytes. Both parts come from configuration and must not smuggle in a line.
fn request(host: &str, path: &str) -> Result<String, String> {
    let clean = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_graphic());
    if !clean(host) {
        return Err(format!(
            "host {host:?} cannot be sent: it must be visible ASCII without spaces"
        ));
    }
    if !clean(path) || !path.starts_with('/') {
        return Err(format!(
            "path {path:?} cannot be sent: it must begin with / and be visible ASCII without spaces"
        ));
    }
    Ok(format!(
        "GET {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: {USER_AGENT}\r\nAccept: */*\r\n\
         Connection: close\r\n\r\n"
    ))
}

async fn read_status_line(stream: &mut (impl AsyncRead + Unpin)) -> Result<Vec<u8>, String> {
    let mut read = Vec::with_capacity(MAX_STATUS_LINE);
    let mut limited = stream.take(MAX_STATUS_LINE as u64);
    loop {
        let n = limited
            .read_buf(&mut read)
            .await
            .map_err(|e| format!("cannot read the answer: {e}"))?;
        if let Some(end) = read.iter().position(|&b| b == b'\n') {
            read.truncate(end);
            return Ok(read);
        }
        if n == 0 && read.len() < MAX_STATUS_LINE {
            return Err("the connection was closed before a whole status line".to_owned());
        }
        if n == 0 {
            return Err(format!(
                "no end of the status line in {MAX_STATUS_LINE} bytes"
            ));
        }
    }
}

/// The code in a status line (RFC 9112 §4), which comes without its line feed.
fn status(line: &[u8]) -> Result<u16, String> {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let code = match line {
        [
            b'H',
            b'T',
            b'T',
            b'P',
            b'/',
            b'1',
            b'.',
            b'0' | b'1',
            b' ',
            code @ ..,
        ] => code,
        _ => &[],
    };
    match code {
        [a @ b'1'..=b'9', b @ b'0'..=b'9', c @ b'0'..=b'9']
        | [a @ b'1'..=b'9', b @ b'0'..=b'9', c @ b'0'..=b'9', b' ', ..] => {
            let digit = |byte: &u8| u16::from(byte - b'0');
            Ok(digit(a) * 100 + digit(b) * 10 + digit(c))
        }
        _ => {
            let shown = &line[..line.len().min(40)];
            Err(format!(
                "the answer is not HTTP/1.1: it begins with \"{}\"",
                shown.escape_ascii()
            ))
        }
    }
}

#[cfg(test)]
mod tests;
