//! Replacing the binary without refusing a connection.
//!
//! The new process listens on a socket in the data directory, tells the old one by SIGQUIT, and
//! is sent the old one's listening sockets (Pingora's hand-over). Both accept for a moment; then
//! the old one stops and ends what it has in flight.

use std::net::SocketAddr;
use std::os::fd::RawFd;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::sys::socket::{SockaddrStorage, getsockname};
use nix::unistd::Pid;
use pingora_core::server::Fds;

use crate::config::platform::Server;

/// Long enough for a client to send the request it was about to, and be told to reconnect.
pub(super) const ANNOUNCE: Duration = Duration::from_secs(5);

/// The longest path a Unix socket can have, on every system.
const MAX_SOCKET_PATH: usize = 100;

/// Asks the process that serves now for its sockets. Blocks until they are there.
pub(super) fn take_over(server: &Server) -> Result<Fds, String> {
    let path = server.upgrade_socket.display().to_string();
    if path.len() > MAX_SOCKET_PATH {
        return Err(format!(
            "server.data_dir: {path} is too long for a Unix socket; at most {MAX_SOCKET_PATH} bytes"
        ));
    }
    let pid = read_pid(&pid_file(server))?;
    let asking = std::thread::spawn(move || {
        // The old process connects to the socket that the lines below make.
        std::thread::sleep(Duration::from_millis(200));
        kill(pid, Signal::SIGQUIT).map_err(|e| format!("cannot signal process {pid}: {e}"))
    });
    let mut fds = Fds::new();
    let taken = fds.get_from_sock(path.as_str());
    let asked = asking.join().unwrap_or_else(|_| Err("the signalling thread failed".to_owned()));
    asked?;
    taken.map_err(|e| format!("the running process handed over no sockets: {e}"))?;
    Ok(fds)
}

/// Sends the sockets to the process that asked for them.
pub(super) fn hand_over(fds: &Fds, server: &Server) -> Result<(), String> {
    let path = server.upgrade_socket.display().to_string();
    fds.send_to_sock(path.as_str()).map(|_| ()).map_err(|e| format!("{path}: {e}"))
}

/// Writes down who serves now, for [`take_over`].
pub(super) fn write_pid(server: &Server) -> Result<(), String> {
    let path = pid_file(server);
    let write = || {
        std::fs::create_dir_all(&server.data_dir)?;
        std::fs::write(&path, std::process::id().to_string())
    };
    write().map_err(|e| format!("{}: {e}", path.display()))
}

/// Removes the pid file, unless a newer process has written its own.
pub(super) fn remove_pid(server: &Server) {
    let path = pid_file(server);
    if read_pid(&path).is_ok_and(|pid| pid == Pid::this()) {
        // Left behind, it would only make a later upgrade fail with a clear error.
        let _ = std::fs::remove_file(path);
    }
}

fn pid_file(server: &Server) -> PathBuf {
    server.data_dir.join("weir.pid")
}

fn read_pid(path: &Path) -> Result<Pid, String> {
    let text = std::fs::read_to_string(path)
        .map_err(|e| format!("{}: {e}; is the gateway running with this data_dir?", path.display()))?;
    let pid = text.trim().parse().map_err(|_| format!("{}: not a process id", path.display()))?;
    Ok(Pid::from_raw(pid))
}

/// Where a taken-over socket is bound.
pub(super) fn local_address(fd: RawFd) -> Option<SocketAddr> {
    let bound: SockaddrStorage = getsockname(fd).ok()?;
    let v4 = bound.as_sockaddr_in().map(|a| SocketAddr::from((a.ip(), a.port())));
    v4.or_else(|| bound.as_sockaddr_in6().map(|a| SocketAddr::from((a.ip(), a.port()))))
}
