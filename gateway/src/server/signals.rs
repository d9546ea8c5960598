//! Signals: stop, hand over, reload, reopen.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::gateway::Gateway;

/// Why the process ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// SIGTERM or SIGINT.
    Terminate,
    /// SIGQUIT: another process takes over.
    Upgrade,
}

/// The signals a gateway listens to.
pub(super) struct Signals {
    terminate: Signal,
    interrupt: Signal,
    quit: Signal,
    hangup: Signal,
    reopen: Signal,
}

impl Signals {
    /// Starts listening.
    pub(super) fn new() -> io::Result<Self> {
        Ok(Signals {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            quit: signal(SignalKind::quit())?,
            hangup: signal(SignalKind::hangup())?,
            reopen: signal(SignalKind::user_defined1())?,
        })
    }

    /// Acts on signals until one says that the process ends.
    pub(super) async fn next(&mut self, gateway: &Gateway) -> End {
        loop {
            tokio::select! {
                _ = self.terminate.recv() => return End::Terminate,
                _ = self.interrupt.recv() => return End::Terminate,
                _ = self.quit.recv() => return End::Upgrade,
                _ = self.hangup.recv() => gateway.reload.notify_one(),
                _ = self.reopen.recv() => {
                    if let Some(log) = &gateway.telemetry.access_log {
                        log.reopen();
                    }
                }
            }
        }
    }

    /// Waits for the second request to stop.
    pub(super) async fn again(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
