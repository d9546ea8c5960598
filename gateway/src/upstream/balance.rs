//! Choosing one of several weighted things: an endpoint of an upstream, a backend of a route.
//!
//! Nothing here takes a lock or waits: every choice is an atomic turn counter and arithmetic.
//! This module does not know what an endpoint is, why one may be unusable, or where a key comes
//! from; callers hand over indices, weights and two closures.

mod ring;

use std::sync::atomic::{AtomicUsize, Ordering};

use ring::Ring;

/// The longest precomputed sequence of turns. Larger sums of weights are scaled down to it.
const WHEEL_SLOTS: u64 = 4096;

/// How an upstream spreads requests over its endpoints.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Balance {
    /// Each in turn, in proportion to the weights.
    RoundRobin,
    /// The one with the fewest requests in flight per unit of weight.
    LeastRequests,
    /// The one a key belongs to; requests without a key go round robin.
    ConsistentHash,
}

/// A [`Balance`] over a fixed list of endpoints, which are known by their index.
pub(crate) struct Balancer {
    wheel: Wheel,
    choice: Choice,
}

enum Choice {
    Turn,
    Load,
    Key(Ring),
}

impl Balancer {
    /// `weights` and `names` describe the same endpoints in the same order; an endpoint of weight
    /// 0 is never picked. Names decide only where endpoints stand on the hash ring, so that an
    /// endpoint keeps its keys when others come and go.
    pub(crate) fn new(kind: Balance, weights: &[u32], names: &[&str]) -> Balancer {
        debug_assert_eq!(weights.len(), names.len(), "one name per weight");
        let choice = match kind {
            Balance::RoundRobin => Choice::Turn,
            Balance::LeastRequests => Choice::Load,
            Balance::ConsistentHash => Choice::Key(Ring::new(weights, names)),
        };
        Balancer {
            wheel: Wheel::new(weights),
            choice,
        }
    }

    /// The index of the endpoint to use, or `None` if no endpoint with a weight is usable.
    ///
    /// `key` matters to consistent hashing only, and an empty one counts as absent: callers
    /// without the header would otherwise all land on one endpoint. `usable` may be asked more
    /// than once about the same endpoint, and may change its mind meanwhile.
    pub(crate) fn pick(
        &self,
        key: Option<&[u8]>,
        in_flight: impl Fn(usize) -> usize,
        usable: impl Fn(usize) -> bool,
    ) -> Option<usize> {
        match (&self.choice, key) {
            (Choice::Load, _) => self.least(in_flight, usable),
            (Choice::Key(ring), Some(key)) if !key.is_empty() => ring.pick(key, usable),
            (Choice::Turn | Choice::Key(_), _) => self.wheel.pick(usable),
        }
    }

    /// Starts from the endpoint whose turn it is and leaves it only for one with strictly less to
    /// do, so that endpoints with nothing to choose between them share by weight.
    fn least(
        &self,
        in_flight: impl Fn(usize) -> usize,
        usable: impl Fn(usize) -> bool,
    ) -> Option<usize> {
        let weights = &self.wheel.weights;
        let first = self.wheel.pick(&usable)?;
        let mut best = first;
        let mut load = in_flight(first) as u64;
        let others = (1..weights.len()).map(|step| (first + step) % weights.len());
        for candidate in others.filter(|&i| weights[i] > 0 && usable(i)) {
            let its_load = in_flight(candidate) as u64;
            // a / weight_a < b / weight_b, without dividing
            let its_share = its_load.saturating_mul(u64::from(weights[best]));
            if its_share < load.saturating_mul(u64::from(weights[candidate])) {
                best = candidate;
                load = its_load;
            }
        }
        Some(best)
    }
}

/// Chooses among a route's weighted backends: exact shares over a full cycle of the weights, and
/// well mixed within it. `None` if there is no weight above 0. `turns` is the caller's, one per
/// route, and starts anywhere.
pub(crate) fn pick_weighted(weights: &[u32], turns: &AtomicUsize) -> Option<usize> {
    match weights {
        [only] => (*only > 0).then_some(0),
        several => spread(several, turns, |_| true),
    }
}

