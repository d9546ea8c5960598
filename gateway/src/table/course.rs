//! How a view is filled and kept up: the topic is read from its beginning, then as it is written. Where
//! reading breaks it goes on at the same place; where the topic does not hold what comes there any more, the
//! view is begun anew.

use std::sync::Weak;
use std::time::{Duration, Instant};

use super::view::View;
use super::{State, Table};
use crate::error::GatewayError;
use crate::kafka::{Next, Start, Subscription};

/// How long to wait before a topic is tried again that could not be read.
const REST: Duration = Duration::from_secs(1);
/// The same of one that holds too much.
const LONG_REST: Duration = Duration::from_secs(30);
/// How often it is looked whether brokers are to be reached, and anybody still wants the view.
const PACE: Duration = Duration::from_millis(500);
/// So many records are taken at once.
const MOST: usize = 1000;

/// Fills a table for as long as anybody has it.
pub(super) async fn run(table: Weak<Table>) {
    loop {
        let rest = match read(&table).await {
            Ok(rest) => rest,
            Err(error) => {
                log::debug!("kafka: a table is not read: {error}");
                if let Some(this) = table.upgrade() {
                    this.stumble(&error);
                }
                REST
            }
        };
        if table.strong_count() == 0 {
            return;
        }
        tokio::time::sleep(rest).await;
    }
}

/// Reads until that is of no use any more; says when to begin again.
async fn read(table: &Weak<Table>) -> Result<Duration, GatewayError> {
    let Some(this) = table.upgrade() else {
        return Ok(Duration::ZERO);
    };
    let (start, generation) = this.resume();
    let (session, topic) = (this.session.clone(), this.topic.clone());
    drop(this);
    let follower = session.follow(&topic).await?;
    let mut subscription = session.subscribe(&topic, follower, start).await?;
    if subscription.joined().is_some()
        && let Some(this) = table.upgrade()
    {
        // All that it has not had is still to come.
        this.join(&subscription);
    }
    loop {
        let next = tokio::time::timeout(PACE, subscription.next(MOST)).await;
        let Some(this) = table.upgrade() else {
            return Ok(Duration::ZERO);
        };
        this.know(&subscription);
        match next {
            Err(_) => {}
            Ok(next) => {
                if !this.read_on(generation, next?, &mut subscription) {
                    return Ok(this.rest());
                }
            }
        }
    }
}

impl Table {
    /// What it learns of the topic besides records.
    fn know(&self, subscription: &Subscription) {
        let end = subscription.end();
        let mut kept = self.kept.lock();
        kept.end = end;
        if !self.session.is_down() {
            kept.contact = Instant::now();
        }
    }

    /// Where reading goes on, and what for.
    fn resume(&self) -> (Start, u64) {
        let mut kept = self.kept.lock();
        if kept.state == State::Ready {
            return (Start::At(kept.view.at().clone()), kept.generation);
        }
        kept.view = View::default();
        kept.state = State::Filling;
        kept.generation += 1;
        (Start::Earliest, kept.generation)
    }

    /// Takes what comes; says whether to go on.
    fn read_on(&self, generation: u64, next: Next, subscription: &mut Subscription) -> bool {
        match next {
            Next::Records(records) => records.iter().all(|record| {
                subscription.pass(record);
                self.take(generation, record)
            }),
            Next::Joined => {
                self.join(subscription);
                true
            }
            Next::Gaps(_) => {
                let mut kept = self.kept.lock();
                kept.state = State::Filling;
                false
            }
        }
    }

    /// It cannot be read, for that reason.
    fn stumble(&self, error: &GatewayError) {
        self.kept.lock().obstacle = Some(error.code);
        self.changed();
    }

    /// It says what the topic says from now on.
    fn join(&self, subscription: &Subscription) {
        let mut kept = self.kept.lock();
        kept.state = State::Ready;
        kept.obstacle = None;
        kept.view.know(subscription.at());
        drop(kept);
        self.changed();
    }

    fn rest(&self) -> Duration {
        match self.kept.lock().state {
            State::Full => LONG_REST,
            State::Filling | State::Ready => Duration::ZERO,
        }
    }
}
