//! Replacing the binary without refusing a connection.
//!
//! The new process listens on a socket in the data directory, tells the old one by SIGQUIT, and
//! is sent the old one's listening sockets (Pingora's hand-over). Both accept until the new one
//! has written its id into the pid file; then the old one stops and ends what it has in flight.
//! If that never happens, the old one has lost nothing.

use std::fs::File;
use std::io::Write as _;
use std::net::SocketAddr;
use std::os::fd::RawFd;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::fcntl::{Flock, FlockArg};
use nix::sys::signal::{Signal, kill};
use nix::sys::socket::{SockaddrStorage, getsockname};
use nix::unistd;
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
    let pid = running(&pid_file(server))?;
    let asking = std::thread::spawn(move || {
        // The old process connects to the socket that the lines below make.
        std::thread::sleep(Duration::from_millis(200));
        kill(pid, Signal::SIGQUIT).map_err(|e| format!("cannot signal process {pid}: {e}"))
    });
    let mut fds = Fds::new();
    let taken = fds.get_from_sock(path.as_str());
    let asked = asking
        .join()
        .unwrap_or_else(|_| Err("the signalling thread failed".to_owned()));
    asked?;
    taken.map_err(|e| format!("the running process handed over no sockets: {e}"))?;
    Ok(fds)
}

/// Sends the sockets to the process that asked for them.
pub(super) fn hand_over(fds: &Fds, server: &Server) -> Result<(), String> {
    let path = server.upgrade_socket.display().to_string();
    fds.send_to_sock(path.as_str())
        .map(|_| ())
        .map_err(|e| format!("{path}: {e}"))
}

/// Waits until another process has written itself down as the one that serves; `false` if that
/// does not happen.
pub(super) async fn taken_over(server: &Server) -> bool {
    let path = pid_file(server);
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline {
        if read_pid(&path).is_ok_and(|pid| pid != unistd::Pid::this()) {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    false
}

/// Long enough to bind what is new and start accepting.
const PATIENCE: Duration = Duration::from_secs(10);

/// The file that says who serves now, for [`take_over`]. Locked while the process lives, so that
/// one left behind by a crash is known for what it is; removed when dropped.
pub(super) struct Pid {
    path: PathBuf,
    _lock: Flock<File>,
}

impl Pid {
    /// Writes down that this process serves.
    pub(super) fn write(server: &Server) -> Result<Self, String> {
        let path = pid_file(server);
        let at = |e: std::io::Error| format!("{}: {e}", path.display());
        std::fs::create_dir_all(&server.data_dir).map_err(at)?;
        // Written aside, locked and moved: the process before holds a lock on its own file, and
        // nobody reads half an id.
        let draft = path.with_extension(format!("pid.{}", std::process::id()));
        let mut file = File::create(&draft).map_err(at)?;
        file.write_all(std::process::id().to_string().as_bytes())
            .map_err(at)?;
        let lock = Flock::lock(file, FlockArg::LockExclusiveNonblock)
            .map_err(|(_, errno)| at(errno.into()))?;
        std::fs::rename(&draft, &path).map_err(at)?;
        Ok(Pid { path, _lock: lock })
    }
}

impl Drop for Pid {
    fn drop(&mut self) {
        // A newer process has written its own over it.
        if read_pid(&self.path).is_ok_and(|pid| pid == unistd::Pid::this()) {
            // Left behind, it would only make a later upgrade fail with a clear error.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

fn pid_file(server: &Server) -> PathBuf {
    server.data_dir.join("weir.pid")
}

fn read_pid(path: &Path) -> Result<unistd::Pid, String> {
    let text = std::fs::read_to_string(path).map_err(|e| {
        format!(
            "{}: {e}; is the gateway running with this data_dir?",
            path.display()
        )
    })?;
    let pid = text
        .trim()
        .parse()
        .map_err(|_| format!("{}: not a process id", path.display()))?;
    Ok(unistd::Pid::from_raw(pid))
}

/// The process that serves now. A number alone may be another's by now: the lock tells.
fn running(path: &Path) -> Result<unistd::Pid, String> {
    let pid = read_pid(path)?;
    let file = File::open(path).map_err(|e| format!("{}: {e}", path.display()))?;
    match Flock::lock(file, FlockArg::LockSharedNonblock) {
        Err(_) => Ok(pid),
        Ok(_) => Err(format!(
            "{}: process {pid} no longer runs; start without --upgrade",
            path.display()
        )),
    }
}

/// Where a taken-over socket is bound.
pub(super) fn local_address(fd: RawFd) -> Option<SocketAddr> {
    let bound: SockaddrStorage = getsockname(fd).ok()?;
    let v4 = bound
        .as_sockaddr_in()
        .map(|a| SocketAddr::from((a.ip(), a.port())));
    v4.or_else(|| {
        bound
            .as_sockaddr_in6()
            .map(|a| SocketAddr::from((a.ip(), a.port())))
    })
}
