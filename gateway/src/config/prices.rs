//! `prices`, checked.

use std::collections::HashMap;

use super::check::{At, Checker, Item, Noun};
use super::raw::prices as raw;
use crate::price::dollars::Malformed;
use crate::price::{Dollars, Entry, Price};

/// What models cost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prices {
    /// Whether the built-in prices hold where no entry does.
    pub builtin: bool,
    /// Prices of one's own, in the order written; at most one per provider, model and day.
    pub entries: Vec<Entry>,
}

/// The most digits with which every decimal number survives being a 64-bit floating one.
const EXACT_DIGITS: usize = 15;

/// Checks `prices`; what is not written gets its default.
pub(super) fn check(cx: &mut Checker<'_>, item: &Item<raw::Prices>) -> Prices {
    let at = item.at.key("entries");
    let mut seen = HashMap::new();
    let mut entries = Vec::new();
    for (index, raw) in item.raw.entries.iter().enumerate() {
        let at = at.index(index);
        let key = (&raw.provider, raw.model.0.as_str(), raw.from);
        if let Some(first) = seen.insert(key, at.clone()) {
            cx.fault(
                &at,
                format!(
                    "{} already prices this model of this provider from {} on",
                    first.path, raw.from
                ),
                "leave one out, or give it another day",
            );
        }
        entries.extend(check_entry(cx, &at, item, raw));
    }
    Prices {
        builtin: item.raw.builtin,
        entries,
    }
}

fn check_entry(
    cx: &mut Checker<'_>,
    at: &At,
    item: &Item<raw::Prices>,
    raw: &raw::Entry,
) -> Option<Entry> {
    let team = item.team.as_ref();
    let provider = cx.resolve(&at.key("provider"), Noun::Provider, &raw.provider.0, team);
    let mut maybe = |key: &str, amount: Option<&raw::Amount>| match amount {
        Some(amount) => check_amount(cx, &at.key(key), amount).map(Some),
        None => Some(None),
    };
    let input = maybe("input", Some(&raw.input));
    let cached_input = maybe("cached_input", raw.cached_input.as_ref());
    let output = maybe("output", Some(&raw.output));
    let reasoning = maybe("reasoning", raw.reasoning.as_ref());
    let price = Price {
        input: input??,
        cached_input: cached_input?,
        output: output??,
        reasoning: reasoning?,
    };
    if price
        .cached_input
        .is_some_and(|cached| cached > price.input)
    {
        cx.warn(
            &at.key("cached_input"),
            "a prompt that is in the cache costs more than one that is not",
            "see whether `input` and `cached_input` are the wrong way round",
        );
    }
    Some(Entry {
        provider: provider?,
        model: raw.model.0.as_str().into(),
        from: raw.from,
        price,
    })
}

/// An amount of money in nano-dollars, exactly as it was written.
pub(super) fn check_amount(cx: &mut Checker<'_>, at: &At, amount: &raw::Amount) -> Option<u64> {
    let text = &amount.text;
    let read = text.parse();
    if amount.floating && !matches!(read, Err(Malformed::Negative)) && digits(text) > EXACT_DIGITS {
        cx.fault(
            at,
            format!("a number has at most {EXACT_DIGITS} digits that are kept exactly"),
            "put it in quotes",
        );
        return None;
    }
    match read {
        Ok(Dollars(nanos)) => Some(nanos),
        Err(why) => {
            cx.fault(at, format!("\"{text}\" {why}"), mend(why));
            None
        }
    }
}

/// How an amount is written that was not one.
fn mend(why: Malformed) -> &'static str {
    match why {
        Malformed::NotDecimal => "write it as \"2.50\"",
        Malformed::Negative => "the least is 0",
        Malformed::TooFine => "the finest is \"0.000000001\"",
        Malformed::TooLarge => "the most is \"18446744073.709551615\"",
    }
}

/// How many digits of a decimal number count.
fn digits(text: &str) -> usize {
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    let whole = !text.contains('.');
    let digits = digits.trim_start_matches('0');
    let digits = if whole {
        digits.trim_end_matches('0')
    } else {
        digits
    };
    digits.len()
}

#[cfg(test)]
mod tests;
