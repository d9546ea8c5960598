//! JSON as Avro's binary encoding.

use serde_json::{Map, Number, Value};

use super::DEEPEST;
use super::types::{Field, Record, Type, Types, Union};
use crate::schema::Fault;

/// The record that `value` is, of which the text was so long.
pub(super) fn record(types: &Types, value: &Value, length: usize) -> Result<Vec<u8>, Fault> {
    let mut writer = Writer::new(types, length / 2);
    writer.value(&types.root, value)?;
    Ok(writer.out)
}

/// Whether a field's default can be written.
pub(super) fn default(types: &Types, field: &Field) -> Result<(), Fault> {
    match field.default {
        Some(_) => Writer::new(types, 0).field(field, None),
        None => Ok(()),
    }
}

struct Writer<'t> {
    types: &'t Types,
    out: Vec<u8>,
    /// How many levels more there may be.
    left: usize,
    /// Whether it is a default that is written. Those are the schema's, in Avro's ways: decimals are
    /// bytes, and branches are never told.
    is_default: bool,
}

impl<'t> Writer<'t> {
    fn new(types: &'t Types, capacity: usize) -> Self {
        Self {
            types,
            out: Vec::with_capacity(capacity),
            left: DEEPEST,
            is_default: false,
        }
    }

    fn value(&mut self, kind: &Type, value: &Value) -> Result<(), Fault> {
        match (kind, value) {
            (Type::Null, Value::Null) => {}
            (Type::Boolean, Value::Bool(truth)) => self.out.push(u8::from(*truth)),
            (Type::Int | Type::Long, Value::Number(number)) => {
                let whole = number.as_i64().filter(|n| fits(kind, *n));
                self.long(whole.ok_or_else(|| unfit(kind))?);
            }
            (Type::Float | Type::Double, Value::Number(_) | Value::String(_)) => {
                self.real(kind, value)?;
            }
            (Type::String, Value::String(text)) => self.bytes(text.as_bytes()),
            (Type::Bytes, Value::String(text)) => {
                let bytes = latin1(text).ok_or_else(|| unfit(kind))?;
                self.bytes(&bytes);
            }
            (Type::Fixed(size), Value::String(text)) => {
                let bytes = latin1(text).filter(|bytes| bytes.len() == *size);
                self.out.extend(bytes.ok_or_else(|| unfit(kind))?);
            }
            (Type::Decimal(decimal), Value::Number(_) | Value::String(_)) => {
                let bytes = match self.is_default {
                    true => value.as_str().and_then(latin1),
                    false => decimal.write(&text_of(value)),
                };
                let bytes = bytes.ok_or_else(|| unfit(kind))?;
                match decimal.size {
                    Some(_) => self.out.extend(bytes),
                    None => self.bytes(&bytes),
                }
            }
            (Type::Enum(symbols), Value::String(text)) => {
                let index = symbols.iter().position(|symbol| **symbol == **text);
                self.long(index.ok_or_else(|| unfit(kind))? as i64);
            }
            (Type::Array(items), Value::Array(values)) => {
                self.deeper(|w| w.array(items, values))?
            }
            (Type::Map(values), Value::Object(members)) => {
                self.deeper(|w| w.map(values, members))?;
            }
            (Type::Record(place), Value::Object(members)) => {
                let record = self.types.record(*place);
                self.deeper(|w| w.record(record, members))?;
            }
            (Type::Union(union), _) => self.deeper(|w| w.union(union, value))?,
            _ => return Err(unfit(kind)),
        }
        Ok(())
    }

    fn deeper(&mut self, work: impl FnOnce(&mut Self) -> Result<(), Fault>) -> Result<(), Fault> {
        let left = self.left.checked_sub(1);
        self.left = left.ok_or_else(|| Fault::new("nests too deep"))?;
        work(self)?;
        self.left += 1;
        Ok(())
    }

