//! `weir key`: makes API keys.

use sha2::{Digest, Sha256};

use super::{Failure, Terminal};
use crate::config::units;

/// What can be done with keys.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Prints a new key, once, and the configuration that lets it in
    New {
        /// The consumer it is for
        #[arg(long, value_name = "NAME", default_value = "NAME")]
        consumer: String,
    },
}

/// Letters and digits: a key can be selected with a double click and needs no
/// quotes anywhere.
const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// So many of 62 characters hold 256 bits.
const LENGTH: usize = 43;

/// Makes a key and prints it with the YAML that holds its hash.
pub(super) fn run(command: &Command, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
    let Command::New { consumer } = command;
    let random = |length| {
        generate(length).map_err(|error| Failure::Told(format!("no randomness to be had: {error}")))
    };
    let key = format!("weir_{}", random(LENGTH)?);
    // of its own: a piece of the key has no place in configurations and logs
    let id = random(6)?;
    let hash = units::Sha256(Sha256::digest(&key).into());
    writeln!(terminal.out, "{key}\n")?;
    writeln!(
        terminal.out,
        "# The key is shown this once. In the configuration, its hash lets it in:"
    )?;
    writeln!(terminal.out, "consumers:")?;
    writeln!(terminal.out, "  - name: {consumer}")?;
    writeln!(terminal.out, "    credentials:")?;
    writeln!(
        terminal.out,
        "      - {{ kind: key, id: {id}, sha256: \"{hash}\" }}"
    )?;
    Ok(())
}

/// So many letters and digits, each equally likely.
fn generate(length: usize) -> Result<String, getrandom::Error> {
    let mut text = String::new();
    let mut pool = [0; 64];
    while text.len() < length {
        getrandom::fill(&mut pool)?;
        // with those above, the first characters would be likelier than the last
        let fair = pool.iter().filter(|byte| **byte < 248);
        let missing = length - text.len();
        text.extend(
            fair.take(missing)
                .map(|byte| char::from(ALPHABET[usize::from(byte % 62)])),
        );
    }
    Ok(text)
}
