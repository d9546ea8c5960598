//! What holds of the whole tree: every code is provoked by a test, files are short, and nothing
//! is left for later.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};

use weir_telemetry::Code;

/// Where codes are provoked that no caller can provoke: it would take a bug.
const INSIDE: &str = "gateway/src/proxy/tests.rs";

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap()
        .to_owned()
}

/// The Rust files under `dir`, with their texts.
fn sources(dir: &Path) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.ends_with("target") {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|e| e == "rs") {
            let text = std::fs::read_to_string(&path).unwrap();
            found.push((path, text));
        }
    }
    found
}

fn all_sources() -> Vec<(PathBuf, String)> {
    let crates = ["gateway", "protocols", "telemetry", "tests", "bench"];
    crates
        .iter()
        .flat_map(|name| sources(&repository().join(name)))
        .collect()
}

fn names(text: &str, code: Code) -> bool {
    let variant = format!("Code::{code:?}");
    let whole = |at: usize| !text[at + variant.len()..].starts_with(|c: char| c.is_alphanumeric());
    text.contains(&format!("\"{code}\"")) || text.match_indices(&variant).any(|(at, _)| whole(at))
}

#[test]
fn every_code_is_provoked_by_a_test() {
    let here = Path::new(file!()).file_name().unwrap();
    let tests: Vec<_> = sources(&repository().join("tests/tests"))
        .into_iter()
        .filter(|(path, _)| path.file_name() != Some(here))
        .map(|(_, text)| text)
        .chain(std::fs::read_to_string(repository().join(INSIDE)))
        .collect();
    let missing: Vec<_> = Code::ALL
        .iter()
        .filter(|code| !tests.iter().any(|text| names(text, **code)))
        .map(|code| code.slug())
        .collect();
    assert_eq!(missing, Vec::<&str>::new(), "codes that no test provokes");
}

#[test]
fn every_code_has_its_runbook() {
    let missing: Vec<_> = Code::ALL
        .iter()
        .map(|code| code.runbook())
        .filter(|page| {
            let text = std::fs::read_to_string(repository().join(page)).unwrap_or_default();
            // A heading alone explains nothing.
            text.lines().filter(|line| !line.trim().is_empty()).count() < 5
        })
        .collect();
    assert_eq!(missing, Vec::<String>::new(), "codes without a page");
}

#[test]
fn no_source_file_is_long() {
    let long: Vec<_> = all_sources()
        .into_iter()
        .map(|(path, text)| (path, text.lines().count()))
        .filter(|(_, lines)| *lines > 500)
        .collect();
    assert_eq!(long, []);
}

#[test]
fn nothing_is_left_for_later() {
    // Written in two parts, so that this file is not its own finding.
    let words = [
        concat!("todo", "!("),
        concat!("unimplemented", "!("),
        concat!("#[ig", "nore"),
        concat!("#[al", "low("),
        concat!("#![al", "low("),
        concat!("FIX", "ME"),
        concat!("XX", "X:"),
    ];
    let found: Vec<_> = all_sources()
        .iter()
        .flat_map(|(path, text)| {
            let lines = text.lines().enumerate();
            let left = lines.filter(|(_, line)| words.iter().any(|word| line.contains(word)));
            left.map(|(n, line)| format!("{}:{}: {}", path.display(), n + 1, line.trim()))
                .collect::<Vec<_>>()
        })
        .collect();
    assert_eq!(found, Vec::<String>::new());
}
