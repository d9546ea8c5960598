//! Child processes that cannot outlive the test: killed on drop, and by the kernel if the test
//! process itself is killed.
//!
//! The kernel's part is `setpriv --pdeathsig KILL` (util-linux), which needs no unsafe code here.
//! That signal is sent when the *thread* that forked ends, so all children are forked by one
//! thread that lives as long as the process. It knows nothing of what it runs.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{self, Signal};
use nix::sys::wait::{Id, WaitPidFlag, waitid};
use nix::unistd::Pid;

use crate::wait;

pub use nix::sys::signal::Signal as Kind;

/// How long the kernel may take to freeze a process.
const FREEZING: Duration = Duration::from_secs(30);

/// A running (or ended) child process with everything it printed.
#[derive(Debug)]
pub struct Child {
    name: String,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    pid: Pid,
    /// Set before the process is reaped, so that its id is never signalled once it is free again.
    ended: Mutex<bool>,
    status: Mutex<Option<ExitStatus>>,
    lines: Mutex<Vec<String>>,
}

/// A command that dies with this process: `program` under `setpriv --pdeathsig KILL`.
pub fn command(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "--"]).arg(program);
    command
}

impl Child {
    /// Starts `command` (made by [`command`]); `name` is for messages.
    ///
    /// # Panics
    /// If it cannot be started: `setpriv` is missing.
    pub fn start(name: &str, mut command: Command) -> Child {
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut process = fork(command).unwrap_or_else(|error| {
            panic!("{name} cannot be started with setpriv (util-linux): {error}")
        });
        let shared = Arc::new(Shared {
            pid: Pid::from_raw(process.id().cast_signed()),
            ended: Mutex::new(false),
            status: Mutex::new(None),
            lines: Mutex::new(Vec::new()),
        });
        let readers = [
            process.stdout.take().map(|pipe| read(pipe, &shared)),
            process.stderr.take().map(|pipe| read(pipe, &shared)),
        ];
        let waiter = Arc::clone(&shared);
        thread::spawn(move || {
            let _ = waitid(
                Id::Pid(waiter.pid),
                WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT,
            );
            *lock(&waiter.ended) = true;
            let status = process
                .wait()
                .expect("the child is ours and not yet reaped");
            // A grandchild may keep the pipes open; its output is not waited for.
            let deadline = Instant::now() + Duration::from_secs(2);
            for reader in readers.into_iter().flatten() {
                while !reader.is_finished() && Instant::now() < deadline {
                    thread::sleep(Duration::from_millis(5));
                }
            }
            *lock(&waiter.status) = Some(status);
        });
        Child {
            name: name.to_owned(),
            shared,
        }
    }

    /// The process id.
    pub fn pid(&self) -> u32 {
        self.shared.pid.as_raw().cast_unsigned()
    }

    /// Sends a signal; nothing happens if the process has ended.
    ///
    /// # Panics
    /// If the kernel refuses for another reason than the process being gone.
    pub fn signal(&self, signal: Signal) {
        let ended = lock(&self.shared.ended);
        if !*ended {
            signal::kill(self.shared.pid, signal)
                .unwrap_or_else(|error| panic!("{} cannot get {signal}: {error}", self.name));
        }
    }

    /// Freezes it; once this returns, it does nothing until it gets a SIGCONT. On a busy machine the kernel
    /// takes a while to stop all threads of a process.
    ///
    /// # Panics
    /// If the kernel refuses, or does not stop it.
    pub fn freeze(&self) {
        self.signal(Signal::SIGSTOP);
        let tasks = format!("/proc/{}/task", self.shared.pid);
        let until = Instant::now() + FREEZING;
        while !is_stopped(&tasks) {
            assert!(Instant::now() < until, "{} is not frozen", self.name);
            thread::sleep(Duration::from_millis(1));
        }
    }

    /// How it ended, or `None` while it runs.
    pub fn status(&self) -> Option<ExitStatus> {
        *lock(&self.shared.status)
    }

