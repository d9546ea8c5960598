//! What people read on call holds: every code and alert has its page, pages
//! agree with the code, and no page, panel or rule names a metric, label,
//! field or page that does not exist.
//!
//! The documents are read as text. That a rule fires when it should is for
//! `promtool` to test, over `dashboards/rules/tests`.

mod dashboards;
mod fields;
mod page;
mod pages;
mod promql;
mod rules;

use std::path::{Path, PathBuf};

/// A path below the repository's root.
fn root(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}

/// A document's text.
fn text(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// Files of a folder that end so, in order.
fn files(folder: &str, extension: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(root(folder)).unwrap_or_else(|e| panic!("{folder}: {e}"));
    let mut found: Vec<PathBuf> = entries
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|e| e == extension))
        .collect();
    found.sort();
    assert!(!found.is_empty(), "{folder} holds no .{extension}");
    found
}

/// Fails with all complaints at once.
fn none(complaints: &[String]) {
    assert!(complaints.is_empty(), "\n{}", complaints.join("\n"));
}
