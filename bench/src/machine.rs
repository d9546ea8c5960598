//! The machine and the programs, as far as a reader of the figures needs to know them; and which
//! CPUs they have to themselves. No host names, no paths.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use nix::errno::Errno;
use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;

use crate::case::Case;
use crate::contender::Kind;
use crate::failure::Failure;
use crate::load;
use crate::rounds::Options;

/// Facts as label and value, in the order they are printed.
pub fn facts(options: &Options) -> Vec<(&'static str, String)> {
    let mut facts = vec![
        ("Machine", machine()),
        ("Pingora", pingora().unwrap_or("unknown").to_owned()),
    ];
    if options.kinds.contains(&Kind::Nginx) {
        facts.push(("nginx", version(&options.programs.nginx, "-v")));
    }
    let is_envoy = |kind: &Kind| matches!(kind, Kind::Envoy | Kind::EnvoyStats);
    for (takes_part, label, version) in [
        (options.kinds.iter().any(is_envoy), "Envoy", envoy(options)),
        (
            options.kinds.contains(&Kind::Portkey),
            "Portkey",
            portkey(options),
        ),
        (
            options.kinds.contains(&Kind::Litellm),
            "LiteLLM",
            python_package(&options.programs.litellm, "litellm"),
        ),
    ] {
        if takes_part {
            facts.push((label, version.unwrap_or_else(|| "unknown".to_owned())));
        }
    }
    if options.kinds.iter().any(|kind| kind.is_weir()) {
        facts.push(("Weir", version(&options.programs.weir, "--version")));
    }
    facts.push(("Build", build()));
    facts.push(("Load", asked(options)));
    facts
}

/// The same as lines of Markdown.
pub fn list(options: &Options) -> String {
    let mut text = String::new();
    for (label, value) in facts(options) {
        writeln!(text, "- {label}: {value}").expect("a string takes all that is written");
    }
    text
}

/// What everyone is asked, as far as it matters to these cases.
fn asked(options: &Options) -> String {
    let is_streamed = options.cases.iter().any(|case| case.is_stream());
    let callers = options.connections;
    let mut parts = vec![
        format!("{} rounds", options.rounds),
        format!("bursts of {} requests", options.requests),
        format!("{callers} connections"),
    ];
    if options.cases.contains(&Case::Grpc) {
        let shared = load::grpc_connections(callers);
        parts[2] = format!("{callers} callers, those of gRPC over {shared} connections");
    }
    if is_streamed {
        parts[1].push_str(&format!(", {} of streams", options.streams));
        let gap = match options.stream_gap {
            Duration::ZERO => "nothing".to_owned(),
            gap => format!("{gap:?}"),
        };
        parts.push(format!("{gap} between the events of a stream"));
    }
    parts.push(match options.pin {
        true => "contenders on a CPU of their own if there is one to spare".to_owned(),
        false => "no CPU reserved".to_owned(),
    });
    parts.join("; ")
}

/// Keeps the last CPU for the contenders: takes this process, and with it all that it starts
/// later unless told otherwise, off it. `None` if there is but one.
pub fn reserve_cpu() -> Result<Option<usize>, Failure> {
    let failed = "cannot choose CPUs";
    let us = Pid::from_raw(0);
    let mut set = sched_getaffinity(us).map_err(Failure::during(failed))?;
    let ours: Vec<usize> = (0..CpuSet::count())
        .filter(|cpu| set.is_set(*cpu) == Ok(true))
        .collect();
    let [_, .., last] = ours[..] else {
        return Ok(None);
    };
    set.unset(last)
        .and_then(|()| sched_setaffinity(us, &set))
        .map_err(Failure::during(failed))?;
    Ok(Some(last))
}

