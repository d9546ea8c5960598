//! Weir: an AI- and event-aware API gateway on Pingora.
//!
//! Read [`proxy`] first: it is the way of a request. `ARCHITECTURE.md` is the map.

mod action;
mod admin;
pub mod cli;
pub mod config;
mod demo;
mod error;
mod gateway;
mod grpc_events;
mod idempotency;
mod kafka;
mod large;
mod llm_worker;
mod observe;
mod policy;
pub mod price;
mod proxy;
pub mod quota;
mod redis;
mod reload;
mod routing;
mod runbooks;
mod runtime;
mod schema;
mod server;
mod spool;
mod table;
#[cfg(test)]
mod testing;
mod upstream;
mod usage;
mod webhook;
mod wire;
mod workers;
