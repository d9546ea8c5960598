//! Lists in which a place is empty. The executor takes null for an object without members, so that something
//! stands there while it runs, and null is put there when all is answered.

use std::sync::Arc;

use async_graphql::{Context, PathSegment, ServerError, Value};
use parking_lot::Mutex;

/// The empty places in lists of one operation's answer.
#[derive(Default, Clone)]
pub(super) struct Nulls(Arc<Mutex<Vec<Vec<PathSegment>>>>);

impl Nulls {
    /// Notes places in the lists that a field gives.
    pub(super) fn note(cx: &Context<'_>, places: Vec<Vec<usize>>) {
        let Some(nulls) = cx.data_opt::<Self>().filter(|_| !places.is_empty()) else {
            return;
        };
        // The one way in which the executor tells where it is.
        let field = cx.set_error_path(ServerError::new("", None)).path;
        let places = places.into_iter().map(|place| {
            let within = place.into_iter().map(PathSegment::Index);
            field.iter().cloned().chain(within).collect()
        });
        nulls.0.lock().extend(places);
    }

    /// Empties the places.
    pub(super) fn apply(&self, answer: &mut Value) {
        for path in self.0.lock().iter() {
            let mut place = Some(&mut *answer);
            for segment in path {
                place = match (segment, place) {
                    (PathSegment::Field(name), Some(Value::Object(members))) => {
                        members.get_mut(name.as_str())
                    }
                    (PathSegment::Index(index), Some(Value::List(items))) => items.get_mut(*index),
                    _ => None,
                };
            }
            if let Some(place) = place {
                *place = Value::Null;
            }
        }
    }
}
