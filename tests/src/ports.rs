//! Free ports for servers that cannot bind port 0 and say what they got.
//!
//! Numbers come from below the kernel's ephemeral range, so that no outgoing connection takes one
//! between our look and the server's bind; a server still has to be started again on another
//! port if somebody was faster.

use std::net::{Ipv4Addr, TcpListener};
use std::sync::Mutex;

const FIRST: u16 = 20_000;
const LAST: u16 = 32_000;

static NEXT: Mutex<Option<u16>> = Mutex::new(None);

/// A loopback port nobody listens on, never given out twice in a row by this process.
///
/// # Panics
/// If there is none.
pub fn free() -> u16 {
    let mut next = NEXT
        .lock()
        .expect("no thread panics while it holds the lock");
    for _ in FIRST..LAST {
        let span = u32::from(LAST - FIRST);
        // Test binaries that run side by side begin in different places.
        let begin = || FIRST + (std::process::id().wrapping_mul(97) % span) as u16;
        let port = next.unwrap_or_else(begin);
        *next = Some(if port + 1 < LAST { port + 1 } else { FIRST });
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return port;
        }
    }
    panic!("no free port between {FIRST} and {LAST}");
}
