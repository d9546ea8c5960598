//! `prices` as written: what models cost.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, de};

use super::Name;
use crate::config::units::{Date, ModelName};

/// What models cost, for quotas of money.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Prices {
    /// Whether the built-in prices hold where no entry does: those vendors publish, for
    /// providers whose `base_url` is the vendor's own.
    pub builtin: bool,
    /// Prices of your own. Each wins over the built-in one for its provider and model, from its
    /// day on.
    pub entries: Vec<Entry>,
}

impl Default for Prices {
    fn default() -> Self {
        Self {
            builtin: true,
            entries: Vec::new(),
        }
    }
}

/// What a provider's model costs from a day on, in US dollars per million tokens.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "PriceEntry")]
pub struct Entry {
    /// The name of an entry of `providers`.
    pub provider: Name,
    /// What the provider calls the model; holds for its dated snapshots too, as
    /// `gpt-4o-2024-08-06` is one of `gpt-4o`.
    pub model: ModelName,
    /// The day, in UTC, from which the price holds.
    pub from: Date,
    /// Of prompt tokens.
    pub input: Amount,
    /// Of prompt tokens that the provider had in its cache; as `input`, if not said.
    #[serde(default)]
    pub cached_input: Option<Amount>,
    /// Of completion tokens.
    pub output: Amount,
    /// Of completion tokens spent on reasoning; as `output`, if not said.
    #[serde(default)]
    pub reasoning: Option<Amount>,
}

/// US dollars: decimal text such as `"2.50"`, or a number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Amount {
    /// The amount in decimal, as far as it can be known.
    pub text: String,
    /// Whether it was a number with a fraction, of which YAML keeps about 16 digits.
    pub floating: bool,
}

impl<'de> Deserialize<'de> for Amount {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;

        impl de::Visitor<'_> for Visitor {
            type Value = Amount;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("dollars such as \"2.50\"")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Amount, E> {
                Ok(exact(text))
            }

            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Amount, E> {
                Ok(exact(number))
            }

            fn visit_i64<E: de::Error>(self, number: i64) -> Result<Amount, E> {
                Ok(exact(number))
            }

            fn visit_f64<E: de::Error>(self, number: f64) -> Result<Amount, E> {
                // the shortest decimal that stands for this number, without an exponent
                Ok(Amount {
                    floating: true,
                    ..exact(number)
                })
            }
        }

        deserializer.deserialize_any(Visitor)
    }
}

fn exact(amount: impl fmt::Display) -> Amount {
    Amount {
        text: amount.to_string(),
        floating: false,
    }
}

impl JsonSchema for Amount {
    fn schema_name() -> Cow<'static, str> {
        "Dollars".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": ["string", "number"],
            "description": "US dollars with at most nine decimals, as text such as \"2.50\". \
                            A number is read alike, if it has at most 15 digits.",
        })
    }
}
