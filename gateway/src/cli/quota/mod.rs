//! `weir quota`: how quotas stand in a running gateway, and changes to them by hand.

mod table;

use serde_json::{Value, json};

use super::admin::Address;
use super::{Failure, Terminal};

/// What can be done with quotas.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Tells how quotas stand: all of them, the keys of one, or one key
    Show {
        /// A quota
        #[arg(value_name = "NAME")]
        quota: Option<String>,
        /// One of its keys, as `weir quota show NAME` writes it
        #[arg(value_name = "KEY")]
        key: Option<String>,
        #[command(flatten)]
        address: Address,
    },
    /// Gives one key more room, until what it has used no longer counts
    Grant {
        /// The quota
        #[arg(value_name = "NAME")]
        quota: String,
        /// One of its keys, as `weir quota show NAME` writes it
        #[arg(value_name = "KEY")]
        key: String,
        /// How much, in the quota's unit; dollars where money is counted, as $1.25
        amount: String,
        /// Why, for the audit
        #[arg(long, value_name = "TEXT")]
        reason: String,
        #[command(flatten)]
        address: Address,
    },
    /// Forgets what one key has used until now, and what it owes
    Reset {
        /// The quota
        #[arg(value_name = "NAME")]
        quota: String,
        /// One of its keys, as `weir quota show NAME` writes it
        #[arg(value_name = "KEY")]
        key: String,
        /// Why, for the audit
        #[arg(long, value_name = "TEXT")]
        reason: String,
        #[command(flatten)]
        address: Address,
    },
    /// Has the gateway tell a store again everything it holds of it
    Rebuild {
        /// The store
        store: String,
        #[command(flatten)]
        address: Address,
    },
}

/// Asks the gateway and prints what it says.
pub(super) fn run(command: &Command, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
    let (address, answer, text) = match command {
        Command::Show {
            quota,
            key,
            address,
        } => show(address, quota.as_deref(), key.as_deref())?,
        Command::Grant {
            quota,
            key,
            amount,
            reason,
            address,
        } => {
            let body = json!({ "amount": amount, "reason": reason });
            let answer = address.post(&format!("/quotas/{quota}/{key}/grant"), &body)?;
            let text = table::changed(&answer);
            (address, answer, text)
        }
        Command::Reset {
            quota,
            key,
            reason,
            address,
        } => {
            let body = json!({ "reason": reason });
            let answer = address.post(&format!("/quotas/{quota}/{key}/reset"), &body)?;
            let text = table::changed(&answer);
            (address, answer, text)
        }
        Command::Rebuild { store, address } => {
            let answer = address.post(&format!("/stores/{store}/rebuild"), &json!({}))?;
            let keys = &answer["keys_told_again"];
            let text = format!("{store} is being told again what {keys} keys hold\n");
            (address, answer, text)
        }
    };
    if address.json {
        writeln!(terminal.out, "{answer:#}")?;
    } else {
        write!(terminal.out, "{text}")?;
    }
    Ok(())
}

fn show<'a>(
    address: &'a Address,
    quota: Option<&str>,
    key: Option<&str>,
) -> Result<(&'a Address, Value, String), Failure> {
    let (answer, text) = match (quota, key) {
        (None, _) => {
            let answer = address.get("/quotas")?;
            let text = table::all(&answer);
            (answer, text)
        }
        (Some(quota), None) => {
            let answer = address.get(&format!("/quotas/{quota}"))?;
            let text = table::one(&answer);
            (answer, text)
        }
        (Some(quota), Some(key)) => {
            let answer = address.get(&format!("/quotas/{quota}/{key}"))?;
            let text = table::key(&answer);
            (answer, text)
        }
    };
    Ok((address, answer, text))
}
