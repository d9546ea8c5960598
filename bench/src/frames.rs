//! WebSocket's frames (RFC 6455, 5) on a connection that has left HTTP, as far as echoes of short
//! messages need them.

use std::io;

use weir_protocols::websocket::{Opcode, frame};

use crate::wire::Connection;

/// The longest payload whose length is in the second byte.
const SHORT: u8 = 125;

/// Reads one frame, its payload unmasked. `None` at the connection's end, and for what ends one.
pub async fn read(connection: &mut Connection, is_masked: bool) -> io::Result<Option<Vec<u8>>> {
    let Some([first, second]) = connection.two_bytes().await? else {
        return Ok(None);
    };
    let length = second & 0x7f;
    let text = 0x80 | 0x1;
    let close = 0x80 | 0x8;
    if first == close {
        return Ok(None);
    }
    if first != text || length > SHORT || (second & 0x80 != 0) != is_masked {
        let what = format!("a frame begins with {first:#x} {second:#x}, which no echo does");
        return Err(io::Error::new(io::ErrorKind::InvalidData, what));
    }
    let mut mask = [0; 4];
    if is_masked {
        connection.exactly(&mut mask).await?;
    }
    let mut payload = vec![0; length.into()];
    connection.exactly(&mut payload).await?;
    frame::mask(mask, 0, &mut payload);
    Ok(Some(payload))
}

/// Writes a text message of one frame, masked with `key` if there is one.
pub async fn write(
    connection: &mut Connection,
    text: &[u8],
    key: Option<[u8; 4]>,
) -> io::Result<()> {
    let mut out = Vec::with_capacity(text.len() + frame::LONGEST_HEAD);
    frame::write(true, Opcode::Text, text, key, &mut out);
    connection.send(&out).await
}
