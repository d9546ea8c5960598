//! The keys of a fleet, in Redis: each a hash that one script at a time changes, by the server's clock.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use bytes::Bytes;
use redis::Script;

use super::entry::{Answer, Change, Claimed, Fingerprint, Id, Places, Terms};
use crate::config::stores;
use crate::redis::way::{Trouble, Way, Words};

static CLAIM: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("claim.lua")));
static CHANGE: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("change.lua")));

/// What the log says of the way.
const WORDS: Words = Words {
    open: "idempotency keys",
    closed: "requests with an Idempotency-Key are refused",
};

/// The way to the keys.
pub(super) struct Remote {
    prefix: Box<str>,
    way: Way,
}

impl Remote {
    /// Begins to open it.
    pub(super) fn open(store: &Arc<str>, servers: &Arc<stores::Redis>) -> Self {
        Self {
            prefix: servers.prefix.as_str().into(),
            way: Way::open(store, servers, WORDS),
        }
    }

    /// Comes with a key.
    pub(super) async fn claim(
        &self,
        id: Id,
        fingerprint: Fingerprint,
        terms: Terms,
    ) -> Result<Claimed, Trouble> {
        let mut call = CLAIM.key(self.name(id));
        call.arg(fingerprint.to_string())
            .arg(terms.nonce.to_string())
            .arg(millis(terms.lease))
            .arg(millis(terms.lease + terms.keep));
        let said: Vec<Vec<u8>> = self.way.run(&call).await?;
        read(&said).ok_or_else(|| "what stands in Redis is no key of this version".into())
    }

    /// Changes what is known of a key.
    pub(super) async fn change(
        &self,
        id: Id,
        terms: Terms,
        change: &Change,
    ) -> Result<bool, Trouble> {
        let (word, lease, keep, what) = match change {
            Change::Send(places) => {
                let keep = terms.lease + terms.keep;
                ("send", terms.lease, keep, places.encode().into_bytes())
            }
            Change::Answer(answer) => ("answer", terms.lease, terms.keep, answer.encode()),
            Change::Release => ("release", terms.lease, terms.keep, Vec::new()),
            Change::Suspend => ("suspend", Duration::ZERO, terms.keep, Vec::new()),
        };
        let mut call = CHANGE.key(self.name(id));
        call.arg(terms.nonce.to_string()).arg(word);
        call.arg(millis(lease)).arg(millis(keep)).arg(what);
        self.way.run(&call).await
    }

    fn name(&self, id: Id) -> String {
        format!("{}:idempotency:{id}", self.prefix)
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// What the script says.
fn read(said: &[Vec<u8>]) -> Option<Claimed> {
    let (word, rest) = said.split_first()?;
    Some(match (word.as_slice(), rest.first()) {
        (b"reused", _) => Claimed::Reused,
        (b"ours", None) => Claimed::Ours(None),
        (b"ours", Some(places)) => Claimed::Ours(Some(Places::decode(places)?)),
        (b"answered", Some(answer)) => {
            Claimed::Answered(Answer::decode(Bytes::from(answer.clone()))?)
        }
        (b"busy", Some(left)) => {
            let left = std::str::from_utf8(left).ok()?.parse().ok()?;
            Claimed::Busy(Duration::from_millis(left))
        }
        _ => return None,
    })
}
