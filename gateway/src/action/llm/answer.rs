//! A provider's answer on its way to the caller: what its head says, and who passes its body on.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::BytesMut;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderName, HeaderValue, StatusCode};
use pingora_http::ResponseHeader;
use weir_protocols::gemini;
use weir_protocols::llm::Envelope;
use weir_telemetry::Code;

use super::api::{Inbound, Outbound};
use super::ask::Asked;
use super::budget::Budget;
use super::cache::{Keep, Keeping};
use super::fault::{self, Failed};
use super::guard::Guards;
use super::model::{Model, Target};
use super::target::Turn;
use super::{embed, stream, whole};
use crate::config::routes::prompt::Schema;
use crate::error::GatewayError;
use crate::policy::quota::Usage;
use crate::proxy::{self, Downstream, Request, reply, respond};
use crate::upstream::{Answer, Body, Exchange, Incoming};

pub(super) const WEIR_MODEL: HeaderName = HeaderName::from_static("weir-model");
pub(super) const WEIR_PROVIDER: HeaderName = HeaderName::from_static("weir-provider");
pub(super) const WEIR_DROPPED: HeaderName = HeaderName::from_static("weir-dropped");

/// The longest refusal that is read, in bytes.
const MAX_REFUSAL: usize = 64 << 10;

/// One call of one target.
pub(super) struct Call<'c> {
    pub(super) asked: &'c Asked<'c>,
    pub(super) model: &'c Model,
    pub(super) target: &'c Target,
    /// Its turn.
    pub(super) turn: &'c Turn<'c>,
    /// What of the caller's request did not go to it.
    pub(super) dropped: &'c [String],
    /// What the provider is spoken to by.
    pub(super) speaks: Outbound,
    /// Whether that is as the caller speaks.
    pub(super) alike: bool,
    /// The limit on output per choice that went with it because of quotas.
    pub(super) limit: Option<u64>,
    /// Where its answer is to be kept, if it is.
    pub(super) keep: Option<&'c Keep<'c>>,
    /// Whether somebody else can be asked.
    pub(super) more: bool,
}

impl<'c> Call<'c> {
    /// Where its answer is to be kept, if it is; `dropped` is what callers are told of that.
    fn keeping(&self, dropped: Option<&'c HeaderValue>) -> Option<Keeping<'c>> {
        let wanted = self.asked.limit();
        Some(Keeping {
            keep: self.keep?,
            speaks: self.speaks,
            provider: &self.target.provider.name,
            model: &self.target.model,
            dropped,
            limited: self
                .limit
                .is_some_and(|ours| wanted.is_none_or(|theirs| ours < theirs)),
        })
    }
}

/// An answer as its caller wants it.
pub(super) struct Wanted<'w> {
    /// What the caller speaks.
    pub(super) caller: Inbound,
    /// What the provider speaks.
    pub(super) provider: Outbound,
    /// What stands around the answer where the provider gives nothing.
    pub(super) envelope: Envelope<'w>,
    /// How many choices were asked for.
    pub(super) choices: u64,
    /// Whether a stream is to say at its end what was used.
    pub(super) usage: bool,
    /// Whether it is to be one JSON array instead of events.
    pub(super) array: bool,
    /// What it has to fit.
    pub(super) expected: Option<&'w Schema>,
    /// How long a stream may be silent before the caller is told that it lives on.
    pub(super) keep_alive: Option<Duration>,
    /// What is to be done to what it says.
    pub(super) guards: &'w Guards,
    /// Whose turn it is.
    pub(super) turn: &'w Turn<'w>,
    /// Where it is to be kept, if it is.
    pub(super) keeping: Option<Keeping<'w>>,
}

impl Wanted<'_> {
    /// Whether the provider's bytes may go to the caller as they come.
    pub(super) const fn is_alike(&self) -> bool {
        self.caller.is(self.provider) && !self.array && self.guards.is_empty()
    }
}

/// Passes an answer on.
pub(super) async fn pass(
    request: &mut Request,
    down: &mut Downstream,
    answer: Answer,
    body: &mut Body,
    call: &Call<'_>,
    budget: Option<&mut Budget<'_>>,
) -> Result<(), Failed> {
    let Answer { head, mut exchange } = answer;
    if let Some(mut error) = fault::of_status(head.status, &head.headers) {
        request.usage = Some(Usage::nothing());
        let is_limit = matches!(
            error.code,
            Code::ProviderRateLimited | Code::ProviderOverloaded
        );
        let in_body = call.target.provider.api == Outbound::Gemini && error.retry_after.is_none();
        if is_limit && in_body {
            match refusal(request, down, &mut exchange, body).await {
                Ok(said) => error.retry_after = gemini::error::retry_after(&said),
                Err(Failed::Next(_)) => {}
                Err(left) => {
                    exchange.abandon(request, left.error());
                    return Err(left);
                }
            }
        }
        exchange.abandon(request, &error);
        return Err(Failed::Next(error));
    }
    if head.status != StatusCode::OK {
        return refused(request, down, head, exchange, body, call).await;
    }
    let (caller, provider) = (call.asked.api, call.speaks);
    if let Some(error) = fault::unreadable(&head.headers, provider, call.asked.stream()) {
        // Whatever it is, it may have cost what was reserved.
        exchange.abandon(request, &error);
        return Err(Failed::Next(error));
    }
    say_who(request, call);
    let named = call.keep.filter(|_| !call.dropped.is_empty());
    let dropped = named.map(|_| dropped(call.dropped));
    let keeping = call.keeping(dropped.as_ref());
    if let Some(embed) = call.asked.embed() {
        let kept = (embed, call, keeping);
        return embed::pass(request, down, (head, exchange), body, kept, budget).await;
    }
    let id = request.record.request_id.as_str().to_owned();
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    let envelope = Envelope {
        id: &id,
        model: &call.target.model,
        created: since.map_or(0, |since| since.as_secs()),
    };
    let wanted = Wanted {
        caller,
        provider,
        envelope,
        choices: call.asked.choices(),
        usage: call.asked.usage(),
        array: call.asked.array(),
        expected: call.asked.expected,
        keep_alive: call.asked.keep_alive,
        guards: call.asked.guards(),
        turn: call.turn,
        keeping,
    };
    match call.asked.stream() {
        true => stream::pass(request, down, head, exchange, body, wanted, budget).await,
        false => whole::pass(request, down, head, exchange, body, wanted, budget).await,
    }
}

