//! Tests against a real server.

mod script;
mod server;
mod store;
