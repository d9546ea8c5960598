//! `weir schema`: the JSON Schema of the configuration.

use super::{Failure, Terminal};
use crate::config;

/// Prints the schema.
pub(super) fn run(terminal: &mut Terminal<'_>) -> Result<(), Failure> {
    writeln!(terminal.out, "{:#}", config::schema())?;
    Ok(())
}
