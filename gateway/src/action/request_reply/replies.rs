//! How a reply is had, whenever and by whichever gateway it is asked for: what was written before now is looked
//! for in the topic, and what is written from now on comes to those who wait. Between the two nothing is missed.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout_at};
use weir_telemetry::Code;

use super::correlation::Id;
use super::desk::{Desks, Waiter};
use super::known::{Known, Memory, Searched};
use crate::error::GatewayError;
use crate::kafka::{Next, Positions, Record, Session, Start};

/// So many records are looked at between two looks at the clock.
const FEW: usize = 256;
/// How much longer than callers wait it may take to read what was written before now.
const GRACE: Duration = Duration::from_secs(10);
/// How long to wait before a topic that could not be read is tried again.
const PAUSE: Duration = Duration::from_millis(500);

/// The replies of a route.
pub(crate) struct Replies {
    topic: Arc<str>,
    /// The header that says which reply a record is.
    header: Arc<str>,
    desks: Desks,
    memory: Memory,
}

/// What there is of a reply.
#[derive(Debug)]
pub(super) enum Had {
    Reply(Arc<Record>),
    /// There is none yet.
    NotYet,
    /// The topic does not hold all that was written since the request.
    Gone,
}

impl Replies {
    /// Those of a topic, so many of which may be waited for at a time.
    pub(crate) fn new(topic: Arc<str>, header: Arc<str>, most: usize) -> Self {
        Self {
            desks: Desks::new(topic.clone(), header.clone(), most),
            memory: Memory::default(),
            topic,
            header,
        }
    }

    /// One who waits for a reply that is not written yet.
    pub(super) async fn wait_for(&self, session: &Session, id: Id) -> Result<Waiter, GatewayError> {
        self.desks.wait_for(session, id).await
    }

    /// How far the topic is: what is written from now on comes after that. The name that the cluster has for
    /// itself, too.
    pub(super) async fn end(
        &self,
        session: &Session,
    ) -> Result<(Positions, Arc<str>), GatewayError> {
        let follower = session.follow(&self.topic).await?;
        let end = follower.end();
        known(&end)?;
        Ok((end, follower.cluster_id().clone()))
    }

    /// The reply that may have been written from there on, once it is there or that time has come.
    pub(super) async fn have(
        &self,
        session: &Session,
        id: Id,
        from: &Positions,
        until: Instant,
    ) -> Result<Had, GatewayError> {
        loop {
            match self.try_to_have(session, id, from, until).await {
                // It goes on where it was: what was read is remembered.
                Err(error) if error.code.retryable() && Instant::now() + PAUSE < until => {
                    sleep(PAUSE).await;
                }
                had => return had,
            }
        }
    }

    async fn try_to_have(
        &self,
        session: &Session,
        id: Id,
        from: &Positions,
        until: Instant,
    ) -> Result<Had, GatewayError> {
        let searched = match self.memory.of(id) {
            Some(Known::Found(record)) => return Ok(Had::Reply(record)),
            Some(Known::Searched(searched)) => searched,
            None => Searched {
                at: from.clone(),
                gone: false,
            },
        };
        // Before it is looked for, so that none is written in between.
        let mut waiter = self.wait_for(session, id).await?;
        let patience = until.max(Instant::now() + GRACE);
        let looked = timeout_at(patience, self.look(session, id, searched)).await;
        match looked {
            Err(_) => return Ok(Had::NotYet),
            Ok(looked) => match looked? {
                Known::Found(record) => return Ok(Had::Reply(record)),
                Known::Searched(searched) if searched.gone && waiter.reply_now().is_none() => {
                    return Ok(Had::Gone);
                }
                Known::Searched(_) => {}
            },
        }
        match timeout_at(until, waiter.reply()).await {
            Err(_) => Ok(Had::NotYet),
            Ok(reply) => {
                let reply = reply?;
                self.memory.learn(id, Known::Found(reply.clone()));
                Ok(Had::Reply(reply))
            }
        }
    }

    /// Looks for a reply up to the end that the topic has now.
    async fn look(
        &self,
        session: &Session,
        id: Id,
        searched: Searched,
    ) -> Result<Known, GatewayError> {
        let follower = session.follow(&self.topic).await?;
        let end = follower.end();
        known(&end)?;
        let mut gone = searched.gone;
        let start = Start::At(searched.at);
        let mut subscription = session.subscribe(&self.topic, follower, start).await?;
        while subscription.at().behind(&end) > 0 {
            match subscription.next(FEW).await? {
                Next::Joined => {}
                Next::Gaps(_) => gone = true,
                Next::Records(records) => {
                    for record in records {
                        subscription.pass(&record);
                        if record.header(&self.header).and_then(Id::read) == Some(id) {
                            let found = Known::Found(record);
                            self.memory.learn(id, found.clone());
                            return Ok(found);
                        }
                    }
                }
            }
            let at = subscription.at().clone();
            self.memory
                .learn(id, Known::Searched(Searched { at, gone }));
        }
        let searched = Known::Searched(Searched { at: end, gone });
        self.memory.learn(id, searched.clone());
        Ok(searched)
    }
}

/// Where the end of a partition is not known, a reply in it could be missed.
fn known(end: &Positions) -> Result<(), GatewayError> {
    match end.are_vague() {
        false => Ok(()),
        true => Err(GatewayError::new(Code::KafkaUnavailable)
            .source("a partition of the topic of replies has no leader")
            .retry_after(Duration::from_secs(1))),
    }
}
