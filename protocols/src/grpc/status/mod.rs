//! How a call ended: the seventeen codes, and what is said beside them.
//!
//! [`Code`] is `grpc-status`, [`message`] is `grpc-message`, [`details`] is
//! `grpc-status-details-bin`. Which error of a gateway's becomes which code is not known here.

mod code;
pub mod details;
pub mod message;

pub use code::Code;
