//! Measurements as people and programs read them: Markdown tables, JSON, and the results section
//! of the bench's README. It computes medians and ratios, and measures nothing.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::contender::Kind;
use crate::failure::Failure;
use crate::machine;
use crate::rounds::{Options, Round, Series, Table};
use crate::stats::{self, Bounded};

/// The name of the section that holds these tables in a published file.
pub const RESULTS: &str = "results";

/// The facts, then one table per case.
pub fn markdown(options: &Options, tables: &[Table]) -> String {
    let mut text = machine::list(options);
    for table in tables {
        text.push('\n');
        text.push_str(&case_table(table));
    }
    text
}

fn case_table(table: &Table) -> String {
    let counted = table
        .series
        .iter()
        .any(|series| instructions(series).is_some());
    let mut header =
        "| | CPU s per 1,000 | × bare | × nginx | requests/s | p50 ms | p99 ms | RSS MiB |"
            .to_owned();
    let mut rule = "|---|--:|--:|--:|--:|--:|--:|--:|".to_owned();
    if counted {
        header.push_str(" instructions per request |");
        rule.push_str("--:|");
    }
    let mut text = format!("### {}\n\n{header}\n{rule}\n", table.case.title());
    for series in &table.series {
        text.push_str(&line(table, series));
        if counted {
            let cell = instructions(series).map_or_else(String::new, |count| format!("{count:.0}"));
            text.push_str(&format!(" {cell} |"));
        }
        text.push('\n');
    }
    text
}

fn line(table: &Table, series: &Series) -> String {
    let asked = series.kind.asked(table.case);
    format!(
        "| {} | {:.4} | {} | {} | {:.0} | {:.2} | {:.2} | {:.1} |",
        series.kind.name(),
        of(series, Round::price),
        comparison(ratio(table, series, Kind::Bare), asked),
        comparison(ratio(table, series, Kind::Nginx), None),
        of(series, |round| round.requests as f64
            / round.wall.as_secs_f64()),
        of(series, |round| round.p50.as_secs_f64() * 1000.0),
        of(series, |round| round.p99.as_secs_f64() * 1000.0),
        of(series, |round| round.resident as f64 / f64::from(1 << 20)),
    )
}

/// The median of one measurement over a contender's rounds.
pub fn of(series: &Series, what: impl Fn(&Round) -> f64) -> f64 {
    stats::median(series.rounds.iter().map(what))
}

fn instructions(series: &Series) -> Option<f64> {
    let counts: Option<Vec<f64>> = series
        .rounds
        .iter()
        .map(|round| {
            round
                .instructions
                .map(|count| count as f64 / round.requests as f64)
        })
        .collect();
    counts
        .filter(|counts| !counts.is_empty())
        .map(stats::median)
}

/// What `series` costs as a multiple of `against`; `None` if that did not run or is itself.
pub fn ratio(table: &Table, series: &Series, against: Kind) -> Option<Bounded> {
    let other = table.series.iter().find(|other| other.kind == against)?;
    if other.kind == series.kind {
        return None;
    }
    let prices = |series: &Series| series.rounds.iter().map(Round::price).collect::<Vec<_>>();
    stats::paired(&prices(series), &prices(other))
}

fn comparison(ratio: Option<Bounded>, asked: Option<f64>) -> String {
    ratio.map_or_else(String::new, |ratio| at_most(ratio, asked, 2))
}

/// A figure with its bound, and whether that is within what is asked, if anything is.
pub fn at_most(Bounded { median, upper }: Bounded, asked: Option<f64>, digits: usize) -> String {
    match asked {
        None => format!("{median:.digits$} (≤ {upper:.digits$})"),
        Some(most) => {
            let verdict = verdict(upper <= most);
            format!("{median:.digits$} (≤ {upper:.digits$}; asked {most}: {verdict})")
        }
    }
}

/// How many times as much as ours another's is, where ours is `ratio` of it: with what that stays above,
/// and whether that is at least what is asked.
pub fn at_least(ratio: Bounded, asked: f64) -> String {
    let (median, lower) = (ratio.median.recip(), ratio.upper.recip());
    let verdict = verdict(lower >= asked);
    format!("{median:.1} (≥ {lower:.1}; asked {asked}: {verdict})")
}

/// How it is said whether what is asked was reached.
pub fn verdict(met: bool) -> &'static str {
    if met { "met" } else { "**missed**" }
}

/// Writes every round of every contender.
pub fn write_json(path: &Path, options: &Options, tables: &[Table]) -> Result<(), Failure> {
    let facts: serde_json::Map<String, Value> = machine::facts(options)
        .into_iter()
        .map(|(label, value)| (label.to_lowercase(), value.into()))
        .collect();
    let cases: Vec<Value> = tables.iter().map(case_json).collect();
    let text = format!("{:#}\n", json!({ "facts": facts, "cases": cases }));
    fs::write(path, text).map_err(Failure::during(format_args!(
        "cannot write {}",
        path.display()
    )))
}

