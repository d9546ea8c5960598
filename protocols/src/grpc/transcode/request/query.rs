//! The query of a request: fields that neither path nor body says.

use std::borrow::Cow;

use prost_reflect::{FieldDescriptor, Value};

use super::{Fault, What};
use crate::grpc::transcode::field::{self, Expected, Path, Shape};
use crate::grpc::transcode::route::{Payload, Route, Target};

/// More parameters than this are no request that anybody means.
const MOST: usize = 1000;

/// Reads the parameters into `values`, which holds those of the path.
pub(super) fn read(
    route: &Route,
    query: &str,
    values: &mut Vec<(Path, Value)>,
) -> Result<(), Fault> {
    let in_path = values.len();
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    for (number, pair) in pairs.enumerate() {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let fault = |what| Fault::query(name, what);
        if number == MOST {
            return Err(fault(What::TooMany { max: MOST }));
        }
        let name = unescape(name).ok_or_else(|| fault(What::Escape))?;
        let value = unescape(value).ok_or_else(|| Fault::query(&name, What::Escape))?;
        one(route, &name, &value, in_path, values).map_err(|what| Fault::query(&name, what))?;
    }
    Ok(())
}

fn one(
    route: &Route,
    name: &str,
    value: &str,
    in_path: usize,
    values: &mut Vec<(Path, Value)>,
) -> Result<(), What> {
    let path = Path::find(&route.method().input, name).ok_or(What::Unknown)?;
    if is_body(route, path.first())
        || values[..in_path]
            .iter()
            .any(|(there, _)| there.overlaps(&path))
    {
        return Err(What::Elsewhere);
    }
    let field = path.last();
    let kind = field.kind();
    let value = field::parse(&kind, value).ok_or_else(|| What::Value {
        expected: Expected {
            kind: &kind,
            shape: Shape::One,
        }
        .to_string(),
    })?;
    let there = values.iter_mut().find(|(there, _)| there.overlaps(&path));
    match (there, field.is_list()) {
        (Some((_, Value::List(values))), true) => values.push(value),
        (Some(_), _) => return Err(What::Twice),
        (None, true) => values.push((path, Value::List(vec![value]))),
        (None, false) => values.push((path, value)),
    }
    Ok(())
}

fn is_body(route: &Route, field: &FieldDescriptor) -> bool {
    match &route.body {
        Payload::Nothing => false,
        Payload::Json(Target::Whole) | Payload::Raw(Target::Whole) => true,
        Payload::Json(Target::Field(body)) | Payload::Raw(Target::Field(body)) => body == field,
    }
}

/// As forms are written: a plus is a space.
fn unescape(text: &str) -> Option<Cow<'_, str>> {
    if memchr::memchr2(b'%', b'+', text.as_bytes()).is_none() {
        return Some(text.into());
    }
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        match byte {
            b'+' => out.push(b' '),
            b'%' => {
                let (&[high, low], after) = rest.split_first_chunk()?;
                let digit = |byte: u8| char::from(byte).to_digit(16);
                out.push(u8::try_from(digit(high)? << 4 | digit(low)?).ok()?);
                rest = after;
            }
            byte => out.push(byte),
        }
    }
    Some(String::from_utf8(out).ok()?.into())
}
