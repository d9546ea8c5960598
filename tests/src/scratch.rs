//! Temporary directories, and where the build keeps its things.
//!
//! A directory goes when its [`Scratch`] does. What a killed test run left behind is removed by
//! the next one: the owner's process id is part of the name.

use std::path::{Path, PathBuf};
use std::sync::Once;

use tempfile::TempDir;

const PREFIX: &str = "weir-test-";

/// A temporary directory that is removed when dropped.
#[derive(Debug)]
pub struct Scratch(TempDir);

impl Scratch {
    /// An empty directory; `purpose` becomes part of its name.
    ///
    /// # Panics
    /// If the system's temporary directory cannot be written to.
    pub fn new(purpose: &str) -> Scratch {
        static SWEPT: Once = Once::new();
        SWEPT.call_once(sweep);
        let dir = tempfile::Builder::new()
            .prefix(&format!("{PREFIX}{}-{purpose}-", std::process::id()))
            .tempdir()
            .expect("the temporary directory is writable");
        Scratch(dir)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// Writes a file into it and returns the file's path.
    ///
    /// # Panics
    /// If the file cannot be written.
    pub fn write(&self, name: &str, contents: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path().join(name);
        std::fs::write(&path, contents)
            .unwrap_or_else(|error| panic!("{} cannot be written: {error}", path.display()));
        path
    }
}

/// Removes directories whose owner no longer runs.
fn sweep() {
    let Ok(entries) = std::fs::read_dir(std::env::temp_dir()) else {
        return;
    };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let owner = name
            .to_str()
            .and_then(|name| name.strip_prefix(PREFIX)?.split('-').next()?.parse().ok());
        let gone = |pid: u32| !Path::new("/proc").join(pid.to_string()).exists();
        if owner.is_some_and(gone) {
            // Another run may be sweeping the same directory: whoever is late finds it gone.
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}

/// Cargo's target directory, found from the running test executable.
///
/// # Panics
/// If the executable lies in no target directory (it was copied elsewhere).
pub fn target_dir() -> PathBuf {
    let executable = std::env::current_exe().expect("a process knows its executable");
    executable
        .ancestors()
        // Cargo leaves its tag only in a directory it made itself, and this file in every one.
        .find(|dir| dir.join(".rustc_info.json").exists())
        .unwrap_or_else(|| panic!("{} is in no target directory", executable.display()))
        .to_path_buf()
}

/// The directory of the profile the tests were built with, such as `target/debug`.
///
/// # Panics
/// If the executable does not lie where Cargo puts tests.
pub fn profile_dir() -> PathBuf {
    let executable = std::env::current_exe().expect("a process knows its executable");
    executable
        .ancestors()
        .nth(2)
        .expect("Cargo puts tests into <target>/<profile>/deps")
        .to_path_buf()
}
