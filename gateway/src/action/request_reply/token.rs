//! What a status URL ends with: which reply is asked for, from where on it may be in its topic, and until
//! when. It is signed with the keys of cursors, so that any gateway with the same keys answers it, and nobody
//! else than who asked may use it.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::correlation::{Id, LENGTH};
use crate::action::subscribe::cursor::{Keys, Seal, read_positions, write_positions};
use crate::kafka::Positions;

/// What tokens begin with.
const VERSION: u8 = 1;
/// Tells them from all else that is signed with the same keys.
const KIND: &str = "weir-reply";

/// What a status URL says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Token {
    /// Which reply.
    pub(super) id: Id,
    /// Until when it is answered, in seconds since 1970.
    pub(super) until: u64,
    /// How far the topic of replies was before the request was sent.
    pub(super) from: Positions,
}

/// Signs the tokens of one consumer for one topic of a cluster.
pub(super) struct Signer(Seal);

impl Signer {
    /// By `keys`; for all whom nobody knows, if `consumer` is none.
    pub(super) fn new(keys: &Keys, cluster_id: &str, topic: &str, consumer: Option<&str>) -> Self {
        let known = consumer.map_or("nobody", |_| "consumer");
        let parts = [KIND, cluster_id, topic, known, consumer.unwrap_or_default()];
        Self(keys.seal(&parts))
    }

    pub(super) fn write(&self, token: &Token) -> String {
        let mut said = vec![VERSION];
        said.extend_from_slice(token.id.as_bytes());
        said.extend_from_slice(&token.until.to_be_bytes());
        write_positions(&mut said, &token.from);
        self.0.sign(said)
    }

    /// What a token says, if it is one of this consumer's.
    pub(super) fn read(&self, text: &str) -> Option<Token> {
        let said = self.0.open(text)?;
        let rest = said.strip_prefix(&[VERSION])?;
        let (id, rest) = rest.split_first_chunk::<LENGTH>()?;
        let (until, rest) = rest.split_first_chunk::<8>()?;
        Some(Token {
            id: Id::from_bytes(*id),
            until: u64::from_be_bytes(*until),
            from: read_positions(rest)?,
        })
    }
}

impl Token {
    /// For how long it is still answered.
    pub(super) fn left(&self, now: SystemTime) -> Option<Duration> {
        let until = UNIX_EPOCH + Duration::from_secs(self.until);
        until
            .duration_since(now)
            .ok()
            .filter(|left| !left.is_zero())
    }
}

/// So much after a moment, in seconds since 1970.
pub(super) fn after(now: SystemTime, keep: Duration) -> u64 {
    let since = now.duration_since(UNIX_EPOCH).unwrap_or_default();
    (since + keep).as_secs()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(keys: &[&str]) -> Keys {
        Keys::new(keys.iter().map(|key| key.as_bytes()))
    }

    fn token() -> Token {
        Token {
            id: Id::new().expect("there is randomness"),
            until: 1_800_000_000,
            from: Positions::new(vec![7, 0, 1 << 40]),
        }
    }

    #[test]
    fn only_who_asked_reads_a_token_on_any_gateway_with_the_key() {
        let (one, two) = (keys(&["new", "old"]), keys(&["old"]));
        let token = token();
        let ann = |keys| Signer::new(keys, "c", "replies", Some("ann"));
        let written = ann(&two).write(&token);
        assert_eq!(ann(&one).read(&written), Some(token));
        for other in [
            Signer::new(&one, "c", "replies", Some("bob")),
            Signer::new(&one, "c", "replies", Some("")),
            Signer::new(&one, "c", "replies", None),
            Signer::new(&one, "c", "others", Some("ann")),
            Signer::new(&one, "d", "replies", Some("ann")),
            ann(&keys(&["third"])),
        ] {
            assert_eq!(other.read(&written), None);
        }
    }

    #[test]
    fn a_token_that_was_changed_or_is_a_cursor_is_none() {
        let keys = keys(&["key"]);
        let signer = Signer::new(&keys, "c", "replies", None);
        let written = signer.write(&token());
        for index in 0..written.len() {
            let mut bytes = written.clone().into_bytes();
            bytes[index] = if bytes[index] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(bytes).expect("it is text");
            assert_eq!(signer.read(&changed), None, "{changed}");
        }
        assert_eq!(signer.read(&written[..written.len() - 1]), None);
        assert_eq!(signer.read(""), None);
        let cursor = keys.seal(&["weir-cursor", "c", "replies"]);
        assert_eq!(signer.read(&cursor.sign(vec![VERSION; 40])), None);
    }

    #[test]
    fn a_token_is_answered_until_it_expires() {
        let token = token();
        let at = |seconds| UNIX_EPOCH + Duration::from_secs(seconds);
        assert_eq!(
            token.left(at(token.until - 5)),
            Some(Duration::from_secs(5))
        );
        assert_eq!(token.left(at(token.until)), None);
        assert_eq!(token.left(at(token.until + 1)), None);
        assert_eq!(after(at(100), Duration::from_secs(60)), 160);
    }
}
