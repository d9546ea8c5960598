//! How many tokens a prompt is: exactly, where that decides something, and cheaply from above.
//!
//! | Module | Knows |
//! |---|---|
//! | `encoding` | OpenAI's encodings: `pieces` cuts a text, `merge` counts a piece |
//! | `prompt` | what of a request costs tokens, and what is added around it |
//! | `tools`, `images` | the sums published for them |
//! | `place`, `tally` | a text that grows: an answer |
//! | `threads` | where prompts are counted |
//!
//! Callers choose the text, so that counting takes time linear in it (n log n within one long
//! word), no stack, and a few threads of its own; a caller who leaves ends it.

mod encoding;
mod images;
mod members;
mod merge;
mod model;
mod pieces;
mod place;
mod prompt;
mod sum;
mod tally;
mod threads;
mod tools;

use std::sync::{Arc, LazyLock};

use encoding::Encoding;
pub(super) use place::{added, texts};
use prompt::Prompt;
pub(super) use tally::Tally;
use tokio::sync::Semaphore;
use weir_protocols::llm::prompt::Prompt as Asked;

use crate::large;

/// What a sound, a film or a file is taken to cost, in tokens, and an image at least where no
/// formula is published: what a provider bills beyond becomes debt.
const ATTACHMENT: u64 = 4096;
/// Prompts longer than this, in bytes, are bounded and not counted: no model reads as much.
const LONGEST_PROMPT: usize = 8 << 20;

/// Who may count at a time. Prompts are not copied before it is their turn.
static COUNTERS: LazyLock<Semaphore> = LazyLock::new(|| Semaphore::new(*threads::COUNT));

/// Builds what texts of this model are counted by, unless it is there: whoever counts first would
/// wait for it.
pub(super) fn prepare(model: &str) {
    let encoding = Encoding::of(model);
    threads::begin(move || drop(encoding.counter()));
}

/// The most tokens the prompt can be: no token of text is shorter than a byte. `model` is the
/// provider's name for the model, which decides what images cost.
pub(super) fn bound(asked: &dyn Asked, model: &str) -> u64 {
    (asked.text_bytes() as u64).saturating_add(prompt::media(asked, model))
}

/// The prompt's tokens, as the provider counts them where it has published how, and no fewer where
/// it has not. Never more than [`bound`].
pub(super) async fn exact(asked: &dyn Asked, model: &str) -> u64 {
    let bound = bound(asked, model);
    if asked.text_bytes() > LONGEST_PROMPT {
        return bound;
    }
    let Ok(turn) = COUNTERS.acquire().await else {
        return bound;
    };
    let prompt = large::work(asked.text_bytes(), || Prompt::read(asked, model));
    // Held here while somebody waits for the count.
    let waiting = Arc::new(());
    let watch = Arc::downgrade(&waiting);
    let counted = threads::run(move || {
        // A caller who leaves gives up the count, but the turn lasts until that is noticed.
        let _turn = turn;
        prompt.count(&|| watch.strong_count() > 0)
    });
    let tokens = counted.await.flatten();
    drop(waiting);
    tokens.map_or(bound, |tokens| tokens.min(bound))
}

#[cfg(test)]
mod tests;
