//! Instructions instead of time: steadier than CPU seconds where differences are small, and
//! counted by `perf stat`, where it is installed and the processor's counters can be reached
//! (in many virtual machines they cannot).

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use nix::sys::signal::Signal;
use nix::unistd::Pid;

use crate::failure::Failure;
use crate::process::{self, Process};

const EVENT: &str = "instructions:u";
/// How long `perf` may take to attach to a process's threads.
const ATTACH: Duration = Duration::from_millis(300);

/// A running count.
pub struct Counter {
    perf: Process,
    output: PathBuf,
}

impl Counter {
    /// Whether this machine counts instructions, found by counting those of `true`.
    pub fn available(directory: &Path) -> Result<bool, Failure> {
        let output = directory.join("perf-probe");
        let ran = Command::new("perf")
            .args(["stat", "-x,", "-e", EVENT, "-o"])
            .arg(&output)
            .args(["--", "true"])
            .output();
        match ran {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(Failure::new(format!("cannot run perf: {error}"))),
            Ok(_) => Ok(count(&fs::read_to_string(output).unwrap_or_default()).is_some()),
        }
    }

    /// Begins to count what all threads of `pid` execute in user space.
    pub async fn attach(pid: Pid, directory: &Path) -> Result<Self, Failure> {
        let output = directory.join("perf-count");
        let arguments = [
            "perf",
            "stat",
            "-x,",
            "-e",
            EVENT,
            "-p",
            &pid.to_string(),
            "-o",
        ];
        let mut command: Vec<_> = arguments.map(Into::into).into();
        command.push(output.clone().into());
        let mut perf = Process::start(process::Plan {
            name: "perf",
            command,
            environment: Vec::new(),
            directory,
            cpu: None,
        })?;
        tokio::time::sleep(ATTACH).await;
        perf.check_alive()?;
        Ok(Self { perf, output })
    }

    /// Ends the count.
    pub fn read(mut self) -> Result<u64, Failure> {
        // perf writes its report when it is interrupted.
        self.perf.stop(Signal::SIGINT);
        let text = fs::read_to_string(&self.output)
            .map_err(Failure::during("cannot read perf's report"))?;
        count(&text).ok_or_else(|| Failure::new(format!("perf counted nothing:\n{text}")))
    }
}

/// The count in a report of `perf stat -x,`: the first field of the event's line, which is
/// `<not supported>` or `<not counted>` where there is none.
fn count(report: &str) -> Option<u64> {
    report
        .lines()
        .find(|line| line.contains(EVENT))
        .and_then(|line| line.split(',').next()?.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_holds_a_count_or_says_that_it_does_not() {
        let counted = "# started on Mon\n\n123456,,instructions:u,998877,100.00,,\n";
        assert_eq!(count(counted), Some(123_456));
        assert_eq!(count("<not supported>,,instructions:u,0,100.00,,\n"), None);
        assert_eq!(count(""), None);
    }
}
