//! Fields told by their names and, where a schema is known, by the types that they are of. Knows no
//! document.

use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;

use super::schema::Schema;

/// A field: `Type.field`, or `*.field` for a field of any type.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Field {
    /// The type that it is of; any, if none.
    pub of: Option<String>,
    /// Its name.
    pub name: String,
}

/// The text names no field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoField;

impl FromStr for Field {
    type Err = NoField;

    fn from_str(text: &str) -> Result<Self, NoField> {
        let (of, name) = text.split_once('.').ok_or(NoField)?;
        let of = match of {
            "*" => None,
            of if is_name(of) => Some(of.to_owned()),
            _ => return Err(NoField),
        };
        let name = name.to_owned();
        is_name(&name).then_some(Self { of, name }).ok_or(NoField)
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.of.as_deref().unwrap_or("*"), self.name)
    }
}

fn is_name(text: &str) -> bool {
    let letter = |byte: u8| byte == b'_' || byte.is_ascii_alphabetic();
    text.bytes().next().is_some_and(letter) && text.bytes().all(|b| letter(b) || b.is_ascii_digit())
}

/// What is said of fields.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table<T>(HashMap<String, Vec<(Option<String>, T)>>);

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<T> FromIterator<(Field, T)> for Table<T> {
    fn from_iter<I: IntoIterator<Item = (Field, T)>>(entries: I) -> Self {
        let mut table = Self::default();
        for (field, said) in entries {
            let named = table.0.entry(field.name).or_default();
            named.push((field.of, said));
        }
        table
    }
}

impl<T> Table<T> {
    /// Whether nothing is said of any field.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All that may be meant for the field `name` of the type `parent`: where that, or the schema, is
    /// not known, whatever is said of a field of that name.
    pub(super) fn of<'t>(
        &'t self,
        schema: Option<&'t Schema>,
        parent: Option<&'t str>,
        name: &str,
    ) -> impl Iterator<Item = &'t T> {
        let named = self.0.get(name).into_iter().flatten();
        let meant = move |of: &str| match (schema, parent) {
            (Some(schema), Some(parent)) => schema.could_be(parent, of),
            _ => true,
        };
        named
            .filter(move |(of, _)| of.as_deref().is_none_or(meant))
            .map(|(_, said)| said)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_of_a_type_or_of_any() {
        let field = |of: Option<&str>, name: &str| Field {
            of: of.map(str::to_owned),
            name: name.to_owned(),
        };
        assert_eq!("Query.a".parse(), Ok(field(Some("Query"), "a")));
        assert_eq!("*._b9".parse(), Ok(field(None, "_b9")));
        for text in [
            "a", "", ".", "A.", ".a", "A.b.c", "A.*", "9.a", "A.9", "A b.c",
        ] {
            assert_eq!(text.parse::<Field>(), Err(NoField), "{text}");
        }
        assert_eq!(field(None, "a").to_string(), "*.a");
        assert_eq!(field(Some("A"), "b").to_string(), "A.b");
    }
}
