//! Who waits for which reply: one reader of the end of a topic gives each reply to those who wait for it, and
//! drops the rest. It knows no routes, and nothing of what was written before it began.

use std::collections::HashMap;
use std::sync::{Arc, Weak};

use parking_lot::Mutex;
use tokio::sync::oneshot;
use tokio::task::AbortHandle;
use weir_telemetry::Code;

use super::correlation::Id;
use crate::error::GatewayError;
use crate::kafka::{Follower, Record, Session};

/// So many records are taken at once.
const FEW: usize = 256;

/// What a caller is told.
type Told = Result<Arc<Record>, GatewayError>;

/// Those who wait on one route, by the session that reads for them: what one principal may read is told to no
/// other.
pub(crate) struct Desks {
    topic: Arc<str>,
    /// The header that says which reply a record is.
    header: Arc<str>,
    /// How many may wait at a desk.
    most: usize,
    known: Mutex<HashMap<u64, Weak<Desk>>>,
}

impl Desks {
    pub(crate) fn new(topic: Arc<str>, header: Arc<str>, most: usize) -> Self {
        Self {
            topic,
            header,
            most,
            known: Mutex::default(),
        }
    }

    /// One who waits for a reply: any that is written once this returns is seen.
    pub(super) async fn wait_for(&self, session: &Session, id: Id) -> Result<Waiter, GatewayError> {
        if let Some(desk) = self.find(session) {
            match desk.enter(id, self.most) {
                // It broke meanwhile.
                Err(Refused::Over) => {}
                Err(Refused::Full) => return Err(full()),
                Ok(waiter) => return Ok(waiter),
            }
        }
        let follower = session.follow(&self.topic).await?;
        let desk = self.begin(session, follower);
        desk.enter(id, self.most).map_err(|refused| match refused {
            Refused::Full => full(),
            Refused::Over => GatewayError::new(Code::KafkaUnavailable)
                .source("the topic of replies could not be followed"),
        })
    }

    fn find(&self, session: &Session) -> Option<Arc<Desk>> {
        let known = self.known.lock();
        known.get(&session.id())?.upgrade()
    }

    fn begin(&self, session: &Session, follower: Follower) -> Arc<Desk> {
        let mut known = self.known.lock();
        let other = known.get(&session.id()).and_then(Weak::upgrade);
        if let Some(other) = other.filter(|desk| !desk.is_over()) {
            return other;
        }
        let desk = Arc::new(Desk::default());
        let reader = read(Arc::downgrade(&desk), follower, self.header.clone());
        *desk.reads.lock() = Some(tokio::spawn(reader).abort_handle());
        known.retain(|_, desk| desk.strong_count() > 0);
        known.insert(session.id(), Arc::downgrade(&desk));
        desk
    }
}

fn full() -> GatewayError {
    let message = "As many callers wait for replies as this route lets wait; come again.";
    GatewayError::public(Code::ConnectionLimit, message)
        .retry_after(std::time::Duration::from_secs(1))
}

/// Gives replies to those who wait, as long as anybody does.
async fn read(desk: Weak<Desk>, mut follower: Follower, header: Arc<str>) {
    loop {
        let came = follower.next_few(FEW).await;
        let Some(desk) = desk.upgrade() else { return };
        match came {
            Ok(records) => {
                for record in records {
                    if let Some(id) = record.header(&header).and_then(Id::read) {
                        desk.hand_over(id, &record);
                    }
                }
            }
            Err(error) => return desk.end(&error),
        }
    }
}

/// Those who wait for replies of one topic.
#[derive(Default)]
pub(super) struct Desk {
    waiting: Mutex<Waiting>,
    reads: Mutex<Option<AbortHandle>>,
}

#[derive(Default)]
struct Waiting {
    /// Several may wait for the same: who asked, and who looks at the status URL.
    by_id: HashMap<Id, Vec<(u64, oneshot::Sender<Told>)>>,
    count: usize,
    /// The next one's number.
    next: u64,
    /// Nothing is read any more.
    over: bool,
}

#[derive(Debug, PartialEq, Eq)]
enum Refused {
    Over,
    Full,
}

impl Desk {
    fn is_over(&self) -> bool {
        self.waiting.lock().over
    }

    fn enter(self: &Arc<Self>, id: Id, most: usize) -> Result<Waiter, Refused> {
        let mut waiting = self.waiting.lock();
        if waiting.over {
            return Err(Refused::Over);
        }
        if waiting.count >= most {
            return Err(Refused::Full);
        }
        let (tell, told) = oneshot::channel();
        let number = waiting.next;
        waiting.next += 1;
        waiting.count += 1;
        waiting.by_id.entry(id).or_default().push((number, tell));
        Ok(Waiter {
            desk: self.clone(),
            id,
            number,
            told: Some(told),
        })
    }

