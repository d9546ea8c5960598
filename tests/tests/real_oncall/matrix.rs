//! What each fault was called, as the access log has it.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::Value;

use crate::faults;

/// How often each route failed with which code and by whose fault.
pub(crate) struct Matrix(BTreeMap<String, BTreeMap<(String, String), usize>>);

impl Matrix {
    pub(crate) fn of(lines: &[Value]) -> Self {
        let mut counts: BTreeMap<String, BTreeMap<_, usize>> = BTreeMap::new();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        for line in lines {
            let (route, code) = (text(&line["weir.route"]), text(&line["error.type"]));
            if faults::of(&route).is_some() && !code.is_empty() {
                let cell = (code, text(&line["weir.fault"]));
                *counts.entry(route).or_default().entry(cell).or_default() += 1;
            }
        }
        Self(counts)
    }

    /// Each fault was called by its name, every time.
    pub(crate) fn assert_diagonal(&self) {
        for fault in faults::FAULTS {
            let row = &self.0[fault.name];
            let right = (fault.code.to_owned(), fault.whose.to_owned());
            let cells: Vec<_> = row.keys().collect();
            assert_eq!(cells, [&right], "{}: {row:?}", fault.name);
        }
    }
}

impl fmt::Display for Matrix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{:<12} {:<26} {:<9} failures, and others",
            "fault", "code", "whose"
        )?;
        for fault in faults::FAULTS {
            let row = self.0.get(fault.name).cloned().unwrap_or_default();
            let right = (fault.code.to_owned(), fault.whose.to_owned());
            let count = row.get(&right).copied().unwrap_or_default();
            let others: usize = row.values().sum::<usize>() - count;
            writeln!(
                f,
                "{:<12} {:<26} {:<9} {count:>8} {others:>11}",
                fault.name, fault.code, fault.whose
            )?;
        }
        Ok(())
    }
}
