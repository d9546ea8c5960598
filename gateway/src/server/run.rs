//! `weir run`: from a configuration to a serving process, and to its end.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use pingora_core::server::Fds;
use tokio::sync::watch;

use super::connection::App;
use super::listen::Sockets;
use super::{files, tls, upgrade};
use crate::admin;
use crate::config::{self, Loaded};
use crate::gateway::Gateway;
use crate::quota::Store;
use crate::runtime;
use crate::server::signals::{self, End};

/// A configuration and where it came from.
pub(crate) struct Start {
    /// What is served.
    pub(crate) loaded: Loaded,
    /// The file or directory to watch and to reload; none for the demo.
    pub(crate) path: Option<PathBuf>,
    /// Whether to take over from the running process.
    pub(crate) upgrade: bool,
}

/// Serves until told to stop. `ready` runs once everything listens.
pub(crate) fn run(start: Start, ready: impl FnOnce(&[(String, SocketAddr)])) -> Result<(), String> {
    files::allow_all();
    let server = start.loaded.config.server.clone();
    let workers = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(server.worker_threads)
        .thread_name("weir-worker")
        .enable_all()
        .build()
        .map_err(|e| format!("cannot start worker threads: {e}"))?;
    let gateway = workers.block_on(serve(start, ready))?;
    // Tasks still there could not be ended in time: dropping them runs their `finish`.
    workers.shutdown_timeout(Duration::from_millis(500));
    gateway.telemetry.shutdown(Duration::from_secs(3));
    Ok(())
}

async fn serve(
    start: Start,
    ready: impl FnOnce(&[(String, SocketAddr)]),
) -> Result<Arc<Gateway>, String> {
    let Start {
        loaded,
        path,
        upgrade,
    } = start;
    let config = loaded.config.clone();
    let gateway = Arc::new(gateway(loaded)?);
    come_up(&gateway).await;
    // Whatever can fail without the sockets has been done: from here on the old process waits.
    let inherited = if upgrade {
        upgrade::take_over(&config.server)?
    } else {
        Fds::new()
    };
    let mut sockets = Sockets::new(inherited);
    for listener in &config.listeners {
        sockets.open(&listener.name, listener.address)?;
    }
    for (name, address) in admin::addresses(&config) {
        sockets.open(name, address)?;
    }
    sockets.close_unclaimed();

    let mut signals = signals::Signals::new().map_err(|e| e.to_string())?;
    let stop = accept(&gateway, &config, &sockets)?;
    let _pid = upgrade::Pid::write(&config.server)?;
    if let Some(path) = path {
        crate::reload::watch(gateway.clone(), path);
    }
    gateway.webhooks.apply(&gateway);
    gateway.snapshot().fill_tables();
    gateway.llm_workers.apply(&gateway);
    gateway.telemetry.metrics.config_loaded(true);
    ready(sockets.bound());
    end(&gateway, &sockets, &mut signals, &stop).await;
    Ok(gateway)
}

/// Waits for the stores of quotas, so that nobody is refused because they are not open yet; but not
/// for one that is down.
async fn come_up(gateway: &Gateway) {
    let snapshot = gateway.snapshot();
    let each = snapshot.stores().map(Store::come_up);
    // Whoever needs it later hears why.
    let _ = tokio::time::timeout(OPENING, futures_util::future::join_all(each)).await;
}

/// Tells the accept loops to stop; dropping it does too.
struct Stop {
    listeners: watch::Sender<bool>,
    /// `metrics` and `admin`: on SIGTERM they answer to the end, for `/readyz` to say so.
    operators: watch::Sender<bool>,
}

fn accept(
    gateway: &Arc<Gateway>,
    config: &config::Config,
    sockets: &Sockets,
) -> Result<Stop, String> {
    let (listeners, stopped) = watch::channel(false);
    for listener in &config.listeners {
        let tls = match (&listener.tls, gateway.certificates.get(&listener.name)) {
            (Some(tls), Some(certificates)) => Some(tls::settings(tls, certificates.clone())?),
            _ => None,
        };
        let metrics = gateway.telemetry.metrics.listener(&listener.name);
        let app = App::new(gateway.clone(), listener.clone(), metrics);
        sockets.accept(&listener.name, tls, app, stopped.clone());
    }
    let (operators, stopped) = watch::channel(false);
    for (name, _) in admin::addresses(config) {
        sockets.accept(
            name,
            None,
            admin::App::new(gateway.clone(), name),
            stopped.clone(),
        );
    }
    Ok(Stop {
        listeners,
        operators,
    })
}

