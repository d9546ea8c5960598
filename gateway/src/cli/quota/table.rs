//! What the admin address says of quotas, for people: tables and lines. Takes the JSON as it
//! comes; what is missing in it is shown as `-`.

use std::fmt::Write as _;

use serde_json::Value;

/// Every quota, a line each.
pub(super) fn all(quotas: &Value) -> String {
    let quotas = quotas.as_array().map(Vec::as_slice).unwrap_or_default();
    if quotas.is_empty() {
        return "the configuration has no quotas\n".to_owned();
    }
    let mut rows = vec![row(&[
        "QUOTA", "UNIT", "WINDOW", "LIMIT", "KEYS", "USED", "RESERVED", "DEBT", "FULLEST",
    ])];
    for quota in quotas {
        let total = &quota["total"];
        let fullest = match (&quota["error"], quota["fullest"].get(0)) {
            (Value::String(why), _) => why.clone(),
            (_, Some(key)) => format!("{} {}", text(&key["key"]), share(key)),
            _ => "-".to_owned(),
        };
        rows.push(vec![
            text(&quota["name"]),
            text(&quota["unit"]),
            window(&quota["window"]),
            amount(quota, "limit"),
            keys(quota),
            amount(total, "used"),
            amount(total, "reserved"),
            amount(total, "debt"),
            fullest,
        ]);
    }
    columns(&rows)
}

/// One quota and its keys.
pub(super) fn one(quota: &Value) -> String {
    let mut shown = format!(
        "{}: {} {} per {}, by {}, in store {}{}\n",
        text(&quota["name"]),
        amount(quota, "limit"),
        text(&quota["unit"]),
        window(&quota["window"]),
        list(&quota["by"]),
        text(&quota["store"]),
        match quota["enforce"] {
            Value::Bool(false) => ", not enforced",
            _ => "",
        }
    );
    let listed = quota["list"].as_array().map(Vec::as_slice);
    let listed = listed.unwrap_or_default();
    let _ = writeln!(shown, "keys in use: {}", keys(quota));
    if listed.is_empty() {
        return shown;
    }
    let mut rows = vec![row(&[
        "KEY",
        "LIMIT",
        "USED",
        "RESERVED",
        "DEBT",
        "CREDIT",
        "REMAINING",
        "RESETS AT",
    ])];
    for key in listed {
        let mut row = vec![text(&key["key"])];
        row.extend(FIGURES.map(|name| amount(key, name)));
        row.push(text(&key["resets_at"]));
        rows.push(row);
    }
    shown.push_str(&columns(&rows));
    shown
}

const FIGURES: [&str; 6] = ["limit", "used", "reserved", "debt", "credit", "remaining"];

/// One key: its figures, who spends it and what holds it.
pub(super) fn key(key: &Value) -> String {
    let mut shown = format!(
        "{} {} ({}, in store {})\n",
        text(&key["quota"]),
        text(&key["key"]),
        text(&key["unit"]),
        text(&key["store"]),
    );
    let mut rows: Vec<Vec<String>> = FIGURES
        .iter()
        .map(|name| vec![format!("  {name}"), amount(key, name)])
        .collect();
    rows.push(vec!["  resets at".to_owned(), text(&key["resets_at"])]);
    shown.push_str(&columns(&rows));
    let here = &key["this_process"];
    let spenders = here["spenders"].as_array().map(Vec::as_slice);
    if let Some(spenders) = spenders.filter(|spenders| !spenders.is_empty()) {
        let since = text(&here["spenders_since"]);
        let _ = writeln!(
            shown,
            "spent the most, by what this process settled since {since}:"
        );
        let mut rows = Vec::new();
        for spender in spenders {
            let who = match &spender["consumer"] {
                Value::String(name) => name.clone(),
                _ => text(&spender["client_address"]),
            };
            rows.push(vec![format!("  {who}"), amount(spender, "used")]);
        }
        shown.push_str(&columns(&rows));
    }
    let reservations = here["reservations"].as_array().map(Vec::as_slice);
    let reservations = reservations.unwrap_or_default();
    let open = text(&here["open_reservations"]);
    let held = amount(here, "reserved");
    let _ = writeln!(
        shown,
        "open reservations of this process: {open}, holding {held}"
    );
    let rows: Vec<_> = reservations
        .iter()
        .map(|reserved| {
            vec![
                format!("  {}", text(&reserved["request_id"])),
                amount(reserved, "amount"),
                format!("since {}", text(&reserved["since"])),
            ]
        })
        .collect();
    shown.push_str(&columns(&rows));
    shown
}

/// What a change did.
pub(super) fn changed(change: &Value) -> String {
    let mut rows = vec![row(&["", "BEFORE", "AFTER"])];
    for name in FIGURES {
        let of = |when: &str| amount(&change[when], name);
        rows.push(vec![name.to_owned(), of("before"), of("after")]);
    }
    format!(
        "{} {} ({})\n{}",
        text(&change["quota"]),
        text(&change["key"]),
        text(&change["unit"]),
        columns(&rows)
    )
}

fn row(cells: &[&str]) -> Vec<String> {
    cells.iter().map(|cell| (*cell).to_owned()).collect()
}

/// Dollars where there are any, else the number.
fn amount(of: &Value, name: &str) -> String {
    match &of["dollars"][name] {
        Value::String(dollars) => format!("${dollars}"),
        _ => text(&of[name]),
    }
}

