//! gRPC with real ones on both sides: the test service of gRPC's interoperability tests, and the ways
//! by which its clients reach it, a gateway among them.
//!
//! It refuses to know what clients ask: that is the cases' business.

mod echo;
mod record;
pub mod scene;
pub mod server;
mod service;
pub mod testing;

pub use record::Record;
pub use scene::Scene;
pub use server::Server;
