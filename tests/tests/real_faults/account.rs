//! What clients were told, held against what is in the topic.

use std::collections::{BTreeMap, HashMap};
use std::fmt;

use weir_tests::kafka::Record;

use super::clients::{Manner, Told};

/// What came of one manner of publishing.
#[derive(Debug, Default)]
struct Sum {
    records: usize,
    refused: usize,
    ambiguous: usize,
    missing: Vec<String>,
    /// Not where they were said to be.
    elsewhere: Vec<String>,
    /// More than once although each answer was clear, and although one was not.
    twice: Vec<String>,
    twice_after_ambiguity: usize,
}

/// All of it.
#[derive(Debug)]
pub(super) struct Account(BTreeMap<Manner, Sum>);

impl Account {
    pub(super) fn of(told: &[Told], records: &[Record]) -> Self {
        let mut found: HashMap<String, Vec<(i32, i64)>> = HashMap::new();
        for record in records {
            let places = found.entry(record.text()).or_default();
            places.push((record.partition, record.offset));
        }
        let mut sums: BTreeMap<Manner, Sum> = BTreeMap::new();
        for told in told {
            let sum = sums.entry(told.manner).or_default();
            sum.records += 1;
            sum.refused += told.refused;
            sum.ambiguous += told.ambiguous;
            let places = found.get(&told.value).map_or(&[][..], Vec::as_slice);
            if places.is_empty() {
                sum.missing.push(told.value.clone());
            } else if told.at.is_some_and(|at| !places.contains(&at)) {
                sum.elsewhere.push(told.value.clone());
            }
            match (places.len() > 1, told.ambiguous) {
                (true, 0) => sum.twice.push(told.value.clone()),
                (true, _) => sum.twice_after_ambiguity += 1,
                (false, _) => {}
            }
        }
        Self(sums)
    }

    /// Every answer was true.
    pub(super) fn check(&self) {
        for (manner, sum) in &self.0 {
            assert!(sum.missing.is_empty(), "{manner:?}: lost {:?}", sum.missing);
            let elsewhere = &sum.elsewhere;
            assert!(elsewhere.is_empty(), "{manner:?}: not there {elsewhere:?}");
            assert!(sum.twice.is_empty(), "{manner:?}: twice {:?}", sum.twice);
        }
        assert_eq!(self.0[&Manner::Once].twice_after_ambiguity, 0);
    }
}

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (manner, sum) in &self.0 {
            writeln!(
                f,
                "{manner:?}: {} records answered and {} of them missing, {} elsewhere; {} times refused, \
                 {} times ambiguous; {} twice without ambiguity, {} twice after it",
                sum.records,
                sum.missing.len(),
                sum.elsewhere.len(),
                sum.refused,
                sum.ambiguous,
                sum.twice.len(),
                sum.twice_after_ambiguity,
            )?;
        }
        Ok(())
    }
}
