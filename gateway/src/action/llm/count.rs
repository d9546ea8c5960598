//! Counting a prompt's tokens exactly, where the count decides something.
//!
//! The tokenizer is slow on some texts and overflows its stack on others, and callers choose the
//! text. So it runs on a few threads of its own, sees pieces of bounded length only, and whatever
//! looks hostile is counted by its bytes, which bound its tokens from above.

use std::sync::LazyLock;

use tiktoken_rs::CoreBPE;
use tokio::sync::Semaphore;
use weir_protocols::openai::chat;

use super::bound;

/// What OpenAI documents around each message, and before the answer.
const PER_MESSAGE: u64 = 3;
const BEFORE_ANSWER: u64 = 3;
/// The longest piece given to the tokenizer, in bytes. What a piece costs may grow with the square
/// of its length.
const PIECE: usize = 512;
/// Prompts longer than this are bounded, not counted: counting would take longer than it is worth.
const LONGEST_TEXT: usize = 2 << 20;

static TOKENIZER: LazyLock<Option<CoreBPE>> = LazyLock::new(|| tiktoken_rs::o200k_base().ok());
static COUNTERS: Semaphore = Semaphore::const_new(2);

/// The prompt's tokens: exact for ordinary text, an upper bound for hostile.
pub(super) async fn exact(chat: &chat::Request<'_>) -> u64 {
    let bound = bound::by_bytes(chat);
    if chat.text_bytes() > LONGEST_TEXT {
        return bound;
    }
    let mut texts: Vec<String> = Vec::new();
    chat.for_each_text(&mut |text| texts.push(text.to_owned()));
    let around = chat.messages_len as u64 * PER_MESSAGE + BEFORE_ANSWER + bound::attachments(chat);
    let Ok(turn) = COUNTERS.acquire().await else {
        return bound;
    };
    let counted = tokio::task::spawn_blocking(move || {
        // A caller who leaves ends the wait, not the count: its turn lasts until that is over.
        let _turn = turn;
        texts.iter().map(|text| tokens(text)).sum::<u64>()
    });
    counted
        .await
        .map_or(bound, |tokens| (tokens + around).min(bound))
}

fn tokens(text: &str) -> u64 {
    let Some(tokenizer) = TOKENIZER.as_ref() else {
        return text.len() as u64;
    };
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
    /// At most [`PIECE`] bytes, cut where a word or a clause ends.
    Text(&'a str),
    /// Bytes without such an end for too long.
    Run(usize),
}

/// Cuts a text where the tokenizer would, so that cutting adds next to nothing to the count.
fn pieces(text: &str) -> impl Iterator<Item = Piece<'_>> {
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        if rest.len() <= PIECE {
            return Some(Piece::Text(std::mem::take(&mut rest)));
        }
        let end = (1..=PIECE)
            .rev()
            .find(|at| rest.is_char_boundary(*at))
            .unwrap_or(PIECE);
        let window = &rest[..end];
        let (cut, is_run) = match last_end(window) {
            Some(end) => (end, false),
            None => (first_end(rest, window.len()), true),
        };
        let (piece, after) = rest.split_at(cut);
        rest = after;
        Some(if is_run {
            Piece::Run(piece.len())
        } else {
            Piece::Text(piece)
        })
    })
}

/// Where the last word, or else the last clause, of a text ends.
fn last_end(text: &str) -> Option<usize> {
    let word = text
        .trim_end_matches(|c: char| !c.is_whitespace())
        .trim_end();
    if !word.is_empty() {
        return Some(word.len());
    }
    let stop = text.char_indices().rev().find(|(_, c)| ends_clause(*c));
    stop.map(|(at, c)| at + c.len_utf8())
}

/// Where a run that was `seen` bytes long without an end has one.
fn first_end(text: &str, seen: usize) -> usize {
    let of_space = text[..seen].chars().all(char::is_whitespace);
    let ends = |c: char| {
        if of_space {
            !c.is_whitespace()
        } else {
            c.is_whitespace()
        }
    };
    text[seen..].find(ends).map_or(text.len(), |at| seen + at)
}

/// The stops of scripts that put no space between words.
fn ends_clause(c: char) -> bool {
    matches!(
        c,
        '\u{3001}' | '\u{3002}' | '\u{ff01}' | '\u{ff0c}' | '\u{ff1a}' | '\u{ff1b}' | '\u{ff1f}'
    )
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
    fn cutting_adds_next_to_nothing() {
        let tokenizer = TOKENIZER.as_ref().expect("it is built in");
        let english = "The weir measures what flows over it, and says why.\n".repeat(200);
        let chinese = "\u{6c34}\u{5830}\u{6d4b}\u{91cf}\u{6d41}\u{8fc7}\u{ff0c}\u{5e76}\u{8bf4}\u{660e}\u{539f}\u{56e0}\u{3002}".repeat(300);
        for text in [english, chinese] {
            let whole = tokenizer.encode_ordinary(&text).len() as u64;
            let cut = tokens(&text);
            assert!(
                (whole..=whole + whole / 50).contains(&cut),
                "{cut} for {whole}"
            );
        }
    }

    #[test]
    fn hostile_text_is_counted_by_its_bytes_and_never_panics() {
        let long = 1 << 20;
        for hostile in [
            " ",
            "a",
            "\u{e9}",
            "[",
            "a\u{300}",
            "!\u{1f600}",
            "\0",
            "\u{3000}",
        ] {
            let text = hostile.repeat(long / hostile.len());
            assert_eq!(tokens(&text), text.len() as u64, "{hostile:?}");
        }
        let mixed = format!("hello {} world", "\u{e9}".repeat(10_000));
        assert!(tokens(&mixed) >= 20_000);
    }

    #[test]
    fn pieces_are_the_text_and_none_is_long() {
        for text in [
            "word ".repeat(10_000),
            " \n word, word".repeat(999),
            "\u{6c34}\u{3002}".repeat(9_999),
        ] {
            let mut total = 0;
            for piece in pieces(&text) {
                let Piece::Text(piece) = piece else {
                    panic!("no run here is long")
                };
                assert!(piece.len() <= PIECE);
                total += piece.len();
            }
            assert_eq!(total, text.len());
        }
    }
}
