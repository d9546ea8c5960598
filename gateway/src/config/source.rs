//! Where a configuration comes from: a file, a directory, or text; and its trees.
//!
//! Reads and parses. It does not know what the sections mean.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::fault::Fault;
use super::watched::Watched;

/// One file of a configuration, parsed.
pub(super) struct File {
    /// Its path; `None` for text that came from elsewhere.
    pub path: Option<PathBuf>,
    /// Where relative paths in it begin.
    pub directory: PathBuf,
    /// What it says, as written.
    pub tree: Value,
}

/// The largest file read: far above any real one, and below what would hurt.
const MAX_FILE: u64 = 16 << 20;

/// Reads `path`, a file or a directory of `*.yaml` and `*.yml` files, which
/// are taken in the order of their names.
pub(super) fn read(path: &Path, watched: &mut Watched) -> (Vec<File>, Vec<Fault>) {
    // a directory too: files come and go
    watched.note(path);
    let (mut files, mut faults) = (Vec::new(), Vec::new());
    match paths(path) {
        Ok(paths) => {
            for path in paths {
                watched.note(&path);
                match read_file(&path) {
                    Ok(file) => files.push(file),
                    Err(fault) => faults.push(fault),
                }
            }
        }
        Err(fault) => faults.push(fault),
    }
    (files, faults)
}

/// Parses text that is not from a file. Relative paths begin at the working directory.
pub(super) fn text(yaml: &str) -> Result<File, Fault> {
    let tree = parse(yaml).map_err(|(message, hint)| fault(None, message, hint))?;
    Ok(File {
        path: None,
        directory: PathBuf::from("."),
        tree,
    })
}

/// The files to read for `path`.
fn paths(path: &Path) -> Result<Vec<PathBuf>, Fault> {
    let unreadable = |error: std::io::Error| {
        fault(
            Some(path),
            format!("cannot be read: {error}"),
            "give a file or a directory".to_owned(),
        )
    };
    if !fs::metadata(path).map_err(unreadable)?.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut paths = Vec::new();
    for entry in fs::read_dir(path).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?.path();
        let hidden = entry
            .file_name()
            .is_none_or(|name| name.as_encoded_bytes().starts_with(b"."));
        let yaml = entry
            .extension()
            .and_then(OsStr::to_str)
            .is_some_and(|e| matches!(e, "yaml" | "yml"));
        if yaml && !hidden && entry.is_file() {
            paths.push(entry);
        }
    }
    paths.sort();
    if paths.is_empty() {
        return Err(fault(
            Some(path),
            "holds no *.yaml or *.yml file".to_owned(),
            "put one there, or name a file".to_owned(),
        ));
    }
    Ok(paths)
}

fn read_file(path: &Path) -> Result<File, Fault> {
    let unreadable = |error: std::io::Error| {
        fault(
            Some(path),
            format!("cannot be read: {error}"),
            String::new(),
        )
    };
    if fs::metadata(path).map_err(unreadable)?.len() > MAX_FILE {
        return Err(fault(
            Some(path),
            format!("is larger than {} MiB", MAX_FILE >> 20),
            "split it into a directory of files".to_owned(),
        ));
    }
    let text = fs::read_to_string(path).map_err(unreadable)?;
    let tree = parse(&text).map_err(|(message, hint)| fault(Some(path), message, hint))?;
    let directory = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty());
    Ok(File {
        path: Some(path.to_owned()),
        directory: directory.unwrap_or(Path::new(".")).to_owned(),
        tree,
    })
}

/// Parses YAML. A fault names line and column, and quotes no text: it may be secret.
fn parse(yaml: &str) -> Result<Value, (String, String)> {
    // `no` and `on` are words here, as in YAML 1.2
    let options = serde_saphyr::options! { with_snippet: false, strict_booleans: true };
    let tree: Value = serde_saphyr::from_str_with_options(yaml, options).map_err(|error| {
        let place = error.location().map_or_else(String::new, |location| {
            format!("line {}, column {}: ", location.line(), location.column())
        });
        (
            format!(
                "{place}this is not YAML as Weir reads it: {}",
                reason(&error)
            ),
            String::new(),
        )
    })?;
    if tree.is_object() {
        return Ok(tree);
    }
    Err((
        "expected sections such as `version: 1` and `routes:`".to_owned(),
        "start from one of the examples".to_owned(),
    ))
}

/// What is wrong, without the place, which is said already.
fn reason(error: &serde_saphyr::Error) -> String {
    let text = error.without_snippet().to_string();
    let first = text.lines().next().unwrap_or_default();
    match first.find(" at line ") {
        Some(at) => first[..at].to_owned(),
        None => first.to_owned(),
    }
}

fn fault(path: Option<&Path>, message: String, hint: String) -> Fault {
    Fault {
        file: path.map(Path::to_owned),
        path: String::new(),
        message,
        hint,
    }
}

/// One tree for all files: lists are joined, what else is written stands.
pub(super) fn merge<'a>(trees: impl IntoIterator<Item = &'a Value>) -> Value {
    let mut merged = BTreeMap::<&str, Value>::new();
    for (key, value) in trees.into_iter().filter_map(Value::as_object).flatten() {
        if key == "team" {
            continue;
        }
        match (merged.get_mut(key.as_str()), value) {
            (Some(Value::Array(items)), Value::Array(more)) => items.extend(more.iter().cloned()),
            (Some(_), _) => {}
            (None, value) => {
                merged.insert(key, value.clone());
            }
        }
    }
    merged
        .into_iter()
        .map(|(key, value)| (key.to_owned(), value))
        .collect()
}
