//! Quotas: reserve before anything goes upstream, settle with what was really used.
//!
//! One ledger for every unit. Per quota, key and window, at each admission:
//! *settled use + open reservations + debt ≤ limit*. Read `account.rs` for how one key is
//! counted and what debt is, `ledger.rs` for how several keys are taken all or nothing.
//!
//! Knows nothing of requests, policies, headers, configuration files or metrics: callers bring
//! a definition, a subject, an amount and the time, and get a [`Reservation`] or a [`Refusal`].

mod account;
mod civil;
mod definition;
mod key;
mod ledger;
mod refusal;
mod reservation;
mod unit;
mod window;

#[cfg(test)]
mod tests;

pub use definition::{By, Limit, Quota, Subject};
pub use ledger::{Claim, Ledger};
pub use refusal::Refusal;
pub use reservation::{Provenance, Reservation, Used};
pub use unit::Unit;
pub use window::{Period, Window};
