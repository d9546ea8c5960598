//! JSON as requests bring it: read by borrowing, member by member, with a fault that says where.
//!
//! [`Value`] is what readers of a request hold; `walk` goes along objects and arrays beneath it.

mod edit;
mod fault;
mod text;
mod value;
mod walk;

pub use edit::Edit;
pub use fault::{Fault, Kind, Kind as FaultKind};
pub(crate) use text::Text;
pub(crate) use value::{Document, Value};
pub(crate) use walk::{Key, Stop, is_string, members, objects, pick, range_in, sort_of, unescape};
