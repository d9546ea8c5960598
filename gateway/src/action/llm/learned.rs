//! How long answers turn out, by who asks which model: the bound on those that nobody limits.
//!
//! A bound of thousands of tokens for an answer of fifty would refuse the first calls under a small
//! limit; one learned from what was used before does not. Nothing here is exact, and nothing needs
//! to be: what an answer is bounded by is also what it is limited to, or reserved anew as it flows.

use std::collections::HashMap;
use std::sync::Arc;

use ahash::RandomState;
use parking_lot::Mutex;

/// The least and the most that is bounded, in tokens per choice. The most is also what an answer
/// may come to where there is room for it.
pub(super) const FLOOR: u64 = 256;
pub(super) const CEILING: u64 = 4096;
/// So many of the latest answers are remembered of a pair, and so few tell nothing yet.
const RING: usize = 64;
const ENOUGH: usize = 8;
/// The bound covers so much of the answers remembered, in hundredths, and a quarter more.
const COVERED: usize = 95;
/// Pairs are found through so many maps, each with a lock of its own that is held for a look-up
/// only, and each remembers so many: the one unused for longest is forgotten.
const SHARDS: usize = 16;
const PAIRS: usize = 640;

/// What is known of all pairs.
pub(crate) struct Learned {
    shards: [Mutex<Shard>; SHARDS],
    hashing: RandomState,
}

/// Who asks, if that is known, and for which model.
type Pair = (Option<Arc<str>>, Arc<str>);

#[derive(Default)]
struct Shard {
    pairs: HashMap<Pair, Answers, RandomState>,
    /// Counts uses, to tell the latest from the others.
    now: u64,
}

/// The latest answers of one pair.
struct Answers {
    ring: Vec<u32>,
    next: usize,
    /// The bound they suggest, once anybody asked.
    bound: Option<u64>,
    used: u64,
}

impl Default for Learned {
    fn default() -> Self {
        Self {
            shards: Default::default(),
            hashing: RandomState::new(),
        }
    }
}

impl Learned {
    /// What an answer is bounded by, in tokens: from [`FLOOR`] to [`CEILING`].
    pub(super) fn bound(&self, consumer: Option<&Arc<str>>, model: &Arc<str>) -> u64 {
        let pair = (consumer.cloned(), model.clone());
        let mut shard = self.shard(&pair).lock();
        shard.now += 1;
        let now = shard.now;
        let known = shard.pairs.get_mut(&pair);
        known.map_or(FLOOR, |answers| {
            answers.used = now;
            *answers.bound.get_or_insert_with(|| bound(&answers.ring))
        })
    }

    /// An answer ended by itself after so many tokens.
    pub(super) fn learn(&self, consumer: Option<&Arc<str>>, model: &Arc<str>, tokens: u64) {
        let pair = (consumer.cloned(), model.clone());
        let mut shard = self.shard(&pair).lock();
        shard.now += 1;
        let now = shard.now;
        if shard.pairs.len() >= PAIRS && !shard.pairs.contains_key(&pair) {
            shard.forget_one();
        }
        let answers = shard.pairs.entry(pair).or_insert_with(|| Answers {
            ring: Vec::new(),
            next: 0,
            bound: None,
            used: now,
        });
        answers.used = now;
        answers.add(u32::try_from(tokens).unwrap_or(u32::MAX));
    }

    fn shard(&self, pair: &Pair) -> &Mutex<Shard> {
        let hash = self.hashing.hash_one(pair);
        &self.shards[hash as usize % SHARDS]
    }
}

impl Shard {
    fn forget_one(&mut self) {
        let oldest = self.pairs.iter().min_by_key(|(_, answers)| answers.used);
        if let Some(pair) = oldest.map(|(pair, _)| pair.clone()) {
            self.pairs.remove(&pair);
        }
    }
}

impl Answers {
    fn add(&mut self, tokens: u32) {
        if self.ring.len() < RING {
            self.ring.push(tokens);
        } else {
            self.ring[self.next] = tokens;
            self.next = (self.next + 1) % RING;
        }
        self.bound = None;
    }
}

/// The bound that some answers suggest.
fn bound(answers: &[u32]) -> u64 {
    if answers.len() < ENOUGH {
        return FLOOR;
    }
    let mut sorted = answers.to_vec();
    sorted.sort_unstable();
    let covered = (sorted.len() * COVERED).div_ceil(100);
    let quantile = u64::from(sorted[covered - 1]);
    (quantile + quantile / 4).clamp(FLOOR, CEILING)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn learned(tokens: impl IntoIterator<Item = u64>) -> u64 {
        let (learned, model) = (Learned::default(), Arc::from("smart"));
        for tokens in tokens {
            learned.learn(None, &model, tokens);
        }
        learned.bound(None, &model)
    }

    #[test]
    fn a_few_answers_tell_nothing() {
        assert_eq!(learned([]), FLOOR);
        assert_eq!(learned([3000; ENOUGH - 1]), FLOOR);
        assert_eq!(learned([3000; ENOUGH]), 3750);
    }

    #[test]
    fn what_is_learned_stays_between_floor_and_ceiling() {
        assert_eq!(learned([1; 20]), FLOOR);
        assert_eq!(learned([u64::MAX; 20]), CEILING);
    }

    #[test]
    fn one_long_answer_in_twenty_does_not_count_and_two_do() {
        let mixed = |long: usize| (0..20).map(move |at| if at < long { 2000 } else { 400 });
        assert_eq!(learned(mixed(1)), 500);
        assert_eq!(learned(mixed(2)), 2500);
    }

    #[test]
    fn what_is_long_past_is_forgotten() {
        assert_eq!(learned([3000; RING].into_iter().chain([400; RING])), 500);
    }

    #[test]
    fn callers_and_models_are_told_apart_and_the_unused_forgotten() {
        let learned = Learned::default();
        let name = |text: &str| -> Arc<str> { text.into() };
        let (ci, smart, quick) = (name("ci"), name("smart"), name("quick"));
        for _ in 0..ENOUGH {
            learned.learn(Some(&ci), &smart, 800);
        }
        assert_eq!(learned.bound(Some(&ci), &smart), 1000);
        assert_eq!(learned.bound(Some(&ci), &quick), FLOOR);
        assert_eq!(learned.bound(None, &smart), FLOOR);
        let many = SHARDS * PAIRS * 2;
        for n in 0..many {
            learned.learn(Some(&name(&n.to_string())), &smart, 1);
            if n % 64 == 0 {
                assert_eq!(learned.bound(Some(&ci), &smart), 1000, "it is in use");
            }
        }
        let kept: usize = learned.shards.iter().map(|s| s.lock().pairs.len()).sum();
        assert_eq!(kept, SHARDS * PAIRS);
    }

    proptest! {
        #[test]
        fn it_covers_nearly_all_that_was_seen_unless_the_ceiling_forbids(
            answers in proptest::collection::vec(0_u32..10_000, ENOUGH..RING),
        ) {
            let bound = bound(&answers);
            prop_assert!((FLOOR..=CEILING).contains(&bound));
            let longer = answers.iter().filter(|tokens| u64::from(**tokens) > bound).count();
            prop_assert!(bound == CEILING || longer * 20 <= answers.len());
        }
    }
}
