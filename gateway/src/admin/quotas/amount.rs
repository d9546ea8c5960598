//! Amounts as the admin address takes and shows them: whole numbers in the quota's unit, and for
//! money, which is counted in nano-dollars, the same beside it as decimal text in dollars.

use serde::Deserialize;
use serde_json::{Map, Value};

use super::super::problem::Problem;
use crate::price::Dollars;
use crate::quota::Unit;

/// The greatest amount that may be given: every store and every reader of JSON counts that far.
const MOST: u64 = (1 << 53) - 1;

/// An amount as it is sent.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum Amount {
    /// In the quota's unit; of money, nano-dollars.
    Whole(u64),
    /// The same in digits; of money, dollars, as `1.25` or `$1.25`.
    Text(String),
}

impl Amount {
    /// In the quota's unit.
    pub(super) fn read(&self, unit: Unit) -> Result<u64, Problem> {
        let amount = match self {
            Self::Whole(amount) => *amount,
            Self::Text(text) if unit == Unit::Money => {
                let digits = text.strip_prefix('$').unwrap_or(text);
                let dollars: Dollars = digits.parse().map_err(|why| {
                    let hint = "give dollars, as \"1.25\", or nano-dollars as a number";
                    Problem::bad(format!("the amount: \"{text}\" {why}"), hint)
                })?;
                dollars.0
            }
            Self::Text(text) => text.parse().map_err(|_| {
                let detail = format!("the amount: \"{text}\" is no whole number of {unit}");
                Problem::bad(detail, "give digits only")
            })?,
        };
        match amount {
            0 => Err(Problem::bad("the amount is 0", "give what is to be added")),
            1..=MOST => Ok(amount),
            _ => Err(Problem::bad(
                format!("the amount: {amount} is more than can be counted"),
                format!("give {MOST} at most, or raise the limit"),
            )),
        }
    }
}

/// Amounts by name; of money, under `dollars` a second time.
pub(super) fn object(unit: Unit, amounts: &[(&str, u64)]) -> Map<String, Value> {
    let named = |(name, amount): &(&str, u64)| ((*name).to_owned(), Value::from(*amount));
    let mut object: Map<String, Value> = amounts.iter().map(named).collect();
    if unit == Unit::Money {
        let dollars = |(name, amount): &(&str, u64)| {
            ((*name).to_owned(), Dollars(*amount).to_string().into())
        };
        let dollars: Map<String, Value> = amounts.iter().map(dollars).collect();
        object.insert("dollars".into(), dollars.into());
    }
    object
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str, unit: Unit) -> Result<u64, String> {
        let amount: Amount = serde_json::from_str(json).map_err(|e| e.to_string())?;
        amount.read(unit).map_err(|problem| problem.detail)
    }

    #[test]
    fn money_is_given_in_either_form_and_the_rest_in_whole_numbers() {
        assert_eq!(read("1250000000", Unit::Money), Ok(1_250_000_000));
        assert_eq!(read("\"1.25\"", Unit::Money), Ok(1_250_000_000));
        assert_eq!(read("\"$1.25\"", Unit::Money), Ok(1_250_000_000));
        assert_eq!(read("\"12\"", Unit::Tokens), Ok(12));
        assert_eq!(read("12", Unit::Tokens), Ok(12));
    }

    #[test]
    fn what_is_no_amount_says_why() {
        for (json, unit) in [
            ("0", Unit::Tokens),
            ("-1", Unit::Tokens),
            ("1.5", Unit::Tokens),
            ("\"1.5\"", Unit::Tokens),
            ("\"$5\"", Unit::Tokens),
            ("\"1e3\"", Unit::Money),
            ("\"0.0000000001\"", Unit::Money),
            ("\"0.000\"", Unit::Money),
            ("18446744073709551615", Unit::Tokens),
            ("null", Unit::Money),
        ] {
            assert!(read(json, unit).is_err(), "{json} {unit}");
        }
    }

    #[test]
    fn money_is_shown_in_both_forms() {
        let money = object(Unit::Money, &[("used", 1_500_000_000), ("debt", 0)]);
        let money = Value::from(money);
        assert_eq!(money["used"], 1_500_000_000_u64);
        assert_eq!(money["dollars"]["used"], "1.5");
        assert_eq!(money["dollars"]["debt"], "0");
        let tokens = object(Unit::Tokens, &[("used", 7)]);
        assert_eq!(Value::from(tokens), serde_json::json!({ "used": 7 }));
    }
}
