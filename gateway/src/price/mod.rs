//! What language model calls cost: prices per token, dated, and the catalogue they stand in.
//!
//! Money is counted in integer nano-dollars (a billionth of a US dollar, [`Dollars`]), prices in
//! nano-dollars per million tokens ([`Price`]). A [`Catalogue`] holds what is built in and what
//! the configuration says instead; [`Catalogue::schedule`] resolves a provider's model once, when
//! a configuration is compiled, into the few dated prices that a request picks from by its time.
//!
//! Knows no quotas, no requests and no providers beyond their names: who used how many tokens,
//! and what is done about it, is decided elsewhere.

mod builtin;
mod catalogue;
mod cost;
pub mod dollars;
mod name;
mod schedule;

pub use builtin::{Builtin, Vendor, builtin, vendor_of};
pub use catalogue::{Catalogue, Entry};
pub use cost::{Price, Tokens};
pub use dollars::Dollars;
pub use schedule::{Dated, Schedule, Source};
