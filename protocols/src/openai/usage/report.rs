//! Reads a usage report in one pass. A provider's odd idea of what it may leave out must not cost
//! the two numbers that are billed.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{
    Deserialize, DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor,
};

use super::Usage;
use crate::json::Key;

/// The value of `usage`: `None` if it is no object, or lacks prompt or completion tokens. One
/// that has either twice is not read: two readers could take two different values.
#[derive(Default)]
pub(super) struct Report(pub(super) Option<Usage>);

impl<'a> Deserialize<'a> for Report {
    fn deserialize<D: Deserializer<'a>>(json: D) -> Result<Self, D::Error> {
        Leniently::default().deserialize(json)
    }
}

/// What a JSON value may mean; any other means the default.
trait Meaning<'a>: Default {
    fn of_number(_: u64) -> Self {
        Self::default()
    }

    fn of_object<A: MapAccess<'a>>(mut members: A) -> Result<Self, A::Error> {
        while members.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Self::default())
    }
}

impl<'a> Meaning<'a> for Report {
    fn of_object<A: MapAccess<'a>>(mut members: A) -> Result<Self, A::Error> {
        let (mut prompt, mut completion, mut total) = (None, None, Number(None));
        let (mut prompt_details, mut completion_details) = (Details::default(), Details::default());
        while let Some(key) = members.next_key_seed(Key)? {
            match &*key {
                "prompt_tokens" => once(&mut prompt, value(&mut members)?)?,
                "completion_tokens" => once(&mut completion, value(&mut members)?)?,
                "total_tokens" => total = value(&mut members)?,
                "prompt_tokens_details" => prompt_details = value(&mut members)?,
                "completion_tokens_details" => completion_details = value(&mut members)?,
                _ => _ = members.next_value::<IgnoredAny>()?,
            }
        }
        let of = |tokens: Option<Number>| tokens.and_then(|Number(tokens)| tokens);
        Ok(Self(of(prompt).zip(of(completion)).map(
            |(input, output)| {
                let sum = Usage::new(input, output);
                Usage {
                    total: total.0.unwrap_or(sum.total),
                    cached: prompt_details.cached.0,
                    reasoning: completion_details.reasoning.0,
                    ..sum
                }
            },
        )))
    }
}

/// What is known of the details of either side.
#[derive(Default)]
struct Details {
    cached: Number,
    reasoning: Number,
}

impl<'a> Meaning<'a> for Details {
    fn of_object<A: MapAccess<'a>>(mut members: A) -> Result<Self, A::Error> {
        let mut details = Self::default();
        while let Some(key) = members.next_key_seed(Key)? {
            match &*key {
                "cached_tokens" => details.cached = value(&mut members)?,
                "reasoning_tokens" => details.reasoning = value(&mut members)?,
                _ => _ = members.next_value::<IgnoredAny>()?,
            }
        }
        Ok(details)
    }
}

/// A whole number that is not negative.
#[derive(Default)]
struct Number(Option<u64>);

impl Meaning<'_> for Number {
    fn of_number(number: u64) -> Self {
        Self(Some(number))
    }
}

fn value<'a, T: Meaning<'a>, A: MapAccess<'a>>(members: &mut A) -> Result<T, A::Error> {
    members.next_value_seed(Leniently::default())
}

fn once<E: Error>(slot: &mut Option<Number>, number: Number) -> Result<(), E> {
    match slot.replace(number) {
        None => Ok(()),
        Some(_) => Err(E::custom("the key stands twice")),
    }
}

/// Reads any value as what it may mean.
struct Leniently<T>(PhantomData<T>);

impl<T> Default for Leniently<T> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<'a, T: Meaning<'a>> DeserializeSeed<'a> for Leniently<T> {
    type Value = T;

    fn deserialize<D: Deserializer<'a>>(self, json: D) -> Result<T, D::Error> {
        json.deserialize_any(self)
    }
}

impl<'a, T: Meaning<'a>> Visitor<'a> for Leniently<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_u64<E>(self, number: u64) -> Result<T, E> {
        Ok(T::of_number(number))
    }

    fn visit_map<A: MapAccess<'a>>(self, members: A) -> Result<T, A::Error> {
        T::of_object(members)
    }

    fn visit_seq<A: SeqAccess<'a>>(self, mut elements: A) -> Result<T, A::Error> {
        while elements.next_element::<IgnoredAny>()?.is_some() {}
        Ok(T::default())
    }

    fn visit_unit<E>(self) -> Result<T, E> {
        Ok(T::default())
    }

    fn visit_bool<E>(self, _: bool) -> Result<T, E> {
        Ok(T::default())
    }

    fn visit_i64<E>(self, _: i64) -> Result<T, E> {
        Ok(T::default())
    }

    fn visit_f64<E>(self, _: f64) -> Result<T, E> {
        Ok(T::default())
    }

    fn visit_str<E>(self, _: &str) -> Result<T, E> {
        Ok(T::default())
    }
}
