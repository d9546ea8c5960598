//! The calls of sources that one request makes: which, and how many. Those that only read are made once,
//! however many fields ask for them.

use std::collections::HashMap;
use std::sync::Arc;

use async_graphql::PathSegment;
use bytes::Bytes;
use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, Shared, ready};
use http::Method;
use parking_lot::Mutex;
use serde_json::Value as Json;
use tokio::sync::{mpsc, oneshot};
use weir_protocols::grpc::status::Code as Ended;
use weir_telemetry::Code;

use super::ask::Ask;
use super::grpc::Called;

/// A call to be made.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Call {
    /// Who is called: an index into the sources.
    pub(super) source: usize,
    /// What is asked.
    pub(super) what: What,
}

/// What a source is asked.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum What {
    /// Something by HTTP and JSON.
    Rest {
        /// By which method.
        method: Method,
        /// The path and the query.
        target: String,
        /// The body, as JSON.
        body: Option<Bytes>,
    },
    /// A method of gRPC's.
    Grpc {
        /// Which.
        called: Called,
        /// Whether it only reads.
        reads: bool,
        /// What it is asked, in its frame.
        message: Bytes,
    },
    /// A field of a GraphQL server's.
    Graphql(Arc<Ask>),
}

impl Call {
    /// What a GraphQL server is asked.
    pub(super) fn ask(&self) -> Option<&Arc<Ask>> {
        match &self.what {
            What::Graphql(ask) => Some(ask),
            What::Rest { .. } | What::Grpc { .. } => None,
        }
    }

    /// Whether it changes nothing.
    fn only_reads(&self) -> bool {
        match &self.what {
            What::Rest { method, .. } => *method == Method::GET,
            What::Grpc { reads, .. } => *reads,
            What::Graphql(ask) => ask.reads,
        }
    }
}

/// Why a field has no value.
#[derive(Debug)]
pub(super) struct Fault {
    /// What happened, for programs: the slug of a code of ours, or one of `source_status` and
    /// `source_answer_invalid`.
    pub(super) code: &'static str,
    /// The same for people.
    pub(super) message: String,
    /// The source, where it is the source's.
    pub(super) source: Option<usize>,
    /// The status of its answer, where that is why.
    pub(super) status: Option<Status>,
}

/// How a source says that it would not.
#[derive(Debug, Clone, Copy)]
pub(super) enum Status {
    /// In numbers of HTTP.
    Http(u16),
    /// In words of gRPC.
    Grpc(Ended),
}

/// What a source answers.
#[derive(Debug, Clone)]
pub(super) struct Answer {
    /// The value.
    pub(super) json: Arc<Json>,
    /// What it says of parts that failed.
    pub(super) told: Arc<[Told]>,
}

impl From<Json> for Answer {
    fn from(json: Json) -> Self {
        Self {
            json: Arc::new(json),
            told: Arc::default(),
        }
    }
}

/// What a source says of a part that failed.
#[derive(Debug, Clone)]
pub(super) struct Told {
    /// Where, in its own answer.
    pub(super) path: Vec<PathSegment>,
    /// What happened.
    pub(super) message: String,
    /// The same for programs, if it says so.
    pub(super) code: Option<String>,
}

/// What came of a call.
pub(super) type Outcome = Result<Answer, Arc<Fault>>;

/// Which field of which operation asks. What changes something is done once for each.
pub(super) type Place = (usize, String);

/// A call, and who waits for what comes of it.
pub(super) struct Asked {
    /// The call.
    pub(super) call: Call,
    /// Who waits.
    pub(super) reply: oneshot::Sender<Outcome>,
}

type Waiting = Shared<BoxFuture<'static, Outcome>>;

/// The calls of one request.
pub(super) struct Calls {
    asked: mpsc::Sender<Asked>,
    most: usize,
    made: Mutex<Made>,
}

#[derive(Default)]
struct Made {
    count: usize,
    calls: HashMap<(Call, Option<Place>), Waiting, ahash::RandomState>,
}

impl Calls {
    /// None yet, and never more than `most`, for which `asked` has room; they are made where that is
    /// received.
    pub(super) fn new(asked: mpsc::Sender<Asked>, most: usize) -> Self {
        Self {
            asked,
            most,
            made: Mutex::default(),
        }
    }

    /// What comes of a call, or of one like it that was made already.
    pub(super) fn ask(&self, call: Call, place: Place) -> BoxFuture<'static, Outcome> {
        let mut made = self.made.lock();
        let place = (!call.only_reads()).then_some(place);
        let key = (call.clone(), place);
        if let Some(waiting) = made.calls.get(&key) {
            return waiting.clone().boxed();
        }
        if made.count >= self.most {
            return ready(Err(self.too_many())).boxed();
        }
        made.count += 1;
        let (reply, said) = oneshot::channel();
        // There is room for as many as may be made, and who makes them goes away only together with who
        // waits for them.
        let _ = self.asked.try_send(Asked { call, reply });
        let waiting = async move { said.await.unwrap_or_else(|_| Err(given_up())) };
        let waiting = waiting.boxed().shared();
        made.calls.insert(key, waiting.clone());
        waiting.boxed()
    }

    fn too_many(&self) -> Arc<Fault> {
        let most = self.most;
        Arc::new(Fault {
            code: Code::GraphqlLimitExceeded.slug(),
            message: format!(
                "One request makes at most {most} calls, and this field would be one more; ask for \
                 less at once."
            ),
            source: None,
            status: None,
        })
    }
}

fn given_up() -> Arc<Fault> {
    Arc::new(Fault {
        code: Code::Draining.slug(),
        message: Code::Draining.title().to_owned(),
        source: None,
        status: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(method: Method, target: &str) -> Call {
        Call {
            source: 0,
            what: What::Rest {
                method,
                target: target.to_owned(),
                body: None,
            },
        }
    }

    #[tokio::test]
    async fn what_only_reads_is_asked_once_and_nothing_beyond_the_limit() {
        let (sender, mut asked) = mpsc::channel(3);
        let calls = Calls::new(sender, 3);
        let at = |field: &str| (0, field.to_owned());
        let first = calls.ask(call(Method::GET, "/a"), at("a"));
        let again = calls.ask(call(Method::GET, "/a"), at("b"));
        let _post = calls.ask(call(Method::POST, "/a"), at("a"));
        let _same = calls.ask(call(Method::POST, "/a"), at("a"));
        let _post = calls.ask(call(Method::POST, "/a"), at("b"));
        let beyond = calls.ask(call(Method::GET, "/b"), at("c")).await;
        assert_eq!(
            beyond.expect_err("one too many").code,
            "graphql_limit_exceeded"
        );
        let Asked { reply, .. } = asked.recv().await.expect("one");
        reply.send(Ok(Json::from(1).into())).expect("who waits");
        let (first, again) = (first.await.expect("one"), again.await.expect("the same"));
        assert!(Arc::ptr_eq(&first.json, &again.json));
        assert_eq!(asked.len(), 2);
    }
}
