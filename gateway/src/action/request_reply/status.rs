//! What is said at a status URL: the reply, if there is one; else, after as long as the caller waits, that there is
//! none yet. Or an event, once the reply comes.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use http::header::{CACHE_CONTROL, RETRY_AFTER};
use http::{HeaderName, HeaderValue, Method, StatusCode};
use tokio::time::sleep;
use weir_protocols::sse::{Outgoing, write_event};
use weir_telemetry::Code;
use weir_telemetry::metrics::reply::Outcome;

use super::replies::Had;
use super::token::Token;
use super::{RequestReply, answer};
use crate::action::subscribe::{stream, wants_events, while_there};
use crate::action::template;
use crate::config::units::{self, Format as _};
use crate::error::GatewayError;
use crate::kafka::{Access, Record, Session};
use crate::policy::quota::{self, Bound};
use crate::proxy::{Downstream, Reply, Request, reply, respond};

/// What pages send when they come again.
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
/// The id of the one event there is.
const ID: &str = "reply";

impl RequestReply {
    /// Says what there is of a reply.
    pub(super) async fn status(
        &self,
        request: &mut Request,
        down: &mut Downstream,
        access: &Access,
        token: &str,
    ) -> Result<Outcome, GatewayError> {
        quota::charge(request, &down.head().headers, Bound::default()).await?;
        if down.head().method != Method::GET {
            let message = "What came of a request is asked by GET.";
            return Err(GatewayError::public(Code::MethodRefused, message));
        }
        let wait = self.wait_asked(down)?;
        let session = access.session().clone();
        let end = self.replies.end(&session);
        let (_, cluster_id) = while_there(request, down, end).await?;
        let signer = self.signer(request, &cluster_id);
        let token = signer.read(token).ok_or_else(|| {
            GatewayError::public(
                Code::StatusUrlInvalid,
                "This is no status URL that was given to this caller, or the key that it was signed with is no \
                 longer in use.",
            )
        })?;
        let Some(left) = token.left(SystemTime::now()) else {
            let message =
                "The status URL was answered as long as the route keeps it, and has expired.";
            return Err(GatewayError::public(Code::KafkaReplyGone, message));
        };
        if wait.is_none() && wants_events(down) {
            return self.stream(request, down, &session, &token, left).await;
        }
        let since = Instant::now();
        let until = since + wait.unwrap_or(Duration::ZERO).min(left);
        let gateway = request.gateway.clone();
        let _waiting = self.figures.wait();
        let had = async {
            tokio::select! {
                biased;
                // Whoever asks again is answered by another gateway.
                () = gateway.drain.must_end() => Ok(Had::NotYet),
                had = self.replies.have(&session, token.id, &token.from, until.into()) => had,
            }
        };
        match while_there(request, down, had).await? {
            Had::Reply(record) => {
                self.note(request, &record, since);
                let answer = answer::of(&self.config, &record)?;
                reply::answer(request, down, answer).await?;
                Ok(Outcome::Answered)
            }
            Had::Gone => Err(gone()),
            Had::NotYet => {
                let pending = Reply::json(StatusCode::ACCEPTED, r#"{"state":"pending"}"#)
                    .header(RETRY_AFTER, HeaderValue::from_static("1"))
                    .header(CACHE_CONTROL, HeaderValue::from_static("no-store"));
                reply::answer(request, down, pending).await?;
                Ok(Outcome::Pending)
            }
        }
    }

    /// How long the caller wants to wait, if it says so.
    fn wait_asked(&self, down: &Downstream) -> Result<Option<Duration>, GatewayError> {
        let query = down.head().uri.query().unwrap_or_default();
        let mut pairs = template::query_pairs(query);
        let Some((_, text)) = pairs.find(|(name, _)| name == "wait") else {
            return Ok(None);
        };
        if text == "0" || text == "0s" {
            return Ok(Some(Duration::ZERO));
        }
        let wait = units::Duration::parse(&text).ok_or_else(|| {
            GatewayError::public(Code::QueryInvalid, "`wait` is a duration as 20s or 500ms.")
        })?;
        Ok(Some(wait.0.min(self.config.max_wait)))
    }

    /// Sends the reply as an event, once it comes, and ends.
    async fn stream(
        &self,
        request: &mut Request,
        down: &mut Downstream,
        session: &Session,
        token: &Token,
        left: Duration,
    ) -> Result<Outcome, GatewayError> {
        if down
            .head()
            .headers
            .get(LAST_EVENT_ID)
            .is_some_and(|id| id == ID)
        {
            // A page comes again after every end; told so, it does not.
            let done = Reply::empty(StatusCode::NO_CONTENT);
            reply::answer(request, down, done).await?;
            return Ok(Outcome::Answered);
        }
        request.record.long_lived = true;
        if let Some(instead) = respond::head(request, down, stream::head()?, false).await? {
            reply::send(request, down, instead).await?;
            return Ok(Outcome::Failed);
        }
        down.write_event(Bytes::from_static(b": waiting\n\n"))
            .await?;
        down.flush().await?;
        let since = Instant::now();
        let _waiting = self.figures.wait();
        let had = self
            .replies
            .have(session, token.id, &token.from, (since + left).into());
        let told = match attend(request, down, had).await {
            Ok(record) => answer::status(&self.config, &record).map(|status| (status, record)),
            Err(error) => Err(error),
        };
        request.waits.upstream += since.elapsed();
        match told {
            Ok((status, record)) => {
                self.note(request, &record, since);
                let data = answer::event(status, &record);
                down.write_event(event("reply", Some(ID), &data)).await?;
                down.write_end(None).await?;
                Ok(Outcome::Answered)
            }
            Err(error) => {
                if error.code != Code::ClientDisconnected {
                    let problem = reply::problem(request, &error);
                    // It may be gone too; the failure is recorded either way.
                    let _ = down.write_own(event("error", None, &problem)).await;
                    let _ = down.flush().await;
                }
                Err(error)
            }
        }
    }
}

/// The reply, while the caller is there; now and then it is told that nothing came.
async fn attend(
    request: &mut Request,
    down: &mut Downstream,
    had: impl Future<Output = Result<Had, GatewayError>>,
) -> Result<Arc<Record>, GatewayError> {
    let mut had = std::pin::pin!(had);
    loop {
        if down.unsent() {
            down.flush().await?;
        }
        tokio::select! {
            biased;
            () = request.gateway.drain.must_end() => {
                let error = GatewayError::new(Code::Draining);
                return Err(error.source("no reply had come when the drain timeout passed"));
            }
            had = &mut had => return match had? {
                Had::Reply(record) => Ok(record),
                Had::Gone => Err(gone()),
                Had::NotYet => Err(GatewayError::public(
                    Code::KafkaReplyGone,
                    "No reply came for as long as the status URL is answered.",
                )),
            },
            left = down.read() => { left?; }
            () = sleep(stream::SILENCE) => {
                down.write_event(Bytes::from_static(b": waiting\n\n")).await?;
            }
        }
    }
}

fn event(name: &str, id: Option<&str>, data: &[u8]) -> Bytes {
    let event = Outgoing {
        name: Some(name),
        id,
        data,
        ..Outgoing::default()
    };
    let mut out = Vec::with_capacity(data.len() + 64);
    write_event(&mut out, &event).expect("these names have no line break");
    out.into()
}

fn gone() -> GatewayError {
    let message = "The topic of replies does not hold all that was written since the request any more, and the \
                   reply is not in what it holds.";
    GatewayError::public(Code::KafkaReplyGone, message)
}
