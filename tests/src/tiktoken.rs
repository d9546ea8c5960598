//! OpenAI's tiktoken for Python, on vocabularies that need no download: the crate tiktoken-rs, with
//! which the gateway is built, carries the same files, and tiktoken checks that they are.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::cli::Output;
use crate::python;
use crate::scratch::Scratch;

/// Counts what is in a directory with `texts` and `chats`; `tests/python/count_tokens.py` says how.
///
/// # Panics
/// If the Python environment or the crate's files are missing.
pub fn count(corpus: &Path) -> Output {
    let cache = Scratch::new("tiktoken");
    let vocabularies = vocabularies();
    let path = |path: &Path| path.display().to_string();
    python::run(
        include_str!("../python/count_tokens.py"),
        &[
            ("CORPUS", &path(corpus)),
            ("VOCABULARIES", &path(&vocabularies)),
            ("TIKTOKEN_CACHE_DIR", &path(cache.path())),
            // A file that is not as it should be shall fail the test, not be downloaded.
            ("HTTPS_PROXY", "http://127.0.0.1:9"),
        ],
    )
}

/// Where Cargo keeps the crate's files.
fn vocabularies() -> PathBuf {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--locked"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo builds this test, so it runs");
    let metadata: serde_json::Value =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| {
            let said = String::from_utf8_lossy(&output.stderr);
            panic!("cargo metadata: {error}: {said}")
        });
    let packages = metadata["packages"].as_array().expect("a list");
    let manifest = packages
        .iter()
        .find(|package| package["name"] == "tiktoken-rs")
        .and_then(|package| package["manifest_path"].as_str())
        .expect("the gateway depends on it");
    Path::new(manifest).with_file_name("assets")
}
