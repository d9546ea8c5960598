//! The queries of a runbook, asked of a real Prometheus while the fault is there.

use std::path::Path;

use weir_tests::prometheus::Prometheus;

use crate::faults::Fault;

/// Queries of a page that find nothing though what it is about is happening, and if none points at it.
pub(crate) async fn unanswered(prometheus: &Prometheus, fault: &Fault) -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../runbooks");
    let text = std::fs::read_to_string(path.join(format!("{}.md", fault.code))).unwrap();
    let mut silent = Vec::new();
    let mut points = false;
    for query in queries(&text) {
        let found = prometheus.series(&query).await;
        points |= found
            .iter()
            .any(|labels| labels.to_string().contains(fault.name));
        if found.is_empty() && !is_about_others(&query) {
            silent.push(format!("{}: {query}", fault.code));
        }
    }
    if !points {
        silent.push(format!("{}: no query names {}", fault.code, fault.name));
    }
    silent
}

/// Those that find something only where another cause of the page is at work.
fn is_about_others(query: &str) -> bool {
    // What changed, what is above a bound, what is well again, and how it was a week ago.
    [" > ", "changes(", " == 0", " offset 7d"]
        .iter()
        .any(|words| query.contains(words))
}

fn queries(text: &str) -> Vec<String> {
    let blocks = text.split("```promql\n").skip(1);
    let blocks = blocks.filter_map(|rest| rest.split_once("```").map(|(query, _)| query));
    let one = |query: &str| query.lines().map(str::trim).collect::<Vec<_>>().join(" ");
    blocks.map(|query| one(query).trim().to_owned()).collect()
}
