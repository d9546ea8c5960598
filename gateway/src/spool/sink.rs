//! What takes records: a cluster, or a test's idea of one.

use std::pin::Pin;

use weir_telemetry::Code;

use crate::kafka::{Answer, Outgoing, Patient};

/// What became of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// A broker acknowledged it.
    Delivered,
    /// It never will be taken, and why.
    Refused(Code, String),
    /// Not known: it has to be sent again.
    Again(String),
}

/// What came of trying to hand a record over.
pub(crate) enum Sent {
    /// It is on its way.
    Taken(Delivery),
    /// There is no room now.
    Busy,
    /// It came to nothing.
    Not(Outcome),
}

/// A record on its way.
pub(crate) type Delivery = Pin<Box<dyn Future<Output = Outcome> + Send>>;

/// Takes records, and keeps the order of those of one partition as long as none has to be sent again.
pub(crate) trait Sink: Send + 'static {
    /// Takes a record; never blocks.
    fn send(&mut self, record: &Outgoing) -> Sent;

    /// Begins anew after something had to be sent again: what is still on its way comes to nothing, soon.
    fn renew(&mut self) -> Result<(), String>;
}

impl Sink for Patient {
    fn send(&mut self, record: &Outgoing) -> Sent {
        match Patient::send(self, record) {
            Ok(Some(delivery)) => Sent::Taken(Box::pin(async { delivery.await.into() })),
            Ok(None) => Sent::Busy,
            Err(answer) => Sent::Not(answer.into()),
        }
    }

    fn renew(&mut self) -> Result<(), String> {
        Patient::renew(self)
    }
}

impl From<Answer> for Outcome {
    fn from(answer: Answer) -> Self {
        match answer {
            Answer::Acknowledged => Self::Delivered,
            Answer::Refused(code, why) => Self::Refused(code, why),
            Answer::Unknown(why) => Self::Again(why),
        }
    }
}
