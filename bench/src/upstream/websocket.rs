//! An echo over WebSocket: the handshake, then every message as it came, unmasked.

use std::io;

use weir_protocols::websocket::handshake;

use crate::frames;
use crate::wire::Connection;

/// Agrees to leave HTTP, and echoes until the other side has no more to say.
pub async fn converse(connection: &mut Connection, head: &[u8]) -> io::Result<()> {
    let Some(answer) = switched(head) else {
        let refused = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n";
        return connection.send(refused).await;
    };
    connection.send(answer.as_bytes()).await?;
    while let Some(text) = frames::read(connection, true).await? {
        frames::write(connection, &text, None).await?;
    }
    Ok(())
}

/// The answer to a handshake; `None` to what is none.
pub fn switched(head: &[u8]) -> Option<String> {
    let head = std::str::from_utf8(head).ok()?;
    let key = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        let is_key = name.eq_ignore_ascii_case("sec-websocket-key");
        is_key.then(|| value.trim())
    })?;
    let accepted = handshake::accept(key.as_bytes()).ok()?;
    Some(format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {accepted}\r\n\r\n"
    ))
}
