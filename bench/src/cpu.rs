//! What a process has used: CPU time to the nanosecond, and resident memory.
//!
//! CPU time is the kernel's clock of the whole process (`clock_getcpuclockid(3)`): the scheduler's
//! own account of time on a CPU, of all threads, those that have ended included. `/proc/PID/stat`
//! counts the same in ticks of 10 ms, and `/proc/PID/task/*/schedstat` forgets ended threads.

use std::fs;
use std::time::Duration;

use nix::time::ClockId;
use nix::unistd::Pid;

use crate::failure::Failure;

/// CPU time `pid` has spent since it started, in user space and kernel.
pub fn spent(pid: Pid) -> Result<Duration, Failure> {
    ClockId::pid_cpu_clock_id(pid)
        .and_then(ClockId::now)
        .map(Duration::from)
        .map_err(Failure::during(format_args!(
            "cannot read the CPU time of process {pid}"
        )))
}

/// Resident memory of `pid` in bytes.
pub fn resident(pid: Pid) -> Result<u64, Failure> {
    memory(pid, "VmRSS")
}

/// The most memory of `pid` that was ever resident, in bytes.
pub fn peak(pid: Pid) -> Result<u64, Failure> {
    memory(pid, "VmHWM")
}

fn memory(pid: Pid, field: &str) -> Result<u64, Failure> {
    let kibibytes = status(pid, field).and_then(|value| {
        let digits = value.split_whitespace().next()?;
        digits.parse::<u64>().ok()
    });
    kibibytes
        .map(|count| count * 1024)
        .ok_or_else(|| Failure::new(format!("cannot read the memory of process {pid}")))
}

/// `root` and all that descend from it.
pub fn tree(root: Pid) -> Vec<Pid> {
    let mut found = vec![root];
    let mut at = 0;
    while let Some(parent) = found.get(at) {
        found.extend(children(*parent));
        at += 1;
    }
    found
}

/// The processes whose parent is `parent`.
pub fn children(parent: Pid) -> Vec<Pid> {
    let Ok(entries) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok().map(Pid::from_raw))
        .filter(|pid| {
            status(*pid, "PPid").and_then(|text| text.parse().ok()) == Some(parent.as_raw())
        })
        .collect()
}

fn status(pid: Pid, field: &str) -> Option<String> {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    text.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        (name == field).then(|| value.trim().to_owned())
    })
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn time_of_ended_threads_counts() {
        let before = spent(Pid::this()).expect("one can read one's own clock");
        let busy = std::thread::spawn(|| {
            let mut state = 1_u64;
            for _ in 0..20_000_000 {
                state = std::hint::black_box(state.wrapping_mul(6_364_136_223_846_793_005));
            }
        });
        busy.join().expect("it only counts");
        let after = spent(Pid::this()).expect("one can read one's own clock");
        assert!(after - before > Duration::from_millis(1));
    }

    #[test]
    fn a_process_has_memory_and_children() {
        assert!(resident(Pid::this()).expect("one can read one's own status") > 100 * 1024);
        let mut child = Command::new("sleep")
            .arg("60")
            .spawn()
            .expect("sleep exists");
        let pid = Pid::from_raw(i32::try_from(child.id()).expect("pids fit"));
        let found = children(Pid::this()).contains(&pid) && tree(Pid::this()).contains(&pid);
        child.kill().expect("it is ours");
        child.wait().expect("it is ours");
        assert!(found);
        assert!(resident(pid).is_err(), "a process that has left has none");
    }
}