fn text(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn list(values: &Value) -> String {
    let values = values.as_array().map(Vec::as_slice).unwrap_or_default();
    match values {
        [] => "nobody".to_owned(),
        values => values.iter().map(text).collect::<Vec<_>>().join("/"),
    }
}

fn keys(quota: &Value) -> String {
    let more = match quota["keys_complete"] {
        Value::Bool(false) => " or more",
        _ => "",
    };
    format!("{}{more}", text(&quota["keys"]))
}

fn window(window: &Value) -> String {
    let every = text(&window["every"]);
    match window["kind"].as_str() {
        Some("fixed") => match window["time_zone"].as_str() {
            None | Some("UTC") => every,
            Some(zone) => format!("{every} in {zone}"),
        },
        Some("sliding") => format!("sliding {every}"),
        Some("token_bucket") => format!("{every}, burst {}", amount(window, "burst")),
        _ => "request in progress".to_owned(),
    }
}

/// How much of its limit a key has in use.
fn share(key: &Value) -> String {
    let figure = |name: &str| key[name].as_u64().map_or(0, u128::from);
    let counted: u128 = ["used", "reserved", "debt"].map(figure).iter().sum();
    match figure("limit") {
        0 => "-".to_owned(),
        limit => format!("{}%", counted * 100 / limit),
    }
}

/// Rows with their columns below one another; numbers to the right.
fn columns(rows: &[Vec<String>]) -> String {
    let widest = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let count = rows.iter().map(Vec::len).max().unwrap_or(0);
    let widths: Vec<usize> = (0..count).map(widest).collect();
    let is_number = |column: usize| {
        let mut cells = rows.iter().skip(1).filter_map(|row| row.get(column));
        cells.all(|cell| cell.starts_with(|c: char| c.is_ascii_digit() || c == '$' || c == '-'))
    };
    let numbers: Vec<bool> = (0..count)
        .map(|column| column > 0 && is_number(column))
        .collect();
    let mut shown = String::new();
    for row in rows {
        let mut line = String::new();
        for (column, cell) in row.iter().enumerate() {
            let width = widths[column];
            let _ = match numbers[column] {
                true => write!(line, "{cell:>width$}  "),
                false => write!(line, "{cell:<width$}  "),
            };
        }
        shown.push_str(line.trim_end());
        shown.push('\n');
    }
    shown
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn all_quotas_are_a_table_with_money_in_dollars() {
        let shown = all(&json!([
            {
                "name": "spend", "unit": "money", "limit": 10_000_000_000_u64,
                "dollars": { "limit": "10" }, "keys": 1, "keys_complete": true,
                "window": { "kind": "fixed", "every": "month", "time_zone": "Europe/Berlin" },
                "total": { "used": 1, "dollars": { "used": "1.25", "reserved": "0", "debt": "0" } },
                "fullest": [{ "key": "shop", "limit": 100, "used": 12, "reserved": 1 }],
            },
            { "name": "calls", "unit": "requests", "limit": 5, "error": "it is down" },
        ]));
        let lines: Vec<_> = shown.lines().collect();
        assert_eq!(lines.len(), 3, "{shown}");
        assert!(lines[0].starts_with("QUOTA  UNIT"), "{shown}");
        assert!(lines[1].contains("month in Europe/Berlin"), "{shown}");
        assert!(
            lines[1].contains("$1.25") && lines[1].ends_with("shop 13%"),
            "{shown}"
        );
        assert!(lines[2].ends_with("it is down"), "{shown}");
        assert_eq!(all(&json!([])), "the configuration has no quotas\n");
    }

    #[test]
    fn a_key_tells_who_spends_and_holds_it() {
        let shown = key(&json!({
            "quota": "q", "key": "shop", "unit": "tokens", "store": "ledger",
            "limit": 100, "used": 60, "reserved": 5, "resets_at": "2026-01-01T00:00:00Z",
            "this_process": {
                "spenders": [{ "consumer": "ci", "used": 50 }, { "client_address": "::1", "used": 10 }],
                "spenders_since": "2025-12-31T00:00:00Z", "reserved": 5, "open_reservations": 1,
                "reservations": [{ "request_id": "r-1", "amount": 5, "since": "2025-12-31T01:00:00Z" }],
            },
        }));
        for line in [
            "q shop (tokens, in store ledger)",
            "  used        60",
            "  ci   50",
            "  ::1  10",
            "open reservations of this process: 1, holding 5",
            "  r-1  5  since 2025-12-31T01:00:00Z",
        ] {
            let found = shown.lines().any(|l| {
                let squeezed = |t: &str| t.split_whitespace().collect::<Vec<_>>().join(" ");
                squeezed(l) == squeezed(line)
            });
            assert!(found, "{line:?} is missing in\n{shown}");
        }
    }

    #[test]
    fn a_change_is_shown_before_and_after() {
        let shown = changed(&json!({
            "quota": "q", "key": "*", "unit": "tokens",
            "before": { "remaining": 0 }, "after": { "remaining": 20 },
        }));
        let last = shown.lines().last().expect("a line");
        let cells: Vec<_> = last.split_whitespace().collect();
        assert_eq!(cells, ["remaining", "0", "20"]);
    }
}
