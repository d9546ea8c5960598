//! What is accepted of `prices`, what is refused, and in which words.

use std::time::{Duration, UNIX_EPOCH};

use super::*;
use crate::config::units::{Date, Format};
use crate::config::{Faults, Loaded, diff, parse_str};
use crate::price::Catalogue;

const LEAST: &str = "
version: 1
listeners: [{ name: public, address: 127.0.0.1:0 }]
providers:
- { name: openai, dialect: openai, base_url: 'https://api.openai.com/v1' }
- { name: own, dialect: openai, base_url: 'http://127.0.0.1:9001/v1' }
";

fn good(more: &str) -> Loaded {
    parse_str(&format!("{LEAST}{more}")).unwrap_or_else(|faults| panic!("{faults}"))
}

fn faults(more: &str) -> Vec<String> {
    match parse_str(&format!("{LEAST}{more}")) {
        Ok(_) => Vec::new(),
        Err(Faults(faults)) => faults.iter().map(ToString::to_string).collect(),
    }
}

/// An entry for `own` and `m`.
fn entry(prices: &str) -> String {
    format!("prices: {{ entries: [{{ provider: own, model: m, from: 2026-01-01, {prices} }}] }}")
}

#[test]
fn unwritten_the_built_in_prices_hold() {
    let expected = Prices {
        builtin: true,
        entries: Vec::new(),
    };
    assert_eq!(good("").config.prices, expected);
    assert_eq!(good("prices: {}").config.prices, expected);
    assert!(!good("prices: { builtin: false }").config.prices.builtin);
}

#[test]
fn entries_are_read_exactly() {
    let loaded = good(
        "prices:\n  entries:\n  \
         - { provider: openai, model: gpt-4o, from: 2026-01-01, input: \"2.50\", cached_input: \"1.25\", output: \"10.00\" }\n  \
         - { provider: own, model: m, from: 2026-02-01, input: 0.1, output: 3, reasoning: 0.000000001 }\n",
    );
    let read = |text: &str| Date::parse(text).expect("a day");
    let expected = [
        Entry {
            provider: "openai".into(),
            model: "gpt-4o".into(),
            from: read("2026-01-01"),
            price: Price {
                input: 2_500_000_000,
                cached_input: Some(1_250_000_000),
                output: 10_000_000_000,
                reasoning: None,
            },
        },
        Entry {
            provider: "own".into(),
            model: "m".into(),
            from: read("2026-02-01"),
            price: Price {
                input: 100_000_000,
                cached_input: None,
                output: 3_000_000_000,
                reasoning: Some(1),
            },
        },
    ];
    assert_eq!(loaded.config.prices.entries, expected);
    assert!(loaded.warnings.is_empty());
    let prices = &loaded.config.prices;
    let catalogue = Catalogue::new(prices.builtin, &prices.entries);
    let january = UNIX_EPOCH + Duration::from_secs(1_768_000_000);
    assert!(catalogue.price("own", None, "m", january).is_none());
    assert!(catalogue.price("openai", None, "gpt-4o", january).is_some());
}

/// Every number of at most 15 digits is the decimal it was written as, whatever binary makes of it.
#[test]
fn numbers_are_the_decimals_they_were_written_as() {
    for (written, nanos) in [
        ("0", 0),
        ("0.0", 0),
        ("0.3", 300_000_000),
        ("2.50", 2_500_000_000),
        ("0.0000001", 100),
        ("123456.789012345", 123_456_789_012_345),
        ("18446744073", 18_446_744_073_000_000_000),
    ] {
        for written in [written.to_owned(), format!("\"{written}\"")] {
            let loaded = good(&entry(&format!("input: {written}, output: 1")));
            assert_eq!(
                loaded.config.prices.entries[0].price.input, nanos,
                "{written}"
            );
        }
    }
}