fn case_json(table: &Table) -> Value {
    let contenders: Vec<Value> = table
        .series
        .iter()
        .map(|series| {
            json!({
                "name": series.kind.name(),
                "cpu_seconds_per_1000": of(series, Round::price),
                "over_bare": ratio_json(ratio(table, series, Kind::Bare)),
                "over_nginx": ratio_json(ratio(table, series, Kind::Nginx)),
                "asked_over_bare": series.kind.asked(table.case),
                "rounds": series.rounds.iter().map(round_json).collect::<Vec<_>>(),
            })
        })
        .collect();
    json!({ "case": table.case.name(), "contenders": contenders })
}

fn ratio_json(ratio: Option<Bounded>) -> Value {
    ratio.map_or(
        Value::Null,
        |Bounded { median, upper }| json!({ "median": median, "upper_95": upper }),
    )
}

fn round_json(round: &Round) -> Value {
    json!({
        "requests": round.requests,
        "cpu_seconds": round.cpu.as_secs_f64(),
        "wall_seconds": round.wall.as_secs_f64(),
        "p50_seconds": round.p50.as_secs_f64(),
        "p99_seconds": round.p99.as_secs_f64(),
        "resident_bytes": round.resident,
        "instructions": round.instructions,
    })
}

/// Fails if `path` has no section of this name.
pub fn check_markers(path: &Path, section: &str) -> Result<(), Failure> {
    replaced(&read(path)?, section, "")
        .map(drop)
        .ok_or_else(|| no_markers(path, section))
}

/// Puts `results` into the section of `path`, and leaves the rest of it alone.
pub fn publish(path: &Path, section: &str, results: &str) -> Result<(), Failure> {
    let text = replaced(&read(path)?, section, results).ok_or_else(|| no_markers(path, section))?;
    fs::write(path, text).map_err(Failure::during(format_args!(
        "cannot write {}",
        path.display()
    )))
}

fn read(path: &Path) -> Result<String, Failure> {
    fs::read_to_string(path).map_err(Failure::during(format_args!(
        "cannot read {}",
        path.display()
    )))
}

/// The lines that a section stands between.
fn markers(section: &str) -> (String, String) {
    (
        format!("<!-- {section} -->"),
        format!("<!-- /{section} -->"),
    )
}

fn no_markers(path: &Path, section: &str) -> Failure {
    let (begin, end) = markers(section);
    Failure::new(format!(
        "{} has no place for results: give it the lines {begin} and {end}",
        path.display()
    ))
}

fn replaced(text: &str, section: &str, results: &str) -> Option<String> {
    let (begin, end) = markers(section);
    let (before, rest) = text.split_once(&begin)?;
    let (_, after) = rest.split_once(&end)?;
    Some(format!("{before}{begin}\n{results}{end}{after}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::case::Case;
    use crate::rounds::series;

    #[test]
    fn a_line_holds_medians_ratios_and_the_verdict() {
        let table = Table {
            case: Case::Get,
            series: vec![
                series(Kind::Nginx, &[100, 200, 300]),
                series(Kind::Bare, &[200, 400, 600]),
                series(Kind::WeirForward, &[220, 440, 660]),
                series(Kind::WeirPolicies, &[400, 800, 1200]),
            ],
        };
        let text = case_table(&table);
        let mut lines = text.lines().skip(4);
        assert_eq!(
            lines.next(),
            Some("| nginx | 0.0200 | 0.50 (≤ 0.50) |  | 10000 | 0.10 | 0.20 | 3.0 |")
        );
        assert!(
            lines
                .next()
                .is_some_and(|line| line.contains("|  | 2.00 (≤ 2.00) |"))
        );
        assert!(
            lines
                .next()
                .is_some_and(|line| line.contains("1.10 (≤ 1.10; asked 1.2: met)"))
        );
        assert!(
            lines
                .next()
                .is_some_and(|line| line.contains("asked 1.45: **missed**)"))
        );
    }

    #[test]
    fn only_what_is_between_the_markers_is_replaced() {
        let with = |results: &str| {
            format!("a\n<!-- other -->\n<!-- /other -->\n<!-- x -->\n{results}<!-- /x -->\nb\n")
        };
        let once = replaced(&with("old\n"), "x", "new\n").expect("it has markers");
        assert_eq!(once, with("new\n"));
        assert_eq!(replaced(&once, "x", "new\n"), Some(once.clone()));
        assert_eq!(replaced("a\nb\n", "x", "new\n"), None);
    }
}
