//! Beside Envoy, in what Envoy is mostly used for and nginx is not: what a unary gRPC call, and a
//! message over WebSocket, costs each of them.

use std::fmt::Write as _;

use crate::contender::Kind;
use crate::failure::Failure;
use crate::machine;
use crate::report::{at_most, of, ratio};
use crate::rounds::{self, Options, Round, Series, Table};

/// The name of the section that holds these tables in a published file.
pub const RESULTS: &str = "protocol results";
/// How many times as much as Envoy the gateway may cost.
const ASKED: f64 = 1.3;

/// Starts everyone, measures, stops everyone, and says what came of it in Markdown.
pub async fn run(options: &Options) -> Result<String, Failure> {
    let tables = rounds::run(options).await?;
    let mut text = machine::list(options);
    for table in &tables {
        text.push('\n');
        text.push_str(&costs(table));
    }
    Ok(text)
}

fn costs(table: &Table) -> String {
    let mut text = format!(
        "### {}\n\n\
         | | CPU µs | × envoy | per second | p50 ms | p99 ms | RSS MiB |\n\
         |---|--:|--:|--:|--:|--:|--:|\n",
        table.case.title()
    );
    for series in &table.series {
        writeln!(
            text,
            "| {} | {:.1} | {} | {:.0} | {:.2} | {:.2} | {:.1} |",
            series.kind.name(),
            // CPU seconds of a thousand are milliseconds of one.
            of(series, Round::price) * 1000.0,
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

/// What it costs as a multiple of Envoy, and of us whether that is what is asked.
fn comparison(table: &Table, series: &Series) -> String {
    let Some(ratio) = ratio(table, series, Kind::Envoy) else {
        return String::new();
    };
    let asked = series.kind.is_weir().then_some(ASKED);
    at_most(ratio, asked, 2)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::case::Case;
    use crate::rounds::series;

    #[test]
    fn only_the_gateway_is_held_against_what_is_asked() {
        let table = Table {
            case: Case::Grpc,
            series: vec![
                series(Kind::Envoy, &[100, 200, 300]),
                series(Kind::EnvoyStats, &[150, 300, 450]),
                series(Kind::WeirGrpc, &[120, 240, 360]),
                series(Kind::WeirWebsocket, &[140, 280, 420]),
            ],
        };
        let text = costs(&table);
        let lines: Vec<&str> = text.lines().skip(4).collect();
        assert_eq!(
            lines[..2],
            [
                "| envoy | 20.0 |  | 10000 | 0.10 | 0.20 | 3.0 |",
                "| envoy-stats | 30.0 | 1.50 (≤ 1.50) | 10000 | 0.10 | 0.20 | 3.0 |"
            ]
        );
        assert!(
            lines[2].contains("| 24.0 | 1.20 (≤ 1.20; asked 1.3: met) |"),
            "{text}"
        );
        assert!(
            lines[3].contains("| 28.0 | 1.40 (≤ 1.40; asked 1.3: **missed**) |"),
            "{text}"
        );
    }
}
