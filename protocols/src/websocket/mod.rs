//! WebSocket (RFC 6455): frames as they pass, seen without being changed.
//!
//! | Module | Is |
//! |---|---|
//! | [`handshake`] | how a connection is opened |
//! | [`frame`] | the head of a frame, read and written |
//! | [`reader`] | one direction of a connection, cut where something may be put in between |
//! | [`close`] | why a connection is closed |
//! | [`message`] | a message whole, for who has to see all of it |
//! | [`text`] | whether what comes in pieces is UTF-8 |
//!
//! A [`Reader`] is fed whatever comes and gives it back piece by piece, every byte as it was; it
//! refuses what the RFC or a limit does not allow before any of it is given back. It knows no
//! socket, no time and no JSON.

pub mod close;
pub mod frame;
pub mod handshake;
pub mod message;
pub mod reader;
pub mod text;

pub use close::{Close, Code};
pub use frame::{Head, Opcode};
pub use message::Message;
pub use reader::{Allowed, Fault, From, Kind, Piece, Reader, Unit};
