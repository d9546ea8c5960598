//! Targets as calls find them: who is asked next, by which of its keys, and what is known of each.
//!
//! | Module | Knows |
//! |---|---|
//! | `line` | who is asked first, and who next |
//! | `turn` | one target's turn, key after key |
//! | `standing` | what is known of a target; it outlives reloads |
//! | `aside` | what is set aside for a while, and then probed by one call |
//! | `health` | failures in a row |
//! | `pace` | how soon a target's first token came of late |
//! | `limits` | what this process asks of a target at most |
//!
//! Knows nothing of dialects, and makes no call. All of it is atomics: no call waits for another.

mod aside;
mod clock;
mod health;
mod limits;
mod line;
mod pace;
mod standing;
mod turn;

pub(super) use line::{Expected, Line};
pub(crate) use standing::{Standing, Standings};
pub(super) use turn::Turn;
