//! Series of one handle that come into being when first used: one per error
//! code, or one per HTTP status. Reading a slot that is there takes no lock.

use crate::code::Code;
use std::sync::OnceLock;

/// One series per error code.
pub(super) struct PerCode<T>([OnceLock<T>; Code::COUNT]);

impl<T> Default for PerCode<T> {
    fn default() -> Self {
        Self([const { OnceLock::new() }; Code::COUNT])
    }
}

impl<T> PerCode<T> {
    pub(super) fn get(&self, code: Code, make: impl FnOnce() -> T) -> &T {
        self.0[code as usize].get_or_init(make)
    }
}

type Hundred<T> = Box<[OnceLock<T>; 100]>;

/// One series per status from 100 to 599, and one for any other; hundred by
/// hundred, because most routes only ever answer with a few.
pub(super) struct PerStatus<T> {
    hundreds: [OnceLock<Hundred<T>>; 5],
    other: OnceLock<T>,
}

impl<T> Default for PerStatus<T> {
    fn default() -> Self {
        Self {
            hundreds: [const { OnceLock::new() }; 5],
            other: OnceLock::new(),
        }
    }
}

impl<T> PerStatus<T> {
    /// `make` is given the label's value.
    pub(super) fn get(&self, status: u16, make: impl FnOnce(&str) -> T) -> &T {
        let index = usize::from(status);
        let Some(hundred) = (index / 100)
            .checked_sub(1)
            .and_then(|class| self.hundreds.get(class))
        else {
            return self.other.get_or_init(|| make("other"));
        };
        hundred.get_or_init(|| Box::new([const { OnceLock::new() }; 100]))[index % 100]
            .get_or_init(|| make(&status.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_has_a_slot_of_its_own_and_odd_ones_share() {
        let slots = PerStatus::default();
        for status in [0, 99, 100, 200, 204, 499, 599, 600, 999, u16::MAX] {
            let expected = match status {
                100..=599 => status.to_string(),
                _ => "other".to_owned(),
            };
            assert_eq!(slots.get(status, str::to_owned), &expected);
            assert_eq!(slots.get(status, |_| unreachable!()), &expected);
        }
    }
}
