//! A child process that is stopped when its guard is dropped. What it serves is not known here.

use std::ffi::OsString;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::failure::Failure;

/// How long a child may take to leave before it is killed.
const PATIENCE: Duration = Duration::from_secs(5);

/// What to start and how.
pub struct Plan<'a> {
    /// The child's name in messages and of its log.
    pub name: &'a str,
    /// Program and arguments.
    pub command: Vec<OsString>,
    /// Variables beside those inherited.
    pub environment: Vec<(&'static str, String)>,
    /// Where its log is kept.
    pub directory: &'a Path,
    /// The CPU it may run on; all if none.
    pub cpu: Option<usize>,
}

/// A running child.
pub struct Process {
    name: String,
    child: Child,
    pid: Pid,
    log: PathBuf,
}

impl Process {
    /// Starts it, its output in a file beside its other files.
    ///
    /// Must be called from the main thread: the kernel ends the child with the thread that
    /// started it.
    pub fn start(plan: Plan<'_>) -> Result<Self, Failure> {
        let failed = |what: &str| format!("cannot start {} ({what})", plan.name);
        let log = plan.directory.join(format!("{}.log", plan.name));
        let output = File::create(&log).map_err(Failure::during(failed("its log")))?;
        let errors = output
            .try_clone()
            .map_err(Failure::during(failed("its log")))?;
        let this = std::env::current_exe().map_err(Failure::during(failed("this program")))?;
        let mut command = Command::new(this);
        command.arg("tether");
        if let Some(cpu) = plan.cpu {
            command.arg("--cpu").arg(cpu.to_string());
        }
        command.arg("--").args(&plan.command);
        let child = command
            .envs(plan.environment)
            .stdin(Stdio::null())
            .stdout(output)
            .stderr(errors)
            .spawn()
            .map_err(Failure::during(failed("spawn")))?;
        let pid = i32::try_from(child.id()).map_err(Failure::during(failed("its pid")))?;
        Ok(Self {
            name: plan.name.to_owned(),
            child,
            pid: Pid::from_raw(pid),
            log,
        })
    }

    /// Its process id.
    pub fn pid(&self) -> Pid {
        self.pid
    }

    /// Fails, with the end of its log, if it has left.
    pub fn check_alive(&mut self) -> Result<(), Failure> {
        match self.child.try_wait() {
            Ok(None) => Ok(()),
            Ok(Some(status)) => Err(Failure::new(format!(
                "{} left ({status}); its last words:\n{}",
                self.name,
                self.last_words()
            ))),
            Err(error) => Err(Failure::new(format!("cannot watch {}: {error}", self.name))),
        }
    }

    /// The end of its log.
    pub fn last_words(&self) -> String {
        let text = std::fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(20)..].join("\n")
    }

    /// Waits for it to end by itself after `signal`; kills it if it does not.
    pub fn stop(&mut self, signal: Signal) {
        if !matches!(self.child.try_wait(), Ok(None)) {
            return;
        }
        // Refused only if it has just left, which is what is wanted.
        kill(self.pid, signal).ok();
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return;
            }
            thread::sleep(Duration::from_millis(10));
        }
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.stop(Signal::SIGTERM);
    }
}
