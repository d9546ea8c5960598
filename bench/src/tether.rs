//! A program that does not outlive the run, whatever ends the run.
//!
//! Guards stop children when the conductor returns or panics, but not when it is killed. So every
//! child is started through this: the binary runs itself, asks the kernel to be terminated with
//! its parent, takes its place on the CPUs, and becomes the program. The pid stays the same.

use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::process::Command;

use nix::sched::{CpuSet, sched_setaffinity};
use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::Signal;
use nix::unistd::Pid;

use crate::failure::Failure;

/// Becomes `program`, bound to `cpu` if one is given. Returns only if that failed.
pub fn become_program(cpu: Option<usize>, program: &[OsString]) -> Failure {
    let Some((name, arguments)) = program.split_first() else {
        return Failure::new("no program to become");
    };
    if let Err(failure) = bind(cpu) {
        return failure;
    }
    let error = Command::new(name).args(arguments).exec();
    Failure::new(format!("cannot start {}: {error}", name.display()))
}

fn bind(cpu: Option<usize>) -> Result<(), Failure> {
    set_pdeathsig(Signal::SIGTERM)
        .map_err(Failure::during("cannot tie a program to its parent's life"))?;
    cpu.map_or(Ok(()), |cpu| {
        let mut set = CpuSet::new();
        set.set(cpu)
            .and_then(|()| sched_setaffinity(Pid::from_raw(0), &set))
            .map_err(Failure::during(format_args!("cannot run on CPU {cpu}")))
    })
}
