//! `weir usage`: counting quotas anew from the records of usage. A running gateway does it: it has the
//! stores, the topic, and what it counted itself.

use std::time::Duration;

use serde_json::{Value, json};

use super::admin::Address;
use super::{Failure, Terminal};

/// How long a topic may take to be read.
const PATIENCE: Duration = Duration::from_secs(3600);

/// What can be done with records of usage.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Has a gateway read the topic of `usage_events`, and its stores learn what they lack
    Replay {
        /// Where to begin: `earliest`, or a time as 2026-11-22T00:00:00Z; where the oldest window in
        /// force begins, if it is not said
        #[arg(long, value_name = "TIME")]
        from: Option<String>,
        /// Only this quota; may be given several times
        #[arg(long = "quota", value_name = "NAME")]
        quotas: Vec<String>,
        /// Only tell what would be changed
        #[arg(long)]
        dry_run: bool,
        /// Why, for the audit
        #[arg(long, value_name = "TEXT")]
        reason: String,
        #[command(flatten)]
        address: Address,
    },
}

/// Asks the gateway and prints what it says.
pub(super) fn run(command: &Command, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
    let Command::Replay {
        from,
        quotas,
        dry_run,
        reason,
        address,
    } = command;
    let mut body = json!({ "quotas": quotas, "dry_run": dry_run, "reason": reason });
    if let Some(from) = from {
        body["from"] = from.as_str().into();
    }
    let answer = address.post_within("/usage/replay", &body, PATIENCE)?;
    if address.json {
        writeln!(terminal.out, "{answer:#}")?;
    } else {
        write!(terminal.out, "{}", text(&answer))?;
    }
    match failed(&answer) {
        0 => Ok(()),
        keys => Err(Failure::Told(format!(
            "{keys} keys were not changed, as their store does not answer; try again"
        ))),
    }
}

fn list(answer: &Value) -> impl Iterator<Item = &Value> {
    answer["list"].as_array().into_iter().flatten()
}

fn failed(answer: &Value) -> usize {
    list(answer).filter(|key| key["error"].is_string()).count()
}

fn text(answer: &Value) -> String {
    use std::fmt::Write as _;
    let mut out = String::new();
    let count = |name: &str| answer[name].as_u64().unwrap_or_default();
    // A text takes all that is written.
    let _ = writeln!(
        out,
        "{} records read: {} read before, {} unreadable, {} of quotas that count otherwise now, {} \
         missing",
        count("records"),
        count("duplicates"),
        count("unreadable"),
        count("strangers"),
        count("missing"),
    );
    for key in list(answer) {
        let said = |name: &str| key[name].as_str().unwrap_or_default();
        let _ = write!(
            out,
            "{} {} ({}): ",
            said("quota"),
            said("key"),
            said("unit")
        );
        let _ = match &key["error"] {
            Value::String(why) => writeln!(out, "not changed: {why}"),
            _ => writeln!(
                out,
                "used {} -> {}, debt {} -> {}, difference {}",
                key["before"]["used"],
                key["after"]["used"],
                key["before"]["debt"],
                key["after"]["debt"],
                key["difference"]
            ),
        };
    }
    if answer["dry_run"] == true {
        out.push_str("nothing was changed: this was a dry run\n");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_done_is_told_key_by_key() {
        let standing = |used: u64| json!({ "used": used, "reserved": 0, "debt": 0 });
        let answer = json!({
            "dry_run": true, "records": 7, "duplicates": 1, "unreadable": 0, "strangers": 2,
            "missing": 0, "keys": 2, "keys_complete": true,
            "list": [
                { "quota": "q", "key": "shop", "unit": "tokens", "before": standing(5),
                  "after": standing(12), "difference": 7 },
                { "quota": "q", "key": "art", "unit": "tokens", "error": "no answer" },
            ],
        });
        assert_eq!(
            text(&answer),
            "7 records read: 1 read before, 0 unreadable, 2 of quotas that count otherwise now, 0 \
             missing\n\
             q shop (tokens): used 5 -> 12, debt 0 -> 0, difference 7\n\
             q art (tokens): not changed: no answer\n\
             nothing was changed: this was a dry run\n"
        );
        assert_eq!(failed(&answer), 1);
    }
}
