//! What the gateway adds to the time of a call: one connection, first straight to the model, then
//! through the gateway, round by round.
//!
//! One call at a time keeps one process busy at a time. So caller, gateway and model share the CPUs
//! that caller and model share without a gateway: to wake up another CPU takes longer than a call.
//! How long it takes with the gateway on a CPU of its own is measured apart.
//!
//! Whole answers are timed by their caller alone. The events of a stream are stamped by who writes
//! them and read against the same clock, so that each has its own time on the way.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::TcpStream;

use super::stamps::Stamps;
use crate::case::{self, Case};
use crate::contender::Kind;
use crate::failure::Failure;
use crate::load::{Clients, http};
use crate::rounds::Options;
use crate::stage::Stage;
use crate::wire::Connection;
use crate::{answer, clock};

/// One figure of each round, in microseconds.
#[derive(Default)]
pub struct Times {
    /// Straight to the model.
    pub direct: Vec<f64>,
    /// Through the gateway, on the CPUs that caller and model run on.
    pub through: Vec<f64>,
    /// Through the gateway on a CPU of its own, if it has one.
    pub apart: Vec<f64>,
}

/// What was measured, the n-th of all side by side.
#[derive(Default)]
pub struct Added {
    /// The median time of a whole answer.
    pub whole: Times,
    /// The median time of a stream's event from its writing to its reading.
    pub event: Times,
    /// The time that 99 % of the events do not exceed.
    pub slow_event: Times,
}

/// Measures; nothing if the gateway does not run. Everyone else is stopped first: what they do in
/// the background is nothing beside milliseconds of work, but it is beside microseconds of waiting.
pub async fn measure(options: &Options, stage: &mut Stage) -> Result<Option<Added>, Failure> {
    let upstream = stage.site.upstream;
    stage
        .contenders
        .retain(|contender| contender.kind == Kind::WeirOpenai);
    let Some(gateway) = stage.contenders.first_mut() else {
        return Ok(None);
    };
    eprintln!("one connection: {} rounds", options.rounds);
    let mut added = Added::default();
    for round in 0..=options.rounds {
        let direct = visit(upstream, options).await?;
        gateway.place(false)?;
        let through = visit(gateway.address, options).await;
        let apart = match stage.site.cpu {
            Some(_) if through.is_ok() => {
                gateway.place(true)?;
                Some(visit(gateway.address, options).await)
            }
            _ => None,
        };
        let visits = through.and_then(|through| Ok((through, apart.transpose()?)));
        let (through, apart) = visits.map_err(|failure| gateway.explain(&failure))?;
        // Round 0 warms what is only used now.
        if round > 0 {
            let figures = [&mut added.whole, &mut added.event, &mut added.slow_event];
            for (at, times) in figures.into_iter().enumerate() {
                times.direct.push(direct[at]);
                times.through.push(through[at]);
                times.apart.extend(apart.map(|apart| apart[at]));
            }
        }
    }
    Ok(Some(added))
}

/// One round at one address: the median of whole answers, the median of events and their 99th
/// percentile, in microseconds.
async fn visit(address: SocketAddr, options: &Options) -> Result<[f64; 3], Failure> {
    let exchange = Case::Llm.exchange(address, "", true);
    let mut clients = Clients::open(address, exchange, 1).await?;
    let whole = clients.burst((options.requests / 10).max(1)).await?;
    let delays = delays(address, (options.streams / 10).max(1)).await?;
    let rank = |percent: usize| {
        let rank = (delays.len() * percent).div_ceil(100).max(1);
        delays
            .get(rank - 1)
            .map_or(0.0, |nanoseconds| *nanoseconds as f64 / 1000.0)
    };
    Ok([micros(whole.percentile(50)), rank(50), rank(99)])
}

/// How long each event of so many streams was on its way, in nanoseconds, ascending.
async fn delays(address: SocketAddr, streams: usize) -> Result<Vec<u128>, Failure> {
    let mut connection = TcpStream::connect(address)
        .await
        .and_then(Connection::new)
        .map_err(Failure::during(format_args!("cannot connect to {address}")))?;
    let request = case::stamped(address);
    let mut stamps = Stamps::default();
    for _ in 0..streams {
        http::ask(&mut connection, &request, |piece| {
            stamps.take(piece, clock::nanoseconds());
        })
        .await?;
    }
    let mut delays = stamps.delays;
    let right = streams * (answer::DELTAS - 1);
    if delays.len() != right {
        return Err(Failure::new(format!(
            "{right} events were written, and {} came",
            delays.len()
        )));
    }
    delays.sort_unstable();
    Ok(delays)
}

fn micros(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e6
}
