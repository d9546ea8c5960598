//! Avro's binary encoding as JSON. Records come from whoever may write to a topic: what they claim to
//! hold is bounded by what they are long.

use serde_json::{Map, Number, Value, json};

use super::DEEPEST;
use super::types::{Type, Types, Union};
use crate::schema::Fault;

/// As many values as a record of no bytes may have: fields of nothing take none.
const FREE: usize = 1 << 16;

/// Reads one record.
pub(super) struct Reader<'t, 'b> {
    types: &'t Types,
    rest: &'b [u8],
    /// How many values more there may be.
    values: usize,
    /// How many levels more.
    levels: usize,
}

impl<'t, 'b> Reader<'t, 'b> {
    /// The value that all of `record` is.
    pub(super) fn whole(types: &'t Types, record: &'b [u8]) -> Result<Value, Fault> {
        let mut reader = Reader {
            types,
            rest: record,
            values: FREE.saturating_add(record.len().saturating_mul(8)),
            levels: DEEPEST,
        };
        let value = reader.value(&types.root)?;
        match reader.rest.is_empty() {
            true => Ok(value),
            false => Err(Fault::new("is longer than its schema says")),
        }
    }

    fn value(&mut self, kind: &Type) -> Result<Value, Fault> {
        self.values = self.values.checked_sub(1).ok_or_else(broken)?;
        Ok(match kind {
            Type::Null => Value::Null,
            Type::Boolean => match self.take(1)? {
                [0] => Value::Bool(false),
                [1] => Value::Bool(true),
                _ => return Err(broken()),
            },
            Type::Int => json!(i32::try_from(self.long()?).map_err(|_| broken())?),
            Type::Long => json!(self.long()?),
            Type::Float => {
                let number = f32::from_le_bytes(self.array()?);
                real(number.into(), || number.to_string())
            }
            Type::Double => {
                let number = f64::from_le_bytes(self.array()?);
                real(number, || number.to_string())
            }
            Type::Bytes => latin1(self.bytes()?),
            Type::Fixed(size) => latin1(self.take(*size)?),
            Type::String => json!(self.text()?),
            Type::Decimal(decimal) => {
                let bytes = match decimal.size {
                    Some(size) => self.take(size)?,
                    None => self.bytes()?,
                };
                json!(decimal.read(bytes).ok_or_else(broken)?)
            }
            Type::Enum(symbols) => {
                let symbol = symbols.get(self.length()?);
                json!(symbol.ok_or_else(broken)?)
            }
            Type::Array(_) | Type::Map(_) | Type::Record(_) | Type::Union(_) => {
                self.levels = self.levels.checked_sub(1).ok_or_else(broken)?;
                let value = self.deeper(kind)?;
                self.levels += 1;
                value
            }
        })
    }

    fn deeper(&mut self, kind: &Type) -> Result<Value, Fault> {
        match kind {
            Type::Array(items) => {
                let mut values = Vec::new();
                self.blocks(|reader| {
                    values.push(reader.value(items)?);
                    Ok(())
                })?;
                Ok(Value::Array(values))
            }
            Type::Map(kind) => {
                let mut members = Map::new();
                self.blocks(|reader| {
                    let name = reader.text()?.to_owned();
                    members.insert(name, reader.value(kind)?);
                    Ok(())
                })?;
                Ok(Value::Object(members))
            }
            Type::Record(place) => {
                let types = self.types;
                let mut members = Map::new();
                for field in &types.record(*place).fields {
                    members.insert(field.name.to_string(), self.value(&field.kind)?);
                }
                Ok(Value::Object(members))
            }
            Type::Union(union) => self.union(union),
            _ => self.value(kind),
        }
    }

    fn union(&mut self, union: &Union) -> Result<Value, Fault> {
        let (tag, kind) = {
            let index = self.length()?;
            union.branches.get(index).ok_or_else(broken)?
        };
        let value = self.value(kind)?;
        Ok(match union.sole.is_some() || matches!(kind, Type::Null) {
            true => value,
            false => json!({ &**tag: value }),
        })
    }

    /// Does so for each item of a list that is told in blocks.
    fn blocks(
        &mut self,
        mut item: impl FnMut(&mut Self) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        loop {
            let count = self.long()?;
            if count == 0 {
                return Ok(());
            }
            if count < 0 {
                // The length of the block follows, for who would skip it.
                self.long()?;
            }
            for _ in 0..count.unsigned_abs() {
                item(self)?;
            }
        }
    }

    fn text(&mut self) -> Result<&'b str, Fault> {
        std::str::from_utf8(self.bytes()?).map_err(|_| broken())
    }

    fn bytes(&mut self) -> Result<&'b [u8], Fault> {
        let length = self.length()?;
        self.take(length)
    }

    fn length(&mut self) -> Result<usize, Fault> {
        usize::try_from(self.long()?).map_err(|_| broken())
    }

    fn take(&mut self, length: usize) -> Result<&'b [u8], Fault> {
        let (taken, rest) = self.rest.split_at_checked(length).ok_or_else(broken)?;
        self.rest = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Fault> {
        self.take(N)?.try_into().map_err(|_| broken())
    }

    fn long(&mut self) -> Result<i64, Fault> {
        let mut number = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.take(1)?[0];
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok((number >> 1) as i64 ^ -((number & 1) as i64));
            }
        }
        Err(broken())
    }
}

fn broken() -> Fault {
    Fault::new("is no record of its schema")
}

fn latin1(bytes: &[u8]) -> Value {
    Value::String(bytes.iter().map(|byte| char::from(*byte)).collect())
}

/// A number with the digits of its text, or the text where JSON has no such number.
fn real(number: f64, text: impl FnOnce() -> String) -> Value {
    if number.is_nan() {
        return json!("NaN");
    }
    if number.is_infinite() {
        let positive = number.is_sign_positive();
        return json!(if positive { "Infinity" } else { "-Infinity" });
    }
    let shortest = text().parse().ok().and_then(Number::from_f64);
    shortest.map_or(Value::Null, Value::Number)
}
