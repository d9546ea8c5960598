//! HTTP/1.x as bytes (RFC 9112). Knows nothing of connections or HTTP/2
//! beyond recognising that a client has begun to speak something else.

pub mod head;
