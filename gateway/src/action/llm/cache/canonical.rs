//! JSON in one spelling: whatever does not change what it says is written the same way. Knows no
//! dialect.
//!
//! Members stand in the order of their keys, numbers in their shortest form, strings with the fewest
//! escapes, and nothing is between them. The order of an array means something and stays.

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// Whole numbers from here on are not told apart once they are read as one with a fraction.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// The object `body` in that spelling, without the members of these names at its top; `None` if it
/// has none: it is no JSON, says something twice, or has a number that cannot be told from others.
pub(super) fn canonical(body: &[u8], without: &[&str]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(body.len());
    let mut reader = serde_json::Deserializer::from_slice(body);
    let root = Spelling {
        out: &mut out,
        without,
    };
    root.deserialize(&mut reader).ok()?;
    reader.end().ok()?;
    Some(out)
}

/// Writes the one value that comes.
struct Spelling<'o> {
    out: &'o mut Vec<u8>,
    /// Members that are left out.
    without: &'o [&'o str],
}

impl<'de> DeserializeSeed<'de> for Spelling<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl Spelling<'_> {
    fn put<E: Error>(self, value: &impl serde::Serialize) -> Result<(), E> {
        serde_json::to_writer(self.out, value).map_err(E::custom)
    }
}

impl<'de> Visitor<'de> for Spelling<'_> {
    type Value = ();

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        self.put(&())
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<(), E> {
        self.put(&value)
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<(), E> {
        self.put(&value)
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<(), E> {
        self.put(&value)
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<(), E> {
        if value.abs() >= EXACT {
            return Err(E::custom("too large to be told from its neighbours"));
        }
        match value.fract() == 0.0 {
            // 1.0 is 1, and there is one zero.
            true => self.put(&(value as i64)),
            false => self.put(&value),
        }
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<(), E> {
        self.put(&value)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<(), A::Error> {
        self.out.push(b'[');
        let mut first = true;
        loop {
            let before = self.out.len();
            if !std::mem::take(&mut first) {
                self.out.push(b',');
            }
            let element = Spelling {
                out: &mut *self.out,
                without: &[],
            };
            if elements.next_element_seed(element)?.is_none() {
                self.out.truncate(before);
                self.out.push(b']');
                return Ok(());
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        let mut all: Vec<(String, Vec<u8>)> = Vec::new();
        while let Some(key) = members.next_key::<String>()? {
            if self.without.contains(&&*key) {
                members.next_value::<IgnoredAny>()?;
                continue;
            }
            let mut value = Vec::new();
            members.next_value_seed(Spelling {
                out: &mut value,
                without: &[],
            })?;
            all.push((key, value));
        }
        all.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
        if all.windows(2).any(|two| two[0].0 == two[1].0) {
            return Err(A::Error::custom("two readers could take two values"));
        }
        self.out.push(b'{');
        for (at, (key, value)) in all.iter().enumerate() {
            if at > 0 {
                self.out.push(b',');
            }
            serde_json::to_writer(&mut *self.out, key).map_err(A::Error::custom)?;
            self.out.push(b':');
            self.out.extend_from_slice(value);
        }
        self.out.push(b'}');
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Map, Number, Value, json};

    use super::*;

    fn spelled(text: &str) -> String {
        let out = canonical(text.as_bytes(), &[]).expect("it has a spelling");
        String::from_utf8(out).expect("UTF-8")
    }

    #[test]
    fn what_means_the_same_is_spelled_the_same() {
        for text in [
            r#"{"a":1,"b":[0.5,"A"]}"#,
            "{ \"b\" : [ 5e-1 , \"\\u0041\" ],\r\n\t\"a\": 1.0 }",
            r#"{"b":[0.50,"A"],"\u0061":10e-1}"#,
        ] {
            assert_eq!(spelled(text), r#"{"a":1,"b":[0.5,"A"]}"#, "{text}");
        }
        assert_eq!(spelled("[-0.0,0,-0,1e2,-7]"), "[0,0,0,100,-7]");
        assert_eq!(spelled("[18446744073709551615]"), "[18446744073709551615]");
    }

    #[test]
    fn what_could_be_read_in_two_ways_has_no_spelling() {
        for text in [
            r#"{"a":1,"a":2}"#,
            r#"{"a":{"b":1,"\u0062":1}}"#,
            "[18446744073709551616]",
            "[1e300]",
            "{",
            "{} {}",
            "",
        ] {
            assert_eq!(canonical(text.as_bytes(), &[]), None, "{text}");
        }
        let deep = "[".repeat(10_000);
        assert_eq!(canonical(deep.as_bytes(), &[]), None);
    }

    #[test]
    fn members_are_left_out_at_the_top_only() {
        let body = br#"{"stream":true,"a":{"stream":true},"user":"u"}"#;
        let out = canonical(body, &["stream", "user"]).expect("it has one");
        assert_eq!(out, br#"{"a":{"stream":true}}"#);
    }

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i32>().prop_map(Value::from),
            (-1e9..1e9_f64).prop_map(|x| Number::from_f64(x).map_or(Value::Null, Value::Number)),
            "\\PC{0,8}".prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 24, 4, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                proptest::collection::btree_map("[a-c]{1,2}", inner, 0..4)
                    .prop_map(|members| Value::Object(members.into_iter().collect::<Map<_, _>>())),
            ]
        })
    }

    /// The same with white space, members from last to first and numbers otherwise.
    fn respelled(value: &Value, out: &mut String) {
        match value {
            Value::Object(members) => {
                out.push_str("{ ");
                for (at, (key, value)) in members.iter().rev().enumerate() {
                    out.push_str(if at > 0 { " ,\n" } else { "" });
                    let escaped = key.chars().map(|c| format!("\\u{:04x}", u32::from(c)));
                    out.push_str(&format!("\"{}\"\t: ", escaped.collect::<String>()));
                    respelled(value, out);
                }
                out.push('}');
            }
            Value::Array(elements) => {
                out.push('[');
                for (at, value) in elements.iter().enumerate() {
                    out.push_str(if at > 0 { ",  " } else { "" });
                    respelled(value, out);
                }
                out.push(']');
            }
            Value::Number(number) if number.is_i64() => out.push_str(&format!("{number}.0e0")),
            Value::Number(number) => out.push_str(&format!("{:e}", number.as_f64().unwrap_or(0.0))),
            other => out.push_str(&other.to_string()),
        }
    }

    proptest! {
        #[test]
        fn order_white_space_and_the_spelling_of_numbers_do_not_matter(value in value()) {
            let mut other = String::new();
            respelled(&value, &mut other);
            prop_assert_eq!(spelled(&value.to_string()), spelled(&other));
        }

        #[test]
        fn whatever_changes_what_it_says_does(one in value(), other in value()) {
            let same = one == other || {
                // 1 and 1.0 are one number, and two values of serde_json.
                spelled(&one.to_string()).parse::<Value>().ok()
                    == spelled(&other.to_string()).parse::<Value>().ok()
            };
            prop_assert_eq!(spelled(&one.to_string()) == spelled(&other.to_string()), same);
        }

        #[test]
        fn the_order_of_an_array_matters(one in value(), other in value()) {
            let (there, back) = (json!([one, other]), json!([other, one]));
            let same = spelled(&one.to_string()) == spelled(&other.to_string());
            prop_assert_eq!(spelled(&there.to_string()) == spelled(&back.to_string()), same);
        }
    }
}
