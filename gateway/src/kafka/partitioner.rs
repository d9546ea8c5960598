//! Which partition a key belongs to, as the producers of a cluster decide it: who writes a key and who
//! guards it have to agree before anything is sent.

/// How partitions are chosen by keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Partitioner {
    /// CRC-32, what librdkafka does unless told otherwise.
    Consistent,
    /// What Java's producers do.
    Murmur2,
}

impl Partitioner {
    /// That of the property `partitioner`; none, of one that is not known here.
    pub(crate) fn named(name: Option<&str>) -> Option<Self> {
        match name {
            None | Some("consistent" | "consistent_random") => Some(Self::Consistent),
            Some("murmur2" | "murmur2_random") => Some(Self::Murmur2),
            Some(_) => None,
        }
    }

    /// The partition of a key, among so many.
    pub(crate) fn partition(self, key: &[u8], partitions: u32) -> i32 {
        let hash = match self {
            Self::Consistent => crc32fast::hash(key),
            Self::Murmur2 => murmur2(key) & 0x7fff_ffff,
        };
        i32::try_from(hash % partitions.max(1)).unwrap_or(0)
    }
}

/// MurmurHash2 with the seed that Kafka has.
fn murmur2(data: &[u8]) -> u32 {
    const M: u32 = 0x5bd1_e995;
    const SEED: u32 = 0x9747_b28c;
    let length = u32::try_from(data.len()).unwrap_or(u32::MAX);
    let (words, rest) = data.as_chunks::<4>();
    let mut hash = words.iter().fold(SEED ^ length, |hash, word| {
        let word = u32::from_le_bytes(*word).wrapping_mul(M);
        let word = (word ^ (word >> 24)).wrapping_mul(M);
        hash.wrapping_mul(M) ^ word
    });
    if !rest.is_empty() {
        for (place, byte) in rest.iter().enumerate() {
            hash ^= u32::from(*byte) << (8 * place);
        }
        hash = hash.wrapping_mul(M);
    }
    hash ^= hash >> 13;
    hash = hash.wrapping_mul(M);
    hash ^ (hash >> 15)
}

#[cfg(test)]
mod tests {
    use super::murmur2;

    #[test]
    fn keys_hash_as_kafkas_own_tests_say() {
        for (key, hash) in [
            ("21", -973_932_308_i32),
            ("foobar", -790_332_482),
            ("a-little-bit-long-string", -985_981_536),
            ("a-little-bit-longer-string", -1_486_304_829),
            (
                "lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8",
                -58_897_971,
            ),
            ("abc", 479_470_107),
        ] {
            assert_eq!(murmur2(key.as_bytes()).cast_signed(), hash, "{key}");
        }
    }
}
