//! The harness of Weir's end-to-end tests: a real gateway process, upstreams that misbehave on
//! request, a raw client, and real servers (Kafka, Redis, Prometheus) started and stopped here.
//!
//! Three rules hold throughout. Every socket is on loopback with a port of its own. Every process
//! dies with the test that started it, even one that is killed. Nothing sleeps and then asserts:
//! [`wait::until`] polls with a generous deadline and says what it waited for.
//!
//! It refuses to know anything the gateway does not show its users: it reads the process's
//! standard error, its sockets and its files, and never its modules.

pub mod autobahn;
pub mod child;
pub mod chromium;
pub mod cli;
pub mod consumer;
pub mod conventions;
pub mod events;
pub mod exposition;
pub mod forwarding;
pub mod gateway;
pub mod grpc;
pub mod http1;
pub mod kafka;
pub mod metered;
pub mod models;
pub mod node;
pub mod openai;
pub mod otlp;
pub mod ports;
pub mod prometheus;
pub mod publishing;
pub mod python;
pub mod redis;
pub mod registry;
pub mod rpc;
pub mod scratch;
pub mod stream;
pub mod tiktoken;
pub mod tls;
pub mod topics;
pub mod upstream;
pub mod wait;
pub mod wire;

pub use gateway::Gateway;
pub use upstream::{Behaviour, Upstream};
