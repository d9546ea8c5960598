//! Picking: shares, smoothness, load, and which keys move.

use std::sync::Mutex;

use super::*;

fn names(n: usize) -> Vec<String> {
    (0..n).map(|i| format!("10.0.0.{i}:80")).collect()
}

fn balancer(kind: Balance, weights: &[u32]) -> Balancer {
    let names = names(weights.len());
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    Balancer::new(kind, weights, &names)
}

fn turn(balancer: &Balancer, usable: impl Fn(usize) -> bool) -> Option<usize> {
    balancer.pick(None, |_| 0, usable)
}

fn home(balancer: &Balancer, key: u32) -> Option<usize> {
    balancer.pick(Some(&key.to_be_bytes()), |_| 0, |_| true)
}

/// How often each of `n` was picked in `picks` picks.
fn counts(n: usize, picks: usize, mut pick: impl FnMut() -> Option<usize>) -> Vec<usize> {
    let mut counts = vec![0; n];
    for _ in 0..picks {
        counts[pick().expect("somebody is usable")] += 1;
    }
    counts
}

/// All weights of three endpoints from 0 to 5 of which at least one is not 0.
fn small_weights() -> impl Iterator<Item = [u32; 3]> {
    (1..216).map(|n| [n / 36, n / 6 % 6, n % 6])
}

fn as_counts(weights: &[u32], times: usize) -> Vec<usize> {
    weights.iter().map(|&w| w as usize * times).collect()
}

#[test]
fn round_robin_is_the_smooth_sequence() {
    let balancer = balancer(Balance::RoundRobin, &[5, 1, 1]);
    let picked: Vec<_> = (0..7).filter_map(|_| turn(&balancer, |_| true)).collect();
    assert_eq!(picked, [0, 0, 1, 0, 2, 0, 0]);
}

#[test]
fn round_robin_and_backends_give_exact_shares_over_a_cycle() {
    for weights in small_weights() {
        let total = weights.iter().sum::<u32>() as usize;
        let balancer = balancer(Balance::RoundRobin, &weights);
        let picked = counts(3, 2 * total, || turn(&balancer, |_| true));
        assert_eq!(picked, as_counts(&weights, 2), "{weights:?}");
        let turns = AtomicUsize::new(7 * total);
        let picked = counts(3, 2 * total, || pick_weighted(&weights, &turns));
        assert_eq!(picked, as_counts(&weights, 2), "{weights:?}");
    }
}

#[test]
fn threads_share_one_sequence() {
    let balancer = balancer(Balance::RoundRobin, &[3, 2, 1]);
    let picked = Mutex::new(vec![0; 3]);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let mine = counts(3, 300, || turn(&balancer, |_| true));
                let mut all = picked.lock().expect("no panic");
                all.iter_mut()
                    .zip(mine)
                    .for_each(|(all, mine)| *all += mine);
            });
        }
    });
    assert_eq!(*picked.lock().expect("no panic"), [600, 400, 200]);
}

#[test]
fn an_unusable_endpoints_turns_are_shared_by_weight() {
    let equal = balancer(Balance::RoundRobin, &[1, 1, 1]);
    assert_eq!(counts(3, 600, || turn(&equal, |i| i != 1)), [300, 0, 300]);
    let unequal = balancer(Balance::RoundRobin, &[4, 2, 1]);
    assert_eq!(counts(3, 700, || turn(&unequal, |i| i != 0)), [0, 467, 233]);
}

#[test]
fn nobody_usable_is_nobody_picked() {
    for kind in [
        Balance::RoundRobin,
        Balance::LeastRequests,
        Balance::ConsistentHash,
    ] {
        for key in [None, Some(b"key".as_slice())] {
            let picked = |weights: &[u32], usable: bool| {
                balancer(kind, weights).pick(key, |_| 0, |_| usable)
            };
            assert_eq!(picked(&[1, 2, 3], false), None);
            assert_eq!(picked(&[0, 0], true), None);
            assert_eq!(picked(&[], true), None);
            assert_eq!(picked(&[0, 7, 0], true), Some(1));
        }
    }
}

#[test]
fn the_only_usable_endpoint_is_always_found_and_never_one_of_weight_zero() {
    for kind in [
        Balance::RoundRobin,
        Balance::LeastRequests,
        Balance::ConsistentHash,
    ] {
        for weights in small_weights() {
            let balancer = balancer(kind, &weights);
            for only in 0..3 {
                let expected = (weights[only] > 0).then_some(only);
                for key in 0..8_u8 {
                    let picked = balancer.pick(Some(&[key]), |_| 0, |i| i == only);
                    assert_eq!(picked, expected, "{kind:?} {weights:?}");
                }
            }
        }
    }
}

#[test]
fn huge_weights_are_scaled_and_lose_nobody() {
    for weights in [[u32::MAX; 3], [1, u32::MAX, 1], [1_000_003, 999_983, 0]] {
        for kind in [Balance::RoundRobin, Balance::ConsistentHash] {
            let balancer = balancer(kind, &weights);
            let mut key = 0;
            let picked = counts(3, 20_000, || {
                key += 1;
                home(&balancer, key)
            });
            for (weight, picked) in weights.iter().zip(picked) {
                assert_eq!(*weight > 0, picked > 0, "{kind:?} {weights:?}");
            }
        }
        let turns = AtomicUsize::new(usize::MAX);
        assert!(pick_weighted(&weights, &turns).is_some());
    }
}

