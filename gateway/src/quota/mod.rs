//! Quotas: reserve before anything goes upstream, settle with what was really used.
//!
//! One ledger for every unit. Per quota, key and window, at each admission:
//! *settled use + open reservations + debt ≤ limit*. Read `book/` for how one key is counted, what
//! debt is and how several processes share it; `purse.rs` for what one process decides without
//! asking; `ledger.rs` for how several keys are taken all or nothing; `store/` for where books are
//! kept.
//!
//! Knows nothing of requests, policies, configuration files or metrics: callers bring a
//! definition, a subject and an amount, and get a [`Reservation`] or a [`Refused`].

mod account;
mod book;
mod change;
mod definition;
mod desk;
mod farewell;
mod key;
mod lease;
mod leases;
mod ledger;
mod observer;
mod purse;
mod receipts;
mod refusal;
mod replay;
mod reservation;
mod spenders;
mod store;
mod survey;
mod totals;
mod unit;
mod window;
mod zone;

#[cfg(test)]
mod tests;

pub use book::Standing;
pub use change::{Change, Changed, Unchanged};
pub use definition::{By, Limit, Narrowed, OnExhausted, OnStoreFailure, Quota, Subject, network};
pub use key::Values;
pub(crate) use ledger::Few;
pub use ledger::{Claim, Ledger};
pub use observer::{Observer, Unfit};
pub use refusal::{Refusal, Refused, Unavailable};
pub use replay::{Part, Recount};
pub use reservation::{Provenance, Reservation, Settled, Used};
pub use spenders::{Spender, Spent};
pub use store::Store;
pub use survey::{Detail, Found, Reserved, Survey};
pub use totals::Total;
pub use unit::{Amounts, Unit};
pub use window::{Period, Window};
pub use zone::Zone;
