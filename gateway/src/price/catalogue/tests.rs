//! Which price holds when.

use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::config::units::Format;

const OPENAI: Option<&str> = Some("openai");

fn date(text: &str) -> Date {
    Date::parse(text).unwrap_or_else(|| panic!("{text}"))
}

fn day(text: &str) -> SystemTime {
    date(text).begins()
}

/// A price that is told from others by its input.
fn price(input: u64) -> Price {
    Price {
        input,
        cached_input: None,
        output: input,
        reasoning: None,
    }
}

fn entry(provider: &str, model: &str, from: &str, input: u64) -> Entry {
    Entry {
        provider: provider.into(),
        model: model.into(),
        from: date(from),
        price: price(input),
    }
}

/// Input prices at a time, asked both ways.
fn input(
    catalogue: &Catalogue,
    (provider, vendor, model): (&str, Option<&str>, &str),
    at: SystemTime,
) -> Option<u64> {
    let direct = catalogue.price(provider, vendor, model, at);
    let schedule = catalogue.schedule(provider, vendor, model);
    assert_eq!(direct, schedule.price(at), "{provider} {model}");
    direct.map(|price| price.input)
}

#[test]
fn the_newest_price_that_has_begun_holds() {
    let catalogue = Catalogue::new(
        false,
        &[
            entry("own", "m", "2026-03-01", 2),
            entry("own", "m", "2026-01-01", 1),
            entry("own", "m", "2027-01-01", 3),
        ],
    );
    let at = |time| input(&catalogue, ("own", None, "m"), time);
    let moment = Duration::from_nanos(1);
    assert_eq!(at(SystemTime::UNIX_EPOCH), None);
    assert_eq!(at(day("2026-01-01") - moment), None);
    assert_eq!(at(day("2026-01-01")), Some(1));
    assert_eq!(at(day("2026-03-01") - moment), Some(1));
    assert_eq!(at(day("2026-03-01")), Some(2));
    assert_eq!(at(day("2026-12-31")), Some(2));
    assert_eq!(at(day("2027-01-01")), Some(3));
    assert_eq!(at(day("9999-12-31")), Some(3));
}

#[test]
fn an_entry_wins_over_the_built_in_price_from_its_day_on_and_for_its_provider() {
    let catalogue = Catalogue::new(true, &[entry("ours", "gpt-4o", "2026-06-01", 7)]);
    let at = |provider, time| input(&catalogue, (provider, OPENAI, "gpt-4o"), day(time));
    let published = Some(2_500_000_000);
    assert_eq!(at("ours", "2026-05-31"), published);
    assert_eq!(at("ours", "2026-06-01"), Some(7));
    assert_eq!(at("theirs", "2026-06-01"), published);
    let schedule = catalogue.schedule("ours", OPENAI, "gpt-4o");
    let source = |time| schedule.in_force(day(time)).map(|dated| dated.source);
    assert_eq!(source("2026-05-31"), Some(Source::Builtin));
    assert_eq!(source("2026-06-01"), Some(Source::Configuration));
}

#[test]
fn an_entry_outlives_a_later_built_in_price() {
    let google = ("g", Some("google"), "gemini-3.8-flash");
    let (before, after) = (day("2026-12-31"), day("2027-01-01"));
    let catalogue = Catalogue::new(true, &[]);
    assert_eq!(input(&catalogue, google, before), Some(750_000_000));
    assert_eq!(input(&catalogue, google, after), Some(1_500_000_000));
    let catalogue = Catalogue::new(true, &[entry("g", google.2, "2026-11-01", 9)]);
    assert_eq!(input(&catalogue, google, before), Some(9));
    assert_eq!(input(&catalogue, google, after), Some(9));
}

#[test]
fn built_in_prices_need_a_vendor_and_can_be_turned_off() {
    let now = day("2026-11-21");
    let gpt = ("p", OPENAI, "gpt-4o");
    assert!(input(&Catalogue::new(true, &[]), gpt, now).is_some());
    assert!(input(&Catalogue::new(false, &[]), gpt, now).is_none());
    assert!(input(&Catalogue::new(true, &[]), ("p", None, "gpt-4o"), now).is_none());
    assert!(
        Catalogue::new(false, &[])
            .schedule("p", OPENAI, "gpt-4o")
            .is_empty()
    );
}

#[test]
fn a_snapshot_costs_what_its_family_does_unless_it_has_a_price_of_its_own() {
    let now = day("2026-11-21");
    let catalogue = Catalogue::new(true, &[]);
    let at = |model| input(&catalogue, ("p", OPENAI, model), now);
    assert_eq!(at("gpt-4o-2024-08-06"), at("gpt-4o"));
    assert_eq!(at("gpt-4o-2024-05-13"), Some(5_000_000_000));
    assert_eq!(at("gpt-4o-mini-2024-07-18"), Some(150_000_000));
    for unknown in [
        "gpt-4o-audio-preview",
        "gpt-4o2",
        "gpt-",
        "gpt-9-2026-01-01",
    ] {
        assert_eq!(at(unknown), None, "{unknown}");
    }

    let catalogue = Catalogue::new(
        true,
        &[
            entry("p", "gpt-4o", "2026-01-01", 7),
            entry("p", "gpt-4o-2024-11-20", "2026-10-01", 8),
        ],
    );
    let at = |model, time| input(&catalogue, ("p", OPENAI, model), day(time));
    assert_eq!(at("gpt-4o-2024-08-06", "2026-11-21"), Some(7));
    // the vendor's word on the snapshot, over ours on the family
    assert_eq!(at("gpt-4o-2024-05-13", "2026-11-21"), Some(5_000_000_000));
    assert_eq!(at("gpt-4o-2024-11-20", "2025-12-31"), Some(2_500_000_000));
    assert_eq!(at("gpt-4o-2024-11-20", "2026-09-30"), Some(7));
    assert_eq!(at("gpt-4o-2024-11-20", "2026-10-01"), Some(8));
}

proptest! {
    /// The schedule, compiled once, says at every time what the catalogue would.
    #[test]
    fn a_schedule_is_the_catalogue_over_time(
        entries in proptest::collection::vec((0_usize..3, 1_u8..=12, 1_u8..=3, any::<u64>()), 0..12),
        model in 0_usize..3,
        month in 1_u8..=12,
        of_month in 1_u8..=3,
    ) {
        let names = ["gpt-4o", "gpt-4o-2024-05-13", "gpt-4o-2024-08-06"];
        let entries: Vec<_> = entries
            .into_iter()
            .map(|(model, month, day, input)| {
                entry("p", names[model], &format!("2026-{month:02}-{day:02}"), input)
            })
            .collect();
        let at = day(&format!("2026-{month:02}-{of_month:02}"));
        for with_builtin in [true, false] {
            let catalogue = Catalogue::new(with_builtin, &entries);
            let found = input(&catalogue, ("p", OPENAI, names[model]), at);
            let exact = entries
                .iter()
                .filter(|entry| *entry.model == *names[model] && entry.from.begins() <= at)
                .max_by_key(|entry| entry.from);
            if let Some(exact) = exact {
                prop_assert_eq!(found, Some(exact.price.input));
            }
        }
    }
}
