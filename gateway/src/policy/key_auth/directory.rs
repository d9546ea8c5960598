//! Who presents which key.

use std::collections::HashMap;
use std::sync::Arc;

use ahash::RandomState;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use crate::config::consumers::{Consumer, Key};

/// All keys, by their hash.
#[derive(Default)]
pub(crate) struct Directory(HashMap<[u8; 32], (Arc<Consumer>, usize), RandomState>);

impl Directory {
    /// Indexes the keys of `consumers`.
    pub(crate) fn new(consumers: &[Arc<Consumer>]) -> Self {
        let keys = consumers.iter().flat_map(|consumer| {
            let keys = consumer.keys.iter().enumerate();
            keys.map(|(i, key)| (key.sha256, (consumer.clone(), i)))
        });
        Directory(keys.collect())
    }

    /// Whose key this is.
    ///
    /// The hash finds the candidate, which tells an attacker nothing about keys; the comparison
    /// that decides takes the same time whatever it is given.
    pub(crate) fn find(&self, key: &[u8]) -> Option<(&Arc<Consumer>, &Key)> {
        let hash: [u8; 32] = Sha256::digest(key).into();
        let (consumer, index) = self.0.get(&hash)?;
        let key = &consumer.keys[*index];
        bool::from(key.sha256.ct_eq(&hash)).then_some((consumer, key))
    }
}
