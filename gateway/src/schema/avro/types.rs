//! The types of a schema, compiled: every name is looked up, every choice prepared.

use std::collections::HashMap;
use std::sync::Arc;

use apache_avro::Schema;
use apache_avro::schema::{
    DecimalSchema, InnerDecimalSchema, Name, RecordSchema, UnionSchema, UuidSchema,
};
use serde_json::Value;

use super::decimal::Decimal;
use super::write;
use crate::schema::Reference;

/// A schema's types.
#[derive(Debug)]
pub(super) struct Types {
    /// What a record of the topic is.
    pub(super) root: Type,
    /// Records refer to each other, and to themselves, by their place here.
    records: Vec<Record>,
}

/// A type.
#[derive(Debug, Clone)]
pub(super) enum Type {
    Null,
    Boolean,
    Int,
    Long,
    Float,
    Double,
    Bytes,
    String,
    Fixed(usize),
    Decimal(Decimal),
    Enum(Arc<[Box<str>]>),
    Array(Box<Type>),
    Map(Box<Type>),
    Union(Union),
    Record(usize),
}

/// A record's fields.
#[derive(Debug)]
pub(super) struct Record {
    pub(super) name: Box<str>,
    pub(super) fields: Vec<Field>,
}

/// A field of a record.
#[derive(Debug)]
pub(super) struct Field {
    pub(super) name: Box<str>,
    pub(super) kind: Type,
    /// What it is where it is not written.
    pub(super) default: Option<Value>,
}

/// One of several types.
#[derive(Debug, Clone)]
pub(super) struct Union {
    /// Each with the name that tells it in Avro's JSON encoding.
    pub(super) branches: Vec<(Box<str>, Type)>,
    /// The one branch that is not null, if there is just one.
    pub(super) sole: Option<usize>,
}

impl Types {
    /// The types of a schema, which may refer to others by the names of their types.
    pub(super) fn build(text: &str, references: &[Reference]) -> Result<Self, String> {
        let others = references.iter().map(|reference| &reference.text);
        let parsed = Schema::parse_str_with_list(text, others);
        let (root, others) = parsed.map_err(|error| error.to_string())?;
        let mut names = HashMap::new();
        for schema in others.iter().chain([&root]) {
            define(schema, &mut names);
        }
        let mut compiler = Compiler {
            names,
            places: HashMap::new(),
            records: Vec::new(),
        };
        let root = compiler.compile(&root)?;
        let records = compiler.records.into_iter().flatten().collect();
        let types = Self { root, records };
        types.check_defaults()?;
        Ok(types)
    }

    pub(super) fn record(&self, place: usize) -> &Record {
        &self.records[place]
    }

    fn check_defaults(&self) -> Result<(), String> {
        for record in &self.records {
            for field in &record.fields {
                write::default(self, field).map_err(|fault| {
                    let (record, field) = (&record.name, &field.name);
                    format!("the default of {record}.{field} is not of its type: {fault}")
                })?;
            }
        }
        Ok(())
    }
}

/// Notes every type that has a name.
fn define<'s>(schema: &'s Schema, names: &mut HashMap<String, &'s Schema>) {
    match schema {
        Schema::Array(array) => define(&array.items, names),
        Schema::Map(map) => define(&map.types, names),
        Schema::Union(union) => union.variants().iter().for_each(|one| define(one, names)),
        Schema::Record(record) => {
            names.insert(full(&record.name), schema);
            record
                .fields
                .iter()
                .for_each(|field| define(&field.schema, names));
        }
        _ => {
            if let Some(name) = schema.name()
                && !matches!(schema, Schema::Ref { .. })
            {
                names.insert(full(name), schema);
            }
        }
    }
}

fn full(name: &Name) -> String {
    name.fullname(None)
}

struct Compiler<'s> {
    names: HashMap<String, &'s Schema>,
    /// Where the records are that were begun.
    places: HashMap<String, usize>,
    /// `None` is one whose fields are being compiled.
    records: Vec<Option<Record>>,
}