/// Waits for a reason to stop, then ends what is in flight.
async fn end(
    gateway: &Arc<Gateway>,
    sockets: &Sockets,
    signals: &mut signals::Signals,
    stop: &Stop,
) {
    let why = reason(gateway, sockets, signals).await;
    if why == End::Upgrade {
        // Somebody else sends what is on disk from now on.
        gateway.snapshot().spools().for_each(|spool| spool.retire());
    }
    let limit = gateway.snapshot().loaded.config.server.drain_timeout;
    let drain = &gateway.drain;
    gateway.telemetry.metrics.draining(true);
    log::info!(
        "draining {} requests, for at most {limit:?}",
        drain.in_flight()
    );
    drain.close();
    gateway.webhooks.leave();
    gateway.llm_workers.leave();
    // Nobody is there to see it where a loop has ended already.
    let _ = stop.listeners.send(true);
    let deadline = Instant::now() + limit;
    if why == End::Upgrade {
        let _ = stop.operators.send(true);
        // Idle connections get this long to send one more request and be told to reconnect.
        tokio::time::sleep(upgrade::ANNOUNCE.min(limit)).await;
    } else {
        // HTTP/2 connections hear of it, and count until their last frame is out.
        tokio::time::sleep(NOTICE.min(limit)).await;
    }
    tokio::select! {
        () = drain.idle() => {}
        () = tokio::time::sleep_until(deadline.into()) => {
            log::warn!("{} requests did not end in {limit:?}", drain.in_flight());
        }
        () = signals.again() => {
            log::warn!("told again: ending {} requests at once", drain.in_flight());
        }
    }
    drain.end();
    // What cannot be ended even so, as a caller who does not read, is dropped with its task.
    let _ = tokio::time::timeout(GRACE, drain.idle()).await;
    tokio::join!(
        gateway.webhooks.left(LEAVING),
        gateway.llm_workers.left(LEAVING),
    );
    if tokio::time::timeout(CLOSING, gateway.ledger.farewell())
        .await
        .is_err()
    {
        log::warn!("a quota store does not answer: what is held of it comes back later");
    }
    if tokio::time::timeout(CLOSING, gateway.usage.flush())
        .await
        .is_err()
    {
        log::error!("the disk is too slow: records of usage are lost");
    }
    let snapshot = gateway.snapshot();
    let spools = futures_util::future::join_all(snapshot.spools().map(|spool| spool.rest()));
    if tokio::time::timeout(CLOSING, spools).await.is_err() {
        log::warn!("a spool does not come to rest: what was sent of it last may be sent again");
    }
    let _ = stop.operators.send(true);
}

/// How long stores have to open.
const OPENING: Duration = Duration::from_secs(3);

/// How long connections have to notice that the process is on its way out.
const NOTICE: Duration = Duration::from_millis(50);

/// How long streams have to end in their own dialect once the deadline has passed.
const GRACE: Duration = Duration::from_millis(500);

/// How long consumer groups have to be told what is done, and that we leave.
const LEAVING: Duration = Duration::from_secs(3);

/// How long stores have to take back what is not used, and spools to note what is sent.
const CLOSING: Duration = Duration::from_secs(1);

/// Waits until there is a reason to stop.
async fn reason(gateway: &Gateway, sockets: &Sockets, signals: &mut signals::Signals) -> End {
    let mut why = signals.next(gateway).await;
    while why == End::Upgrade {
        let server = gateway.snapshot().loaded.config.server.clone();
        let handed = upgrade::hand_over(&sockets.fds().lock(), &server);
        if let Err(error) = handed {
            log::error!("upgrade: {error}; this process goes on serving");
            why = signals.next(gateway).await;
            continue;
        }
        tokio::select! {
            biased;
            taken = upgrade::taken_over(&server) => {
                if taken {
                    return End::Upgrade;
                }
                log::error!("upgrade: the new process never served; this one goes on serving");
                why = signals.next(gateway).await;
            }
            // Told to end, or asked by yet another process because the first one failed.
            next = signals.next(gateway) => why = next,
        }
    }
    why
}

/// The gateway a configuration asks for: telemetry started, routes compiled, nothing served.
fn gateway(loaded: Loaded) -> Result<Gateway, String> {
    let telemetry = crate::observe::start(&loaded.config)?;
    let certificates = tls::certificates(&loaded.config.listeners)?;
    let snapshot = runtime::compile(loaded, None, &telemetry.metrics)?;
    Ok(Gateway::new(telemetry, certificates, Arc::new(snapshot)))
}
