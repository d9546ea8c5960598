//! The tables beside other gateways, each figure held against what is asked of it.

use std::fmt::Write as _;

use super::added::{Added, Times};
use crate::contender::Kind;
use crate::machine;
use crate::report::{at_least, at_most, of, ratio};
use crate::rounds::{Options, Round, Series, Table};
use crate::stats::{self, Bounded};

/// Microseconds that the gateway may add to a whole answer, at the median.
const WHOLE: f64 = 120.0;
/// Microseconds that it may add to an event of a stream, at the 99th percentile.
const EVENT: f64 = 100.0;
/// How many times as much a translated call may cost as one that is not.
const TRANSLATED: f64 = 1.5;

/// The facts, a table per case, and what the gateway adds.
pub fn markdown(options: &Options, tables: &[Table], added: Option<&Added>) -> String {
    let mut text = machine::list(options);
    for table in tables {
        text.push('\n');
        text.push_str(&costs(table));
    }
    if let Some(added) = added {
        text.push('\n');
        text.push_str(&latencies(added));
    }
    text
}

fn costs(table: &Table) -> String {
    let mut text = format!(
        "### {}, beside other gateways\n\n\
         | | CPU ms per call | × weir-openai | calls/s | p50 ms | p99 ms | RSS MiB |\n\
         |---|--:|--:|--:|--:|--:|--:|\n",
        table.case.title()
    );
    for series in &table.series {
        writeln!(
            text,
            "| {} | {:.4} | {} | {:.0} | {:.2} | {:.2} | {:.1} |",
            series.kind.name(),
            // CPU seconds of a thousand calls are milliseconds of one.
            of(series, Round::price),
            comparison(table, series),
            of(series, |round| round.requests as f64
                / round.wall.as_secs_f64()),
            of(series, |round| round.p50.as_secs_f64() * 1000.0),
            of(series, |round| round.p99.as_secs_f64() * 1000.0),
            of(series, |round| round.resident as f64 / f64::from(1 << 20)),
        )
        .expect("a string takes all that is written");
    }
    text
}

/// What a call costs as a multiple of the gateway's own that is not translated. Of others it is
/// the least that counts, of ourselves the most.
fn comparison(table: &Table, series: &Series) -> String {
    let weir = table
        .series
        .iter()
        .find(|other| other.kind == Kind::WeirOpenai);
    let least = match (series.kind, table.case.is_stream()) {
        (Kind::Litellm, true) => 300.0,
        (Kind::Litellm, false) => 150.0,
        (Kind::Portkey, true) => 20.0,
        (Kind::Portkey, false) => 18.0,
        _ => {
            let ratio = ratio(table, series, Kind::WeirOpenai);
            return ratio.map_or_else(String::new, |ratio| at_most(ratio, Some(TRANSLATED), 2));
        }
    };
    weir.and_then(|weir| ratio(table, weir, series.kind))
        .map_or_else(String::new, |ratio| at_least(ratio, least))
}

fn latencies(added: &Added) -> String {
    let mut text = "### What weir-openai adds at one connection\n\n\
                    | | direct µs | through Weir µs | added µs | added by Weir on a CPU of its own µs |\n\
                    |---|--:|--:|--:|--:|\n"
        .to_owned();
    for (name, times, asked) in [
        ("a whole answer, p50", &added.whole, Some(WHOLE)),
        ("an event of a stream, p50", &added.event, None),
        ("an event of a stream, p99", &added.slow_event, Some(EVENT)),
    ] {
        let Times {
            direct,
            through,
            apart,
        } = times;
        let bounded = |added: Option<Bounded>, asked| {
            added.map_or_else(String::new, |added| at_most(added, asked, 0))
        };
        writeln!(
            text,
            "| {name} | {:.0} | {:.0} | {} | {} |",
            stats::median(direct.iter().copied()),
            stats::median(through.iter().copied()),
            bounded(stats::added(through, direct), asked),
            bounded(stats::added(apart, direct), None),
        )
        .expect("a string takes all that is written");
    }
    text
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::case::Case;

    fn series(kind: Kind, requests: usize, millis: &[u64]) -> Series {
        let round = |millis: &u64| Round {
            requests,
            cpu: Duration::from_millis(*millis),
            wall: Duration::from_secs(1),
            p50: Duration::from_millis(1),
            p99: Duration::from_millis(2),
            resident: 1 << 20,
            instructions: None,
        };
        Series {
            kind,
            rounds: millis.iter().map(round).collect(),
        }
    }

    #[test]
    fn others_are_held_against_the_least_and_ourselves_against_the_most() {
        let table = Table {
            case: Case::Llm,
            series: vec![
                series(Kind::WeirOpenai, 1000, &[40, 50, 60]),
                series(Kind::WeirAnthropic, 1000, &[64, 80, 96]),
                series(Kind::Portkey, 10, &[8, 10, 12]),
                series(Kind::Litellm, 10, &[40, 50, 60]),
            ],
        };
        let text = costs(&table);
        let lines: Vec<&str> = text.lines().skip(4).collect();
        assert!(
            lines[0].starts_with("| weir-openai | 0.0500 |  | 1000 |"),
            "{text}"
        );
        assert!(
            lines[1].contains("1.60 (≤ 1.60; asked 1.5: **missed**)"),
            "{text}"
        );
        assert!(lines[2].contains("20.0 (≥ 20.0; asked 18: met)"), "{text}");
        assert!(
            lines[3].contains("100.0 (≥ 100.0; asked 150: **missed**)"),
            "{text}"
        );
    }

    #[test]
    fn what_is_added_is_held_against_what_is_asked() {
        let times = |through: f64| Times {
            direct: vec![50.0, 60.0, 70.0],
            through: vec![50.0 + through, 60.0 + through, 70.0 + through],
            apart: vec![150.0 + through, 160.0 + through, 170.0 + through],
        };
        let added = Added {
            whole: times(110.0),
            event: times(30.0),
            slow_event: times(130.0),
        };
        let text = latencies(&added);
        assert!(
            text.contains("| 60 | 170 | 110 (≤ 110; asked 120: met) | 210 (≤ 210) |"),
            "{text}"
        );
        assert!(
            text.contains("| 60 | 90 | 30 (≤ 30) | 130 (≤ 130) |"),
            "{text}"
        );
        assert!(
            text.contains("| 60 | 190 | 130 (≤ 130; asked 100: **missed**) | 230 (≤ 230) |"),
            "{text}"
        );
    }
}
