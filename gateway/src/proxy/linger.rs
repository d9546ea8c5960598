//! The end of a connection whose request was answered before it was whole. It knows no request.

use std::time::Duration;

use pingora_core::protocols::http::ServerSession;

/// Ends a connection whose request body was not read to its end. Closing with unread bytes would
/// reset it and take the answer with it, so what still comes is read away first.
pub(super) async fn linger(mut session: ServerSession) {
    session.shutdown().await;
    let read_away = async {
        loop {
            match session.read_request_body().await {
                Ok(Some(_)) => {}
                Ok(None) => return,
                Err(_) => break,
            }
        }
        // What comes cannot be read as a body: wait for the caller to leave.
        let _ = session.read_body_or_idle(true).await;
    };
    let _ = tokio::time::timeout(LINGER, read_away).await;
}

/// How long a caller has to read an answer that came before its request was whole.
const LINGER: Duration = Duration::from_secs(1);
