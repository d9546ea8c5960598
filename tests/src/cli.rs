//! The `weir` executable under test: where it is, that it is fresh, and running its commands.
//!
//! `WEIR_BIN` names another executable to test. Otherwise it lies beside the tests in the target
//! directory; Cargo does not build a binary of another crate for tests, so it is built here when
//! it is missing or older than its sources.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::SystemTime;

use crate::scratch;

/// What a command printed and how it ended.
#[derive(Debug, Clone)]
pub struct Output {
    /// The exit code; `None` if a signal ended it.
    pub code: Option<i32>,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl From<std::process::Output> for Output {
    fn from(output: std::process::Output) -> Output {
        Output {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

/// Runs `weir` with these arguments to its end, with nothing on standard input.
///
/// # Panics
/// If the executable cannot be built or started.
pub fn run<S: AsRef<OsStr>>(arguments: &[S]) -> Output {
    run_with(arguments, &[])
}

/// [`run`] with environment variables besides the inherited ones.
///
/// # Panics
/// If the executable cannot be built or started.
pub fn run_with<S: AsRef<OsStr>>(arguments: &[S], environment: &[(&str, &str)]) -> Output {
    let output = Command::new(executable())
        .args(arguments)
        .envs(environment.iter().copied())
        .stdin(Stdio::null())
        .output()
        .unwrap_or_else(|error| panic!("{} cannot be run: {error}", executable().display()));
    Output::from(output)
}

/// The executable's path; built first if need be, once per test process.
///
/// # Panics
/// If it cannot be built.
pub fn executable() -> &'static Path {
    static EXECUTABLE: OnceLock<PathBuf> = OnceLock::new();
    EXECUTABLE.get_or_init(|| {
        if let Some(path) = std::env::var_os("WEIR_BIN") {
            return PathBuf::from(path);
        }
        let path = scratch::profile_dir().join("weir");
        if is_stale(&path) {
            build();
        }
        assert!(path.exists(), "cargo built no {}", path.display());
        path
    })
}

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the tests are a member of the workspace")
        .to_path_buf()
}

fn is_stale(executable: &Path) -> bool {
    let built = match executable.metadata().and_then(|file| file.modified()) {
        Ok(time) => time,
        Err(_) => return true,
    };
    // It has the runbooks with it.
    let sources = ["gateway/src", "protocols/src", "telemetry/src", "runbooks"];
    sources
        .iter()
        .any(|folder| newest(&workspace().join(folder)).is_some_and(|changed| changed > built))
}

/// The latest change of a file under `dir`.
fn newest(dir: &Path) -> Option<SystemTime> {
    let entries = std::fs::read_dir(dir).ok()?;
    entries
        .flatten()
        .filter_map(|entry| match entry.file_type().ok()?.is_dir() {
            true => newest(&entry.path()),
            false => entry.metadata().ok()?.modified().ok(),
        })
        .max()
}

fn build() {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let profile = scratch::profile_dir();
    let profile = match profile.file_name().and_then(OsStr::to_str) {
        None | Some("debug") => "dev",
        Some(name) => name,
    };
    let output = Command::new(cargo)
        .args(["build", "-p", "weir", "--bin", "weir", "--profile", profile])
        .current_dir(workspace())
        .stdin(Stdio::null())
        .output()
        .expect("cargo runs: it built these tests");
    assert!(
        output.status.success(),
        "cargo cannot build weir:\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
}
