//! The tables of `docs/faults.md`, which are what the tests expect. It knows Markdown's tables and
//! nothing of what they say.

use std::path::Path;

/// The rows of the first table below a heading, cell by cell, without the row of titles.
///
/// # Panics
/// If there is no such table.
pub(crate) fn below(heading: &str) -> Vec<Vec<String>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/faults.md");
    let page = std::fs::read_to_string(&path).unwrap();
    let (_, section) = page
        .split_once(&format!("\n## {heading}\n"))
        .unwrap_or_else(|| panic!("no section {heading:?}"));
    let section = section.split("\n## ").next().unwrap();
    let lines = section.lines().skip_while(|line| !line.starts_with('|'));
    let table = lines.take_while(|line| line.starts_with('|'));
    let rows: Vec<Vec<String>> = table.skip(2).map(cells).collect();
    assert!(!rows.is_empty(), "no table below {heading:?}");
    rows
}

fn cells(line: &str) -> Vec<String> {
    let inner = line.strip_prefix('|').unwrap().strip_suffix('|').unwrap();
    let plain = |cell: &str| cell.trim().replace('`', "");
    inner.split('|').map(plain).collect()
}
