//! `weir run`: from a configuration to a serving process, and to its end.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use pingora_core::server::{Fds, ShutdownWatch};
use tokio::sync::watch;

use super::connection::App;
use super::listen::Sockets;
use super::{tls, upgrade};
use crate::admin;
use crate::config::{self, Loaded};
use crate::gateway::Gateway;
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
pub(crate) fn run(start: Start, ready: impl FnOnce(&[(String, std::net::SocketAddr)])) -> Result<(), String> {
    let server = start.loaded.config.server.clone();
    let inherited = if start.upgrade { upgrade::take_over(&server)? } else { Fds::new() };
    let workers = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(server.worker_threads)
        .thread_name("weir-worker")
        .enable_all()
        .build()
        .map_err(|e| format!("cannot start worker threads: {e}"))?;
    let gateway = workers.block_on(serve(start, inherited, ready))?;
    // Tasks still there are streams past the deadline: dropping them runs their `finish`.
    workers.shutdown_timeout(Duration::from_millis(500));
    gateway.telemetry.shutdown(Duration::from_secs(3));
    upgrade::remove_pid(&server);
    Ok(())
}

async fn serve(
    start: Start,
    inherited: Fds,
    ready: impl FnOnce(&[(String, std::net::SocketAddr)]),
) -> Result<Arc<Gateway>, String> {
    let Start { loaded, path, .. } = start;
    let config = loaded.config.clone();
    let gateway = Arc::new(gateway(loaded)?);
    let mut sockets = Sockets::new(inherited);
    for listener in &config.listeners {
        sockets.open(&listener.name, listener.address)?;
    }
    for (name, address) in admin::addresses(&config) {
        sockets.open(name, address)?;
    }
    sockets.close_unclaimed();

    let (stop, stopped) = watch::channel(false);
    accept(&gateway, &config, &sockets, &stopped)?;
    upgrade::write_pid(&config.server)?;
    if let Some(path) = path {
        crate::reload::watch(gateway.clone(), path);
    }
    let mut signals = signals::Signals::new().map_err(|e| e.to_string())?;
    gateway.telemetry.metrics.config_loaded(true);
    ready(sockets.bound());
    end(&gateway, &sockets, &mut signals, &stop).await;
    Ok(gateway)
}

fn gateway(loaded: Loaded) -> Result<Gateway, String> {
    let (telemetry, sampler) = crate::observe::start(&loaded.config)?;
    let snapshot = runtime::compile(loaded, None, &telemetry.metrics)?;
    Ok(Gateway::new(telemetry, sampler, Arc::new(snapshot)))
}

fn accept(
    gateway: &Arc<Gateway>,
    config: &config::Config,
    sockets: &Sockets,
    stopped: &ShutdownWatch,
) -> Result<(), String> {
    for listener in &config.listeners {
        let tls = listener.tls.as_ref().map(tls::settings).transpose()?;
        let metrics = gateway.telemetry.metrics.listener(&listener.name);
        let app = App::new(gateway.clone(), listener.clone(), metrics);
        sockets.accept(&listener.name, tls, app, stopped.clone());
    }
    for (name, _) in admin::addresses(config) {
        sockets.accept(name, None, admin::App::new(gateway.clone(), name), stopped.clone());
    }
    Ok(())
}

/// Waits for a reason to stop, then ends what is in flight.
async fn end(
    gateway: &Arc<Gateway>,
    sockets: &Sockets,
    signals: &mut signals::Signals,
    stop: &watch::Sender<bool>,
) {
    let why = loop {
        match signals.next(gateway).await {
            End::Upgrade => {
                let server = gateway.snapshot().loaded.config.server.clone();
                let handed = upgrade::hand_over(&sockets.fds().lock(), &server);
                match handed {
                    Ok(()) => break End::Upgrade,
                    Err(error) => log::error!("upgrade: {error}; this process goes on serving"),
                }
            }
            End::Terminate => break End::Terminate,
        }
    };
    let limit = gateway.snapshot().loaded.config.server.drain_timeout;
    gateway.telemetry.metrics.draining(true);
    log::info!("draining {} requests, for at most {limit:?}", gateway.drain.in_flight());
    let _ = stop.send(true);
    gateway.drain.close();
    if why == End::Upgrade {
        // Idle connections get this long to send one more request and be told to reconnect.
        tokio::time::sleep(upgrade::ANNOUNCE.min(limit)).await;
    }
    tokio::select! {
        () = gateway.drain.idle() => {}
        () = tokio::time::sleep(limit) => {
            log::warn!("{} requests did not end in {limit:?}", gateway.drain.in_flight());
        }
        () = signals.again() => log::warn!("told again: stopping at once"),
    }
}
