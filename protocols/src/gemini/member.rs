//! Members that may be named two ways: protobuf's JSON writes `topK` and reads `top_k` as well.

use crate::json::{Fault, Kind, Value};

/// The member under whichever of its two names it stands.
///
/// # Errors
/// If it stands under both: two readers could take two different values.
pub(super) fn either<'a, 'p>(
    camel: Option<Value<'a, 'p>>,
    snake: Option<Value<'a, 'p>>,
) -> Result<Option<Value<'a, 'p>>, Fault> {
    match (camel, snake) {
        (Some(_), Some(twice)) => Err(twice.fault(
            Kind::Duplicate,
            "the member stands under both of its names",
            "send it once, in camel case",
        )),
        (camel, snake) => Ok(camel.or(snake)),
    }
}

/// Two members of which only one may stand.
///
/// # Errors
/// If both do.
pub(super) fn exclusive<'a, 'p>(
    one: Option<Value<'a, 'p>>,
    other: Option<Value<'a, 'p>>,
    mend: &'static str,
) -> Result<(), Fault> {
    match (one, other) {
        (Some(_), Some(other)) => {
            Err(other.fault(Kind::Conflict, "two members say the same thing", mend))
        }
        _ => Ok(()),
    }
}