    fn array(&mut self, items: &Type, values: &[Value]) -> Result<(), Fault> {
        if !values.is_empty() {
            self.long(values.len() as i64);
        }
        for (index, value) in values.iter().enumerate() {
            self.value(items, value)
                .map_err(|fault| fault.within(&index.to_string()))?;
        }
        self.long(0);
        Ok(())
    }

    fn map(&mut self, values: &Type, members: &Map<String, Value>) -> Result<(), Fault> {
        if !members.is_empty() {
            self.long(members.len() as i64);
        }
        for (name, value) in members {
            self.bytes(name.as_bytes());
            self.value(values, value)
                .map_err(|fault| fault.within(name))?;
        }
        self.long(0);
        Ok(())
    }

    fn record(&mut self, record: &Record, members: &Map<String, Value>) -> Result<(), Fault> {
        let mut known = 0;
        for field in &record.fields {
            let value = members.get(&*field.name);
            known += usize::from(value.is_some());
            self.field(field, value)
                .map_err(|fault| fault.within(&field.name))?;
        }
        if known < members.len() {
            let is_known = |name: &str| record.fields.iter().any(|field| *field.name == *name);
            let unknown = members.keys().find(|name| !is_known(name));
            let fault = Fault::new(format!("is no field of {}", record.name));
            return Err(fault.within(unknown.map_or("", String::as_str)));
        }
        Ok(())
    }

    fn field(&mut self, field: &Field, value: Option<&Value>) -> Result<(), Fault> {
        if let Some(value) = value {
            return self.value(&field.kind, value);
        }
        let default = field.default.as_ref();
        let default = default.ok_or_else(|| Fault::new("has to be there"))?;
        let was = std::mem::replace(&mut self.is_default, true);
        self.value(&field.kind, default)?;
        self.is_default = was;
        Ok(())
    }

    fn union(&mut self, union: &Union, value: &Value) -> Result<(), Fault> {
        let (index, tagged) = self.choose(union, value)?;
        self.long(index as i64);
        let (tag, kind) = &union.branches[index];
        match tagged {
            Some(value) => self.value(kind, value).map_err(|fault| fault.within(tag)),
            None => self.value(kind, value),
        }
    }

    /// Which branch a value is of, and what is of it, where it is told as `{"type": value}`.
    fn choose<'v>(
        &self,
        union: &Union,
        value: &'v Value,
    ) -> Result<(usize, Option<&'v Value>), Fault> {
        if self.is_default {
            let branch = union
                .branches
                .iter()
                .position(|(_, kind)| takes(kind, value));
            let branch = branch.ok_or_else(|| Fault::new("is none of its types"))?;
            return Ok((branch, None));
        }
        let of_tag = |tag: &str| union.branches.iter().position(|(name, _)| **name == *tag);
        if let Value::Object(members) = value
            && members.len() == 1
            && let Some((tag, value)) = members.iter().next()
            && let Some(index) = of_tag(tag)
            && !(union.sole == Some(index) && self.has(&union.branches[index].1, tag))
        {
            return Ok((index, Some(value)));
        }
        if let Some(sole) = union.sole.filter(|_| !value.is_null()) {
            return Ok((sole, None));
        }
        let takes = |(_, (_, kind)): &(usize, &(Box<str>, Type))| takes(kind, value);
        let mut taking = union.branches.iter().enumerate().filter(takes);
        match (taking.next(), taking.next()) {
            (Some((index, _)), None) => Ok((index, None)),
            (None, _) => Err(Fault::new(format!("is to be one of {}", tags(union)))),
            (Some(_), Some(_)) => Err(Fault::new(format!(
                "can be more than one of {}: write it as {{\"type\": value}}",
                tags(union)
            ))),
        }
    }

    /// Whether a plain value of this type can have a member of that name.
    fn has(&self, kind: &Type, name: &str) -> bool {
        match kind {
            Type::Map(_) => true,
            Type::Record(place) => {
                let fields = &self.types.record(*place).fields;
                fields.iter().any(|field| *field.name == *name)
            }
            _ => false,
        }
    }

    fn real(&mut self, kind: &Type, value: &Value) -> Result<(), Fault> {
        let number = match value {
            Value::Number(number) => number.as_f64(),
            Value::String(text) => special(text),
            _ => None,
        };
        let number = number.ok_or_else(|| unfit(kind))?;
        if !matches!(kind, Type::Float) {
            self.out.extend_from_slice(&number.to_le_bytes());
            return Ok(());
        }
        let short = number as f32;
        if short.is_infinite() && number.is_finite() {
            return Err(unfit(kind));
        }
        self.out.extend_from_slice(&short.to_le_bytes());
        Ok(())
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.long(bytes.len() as i64);
        self.out.extend_from_slice(bytes);
    }

    /// A whole number: zigzag, seven bits in each byte.
    fn long(&mut self, number: i64) {
        let mut left = ((number << 1) ^ (number >> 63)) as u64;
        while left >= 0x80 {
            self.out.push(left as u8 | 0x80);
            left >>= 7;
        }
        self.out.push(left as u8);
    }
}

