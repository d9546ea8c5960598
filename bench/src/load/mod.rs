//! The load generator: a closed loop of callers that check every answer.
//!
//! An answer that is not right fails the run: a contender that errs quickly must not look cheap.
//! It does not know who answers.

mod grpc;
pub mod http;
mod websocket;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

pub use self::grpc::connections as grpc_connections;
use crate::failure::Failure;

/// How long a burst may take before it counts as stuck.
const STUCK: Duration = Duration::from_secs(120);

/// What one burst saw.
pub struct Burst {
    /// From the first request to the last answer.
    pub wall: Duration,
    /// Each request's time from its first byte out to its last byte in, ascending.
    latencies: Vec<Duration>,
}

impl Burst {
    /// Requests answered.
    pub fn requests(&self) -> usize {
        self.latencies.len()
    }

    /// The latency that `percent` of the requests did not exceed (nearest rank).
    pub fn percentile(&self, percent: usize) -> Duration {
        let rank = (self.latencies.len() * percent).div_ceil(100).max(1);
        self.latencies.get(rank - 1).copied().unwrap_or_default()
    }
}

/// What a caller does again and again.
pub enum Exchange {
    /// A request over HTTP/1.1, on a connection of the caller's own.
    Http(http::Exchange),
    /// A unary call whose answer is an echo, on a connection shared with some others.
    Grpc,
    /// A message whose answer is an echo, on a WebSocket of the caller's own.
    Websocket,
}

/// Open connections to one contender, for one case.
pub struct Clients {
    callers: Vec<Client>,
}

impl Clients {
    /// Connects, and has every caller answered once, so that a burst finds sockets accepted
    /// and pools filled.
    pub async fn open(
        address: SocketAddr,
        exchange: Exchange,
        callers: usize,
    ) -> Result<Self, Failure> {
        let mut clients = Self {
            callers: Client::all(address, exchange, callers).await?,
        };
        clients.burst(callers).await?;
        Ok(clients)
    }

    /// Makes `requests` requests, each caller sending its next when it has its answer.
    pub async fn burst(&mut self, requests: usize) -> Result<Burst, Failure> {
        let left = Arc::new(AtomicUsize::new(requests));
        let began = Instant::now();
        let mut tasks = JoinSet::new();
        for client in self.callers.drain(..) {
            tasks.spawn(client.take_turns(Arc::clone(&left)));
        }
        let mut latencies = Vec::with_capacity(requests);
        let all = async {
            while let Some(ended) = tasks.join_next().await {
                let (client, taken) = ended.map_err(Failure::during("a client broke"))??;
                self.callers.push(client);
                latencies.extend(taken);
            }
            Ok(())
        };
        tokio::time::timeout(STUCK, all)
            .await
            .map_err(|_| Failure::new(format!("a burst was not answered within {STUCK:?}")))??;
        let wall = began.elapsed();
        latencies.sort_unstable();
        Ok(Burst { wall, latencies })
    }
}

/// One caller.
enum Client {
    Http(http::Caller),
    Grpc(grpc::Caller),
    Websocket(websocket::Caller),
}

impl Client {
    async fn all(
        address: SocketAddr,
        exchange: Exchange,
        callers: usize,
    ) -> Result<Vec<Self>, Failure> {
        let mut all = Vec::with_capacity(callers);
        match exchange {
            Exchange::Http(exchange) => {
                let exchange = Arc::new(exchange);
                for _ in 0..callers {
                    let caller = http::Caller::open(address, Arc::clone(&exchange)).await?;
                    all.push(Self::Http(caller));
                }
            }
            Exchange::Grpc => {
                all.extend(grpc::open(address, callers).await?.map(Self::Grpc));
            }
            Exchange::Websocket => {
                for number in 0..callers {
                    all.push(Self::Websocket(
                        websocket::Caller::open(address, number).await?,
                    ));
                }
            }
        }
        Ok(all)
    }

    async fn take_turns(
        mut self,
        left: Arc<AtomicUsize>,
    ) -> Result<(Self, Vec<Duration>), Failure> {
        let mut taken = Vec::new();
        while left
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| n.checked_sub(1))
            .is_ok()
        {
            taken.push(match &mut self {
                Self::Http(caller) => caller.ask().await?,
                Self::Grpc(caller) => caller.ask().await?,
                Self::Websocket(caller) => caller.ask().await?,
            });
        }
        Ok((self, taken))
    }
}