/// Smooth weighted round robin, computed once: the sequence of turns, and whose turn it is.
struct Wheel {
    weights: Box<[u32]>,
    slots: Box<[usize]>,
    turn: AtomicUsize,
    /// Counts the turns that fell on an unusable endpoint and went to the others.
    spilled: AtomicUsize,
}

impl Wheel {
    fn new(weights: &[u32]) -> Wheel {
        Wheel {
            weights: weights.into(),
            slots: sequence(&scaled(weights)),
            turn: AtomicUsize::new(0),
            spilled: AtomicUsize::new(0),
        }
    }

    /// Taking simply the next slot instead of an unusable one would give all its turns to one
    /// neighbour; they are spread over all usable endpoints by weight.
    fn pick(&self, usable: impl Fn(usize) -> bool) -> Option<usize> {
        if self.slots.is_empty() {
            return None;
        }
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        let due = self.slots[turn % self.slots.len()];
        if usable(due) {
            return Some(due);
        }
        spread(&self.weights, &self.spilled, usable)
    }
}

/// The weights without their common divisor, and scaled to fit the wheel: past 4,096 turns the
/// shares are rounded, and a weight above 0 keeps at least one turn.
fn scaled(weights: &[u32]) -> Vec<u64> {
    let unit = weights.iter().fold(0, |unit, &w| gcd(unit, u64::from(w)));
    let unit = unit.max(1);
    let total: u64 = weights.iter().map(|&w| u64::from(w) / unit).sum();
    let scale = |weight: u32| {
        let weight = u64::from(weight) / unit;
        if total <= WHEEL_SLOTS || weight == 0 {
            weight
        } else {
            (weight * WHEEL_SLOTS / total).max(1)
        }
    };
    weights.iter().map(|&w| scale(w)).collect()
}

/// One cycle of smooth weighted round robin: in each turn everybody earns their weight, the
/// richest is chosen and pays the sum of the weights.
fn sequence(weights: &[u64]) -> Box<[usize]> {
    let total: u64 = weights.iter().sum();
    let mut credit: Vec<i128> = vec![0; weights.len()];
    let mut slots = Vec::new();
    for _ in 0..total {
        let mut richest = 0;
        for (i, &weight) in weights.iter().enumerate() {
            credit[i] += i128::from(weight);
            if credit[i] > credit[richest] {
                richest = i;
            }
        }
        credit[richest] -= i128::from(total);
        slots.push(richest);
    }
    slots.into()
}

/// A weighted choice among those usable now, with no memory but the turn counter: the turns walk
/// the weights, laid end to end, in steps of about the golden ratio, which visits every unit once
/// per cycle and neighbours far apart.
fn spread(weights: &[u32], turns: &AtomicUsize, usable: impl Fn(usize) -> bool) -> Option<usize> {
    let candidates = || {
        let all = weights.iter().enumerate();
        all.map(|(i, &weight)| (i, u64::from(weight)))
            .filter(|&(i, weight)| weight > 0 && usable(i))
    };
    let (mut total, mut unit) = (0, 0);
    for (_, weight) in candidates() {
        total += weight;
        unit = gcd(unit, weight);
    }
    if total == 0 {
        return None;
    }
    let cycle = total / unit;
    let turn = turns.fetch_add(1, Ordering::Relaxed) as u64 % cycle;
    let mut at = step_over(turn, cycle) * unit;
    let mut chosen = None;
    for (i, weight) in candidates() {
        // kept even if the walk runs off the end because somebody became unusable in between
        chosen = Some(i);
        if at < weight {
            break;
        }
        at -= weight;
    }
    chosen
}

/// Where turn `turn` of a cycle of `cycle` units lands.
fn step_over(turn: u64, cycle: u64) -> u64 {
    let golden = u128::from(cycle) * 618 / 1000;
    let mut stride = (golden as u64).max(1);
    while gcd(stride, cycle) != 1 {
        stride -= 1;
    }
    (u128::from(turn) * u128::from(stride) % u128::from(cycle)) as u64
}

fn gcd(mut a: u64, mut b: u64) -> u64 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

#[cfg(test)]
mod tests;