fn fits(kind: &Type, number: i64) -> bool {
    matches!(kind, Type::Long) || i32::try_from(number).is_ok()
}

/// Whether a value is of a kind that this type is written as.
fn takes(kind: &Type, value: &Value) -> bool {
    match (kind, value) {
        (Type::Null, Value::Null)
        | (Type::Boolean, Value::Bool(_))
        | (Type::Float | Type::Double | Type::Decimal(_), Value::Number(_))
        | (Type::String | Type::Bytes | Type::Fixed(_) | Type::Decimal(_), Value::String(_))
        | (Type::Array(_), Value::Array(_))
        | (Type::Map(_) | Type::Record(_), Value::Object(_)) => true,
        (Type::Int | Type::Long, Value::Number(number)) => {
            number.as_i64().is_some_and(|number| fits(kind, number))
        }
        (Type::Enum(symbols), Value::String(text)) => symbols.iter().any(|s| **s == **text),
        _ => false,
    }
}

fn unfit(kind: &Type) -> Fault {
    let what = match kind {
        Type::Null => "is to be null",
        Type::Boolean => "is to be true or false",
        Type::Int => "is to be a whole number of 32 bits",
        Type::Long => "is to be a whole number of 64 bits",
        Type::Float => "is to be a number of 32 bits",
        Type::Double => "is to be a number",
        Type::String => "is to be text",
        Type::Bytes => "is to be text in which each of U+0000 to U+00FF stands for a byte",
        Type::Array(_) => "is to be a list",
        Type::Map(_) | Type::Record(_) => "is to be an object",
        Type::Union(_) => "is none of its types",
        Type::Decimal(decimal) => return Fault::new(decimal.wanted()),
        Type::Fixed(size) => {
            return Fault::new(format!(
                "is to be text of {size} characters, each of U+0000 to U+00FF for a byte"
            ));
        }
        Type::Enum(symbols) => {
            let mut symbols = symbols.join(", ");
            if symbols.len() > 120 {
                symbols = "the enumeration's symbols".to_owned();
            }
            return Fault::new(format!("is to be one of {symbols}"));
        }
    };
    Fault::new(what)
}

fn tags(union: &Union) -> String {
    let tags: Vec<&str> = union.branches.iter().map(|(tag, _)| &**tag).collect();
    tags.join(", ")
}

fn latin1(text: &str) -> Option<Vec<u8>> {
    text.chars().map(|c| u8::try_from(c).ok()).collect()
}

/// Numbers that JSON has no number for.
fn special(text: &str) -> Option<f64> {
    match text {
        "NaN" => Some(f64::NAN),
        "Infinity" => Some(f64::INFINITY),
        "-Infinity" => Some(f64::NEG_INFINITY),
        _ => None,
    }
}

/// A decimal as it was written, as far as JSON's numbers keep that.
fn text_of(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => Number::to_string(number),
        _ => String::new(),
    }
}