/// Puts every thread of a process on `cpu`, or on the CPUs that this process runs on.
pub fn place(process: Pid, cpu: Option<usize>) -> Result<(), Failure> {
    let mut set = CpuSet::new();
    let chosen = match cpu {
        Some(cpu) => set.set(cpu).map(|()| set),
        None => sched_getaffinity(Pid::from_raw(0)),
    };
    let threads = fs::read_dir(format!("/proc/{process}/task"))
        .into_iter()
        .flatten()
        .flatten();
    chosen
        .and_then(|set| {
            threads
                .filter_map(|thread| thread.file_name().to_str()?.parse().ok())
                .map(|thread| sched_setaffinity(Pid::from_raw(thread), &set))
                // A thread may have ended since it was listed.
                .filter(|placed| *placed != Err(Errno::ESRCH))
                .collect()
        })
        .map_err(Failure::during(format_args!(
            "cannot choose the CPUs of process {process}"
        )))
}

/// The processors and the kernel.
pub fn machine() -> String {
    let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let field = |name: &str| {
        cpuinfo
            .lines()
            .filter_map(|line| line.split_once(':'))
            .filter(|(label, _)| label.trim() == name)
            .map(|(_, value)| value.trim().to_owned())
            .collect::<Vec<_>>()
    };
    let model = field("model name")
        .into_iter()
        .next()
        .unwrap_or_else(|| std::env::consts::ARCH.to_owned());
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    format!(
        "{} CPUs, {model}; Linux {}",
        field("processor").len(),
        kernel.trim()
    )
}

/// The version of Pingora the bare proxy and the gateway are built with, as locked.
fn pingora() -> Option<&'static str> {
    let lock = include_str!("../../Cargo.lock");
    let (_, package) = lock.split_once("name = \"pingora-core\"\nversion = \"")?;
    package.split('"').next()
}

/// What `program` says of its version: the last word of its first line.
pub fn version(program: &Path, flag: &str) -> String {
    let unknown = "unknown".to_owned();
    let Ok(output) = Command::new(program).arg(flag).output() else {
        return unknown;
    };
    let said = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&said);
    let word = text
        .lines()
        .next()
        .and_then(|line| line.split_whitespace().last());
    word.map_or(unknown, |word| word.trim_start_matches("nginx/").to_owned())
}

/// The version of Envoy, which it says between its commit and how it was built.
fn envoy(options: &Options) -> Option<String> {
    let said = Command::new(&options.programs.envoy)
        .arg("--version")
        .output()
        .ok()?
        .stdout;
    let said = String::from_utf8_lossy(&said);
    let (_, said) = said.split_once("version: ")?;
    said.split('/').nth(1).map(str::to_owned)
}

/// The versions of Portkey and of the Node it runs on.
fn portkey(options: &Options) -> Option<String> {
    let modules = options.programs.portkey.join("node_modules");
    let manifest = fs::read_to_string(modules.join("@portkey-ai/gateway/package.json")).ok()?;
    let manifest: serde_json::Value = serde_json::from_str(&manifest).ok()?;
    let node = version(&modules.join(".bin/node"), "--version");
    Some(format!("{} on Node {node}", manifest["version"].as_str()?))
}

/// The version of a package, which Python shows in the name of a directory.
pub fn python_package(environment: &Path, name: &str) -> Option<String> {
    let pythons = fs::read_dir(environment.join("lib")).ok()?;
    let packages = pythons
        .flatten()
        .filter_map(|python| fs::read_dir(python.path().join("site-packages")).ok())
        .flat_map(Iterator::flatten);
    packages
        .filter_map(|package| package.file_name().into_string().ok())
        .find_map(|found| {
            let version = found.strip_prefix(name)?.strip_prefix('-')?;
            let version = version.strip_suffix(".dist-info")?;
            Some(version.to_owned())
        })
}

/// The profile, which Cargo shows in nothing but the directory it builds into.
pub fn build() -> String {
    let profile = std::env::current_exe().ok().and_then(|this| {
        let directory = this.parent()?.file_name()?;
        Some(directory.to_string_lossy().into_owned())
    });
    let profile = profile.unwrap_or_else(|| "unknown".to_owned());
    if cfg!(debug_assertions) {
        format!("profile `{profile}`, not optimised: these figures say nothing")
    } else {
        format!("profile `{profile}`, mimalloc")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_locked_pingora_is_found() {
        let version = pingora().expect("it is locked");
        assert!(version.split('.').count() == 3, "{version}");
    }
}