/// Says in the answer's head who gave it, whatever is said of an earlier try.
fn say_who(request: &mut Request, call: &Call<'_>) {
    let told = &mut request.answer_headers;
    if request.record.attempts.len() > 1 {
        told.retain(|(name, _)| ![WEIR_MODEL, WEIR_PROVIDER, WEIR_DROPPED].contains(name));
    }
    told.push((WEIR_MODEL, call.model.field.clone()));
    told.push((WEIR_PROVIDER, call.target.provider.field.clone()));
    if !call.dropped.is_empty() {
        told.push((WEIR_DROPPED, dropped(call.dropped)));
    }
}

/// The names of what was dropped: the first of them, since callers choose some.
fn dropped(names: &[String]) -> HeaderValue {
    const MOST: usize = 16;
    let is_plain = |name: &&String| {
        name.len() <= 64
            && name
                .bytes()
                .all(|byte| byte.is_ascii_graphic() || byte == b' ')
    };
    let plain: Vec<&str> = names.iter().filter(is_plain).map(|name| &**name).collect();
    let mut list = plain[..plain.len().min(MOST)].join(", ");
    let left = names.len() - plain.len().min(MOST);
    if left > 0 {
        list.push_str(&format!(", {left} more"));
    }
    let list = list.trim_start_matches(", ");
    HeaderValue::from_str(list).expect("visible ASCII")
}

/// What the provider says of the request itself: as it is, or in the caller's words. Somebody else
/// may know what this one does not.
async fn refused(
    request: &mut Request,
    down: &mut Downstream,
    head: Box<ResponseHeader>,
    mut exchange: Exchange,
    body: &mut Body,
    call: &Call<'_>,
) -> Result<(), Failed> {
    request.usage = Some(Usage::nothing());
    if head.status == StatusCode::NOT_FOUND && call.more {
        let error = GatewayError::new(Code::ProviderError).source("the provider answered 404");
        exchange.abandon(request, &error);
        return Err(Failed::Next(error));
    }
    let said = refusal(request, down, &mut exchange, body).await?;
    exchange.finish(request);
    let (caller, provider) = (call.asked.api, call.speaks);
    if caller == Inbound::Prompt {
        // Who asks here has no part in what the provider was told.
        let error = provider.read_error(head.status.as_u16(), None, &said);
        return Err(Failed::Final(fault::refused(head.status, &error)));
    }
    let (head, out) = if call.alike {
        let mut head = head;
        let length = HeaderValue::from(said.len());
        head.insert_header(CONTENT_LENGTH, length)
            .expect("a number is a valid value");
        (head, said.freeze())
    } else {
        let kind = head.headers.get("x-amzn-errortype");
        let kind = kind.and_then(|kind| kind.to_str().ok());
        let error = provider.read_error(head.status.as_u16(), kind, &said);
        let out = proxy::dialect::error(request, caller.dialect(), head.status, &error, None);
        let fields = [
            (CONTENT_TYPE, HeaderValue::from_static("application/json")),
            (CONTENT_LENGTH, HeaderValue::from(out.len())),
        ];
        (fault::head(head.status, fields)?, out)
    };
    say_who(request, call);
    if let Some(answered) = respond::head(request, down, head, false).await? {
        return Ok(reply::send(request, down, answered).await?);
    }
    down.write_chunk(out).await?;
    Ok(down.write_end(None).await?)
}

/// What a provider says in the body of a refusal, as far as it is read.
async fn refusal(
    request: &mut Request,
    down: &mut Downstream,
    exchange: &mut Exchange,
    body: &mut Body,
) -> Result<BytesMut, Failed> {
    let mut said = BytesMut::new();
    loop {
        match exchange.next(request, down, body).await? {
            Incoming::Chunk(chunk) if said.len() + chunk.len() <= MAX_REFUSAL => {
                said.extend_from_slice(&chunk);
            }
            Incoming::End(_) | Incoming::Chunk(_) => return Ok(said),
            Incoming::Informational(_) | Incoming::Head(_) => {}
        }
    }
}
