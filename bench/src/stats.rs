//! Medians, and ratios and differences of paired measurements with their upper bound. Pure arithmetic.

/// How often the rounds are drawn again for a bound.
const RESAMPLES: usize = 10_000;

/// How two contenders compare, from measurements taken in pairs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bounded {
    /// The median of the pairs' ratios, or of their differences.
    pub median: f64,
    /// What the median stays under with 95 % confidence, one-sided: the 95th percentile of the
    /// medians of [`RESAMPLES`] bootstrap samples of the pairs. The draws are the same in every
    /// run, so that one set of measurements gives one figure.
    pub upper: f64,
}

/// The middle of `values`; zero if there are none.
pub fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut sorted: Vec<f64> = values.into_iter().collect();
    sorted.sort_unstable_by(f64::total_cmp);
    middle(&sorted)
}

/// How many times `theirs` `ours` is, paired by round. `None` if there is no pair.
pub fn paired(ours: &[f64], theirs: &[f64]) -> Option<Bounded> {
    bounded(ours.iter().zip(theirs).map(|(a, b)| a / b).collect())
}

/// How much more than `theirs` `ours` is, paired by round. `None` if there is no pair.
pub fn added(ours: &[f64], theirs: &[f64]) -> Option<Bounded> {
    bounded(ours.iter().zip(theirs).map(|(a, b)| a - b).collect())
}

fn bounded(mut pairs: Vec<f64>) -> Option<Bounded> {
    if pairs.is_empty() {
        return None;
    }
    pairs.sort_unstable_by(f64::total_cmp);
    let mut draws = Draws(0x5745_4952);
    let mut sample = vec![0.0; pairs.len()];
    let mut medians: Vec<f64> = (0..RESAMPLES)
        .map(|_| {
            for slot in &mut sample {
                *slot = pairs[draws.below(pairs.len())];
            }
            sample.sort_unstable_by(f64::total_cmp);
            middle(&sample)
        })
        .collect();
    medians.sort_unstable_by(f64::total_cmp);
    Some(Bounded {
        median: middle(&pairs),
        upper: medians[RESAMPLES * 95 / 100],
    })
}

fn middle(sorted: &[f64]) -> f64 {
    let half = sorted.len() / 2;
    match sorted {
        [] => 0.0,
        _ if sorted.len().is_multiple_of(2) => f64::midpoint(sorted[half - 1], sorted[half]),
        _ => sorted[half],
    }
}

/// SplitMix64 (Steele, Lea, Flood 2014): small, seeded, and good enough to draw rounds with.
struct Draws(u64);

impl Draws {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^= word >> 31;
        // The bias of the remainder is below 2^-58 for any number of rounds one would wait for.
        usize::try_from(word % bound as u64).expect("a remainder is below its usize divisor")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle() {
        assert_eq!(median([3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median([4.0, 1.0, 2.0, 3.0]), 2.5);
        assert_eq!(median([]), 0.0);
    }

    #[test]
    fn noise_common_to_a_round_cancels() {
        let theirs = [1.0, 2.0, 5.0, 1.5];
        let ours = theirs.map(|time| time * 1.2);
        let ratio = paired(&ours, &theirs).expect("there are pairs");
        assert!((ratio.median - 1.2).abs() < 1e-9 && (ratio.upper - 1.2).abs() < 1e-9);
    }

    #[test]
    fn what_is_added_is_the_difference_within_a_round() {
        let theirs = [10.0, 30.0, 20.0];
        let added = added(&theirs.map(|time| time + 5.0), &theirs);
        assert_eq!(
            added.map(|added| (added.median, added.upper)),
            Some((5.0, 5.0))
        );
    }

    #[test]
    fn the_bound_is_above_the_median_and_shrugs_off_one_outlier() {
        let theirs = [1.0; 21];
        let mut ours: Vec<f64> = (0..21).map(|i| 1.0 + f64::from(i) / 100.0).collect();
        let ratio = paired(&ours, &theirs).expect("there are pairs");
        assert!(ratio.median < ratio.upper && ratio.upper < 1.20);
        ours[20] = 50.0;
        let shaken = paired(&ours, &theirs).expect("there are pairs");
        assert!(shaken.upper < 1.20);
        assert_eq!(paired(&[], &theirs), None);
    }
}