#[test]
fn what_is_no_price_is_refused_with_a_way_to_mend_it() {
    let too_many_digits = "a number has at most 15 digits that are kept exactly; put it in quotes";
    for (written, why) in [
        ("\"-1\"", "\"-1\" is below zero; the least is 0"),
        ("-1", "\"-1\" is below zero; the least is 0"),
        ("-0.5", "\"-0.5\" is below zero; the least is 0"),
        (
            "\"0.0000000001\"",
            "\"0.0000000001\" has more than nine decimals; the finest is \"0.000000001\"",
        ),
        (
            "0.0000000001",
            "\"0.0000000001\" has more than nine decimals; the finest is \"0.000000001\"",
        ),
        (
            "\"$2\"",
            "\"$2\" is not a decimal number of dollars; write it as \"2.50\"",
        ),
        (
            "\"\"",
            "\"\" is not a decimal number of dollars; write it as \"2.50\"",
        ),
        (
            "18446744074",
            "\"18446744074\" is more than can be counted; the most is \"18446744073.709551615\"",
        ),
        ("1234567890.123456789", too_many_digits),
        ("0.12345678901234567890", too_many_digits),
        ("12345678901234567890123.5", too_many_digits),
    ] {
        assert_eq!(
            faults(&entry(&format!("input: {written}, output: 1"))),
            [format!("prices.entries[0].input: {why}")],
        );
    }
    assert_eq!(
        faults(&entry("input: true, output: 1")),
        ["prices.entries[0].input: expected a number or text, found true or false"]
    );
    assert_eq!(
        faults(&entry("input: 1")),
        ["prices.entries[0]: \"output\" is missing; add `output:`"]
    );
}

#[test]
fn every_fault_of_an_entry_is_told_at_once() {
    let found = faults(
        "prices:\n  entries:\n  \
         - { provider: opnai, model: m, from: 2026-01-01, input: x, cached_input: -1, output: y, reasoning: z }\n",
    );
    let decimal = "is not a decimal number of dollars; write it as \"2.50\"";
    assert_eq!(
        found,
        [
            "prices.entries[0].provider: no provider named \"opnai\"; did you mean \"openai\"?"
                .to_owned(),
            format!("prices.entries[0].input: \"x\" {decimal}"),
            "prices.entries[0].cached_input: \"-1\" is below zero; the least is 0".to_owned(),
            format!("prices.entries[0].output: \"y\" {decimal}"),
            format!("prices.entries[0].reasoning: \"z\" {decimal}"),
        ]
    );
}

#[test]
fn a_day_is_a_day_and_has_one_price() {
    assert_eq!(
        faults(&entry("input: 1, output: 1").replace("2026-01-01", "2026-02-30")),
        ["prices.entries[0].from: \"2026-02-30\" is not a day such as 2027-01-01"]
    );
    let two = |second: &str| {
        format!(
            "prices:\n  entries:\n  \
             - {{ provider: own, model: m, from: 2026-01-01, input: 1, output: 1 }}\n  \
             - {{ {second}, input: 2, output: 2 }}\n"
        )
    };
    assert_eq!(
        faults(&two("provider: own, model: m, from: 2026-01-01")),
        [
            "prices.entries[1]: prices.entries[0] already prices this model of this provider from 2026-01-01 on; leave one out, or give it another day"
        ]
    );
    for other in [
        "provider: own, model: m, from: 2026-01-02",
        "provider: own, model: n, from: 2026-01-01",
        "provider: openai, model: m, from: 2026-01-01",
    ] {
        assert_eq!(good(&two(other)).config.prices.entries.len(), 2, "{other}");
    }
}

#[test]
fn a_cache_that_costs_more_is_probably_not_meant() {
    let loaded = good(&entry("input: 1, cached_input: 2, output: 1"));
    let warnings: Vec<_> = loaded.warnings.iter().map(ToString::to_string).collect();
    assert_eq!(
        warnings,
        [
            "prices.entries[0].cached_input: a prompt that is in the cache costs more than one that is not; see whether `input` and `cached_input` are the wrong way round"
        ]
    );
}

#[test]
fn prices_are_the_platforms() {
    let found = faults("teams: [{ name: shop }]\nteam: shop\nprices: {}\n");
    let refused = "prices: this file belongs to team \"shop\", and prices to the platform; move it to a file without `team`";
    assert!(found.iter().any(|fault| fault == refused), "{found:?}");
}

#[test]
fn a_reload_applies_prices_and_a_diff_names_them() {
    let old = good(&entry("input: 1, output: 1"));
    let new = good(&entry("input: 2, output: 1"));
    let none = good("");
    let told = |old, new| -> Vec<String> {
        let changes = diff(old, new);
        assert!(changes.iter().all(|change| change.refused().is_empty()));
        changes.iter().map(ToString::to_string).collect()
    };
    assert_eq!(told(&old, &new), ["prices changed: entries[0].input"]);
    assert_eq!(told(&none, &new), ["prices added"]);
    assert_eq!(told(&new, &none), ["prices removed"]);
    assert_ne!(old.revision, new.revision);
}