impl Compiler<'_> {
    fn compile(&mut self, schema: &Schema) -> Result<Type, String> {
        Ok(match schema {
            Schema::Null => Type::Null,
            Schema::Boolean => Type::Boolean,
            Schema::Int | Schema::Date | Schema::TimeMillis => Type::Int,
            Schema::Long
            | Schema::TimeMicros
            | Schema::TimestampMillis
            | Schema::TimestampMicros
            | Schema::TimestampNanos
            | Schema::LocalTimestampMillis
            | Schema::LocalTimestampMicros
            | Schema::LocalTimestampNanos => Type::Long,
            Schema::Float => Type::Float,
            Schema::Double => Type::Double,
            Schema::Bytes | Schema::BigDecimal | Schema::Uuid(UuidSchema::Bytes) => Type::Bytes,
            Schema::String | Schema::Uuid(UuidSchema::String) => Type::String,
            Schema::Fixed(fixed)
            | Schema::Duration(fixed)
            | Schema::Uuid(UuidSchema::Fixed(fixed)) => Type::Fixed(fixed.size),
            Schema::Decimal(decimal) => Type::Decimal(check_decimal(decimal)?),
            Schema::Enum(one) => {
                Type::Enum(one.symbols.iter().map(|s| s.as_str().into()).collect())
            }
            Schema::Array(array) => Type::Array(Box::new(self.compile(&array.items)?)),
            Schema::Map(map) => Type::Map(Box::new(self.compile(&map.types)?)),
            Schema::Union(union) => Type::Union(self.union(union)?),
            Schema::Record(record) => Type::Record(self.record(record)?),
            Schema::Ref { name } => {
                let found = self.names.get(&full(name)).copied();
                self.compile(found.ok_or_else(|| format!("it does not define {name}"))?)?
            }
        })
    }

    fn record(&mut self, record: &RecordSchema) -> Result<usize, String> {
        let name = full(&record.name);
        if let Some(place) = self.places.get(&name) {
            return Ok(*place);
        }
        let place = self.records.len();
        self.places.insert(name.clone(), place);
        self.records.push(None);
        let mut fields = Vec::with_capacity(record.fields.len());
        for field in &record.fields {
            fields.push(Field {
                name: field.name.as_str().into(),
                kind: self.compile(&field.schema)?,
                default: field.default.clone(),
            });
        }
        self.records[place] = Some(Record {
            name: name.into(),
            fields,
        });
        Ok(place)
    }

    fn union(&mut self, union: &UnionSchema) -> Result<Union, String> {
        let mut branches = Vec::new();
        for schema in union.variants() {
            branches.push((tag(schema).into(), self.compile(schema)?));
        }
        let mut others = (0..branches.len()).filter(|at| !matches!(branches[*at].1, Type::Null));
        let sole = others.next().filter(|_| others.next().is_none());
        Ok(Union { branches, sole })
    }
}

/// What Avro's JSON encoding calls a branch: types with a name by that, others by what they are.
fn tag(schema: &Schema) -> String {
    match schema.name() {
        Some(name) => full(name),
        None => match schema {
            Schema::Null => "null",
            Schema::Boolean => "boolean",
            Schema::Int | Schema::Date | Schema::TimeMillis => "int",
            Schema::Float => "float",
            Schema::Double => "double",
            Schema::String | Schema::Uuid(_) => "string",
            Schema::Array(_) => "array",
            Schema::Map(_) => "map",
            Schema::Bytes | Schema::BigDecimal | Schema::Decimal(_) => "bytes",
            _ => "long",
        }
        .to_owned(),
    }
}

fn check_decimal(decimal: &DecimalSchema) -> Result<Decimal, String> {
    let size = match &decimal.inner {
        InnerDecimalSchema::Bytes => None,
        InnerDecimalSchema::Fixed(fixed) => Some(fixed.size),
    };
    Decimal::build(decimal.precision, decimal.scale, size)
}
