//! Sockets, connections, and the process's beginning and end.
//!
//! Pingora accepts and terminates TLS; from there a connection is ours: the [`guard`] reads each
//! head before any library parses it, and [`connection`] hands the request to the proxy.

mod connection;
mod drain;
mod files;
pub(crate) mod guard;
mod http2;
mod listen;
mod refuse;
pub(crate) mod run;
mod signals;
mod tls;
mod upgrade;

pub(crate) use drain::{Drain, InFlight};
pub(crate) use tls::Certificates;
