//! Everything in a request that costs prompt tokens, copied out of it to be counted on
//! another thread.
//!
//! Around messages and names this is the sum OpenAI's cookbook publishes in "How to count tokens
//! with tiktoken", section 6. What is not published is bounded from above, and so is what the
//! tokenizer does not see: see the constants.

use weir_protocols::llm::prompt::{self, Part};

use super::ATTACHMENT;
use super::encoding::Encoding;
use super::images::Formula;
use super::sum::Sum;
use super::tools::Published;

/// Around each message, and before the answer.
const PER_MESSAGE: u64 = 3;
const BEFORE_ANSWER: u64 = 3;
/// Beside the name of a message's author.
const PER_NAME: u64 = 1;
/// Around a call of a tool in a message. Nothing is published: it is well above the marks and the
/// braces that known templates put there.
const PER_CALL: u64 = 16;

/// A prompt.
pub(super) struct Prompt {
    encoding: Encoding,
    tools: Published,
    /// All but definitions of tools.
    sum: Sum,
    /// The arrays `tools` and `functions`.
    definitions: [Option<String>; 2],
}

impl Prompt {
    /// Copies the prompt of a request for `model`, which is the provider's name for it.
    pub(super) fn read(asked: &dyn prompt::Prompt, model: &str) -> Self {
        let formula = Formula::of(model);
        let mut sum = Sum {
            texts: Vec::new(),
            fixed: match asked.converses() {
                true => asked.messages() as u64 * PER_MESSAGE + BEFORE_ANSWER,
                false => 0,
            },
        };
        let mut definitions = [None, None];
        asked.for_each_part(&mut |part| match part {
            Part::Text(text) => sum.texts.push(text.to_owned()),
            Part::Name(name) => {
                sum.texts.push(name.to_owned());
                sum.fixed += PER_NAME;
            }
            Part::Tokens(tokens) => sum.fixed += tokens as u64,
            Part::Call => sum.fixed += PER_CALL,
            Part::Image(image) => sum.fixed += formula.tokens(image),
            Part::Attachment => sum.fixed += ATTACHMENT,
            Part::Tools(json) => definitions[0] = Some(json.to_owned()),
            Part::Functions(json) => definitions[1] = Some(json.to_owned()),
            // Nothing is published of how a model is told: no more than a token per byte.
            Part::Json(json) | Part::ResponseFormat(json) => sum.fixed += json.len() as u64,
        });
        Self {
            encoding: Encoding::of(model),
            tools: Published::of(model),
            sum,
            definitions,
        }
    }

    /// Its tokens. `None` if `wanted` says no before the end, or the encoding is not to be had.
    pub(super) fn count(&self, wanted: &dyn Fn() -> bool) -> Option<u64> {
        let mut counter = self.encoding.counter()?;
        let mut tokens = self.sum.count(&mut counter, wanted)?;
        for (bare, definitions) in [false, true].into_iter().zip(&self.definitions) {
            let Some(json) = definitions else { continue };
            let published = self.tools.count(json, bare).count(&mut counter, wanted)?;
            tokens += match self.tools.sure {
                true => published,
                false => published.max(counter.count(json, wanted)?),
            };
        }
        Some(tokens)
    }
}

/// What a request's images and attachments cost, without its text.
pub(super) fn media(asked: &dyn prompt::Prompt, model: &str) -> u64 {
    if asked.attachments() == 0 {
        return 0;
    }
    let formula = Formula::of(model);
    let mut tokens = 0_u64;
    asked.for_each_part(&mut |part| match part {
        Part::Image(image) => tokens += formula.tokens(image),
        Part::Attachment => tokens += ATTACHMENT,
        _ => {}
    });
    tokens
}
