//! The tokens of an answer while it is written: each of its texts grows by itself, and what of it
//! cannot change any more is counted once and forgotten.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use tokio::sync::Semaphore;

use super::encoding::{Counter, Encoding};
use super::place::{Part, Place};
use super::threads;

/// A text kept back for longer than this, in bytes, is counted as it stands: no natural one goes
/// on for so long without a place to cut it.
const LONGEST_REST: usize = 16 << 10;
/// So many bytes are counted where they are: to have somebody else do it takes longer.
const FEW: usize = 1 << 10;
/// So many texts are told apart; answers have a handful. What is beyond goes into one.
const MOST_TEXTS: usize = 256;

/// Who may count at a time. Apart from those who count prompts, which may take long, and at the
/// priority of calls, because a stream stands still meanwhile.
static COUNTERS: LazyLock<Semaphore> = LazyLock::new(|| Semaphore::new(*threads::COUNT));

/// All texts of one answer so far.
pub(in super::super) struct Tally {
    encoding: Encoding,
    texts: BTreeMap<Place, Text>,
    /// Bytes that are not counted yet.
    uncounted: usize,
}

/// One text: what is counted for good, and what is not.
#[derive(Debug, Default)]
struct Text {
    settled: u64,
    /// What stands after that, and its tokens as far as they are counted.
    tail: String,
    rest: u64,
    changed: bool,
}

impl Tally {
    /// Of an answer by `model`, the provider's name for it.
    pub(in super::super) fn of(model: &str) -> Self {
        Self {
            encoding: Encoding::of(model),
            texts: BTreeMap::new(),
            uncounted: 0,
        }
    }

    /// Takes in what is written next in one place.
    pub(in super::super) fn add(&mut self, place: Place, text: &str) {
        const REST: Place = Place {
            choice: u64::MAX,
            part: Part::Content,
        };
        let known = self.texts.len() < MOST_TEXTS || self.texts.contains_key(&place);
        let grown = self
            .texts
            .entry(if known { place } else { REST })
            .or_default();
        grown.tail.push_str(text);
        grown.changed = true;
        self.uncounted += text.len();
    }

    /// Bytes taken in since the last count: no token is shorter than one.
    pub(in super::super) const fn uncounted(&self) -> usize {
        self.uncounted
    }

    /// The tokens of everything taken in. `None` if the encoding is not to be had.
    pub(in super::super) async fn count(&mut self) -> Option<u64> {
        if self.uncounted > 0 {
            let encoding = self.encoding;
            let changed = self.texts.values().filter(|text| text.changed);
            let length: usize = changed.map(|text| text.tail.len()).sum();
            if length <= FEW && encoding.is_loaded() {
                count(&mut self.texts, encoding)?;
            } else {
                let turn = COUNTERS.acquire().await.ok()?;
                let mut texts = std::mem::take(&mut self.texts);
                let counted = tokio::task::spawn_blocking(move || {
                    let _turn = turn;
                    count(&mut texts, encoding)?;
                    Some(texts)
                });
                self.texts = counted.await.ok().flatten()?;
            }
            self.uncounted = 0;
        }
        Some(
            self.texts
                .values()
                .map(|text| text.settled + text.rest)
                .sum(),
        )
    }
}

/// Counts what changed.
fn count(texts: &mut BTreeMap<Place, Text>, encoding: Encoding) -> Option<()> {
    let mut counter = encoding.counter()?;
    for text in texts.values_mut().filter(|text| text.changed) {
        text.count(&mut counter);
    }
    Some(())
}

impl Text {
    fn count(&mut self, counter: &mut Counter) {
        let open = counter.count_open(&self.tail);
        self.settled += open.settled;
        self.tail.drain(..open.at);
        self.rest = open.rest;
        if self.tail.len() > LONGEST_REST {
            self.settled += self.rest;
            self.rest = 0;
            self.tail.clear();
        }
        self.changed = false;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::sample::select;

    use super::*;

    /// What words, lines and contractions are made of, and what lies at their edges.
    const SNIPPETS: &[&str] = &[
        " ",
        "  ",
        "\n",
        "\r\n",
        "\t",
        "\u{a0}",
        "a",
        "B",
        "don",
        "'",
        "'t",
        "r",
        "e",
        "ll",
        "1",
        "234",
        "\u{e9}",
        "\u{301}",
        "\u{6f22}",
        "\u{1f600}",
        "!",
        "?",
        "/",
        "...",
        "Word",
        "word",
    ];

    const PLACE: Place = Place {
        choice: 0,
        part: Part::Content,
    };

    fn whole(encoding: Encoding, text: &str) -> u64 {
        let mut counter = encoding.counter().expect("it is built in");
        counter.count(text, &|| true).expect("it is wanted")
    }

    proptest! {
        #[test]
        fn a_text_that_grows_is_counted_as_one_that_is_there(
            pieces in proptest::collection::vec((select(SNIPPETS), any::<bool>()), 0..60),
        ) {
            for encoding in [Encoding::O200k, Encoding::Cl100k] {
                let mut counter = encoding.counter().expect("it is built in");
                let (mut text, mut all) = (Text::default(), String::new());
                for (piece, count) in &pieces {
                    text.tail.push_str(piece);
                    all.push_str(piece);
                    if *count {
                        text.count(&mut counter);
                    }
                }
                text.count(&mut counter);
                prop_assert_eq!(text.settled + text.rest, whole(encoding, &all), "{:?}", all);
            }
        }
    }

    #[tokio::test]
    async fn places_are_counted_apart_and_together_come_to_the_sum() {
        let mut tally = Tally::of("gpt-4o");
        let other = Place { choice: 1, ..PLACE };
        for _ in 0..3 {
            tally.add(PLACE, "Hel");
            tally.add(other, "wor");
            tally.add(PLACE, "lo ");
            tally.add(other, "ld ");
        }
        assert_eq!(tally.uncounted(), 36);
        let apart = whole(Encoding::O200k, "Hello Hello Hello ")
            + whole(Encoding::O200k, "world world world ");
        assert_eq!(tally.count().await, Some(apart));
        assert_eq!(tally.uncounted(), 0);
        assert_eq!(tally.count().await, Some(apart), "nothing came");
    }

    #[tokio::test]
    async fn endless_words_and_endless_places_take_no_memory_to_speak_of() {
        let mut tally = Tally::of("gpt-4o");
        let text = "a".repeat(40_000);
        for choice in 0..1_000 {
            tally.add(Place { choice, ..PLACE }, "x");
        }
        tally.add(PLACE, &text);
        let counted = tally.count().await.expect("it is built in");
        assert!((5_000..41_001).contains(&counted), "{counted}");
        assert!(tally.texts.len() <= MOST_TEXTS + 1);
        let kept: usize = tally.texts.values().map(|text| text.tail.len()).sum();
        assert!(kept < LONGEST_REST, "{kept}");
    }
}
