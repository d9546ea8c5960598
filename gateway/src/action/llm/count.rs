//! Counting a prompt's tokens exactly, where the count decides something.
//!
//! The tokenizer is slow on some texts and overflows its stack on others, and callers choose the
//! text. So it runs on a few threads of its own, sees pieces of bounded length only, and whatever
//! looks hostile is counted by its bytes, which bound its tokens from above.

use std::sync::LazyLock;

use tiktoken_rs::CoreBPE;
use tokio::sync::Semaphore;
use weir_protocols::openai::chat;

/// What OpenAI documents around each message, and before the answer.
const PER_MESSAGE: u64 = 3;
const BEFORE_ANSWER: u64 = 3;
/// The longest piece given to the tokenizer, in bytes.
const PIECE: usize = 8 << 10;
/// A longer run without a change between space and text is counted by its bytes.
const LONGEST_RUN: usize = 512;
/// Prompts longer than this are bounded, not counted: counting would take longer than it is worth.
const LONGEST_TEXT: usize = 4 << 20;

static TOKENIZER: LazyLock<Option<CoreBPE>> = LazyLock::new(|| tiktoken_rs::o200k_base().ok());
static COUNTERS: Semaphore = Semaphore::const_new(2);

/// The prompt's tokens: exact for ordinary text, an upper bound for hostile.
pub(super) async fn exact(chat: &chat::Request<'_>) -> u64 {
    let bound = chat.text_bytes() as u64;
    if chat.text_bytes() > LONGEST_TEXT || chat.attachments > 0 {
        return bound;
    }
    let mut texts: Vec<String> = Vec::new();
    chat.for_each_text(&mut |text| texts.push(text.to_owned()));
    let messages = chat.messages_len as u64;
    let Ok(_turn) = COUNTERS.acquire().await else { return bound };
    let counted = tokio::task::spawn_blocking(move || texts.iter().map(|t| tokens(t)).sum::<u64>());
    match counted.await {
        Ok(tokens) => (tokens + messages * PER_MESSAGE + BEFORE_ANSWER).min(bound),
        Err(_) => bound,
    }
}

fn tokens(text: &str) -> u64 {
    let Some(tokenizer) = TOKENIZER.as_ref() else { return text.len() as u64 };
    pieces(text)
        .map(|piece| match piece {
            Piece::Text(text) => tokenizer.encode_ordinary(text).len() as u64,
            Piece::Run(bytes) => bytes as u64,
        })
        .sum()
}

/// A part of a text, as the tokenizer may see it or not.
#[derive(Debug, PartialEq, Eq)]
enum Piece<'a> {
    Text(&'a str),
    /// A run too long for the tokenizer, in bytes.
    Run(usize),
}

/// Cuts a text where a word ends, so that cutting adds at most a token for each piece.
fn pieces(text: &str) -> impl Iterator<Item = Piece<'_>> {
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let mut taken = 0;
        while taken < rest.len() {
            let run = run_length(&rest[taken..]);
            if run > LONGEST_RUN {
                if taken == 0 {
                    rest = &rest[run..];
                    return Some(Piece::Run(run));
                }
                break;
            }
            if taken > 0 && taken + run > PIECE {
                break;
            }
            taken += run;
        }
        let (piece, after) = rest.split_at(taken);
        rest = after;
        Some(Piece::Text(piece))
    })
}

/// Bytes until space turns into text, or text into space.
fn run_length(text: &str) -> usize {
    let mut chars = text.char_indices();
    let Some((_, first)) = chars.next() else { return 0 };
    let space = first.is_whitespace();
    chars.find(|(_, c)| c.is_whitespace() != space).map_or(text.len(), |(at, _)| at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinary_text_is_counted_exactly() {
        assert_eq!(tokens("hello world"), 2);
        assert_eq!(tokens(""), 0);
    }

    #[test]
    fn hostile_text_is_counted_by_its_bytes_and_never_panics() {
        let spaces = " ".repeat(1 << 20);
        assert_eq!(tokens(&spaces), spaces.len() as u64);
        let letters = "a".repeat(1 << 20);
        assert_eq!(tokens(&letters), letters.len() as u64);
        let mixed = format!("hello {} world", "é".repeat(10_000));
        assert!(tokens(&mixed) >= 20_000);
    }

    #[test]
    fn pieces_are_the_text_and_none_is_long() {
        let text = "word ".repeat(10_000);
        let mut total = 0;
        for piece in pieces(&text) {
            let Piece::Text(piece) = piece else { panic!("no run here is long") };
            assert!(piece.len() <= PIECE);
            total += piece.len();
        }
        assert_eq!(total, text.len());
    }
}