    /// Waits until `probe` says that it serves, or until it has ended: then `false`.
    ///
    /// # Panics
    /// If neither happens within `deadline`.
    pub async fn ready<F: Future<Output = bool>>(
        &self,
        deadline: Duration,
        mut probe: impl FnMut() -> F,
    ) -> bool {
        let what = format!("{} (process {}) to be ready", self.name, self.pid());
        wait::within(deadline, what, || {
            let serves = self.status().is_none().then(&mut probe);
            async move {
                match serves {
                    None => Some(false),
                    Some(serves) => serves.await.then_some(true),
                }
            }
        })
        .await
    }

    /// Waits for the end.
    ///
    /// # Panics
    /// If it does not come (see [`wait::DEADLINE`]).
    pub async fn wait_exit(&self) -> ExitStatus {
        let what = format!("{} (process {}) to end", self.name, self.pid());
        wait::until(what, || std::future::ready(self.status())).await
    }

    /// SIGTERM, then the end.
    ///
    /// # Panics
    /// If it does not end.
    pub async fn stop(&self) -> ExitStatus {
        self.signal(Signal::SIGTERM);
        self.wait_exit().await
    }

    /// Every line printed so far, on standard output and standard error together.
    pub fn lines(&self) -> Vec<String> {
        lock(&self.shared.lines).clone()
    }

    /// [`Child::lines`] as one text, headed by the process's name and state; for messages.
    pub fn transcript(&self) -> String {
        let state = match self.status() {
            None => "running".to_owned(),
            Some(status) => match (status.code(), status.signal()) {
                (Some(code), _) => format!("exit code {code}"),
                (None, signal) => format!("killed by signal {}", signal.unwrap_or_default()),
            },
        };
        format!(
            "--- {} (process {}, {state}) printed:\n{}\n---",
            self.name,
            self.pid(),
            self.lines().join("\n")
        )
    }
}

impl Drop for Child {
    #[expect(
        clippy::print_stderr,
        reason = "the log of a failed test belongs on its output"
    )]
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("{}", self.transcript());
        }
        self.signal(Signal::SIGKILL);
        let deadline = Instant::now() + Duration::from_secs(10);
        while self.status().is_none() && Instant::now() < deadline {
            thread::sleep(Duration::from_millis(2));
        }
    }
}

/// Forks on the one thread that outlives all tests.
fn fork(command: Command) -> std::io::Result<std::process::Child> {
    type Order = (Command, mpsc::Sender<std::io::Result<std::process::Child>>);
    static FORKER: OnceLock<mpsc::Sender<Order>> = OnceLock::new();
    let forker = FORKER.get_or_init(|| {
        let (orders, inbox) = mpsc::channel::<Order>();
        thread::spawn(move || {
            for (mut command, answer) in inbox {
                // Whoever ordered is waiting for the answer, so somebody receives it.
                let _ = answer.send(command.spawn());
            }
        });
        orders
    });
    let (answer, child) = mpsc::channel();
    forker
        .send((command, answer))
        .expect("the forking thread never ends");
    child
        .recv()
        .expect("the forking thread answers every order")
}

fn read(pipe: impl Read + Send + 'static, shared: &Arc<Shared>) -> thread::JoinHandle<()> {
    let shared = Arc::clone(shared);
    thread::spawn(move || {
        for line in BufReader::new(pipe).split(b'\n') {
            let Ok(line) = line else { return };
            lock(&shared.lines).push(String::from_utf8_lossy(&line).into_owned());
        }
    })
}

/// Whether none of these threads runs, or ever will by itself.
fn is_stopped(tasks: &str) -> bool {
    let Ok(mut tasks) = std::fs::read_dir(tasks) else {
        return true;
    };
    tasks.all(|task| {
        let stat = task.and_then(|task| std::fs::read_to_string(task.path().join("stat")));
        // The state is behind the name, which ends with the last bracket.
        let state = |stat: &str| {
            stat.rsplit_once(") ")
                .is_some_and(|(_, rest)| rest.starts_with('T'))
        };
        stat.map_or(true, |stat| state(&stat))
    })
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Drop runs while a test panics: a poisoned lock must not turn that into an abort.
    mutex
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}
