//! What watches an upstream between requests: probes, name resolution, and the sweep of idle
//! connections. Its tasks end with the upstream.

use std::net::SocketAddr;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::time::Duration;

use parking_lot::Mutex;
use pingora_core::connectors::http::v2::ConnectionRef;
use pingora_http::RequestHeader;
use tokio::task::AbortHandle;

use super::dial::{Opened, Protocol};
use super::probe::{self, Health, Transition, grpc};
use super::session::Session;
use super::slot::Slot;
use super::{Endpoint, Upstream};
use crate::config::upstreams::{Active, Probe};

/// Tasks that end when this is dropped.
#[derive(Default)]
pub(super) struct Tasks(Mutex<Vec<AbortHandle>>);

impl Drop for Tasks {
    fn drop(&mut self) {
        self.0.lock().iter().for_each(AbortHandle::abort);
    }
}

const SWEEP_EVERY: Duration = Duration::from_secs(1);
const RESOLVE_EVERY: u32 = 15;

/// Starts watching. Outside of a runtime, as in a dry run, nothing is watched.
pub(super) fn watch(upstream: &Arc<Upstream>) {
    let Ok(runtime) = tokio::runtime::Handle::try_current() else {
        return;
    };
    let mut tasks = upstream.tasks.0.lock();
    tasks.push(
        runtime
            .spawn(keep_house(Arc::downgrade(upstream)))
            .abort_handle(),
    );
    for (index, endpoint) in upstream.endpoints.iter().enumerate() {
        match upstream.definition.active.clone() {
            Some(active) => {
                let task = runtime.spawn(probe_forever(Arc::downgrade(upstream), index, active));
                tasks.push(task.abort_handle());
            }
            // Nobody is left to find it well again.
            None => endpoint.healthy.store(true, Ordering::Relaxed),
        }
    }
    upstream.tell_health();
}

async fn keep_house(upstream: Weak<Upstream>) {
    for round in 0_u32.. {
        let Some(upstream) = upstream.upgrade() else {
            return;
        };
        upstream.sweep();
        // An ejection ends by itself; the gauge has to be told.
        upstream.tell_health();
        if round.is_multiple_of(RESOLVE_EVERY) {
            for endpoint in &upstream.endpoints {
                // A failure keeps the last good answer; a call without any says dns_error.
                let _ = endpoint.resolved.refresh().await;
            }
        }
        drop(upstream);
        tokio::time::sleep(SWEEP_EVERY).await;
    }
}

async fn probe_forever(upstream: Weak<Upstream>, index: usize, active: Active) {
    let settings = probe::Settings {
        healthy_after: active.healthy_after,
        unhealthy_after: active.unhealthy_after,
    };
    let Some(before) = upstream.upgrade().map(|u| u.endpoints[index].is_healthy()) else {
        return;
    };
    let health = Health::resume(settings, before);
    loop {
        let Some(strong) = upstream.upgrade() else {
            return;
        };
        let endpoint = strong.endpoints[index].clone();
        let good = probe_once(&strong, &endpoint, &active).await.is_ok();
        if let Some(transition) = health.observe(good) {
            let healthy = transition == Transition::Healthy;
            endpoint.healthy.store(healthy, Ordering::Relaxed);
            strong.tell_health();
        }
        drop(strong);
        tokio::time::sleep(active.interval).await;
    }
}

async fn probe_once(
    upstream: &Upstream,
    endpoint: &Endpoint,
    active: &Active,
) -> Result<(), String> {
    if endpoint.resolved.current().is_empty() {
        endpoint.resolved.refresh().await?;
    }
    let mut failed = Err("the name has no address".to_owned());
    for address in endpoint.resolved.current().iter() {
        failed = probe_address(upstream, endpoint, active, *address).await;
        if failed.is_ok() {
            break;
        }
    }
    failed
}

async fn probe_address(
    upstream: &Upstream,
    endpoint: &Endpoint,
    active: &Active,
    address: SocketAddr,
) -> Result<(), String> {
    let within = active.timeout;
    let (path, host) = match &active.probe {
        Probe::Tcp => return probe::tcp(address, within).await,
        Probe::Grpc { service, host } => {
            let host = host.as_deref().unwrap_or(&endpoint.name);
            let asked = async {
                let session = open_http2(upstream, endpoint, address, within).await?;
                grpc::ask(session, host, service, within).await
            };
            return in_time(within, asked).await;
        }
        Probe::Http { path, host } => (path, host.as_deref().unwrap_or(&endpoint.name)),
    };
    if upstream.dialer.protocol() == Protocol::Http2 {
        let asked = async {
            let session = open_http2(upstream, endpoint, address, within).await?;
            ask_http2(session, host, path).await
        };
        return in_time(within, asked).await;
    }
    let connecting = upstream.dialer.stream(address, &endpoint.server_name);
    let stream = tokio::time::timeout(active.timeout, connecting)
        .await
        .map_err(|_| format!("no connection within {:?}", active.timeout))?
        .map_err(|e| e.to_string())?;
    probe::http_over(stream, host, path, probe::WELL, active.timeout).await
}

async fn in_time(
    within: Duration,
    asked: impl Future<Output = Result<(), String>>,
) -> Result<(), String> {
    tokio::time::timeout(within, asked)
        .await
        .unwrap_or_else(|_| Err(format!("no answer within {within:?}")))
}

/// A stream on a connection of its own.
async fn open_http2(
    upstream: &Upstream,
    endpoint: &Endpoint,
    address: SocketAddr,
    within: Duration,
) -> Result<Session, String> {
    let connection = connect_http2(upstream, endpoint, address, within).await?;
    let session = Session::http2(&connection).await;
    let session = session.map_err(|error| error.to_string())?;
    session.ok_or_else(|| "a new connection takes no stream".to_owned())
}

/// A connection beside those for calls.
pub(super) async fn connect_http2(
    upstream: &Upstream,
    endpoint: &Endpoint,
    address: SocketAddr,
    within: Duration,
) -> Result<ConnectionRef, String> {
    let said = |error: pingora_error::BError| error.to_string();
    // A probe's connection is not one of those that calls are allowed.
    let slot = Slot::take(&Arc::default(), None).expect("there is no limit");
    let opening = upstream
        .dialer
        .open(address, &endpoint.server_name, Arc::new(slot), within);
    match opening.await.map_err(said)?.0 {
        Opened::Http2(connection) => Ok(connection),
        Opened::Http1(_) => Err("the connection is not HTTP/2".to_owned()),
    }
}

/// Asks in the protocol the endpoint speaks: a server for HTTP/2 alone answers nothing else.
async fn ask_http2(mut session: Session, host: &str, path: &str) -> Result<(), String> {
    let said = |error: pingora_error::BError| error.to_string();
    let mut head = RequestHeader::build("GET", path.as_bytes(), None).map_err(said)?;
    head.insert_header("host", host).map_err(said)?;
    head.insert_header("user-agent", probe::USER_AGENT)
        .map_err(said)?;
    session
        .send(Box::new(head), None, true)
        .await
        .map_err(said)?;
    let status = session.read_head().await.map_err(said)?.status;
    probe::judge(status.as_u16(), &probe::WELL)
}
