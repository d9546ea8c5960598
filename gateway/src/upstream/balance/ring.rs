//! The hash ring of consistent hashing: nginx's ketama, from the `pingora-ketama` crate.
//!
//! It knows names and weights, and that a name may stand on the ring only as a socket address.

use std::collections::HashMap;
use std::net::SocketAddr;

use pingora_ketama::{Bucket, Continuum, DEFAULT_POINT_MULTIPLE};
use sha2::{Digest, Sha256};

/// The largest weight a ring works with; each unit costs 160 points of 8 bytes. If a weight is
/// larger, all are scaled by the same factor.
const MAX_WEIGHT: u32 = 100;

/// Endpoints of a weight above 0 on a ring.
pub(super) struct Ring {
    continuum: Continuum,
    endpoints: HashMap<SocketAddr, usize>,
    points: usize,
    /// One more than the highest endpoint index.
    bound: usize,
}

impl Ring {
    /// An endpoint's points depend on its own name and weight only. (Weights above
    /// [`MAX_WEIGHT`] depend on the largest too, so changing that one moves more keys.)
    pub(super) fn new(weights: &[u32], names: &[&str]) -> Ring {
        let largest = weights.iter().copied().max().unwrap_or(0);
        let mut endpoints = HashMap::new();
        let mut buckets = Vec::new();
        let mut points = 0;
        for (i, (&weight, name)) in weights.iter().zip(names).enumerate() {
            if weight == 0 {
                continue;
            }
            let weight = scaled(weight, largest);
            let seat = free_seat(name, &endpoints);
            endpoints.insert(seat, i);
            buckets.push(Bucket::new(seat, weight));
            points += weight as usize * DEFAULT_POINT_MULTIPLE as usize;
        }
        Ring {
            continuum: Continuum::new(&buckets),
            endpoints,
            points,
            bound: weights.len(),
        }
    }

    /// The endpoint the key belongs to, or the next usable one along the ring.
    pub(super) fn pick(&self, key: &[u8], usable: impl Fn(usize) -> bool) -> Option<usize> {
        // The iterator goes round for ever, so it is cut after one full turn.
        let addresses = self.continuum.node_iter(key).take(self.points);
        let mut walk = addresses.filter_map(|seat| self.endpoints.get(seat).copied());
        let home = walk.next()?;
        if usable(home) {
            return Some(home);
        }
        let mut asked = vec![false; self.bound];
        asked[home] = true;
        let mut left = self.endpoints.len() - 1;
        while left > 0 {
            let endpoint = walk.next()?;
            if std::mem::replace(&mut asked[endpoint], true) {
                continue;
            }
            if usable(endpoint) {
                return Some(endpoint);
            }
            left -= 1;
        }
        None
    }
}

fn scaled(weight: u32, largest: u32) -> u32 {
    if largest <= MAX_WEIGHT {
        return weight;
    }
    let scaled = u64::from(weight) * u64::from(MAX_WEIGHT) / u64::from(largest);
    // never above MAX_WEIGHT, because weight is never above largest
    u32::try_from(scaled).unwrap_or(MAX_WEIGHT).max(1)
}

/// A place of its own even for a name that is listed twice.
fn free_seat(name: &str, taken: &HashMap<SocketAddr, usize>) -> SocketAddr {
    let mut seat = seat(name);
    let mut copy = 1;
    while taken.contains_key(&seat) {
        copy += 1;
        seat = self::seat(&format!("{name}#{copy}"));
    }
    seat
}

/// Addresses stand where nginx would put them; other names get a made-up private address, which
/// nobody ever connects to.
fn seat(name: &str) -> SocketAddr {
    name.parse().unwrap_or_else(|_| {
        let digest: [u8; 32] = Sha256::digest(name).into();
        let mut ip = [0; 16];
        ip.copy_from_slice(&digest[..16]);
        ip[0] = 0xfd; // RFC 4193: locally assigned
        SocketAddr::from((ip, u16::from_be_bytes([digest[16], digest[17]])))
    })
}