    /// The first reply counts: nobody waits for another.
    fn hand_over(&self, id: Id, record: &Arc<Record>) {
        let mut waiting = self.waiting.lock();
        let Some(them) = waiting.by_id.remove(&id) else {
            return;
        };
        waiting.count -= them.len();
        for (_, tell) in them {
            // Who has left does not hear it.
            let _ = tell.send(Ok(record.clone()));
        }
    }

    /// The topic can be read no further.
    fn end(&self, error: &GatewayError) {
        let mut waiting = self.waiting.lock();
        waiting.over = true;
        waiting.count = 0;
        for (_, tell) in std::mem::take(&mut waiting.by_id).into_values().flatten() {
            let _ = tell.send(Err(error.clone()));
        }
    }

    fn leave(&self, id: Id, number: u64) {
        let mut waiting = self.waiting.lock();
        let Some(them) = waiting.by_id.get_mut(&id) else {
            return;
        };
        let before = them.len();
        them.retain(|(other, _)| *other != number);
        let (gone, empty) = (before - them.len(), them.is_empty());
        waiting.count -= gone;
        if empty {
            waiting.by_id.remove(&id);
        }
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        if let Some(reads) = self.reads.get_mut() {
            reads.abort();
        }
    }
}

/// One who waits for a reply; it leaves as this is dropped.
pub(super) struct Waiter {
    desk: Arc<Desk>,
    id: Id,
    number: u64,
    /// None once it was told.
    told: Option<oneshot::Receiver<Told>>,
}

impl Waiter {
    /// The reply, once it comes. May be dropped while pending: nothing is lost.
    ///
    /// # Errors
    /// Where the topic can be read no further.
    pub(super) async fn reply(&mut self) -> Told {
        let Some(told) = &mut self.told else {
            return std::future::pending().await;
        };
        let heard = told.await;
        self.told = None;
        heard.unwrap_or_else(|_| {
            let error = GatewayError::new(Code::InternalError);
            Err(error.source("the reader of replies ended"))
        })
    }

    /// The reply, if it is there already.
    pub(super) fn reply_now(&mut self) -> Option<Arc<Record>> {
        let told = self.told.as_mut()?.try_recv().ok()?;
        self.told = None;
        told.ok()
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        self.desk.leave(self.id, self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id() -> Id {
        Id::new().expect("there is randomness")
    }

    fn record(offset: i64) -> Arc<Record> {
        Arc::new(Record {
            partition: 0,
            offset,
            timestamp: None,
            key: None,
            headers: Box::default(),
            value: None,
        })
    }

    fn enter(desk: &Arc<Desk>, id: Id) -> Waiter {
        desk.enter(id, 3).expect("there is room")
    }

    #[tokio::test]
    async fn each_is_told_its_own_reply_and_the_first_one_counts() {
        let desk = Arc::new(Desk::default());
        let (one, two) = (id(), id());
        let mut ann = enter(&desk, one);
        let mut again = enter(&desk, one);
        let mut bob = enter(&desk, two);
        // Before anybody listens: what comes before the broker's acknowledgement is not lost.
        desk.hand_over(one, &record(1));
        desk.hand_over(one, &record(2));
        desk.hand_over(id(), &record(3));
        assert_eq!(ann.reply().await.expect("it came").offset, 1);
        assert_eq!(again.reply_now().expect("it came").offset, 1);
        assert!(bob.reply_now().is_none());
        desk.hand_over(two, &record(4));
        assert_eq!(bob.reply().await.expect("it came").offset, 4);
    }

    #[test]
    fn who_leaves_makes_room_and_who_was_told_has_made_it_before() {
        let desk = Arc::new(Desk::default());
        let (one, two) = (id(), id());
        let waiters = [enter(&desk, one), enter(&desk, one), enter(&desk, two)];
        assert_eq!(desk.enter(two, 3).err(), Some(Refused::Full));
        desk.hand_over(one, &record(1));
        assert_eq!(desk.waiting.lock().count, 1);
        drop(waiters);
        let waiting = desk.waiting.lock();
        assert_eq!((waiting.count, waiting.by_id.len()), (0, 0));
    }

    #[tokio::test]
    async fn all_learn_that_the_topic_can_be_read_no_further() {
        let desk = Arc::new(Desk::default());
        let mut waiter = enter(&desk, id());
        desk.end(&GatewayError::new(Code::KafkaUnavailable));
        let error = waiter.reply().await.expect_err("it is over");
        assert_eq!(error.code, Code::KafkaUnavailable);
        drop(waiter);
        assert_eq!(desk.enter(id(), 3).err(), Some(Refused::Over));
    }
}
