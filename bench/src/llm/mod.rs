//! Beside other gateways of language models: what a call costs each of them, what translating adds
//! to it, and how long a call through the gateway takes longer than a direct one.
//!
//! All stand before the same model, and each has on what it offers of keys, quotas, metrics and
//! spans: [`crate::contender`] says what that is.

mod added;
mod report;
mod stamps;

use crate::failure::Failure;
use crate::rounds::{self, Options};
use crate::stage::Stage;

/// The name of the section that holds these tables in a published file.
pub const RESULTS: &str = "llm results";

/// Starts everyone, measures, stops everyone, and says what came of it in Markdown.
pub async fn run(options: &Options) -> Result<String, Failure> {
    let mut stage = Stage::set(&options.plan()).await?;
    let tables = rounds::measure(options, &mut stage).await?;
    let added = added::measure(options, &mut stage).await?;
    Ok(report::markdown(options, &tables, added.as_ref()))
}
