//! What other parts of the house and operators rely on: every metric of the
//! catalogue is written, spans hang together, log lines parse, and a writer
//! that does not keep up costs requests nothing but a count.

mod access_log;
mod collector;
mod export;
mod finish;
mod metrics;
mod otlp;
mod sample;
mod spans;
