//! OpenAI's two encodings for chat models, equal in number of tokens to its tiktoken.
//!
//! The vocabularies come with the crate tiktoken-rs. Its own encoder is not used, but to test
//! against: it recurses as deep as the text has spaces in a row. Knows no message.

use std::sync::OnceLock;

use tiktoken_rs::CoreBPE;
use tiktoken_rs::tokenizer::{Tokenizer, get_tokenizer};

use super::merge::{Merger, Vocabulary};
use super::model;
use super::pieces::Cut;

/// Pieces longer than this, in bytes, are long. No word is, but callers may send what is no word.
const LONG: usize = 512;
/// How much of one prompt may be in long pieces, in bytes, and still be encoded. They take the most
/// time by far, and some 30 bytes of memory for each of their own. Whatever goes beyond is counted
/// as a token per byte, the most it can be.
const ENCODED_IN_LONG: usize = 1 << 20;
/// After so many bytes of text, whoever else waits for this core gets a chance.
const PAUSE: usize = 64 << 10;

static O200K: OnceLock<Option<Loaded>> = OnceLock::new();
static CL100K: OnceLock<Option<Loaded>> = OnceLock::new();

/// How a model sees text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    /// `o200k_base`: GPT-4o and all that came after it.
    O200k,
    /// `cl100k_base`: GPT-4 and GPT-3.5.
    Cl100k,
}

impl Encoding {
    /// The encoding of a model; for models that are not OpenAI's, the newer of the two, as an
    /// estimate.
    pub(super) fn of(model: &str) -> Self {
        match get_tokenizer(model::unprefixed(model)) {
            Some(Tokenizer::Cl100kBase) => Self::Cl100k,
            _ => Self::O200k,
        }
    }

    /// A counter for texts. The first one ever takes long: it builds the vocabulary.
    pub(super) fn counter(self) -> Option<Counter> {
        let loaded = self.slot().get_or_init(|| match self {
            Self::O200k => Loaded::new(tiktoken_rs::o200k_base().ok()?, Cut::o200k()?),
            Self::Cl100k => Loaded::new(tiktoken_rs::cl100k_base().ok()?, Cut::cl100k()?),
        });
        Some(Counter {
            loaded: loaded.as_ref()?,
            merger: Merger::default(),
            long: ENCODED_IN_LONG,
            unpaused: 0,
        })
    }

    /// Whether its vocabulary is built, so that a counter is at hand.
    pub(super) fn is_loaded(self) -> bool {
        self.slot().get().is_some()
    }

    fn slot(self) -> &'static OnceLock<Option<Loaded>> {
        match self {
            Self::O200k => &O200K,
            Self::Cl100k => &CL100K,
        }
    }
}

struct Loaded {
    cut: Cut,
    vocabulary: Vocabulary,
}

impl Loaded {
    fn new(core: CoreBPE, cut: Cut) -> Option<Self> {
        let tokens = (0..).map_while(|rank| core.decode_bytes(&[rank]).ok());
        let vocabulary = Vocabulary::new(tokens)?;
        Some(Self { cut, vocabulary })
    }
}

/// How many pieces at the end of a text may yet become others as it goes on. Two can: a run of
/// white space that turns out to end in line breaks takes the line break before it along, and so
/// does a word what stood after an apostrophe. The others are for good measure.
const LOOSE: usize = 4;

/// The tokens of a text that may go on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Open {
    /// Of what is before `at`, whatever follows.
    pub(super) settled: u64,
    /// An offset into the text, in bytes.
    pub(super) at: usize,
    /// Of what is from there on, if nothing follows.
    pub(super) rest: u64,
}

/// Counts the tokens of one prompt's texts, one after the other.
pub(super) struct Counter {
    loaded: &'static Loaded,
    merger: Merger,
    /// Bytes in long pieces that may still be encoded.
    long: usize,
    /// Bytes since the last pause.
    unpaused: usize,
}

impl Counter {
    /// A text's tokens: as many as tiktoken's `encode_ordinary` gives, but for long pieces beyond
    /// [`ENCODED_IN_LONG`]. `None` if `wanted` says no before the end.
    pub(super) fn count(&mut self, text: &str, wanted: &dyn Fn() -> bool) -> Option<u64> {
        let mut tokens = 0;
        for piece in self.loaded.cut.pieces(text) {
            tokens += self.piece(piece.as_bytes());
            self.unpaused += piece.len();
            if self.unpaused >= PAUSE {
                self.unpaused = 0;
                if !wanted() {
                    return None;
                }
                std::thread::yield_now();
            }
        }
        Some(tokens)
    }

    /// As [`count`](Self::count), of a text that may go on: apart, what of it no more text can
    /// change.
    pub(super) fn count_open(&mut self, text: &str) -> Open {
        let mut last: [(u64, usize); LOOSE] = [(0, 0); LOOSE];
        let mut open = Open::default();
        for (at, piece) in self.loaded.cut.pieces(text).enumerate() {
            let slot = &mut last[at % LOOSE];
            open.settled += slot.0;
            open.at += slot.1;
            *slot = (
                self.merger.count(piece.as_bytes(), &self.loaded.vocabulary),
                piece.len(),
            );
        }
        open.rest = last.iter().map(|(tokens, _)| tokens).sum();
        open
    }

    fn piece(&mut self, piece: &[u8]) -> u64 {
        if piece.len() > LONG {
            match self.long.checked_sub(piece.len()) {
                Some(left) => self.long = left,
                None => return piece.len() as u64,
            }
        }
        self.merger.count(piece, &self.loaded.vocabulary)
    }
}

#[cfg(test)]
mod tests;
