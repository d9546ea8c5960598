//! The built-in catalogue: what vendors publish, as `builtin.yaml` beside this file has it.
//!
//! A vendor is known by the host its API is served from, and by nothing else: what speaks
//! OpenAI's dialect elsewhere may cost anything. Knows no configuration.

use std::collections::HashMap;
use std::sync::LazyLock;
use std::time::UNIX_EPOCH;

use serde::Deserialize;

use super::{Dated, Dollars, Price, Source};
use crate::config::units::Date;

/// What vendors publish, and when it was read.
#[derive(Debug)]
pub struct Builtin {
    /// Raised with every change.
    pub version: u32,
    /// The day on which the vendors' prices were read.
    pub as_of: Date,
    /// Whose prices there are.
    pub vendors: Vec<Vendor>,
}

/// Who sells models.
#[derive(Debug)]
pub struct Vendor {
    /// Its name, as `openai`.
    pub name: String,
    /// The hosts its API is served from, in lower case.
    pub hosts: Vec<String>,
    /// Where the prices were read, for people.
    pub source: String,
    /// By model, in order of their dates.
    models: HashMap<String, Vec<Dated>>,
}

impl Builtin {
    /// The dated prices of a vendor's model, by exactly this name; none, if it is not listed.
    pub(super) fn dated(&self, vendor: &str, model: &str) -> &[Dated] {
        let vendor = self.vendors.iter().find(|known| known.name == vendor);
        let dated = vendor.and_then(|vendor| vendor.models.get(model));
        dated.map_or(&[], Vec::as_slice)
    }
}

/// The built-in catalogue.
pub fn builtin() -> &'static Builtin {
    static BUILTIN: LazyLock<Builtin> = LazyLock::new(|| {
        parse(include_str!("builtin.yaml")).expect("a test reads the file that is compiled in")
    });
    &BUILTIN
}

/// The vendor whose API is served from `host`, a name with or without a port: `openai` for
/// `api.openai.com`. `None` for any other host, proxies and resellers among them.
pub fn vendor_of(host: &str) -> Option<&'static str> {
    let host = host.split_once(':').map_or(host, |(name, _)| name);
    let serves = |vendor: &&Vendor| {
        vendor
            .hosts
            .iter()
            .any(|known| known.eq_ignore_ascii_case(host))
    };
    let vendor = builtin().vendors.iter().find(serves)?;
    Some(&vendor.name)
}

/// The file as written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    version: u32,
    as_of: Date,
    vendors: Vec<WrittenVendor>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenVendor {
    name: String,
    hosts: Vec<String>,
    source: String,
    models: Vec<WrittenPrice>,
}

/// Prices in dollars, as decimal text.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenPrice {
    names: Vec<String>,
    from: Option<Date>,
    input: String,
    cached_input: Option<String>,
    output: String,
    reasoning: Option<String>,
}

/// Reads the file; the error says what is wrong with it.
fn parse(yaml: &str) -> Result<Builtin, String> {
    let written: Written = serde_saphyr::from_str(yaml).map_err(|error| error.to_string())?;
    let vendors = written.vendors.into_iter().map(vendor);
    Ok(Builtin {
        version: written.version,
        as_of: written.as_of,
        vendors: vendors.collect::<Result<_, _>>()?,
    })
}

fn vendor(written: WrittenVendor) -> Result<Vendor, String> {
    let mut models = HashMap::<String, Vec<Dated>>::new();
    for entry in written.models {
        let dated = Dated {
            from: entry.from.map_or(UNIX_EPOCH, Date::begins),
            price: price(&entry)?,
            source: Source::Builtin,
        };
        for name in entry.names {
            let all = models.entry(name).or_default();
            let at = all.partition_point(|other| other.from < dated.from);
            all.insert(at, dated);
        }
    }
    Ok(Vendor {
        name: written.name,
        hosts: written.hosts,
        source: written.source,
        models,
    })
}

fn price(written: &WrittenPrice) -> Result<Price, String> {
    let nanos = |text: &String| match text.parse() {
        Ok(Dollars(nanos)) => Ok(nanos),
        Err(why) => Err(format!("{:?}: \"{text}\" {why}", written.names)),
    };
    Ok(Price {
        input: nanos(&written.input)?,
        cached_input: written.cached_input.as_ref().map(nanos).transpose()?,
        output: nanos(&written.output)?,
        reasoning: written.reasoning.as_ref().map(nanos).transpose()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_is_read_and_plausible() {
        let builtin = parse(include_str!("builtin.yaml")).unwrap_or_else(|why| panic!("{why}"));
        assert!(builtin.version >= 1 && builtin.as_of.begins() > UNIX_EPOCH);
        for vendor in &builtin.vendors {
            assert!(!vendor.source.is_empty() && !vendor.hosts.is_empty());
            assert!(!vendor.models.is_empty(), "{}", vendor.name);
            for (model, dated) in &vendor.models {
                let in_order = dated.is_sorted_by(|one, next| one.from < next.from);
                assert!(in_order, "{model} has two prices for one day");
                for Dated { price, .. } in dated {
                    // a slipped point is off by ten; nobody asks less than a cent or $1,000
                    let cent = 10_000_000;
                    let plausible = cent..=1_000_000_000_000;
                    assert!(plausible.contains(&price.input), "{model}: {price:?}");
                    assert!(plausible.contains(&price.output), "{model}: {price:?}");
                    assert!(price.output >= price.input, "{model}: {price:?}");
                    assert!(price.cached_input.is_none_or(|cached| cached < price.input));
                }
            }
        }
    }

    #[test]
    fn known_models_have_their_published_price() {
        let of = |vendor, model| builtin().dated(vendor, model)[0].price;
        assert_eq!(
            of("openai", "gpt-4o"),
            Price {
                input: 2_500_000_000,
                cached_input: Some(1_250_000_000),
                output: 10_000_000_000,
                reasoning: None,
            }
        );
        assert_eq!(of("anthropic", "claude-sonnet-4").output, 15_000_000_000);
        assert!(builtin().dated("openai", "claude-sonnet-4").is_empty());
        assert!(builtin().dated("nobody", "gpt-4o").is_empty());
    }

    #[test]
    fn a_vendor_is_known_by_its_host_alone() {
        assert_eq!(vendor_of("api.openai.com"), Some("openai"));
        assert_eq!(vendor_of("API.Anthropic.com"), Some("anthropic"));
        assert_eq!(vendor_of("api.openai.com:443"), Some("openai"));
        for other in [
            "",
            "openai.com",
            "eu.api.openai.com",
            "api.openai.com.example.com",
            "127.0.0.1",
            "127.0.0.1:443",
            "[::1]:443",
        ] {
            assert_eq!(vendor_of(other), None, "{other}");
        }
    }

    #[test]
    fn what_is_wrong_with_a_file_is_said() {
        let file = |price: &str| {
            format!(
                "version: 1\nas_of: 2026-01-01\nvendors: [{{ name: a, hosts: [a], source: s, \
                 models: [{{ names: [m], output: '1', {price} }}] }}]"
            )
        };
        assert!(parse(&file("input: '1'")).is_ok());
        let wrong = |price: &str| parse(&file(price)).expect_err("wrong");
        assert!(wrong("input: '-1'").contains("\"-1\" is below zero"));
        assert!(wrong("input: '1', from: 2026-02-30").contains("a day such as"));
        assert!(wrong("inptu: '1'").contains("inptu"));
    }
}