#[test]
fn least_requests_compares_load_by_weight() {
    let balancer = balancer(Balance::LeastRequests, &[1, 2, 4]);
    let pick = |load: [usize; 3]| balancer.pick(None, |i| load[i], |_| true);
    for _ in 0..10 {
        assert_eq!(pick([1, 1, 3]), Some(1)); // 1, 0.5, 0.75
        assert_eq!(pick([1, 3, 3]), Some(2)); // 1, 1.5, 0.75
        assert_eq!(pick([0, 1, 1]), Some(0));
        let without_the_best = balancer.pick(None, |i| [0, 3, 8][i], |i| i != 0);
        assert_eq!(without_the_best, Some(1));
    }
}

#[test]
fn least_requests_shares_ties_by_weight() {
    let balancer = balancer(Balance::LeastRequests, &[3, 1, 2]);
    assert_eq!(
        counts(3, 600, || turn(&balancer, |_| true)),
        [300, 100, 200]
    );
    let among_two = counts(3, 600, || turn(&balancer, |i| i != 0));
    assert_eq!(among_two, [0, 200, 400]);
}

#[test]
fn a_key_stays_with_its_endpoint() {
    let one = balancer(Balance::ConsistentHash, &[1, 2, 3]);
    let other = balancer(Balance::ConsistentHash, &[1, 2, 3]);
    for key in 0..1000 {
        assert_eq!(home(&one, key), home(&one, key));
        assert_eq!(home(&one, key), home(&other, key));
    }
}

#[test]
fn keys_follow_the_weights() {
    let balancer = balancer(Balance::ConsistentHash, &[1, 2, 3]);
    let mut key = 0;
    let picked = counts(3, 60_000, || {
        key += 1;
        home(&balancer, key)
    });
    for (picked, fair) in picked.into_iter().zip([10_000, 20_000, 30_000]) {
        assert!(picked.abs_diff(fair) < fair / 4, "{picked} of {fair}");
    }
}

#[test]
fn removing_an_endpoint_moves_only_its_keys() {
    let hosts: Vec<_> = (0..6)
        .map(|i| format!("orders-{i}.example.com:80"))
        .collect();
    for names in [names(6), hosts] {
        for n in 2..=6 {
            let weights: Vec<_> = (0..n as u32).map(|i| 1 + i * 2 % 5).collect();
            let names: Vec<_> = names[..n].iter().map(String::as_str).collect();
            let whole = Balancer::new(Balance::ConsistentHash, &weights, &names);
            for gone in 0..n {
                let (mut names, mut weights) = (names.clone(), weights.clone());
                names.remove(gone);
                weights.remove(gone);
                let rest = Balancer::new(Balance::ConsistentHash, &weights, &names);
                for key in 0..500 {
                    let before = home(&whole, key).expect("an endpoint");
                    let shift = |i: usize| if i < gone { i } else { i + 1 };
                    let after = home(&rest, key).map(shift).expect("an endpoint");
                    assert!(after == before || before == gone);
                    // being unusable for a while moves the same keys to the same places
                    let key = key.to_be_bytes();
                    let without = whole.pick(Some(&key), |_| 0, |i| i != gone);
                    assert_eq!(without, Some(after));
                }
            }
        }
    }
}

#[test]
fn endpoints_of_the_same_name_share_the_keys() {
    let names = ["orders:80", "orders:80", "10.0.0.1:80", "10.0.0.1:80"];
    let balancer = Balancer::new(Balance::ConsistentHash, &[1; 4], &names);
    let mut key = 0;
    let picked = counts(4, 4_000, || {
        key += 1;
        home(&balancer, key)
    });
    assert!(picked.iter().all(|&picked| picked > 500), "{picked:?}");
}

#[test]
fn without_a_key_hashing_goes_round_robin() {
    let balancer = balancer(Balance::ConsistentHash, &[1, 2]);
    assert_eq!(counts(2, 300, || turn(&balancer, |_| true)), [100, 200]);
    let empty = || balancer.pick(Some(b""), |_| 0, |_| true);
    assert_eq!(counts(2, 300, empty), [100, 200]);
}

#[test]
fn a_route_with_one_backend_or_none_needs_no_turn() {
    let turns = AtomicUsize::new(0);
    assert_eq!(pick_weighted(&[5], &turns), Some(0));
    assert_eq!(pick_weighted(&[0], &turns), None);
    assert_eq!(pick_weighted(&[], &turns), None);
    assert_eq!(pick_weighted(&[0, 0], &turns), None);
    assert_eq!(turns.into_inner(), 0);
}

#[test]
fn backends_are_well_mixed() {
    let turns = AtomicUsize::new(0);
    let weights = [91, 9];
    let picked: Vec<_> = (0..500)
        .filter_map(|_| pick_weighted(&weights, &turns))
        .collect();
    for window in picked.windows(20) {
        let minor = window.iter().filter(|&&i| i == 1).count();
        assert!((1..=4).contains(&minor), "{minor} of 20 should be about 2");
    }
    let even: Vec<_> = (0..4)
        .filter_map(|_| pick_weighted(&[50, 50], &turns))
        .collect();
    assert!(even.windows(2).all(|pair| pair[0] != pair[1]));
}
