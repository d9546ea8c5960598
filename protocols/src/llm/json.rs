//! JSON that is carried as it was written.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

/// A JSON value nobody here looks into: a schema, the arguments of a call.
#[derive(Clone)]
pub struct Json<'a>(Cow<'a, RawValue>);

impl<'a> Json<'a> {
    /// The value as it was written.
    pub fn get(&self) -> &str {
        self.0.get()
    }

    /// Text that is JSON; `None` if it is none.
    pub fn parse(text: &str) -> Option<Self> {
        let owned = RawValue::from_string(text.to_owned()).ok()?;
        Some(Self(Cow::Owned(owned)))
    }

    /// The object without members.
    pub fn empty_object() -> Self {
        Self::parse("{}").expect("it is JSON")
    }

    /// Whether it is an object.
    pub fn is_object(&self) -> bool {
        self.get().starts_with('{')
    }

    /// The same, borrowed from nothing.
    pub fn into_owned(self) -> Json<'static> {
        Json(Cow::Owned(self.0.into_owned()))
    }
}

impl<'a> From<&'a RawValue> for Json<'a> {
    fn from(value: &'a RawValue) -> Self {
        Self(Cow::Borrowed(value))
    }
}

impl From<Box<RawValue>> for Json<'_> {
    fn from(value: Box<RawValue>) -> Self {
        Self(Cow::Owned(value))
    }
}

/// Equal if written alike.
impl PartialEq for Json<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.get() == other.get()
    }
}

impl Eq for Json<'_> {}

impl fmt::Debug for Json<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.get())
    }
}

impl Serialize for Json<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Json<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        <&RawValue>::deserialize(deserializer).map(Self::from)
    }
}
