//! JSON with the members of packed messages in an order in which they can be read one by one: `@type`
//! before what it says how to read. What stands before it is else held in a map without order, and
//! chance picks which of two faults is told, or which of two values of a field counts. Does not know
//! which objects are packed messages: in others the order means nothing.

use std::fmt;

use memchr::memmem;
use serde::de::value::{MapDeserializer, SeqDeserializer};
use serde::de::{Deserialize, Deserializer, IntoDeserializer, MapAccess, SeqAccess, Visitor};
use serde::forward_to_deserialize_any;
use serde_json::{Error, Value};

const TYPE: &str = "@type";

/// What holds all of a message that JSON writes in its own way, where that is packed.
const VALUE: &str = "value";

/// Where the messages are that JSON writes in its own way.
const OWN_WAYS: &str = "google.protobuf.";

/// A JSON text. Unlike [`Value`], it knows the order of members and keeps all of one name.
pub(super) enum Tree {
    Leaf(Value),
    List(Vec<Tree>),
    Members(Vec<(String, Tree)>),
}

/// The text with its members moved, or nothing if none has to be.
///
/// # Errors
/// If it is no JSON, unless it is plain that nothing has to be moved.
pub(super) fn ordered(text: &[u8]) -> Result<Option<Tree>, Error> {
    // It may be there with an escape.
    if [TYPE, r"\u"]
        .iter()
        .all(|sign| memmem::find(text, sign.as_bytes()).is_none())
    {
        return Ok(None);
    }
    let mut tree: Tree = serde_json::from_slice(text)?;
    Ok(tree.order().then_some(tree))
}

impl Tree {
    /// Whether anything was moved.
    fn order(&mut self) -> bool {
        let members = match self {
            Self::Leaf(_) => return false,
            Self::List(list) => {
                return list
                    .iter_mut()
                    .fold(false, |moved, tree| tree.order() | moved);
            }
            Self::Members(members) => members,
        };
        let inner = members.iter_mut().map(|(_, tree)| tree.order());
        let inner = inner.fold(false, |moved, one| moved | one);
        let moved = first(members, 0, TYPE);
        let is_value = matches!(members.first(), Some((name, Self::Leaf(Value::String(url))))
            if name == TYPE && url.contains(OWN_WAYS));
        inner | moved | (is_value && first(members, 1, VALUE))
    }
}

/// Moves the first member of a name to its place, and says whether it was elsewhere.
fn first(members: &mut [(String, Tree)], place: usize, name: &str) -> bool {
    match members.iter().position(|(there, _)| there == name) {
        Some(at) if at > place => {
            members[place..=at].rotate_right(1);
            true
        }
        _ => false,
    }
}

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(Grow)
    }
}

struct Grow;

impl<'de> Visitor<'de> for Grow {
    type Value = Tree;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Tree, E> {
        Ok(Tree::Leaf(Value::Null))
    }

    fn visit_bool<E>(self, truth: bool) -> Result<Tree, E> {
        Ok(Tree::Leaf(truth.into()))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Tree, E> {
        Ok(Tree::Leaf(number.into()))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Tree, E> {
        Ok(Tree::Leaf(number.into()))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Tree, E> {
        Ok(Tree::Leaf(number.into()))
    }

    fn visit_str<E>(self, text: &str) -> Result<Tree, E> {
        Ok(Tree::Leaf(text.into()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut from: A) -> Result<Tree, A::Error> {
        let mut list = Vec::new();
        while let Some(tree) = from.next_element()? {
            list.push(tree);
        }
        Ok(Tree::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut from: A) -> Result<Tree, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = from.next_entry()? {
            members.push(member);
        }
        Ok(Tree::Members(members))
    }
}

impl<'de> Deserializer<'de> for &'de Tree {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self {
            Tree::Leaf(leaf) => leaf.deserialize_any(visitor),
            Tree::List(list) => visitor.visit_seq(SeqDeserializer::new(list.iter())),
            Tree::Members(members) => {
                let members = members.iter().map(|(name, tree)| (name.as_str(), tree));
                visitor.visit_map(MapDeserializer::new(members))
            }
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self {
            Tree::Leaf(Value::Null) => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit
        unit_struct newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

impl<'de> IntoDeserializer<'de, Error> for &'de Tree {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}
