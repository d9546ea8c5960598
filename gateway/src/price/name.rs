//! The names of models: which of them are snapshots of another.
//!
//! One rule, and no guessing: a name that ends in a day is a snapshot of what stands before it,
//! as `gpt-4o-2024-08-06` is of `gpt-4o` and `claude-sonnet-4-20250514` of `claude-sonnet-4`.
//! `gpt-4o-mini` is not one of `gpt-4o`, nor is `gpt-4-0613` of `gpt-4`: four digits may be
//! anything. Knows no vendors and no prices.

use crate::config::units::{Date, Format};

/// The model of which `model` is a dated snapshot, if it is one.
pub(super) fn family(model: &str) -> Option<&str> {
    dashed(model).or_else(|| plain(model))
}

/// `FAMILY-YYYY-MM-DD`
fn dashed(model: &str) -> Option<&str> {
    let (family, day) = model.split_at_checked(model.len().checked_sub(10)?)?;
    Date::parse(day)?;
    named(family)
}

/// `FAMILY-YYYYMMDD`
fn plain(model: &str) -> Option<&str> {
    let (family, day) = model.split_at_checked(model.len().checked_sub(8)?)?;
    let (year, rest) = day.split_at_checked(4)?;
    let (month, day) = rest.split_at_checked(2)?;
    Date::parse(&format!("{year}-{month}-{day}"))?;
    named(family)
}

/// What stands before the dash.
fn named(family: &str) -> Option<&str> {
    family.strip_suffix('-').filter(|name| !name.is_empty())
}

#[cfg(test)]
mod tests {
    use super::family;

    #[test]
    fn a_name_that_ends_in_a_day_is_a_snapshot() {
        for (model, of) in [
            ("gpt-4o-2024-08-06", "gpt-4o"),
            ("gpt-4o-mini-2024-07-18", "gpt-4o-mini"),
            ("claude-sonnet-4-20250514", "claude-sonnet-4"),
            ("claude-haiku-4-5-20251001", "claude-haiku-4-5"),
        ] {
            assert_eq!(family(model), Some(of), "{model}");
        }
    }

    #[test]
    fn nothing_else_is() {
        for model in [
            "",
            "gpt-4o",
            "gpt-4o-mini",
            "gpt-4-0613",
            "mistral-large-2512",
            "2024-08-06",
            "-2024-08-06",
            "20240806",
            "gpt-4o2024-08-06",
            "gpt-4o-2024-13-06",
            "gpt-4o-2023-02-29",
            "model-12345678",
            "ft:gpt-4o-2024-08-06:acme::x1",
            "gpt-4o-2024-08-06-preview",
            "modèle-é0240806",
            "é-2024-08-0é",
        ] {
            assert_eq!(family(model), None, "{model}");
        }
    }
}
