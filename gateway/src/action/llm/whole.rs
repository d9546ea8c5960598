//! An answer in one document. It is read to its end before the caller is sent any of it, so that
//! somebody else can be asked should it break off.

use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderValue, StatusCode};
use pingora_http::ResponseHeader;
use weir_protocols::llm::{Answer, Finish, Malformed};
use weir_protocols::openai::{finish, responses, usage};
use weir_telemetry::Code;

use super::answer::Wanted;
use super::api::{Inbound, Outbound};
use super::budget::Budget;
use super::count::{self, Tally};
use super::fault::{self, Failed};
use super::guard;
use super::note;
use super::prompt::output;
use crate::error::GatewayError;
use crate::large;
use crate::policy::quota;
use crate::proxy::{Downstream, Request, reply, respond};
use crate::upstream::{Body, Exchange, Incoming};

/// The longest answer that is read, in bytes.
const MAX_ANSWER: usize = 16 << 20;

/// What an answer used, and whether it ended by itself.
struct Read<'d> {
    told: bool,
    whole: bool,
    /// Where it had to be read to know that.
    answer: Option<Answer<'d>>,
}

/// Passes an answer on.
pub(super) async fn pass(
    request: &mut Request,
    down: &mut Downstream,
    head: Box<ResponseHeader>,
    mut exchange: Exchange,
    body: &mut Body,
    wanted: Wanted<'_>,
    budget: Option<&mut Budget<'_>>,
) -> Result<(), Failed> {
    let mut seen = Seen::up_to(MAX_ANSWER);
    if let Err(failed) = read(request, down, &mut exchange, body, &mut seen).await {
        // The provider may have said already what it used.
        if let Some(used) = usage::from_completion(&seen.document()) {
            note::told(request, &used);
        }
        exchange.abandon(request, failed.error());
        return Err(failed);
    }
    let document = seen.document();
    if note::is_traced(request) {
        tell(request, &document, &wanted);
    }
    let mut read = match look(request, &document, &wanted) {
        Ok(read) => read,
        Err(error) => {
            exchange.abandon(request, &error);
            return Err(Failed::Next(error));
        }
    };
    wanted.turn.spoke(request, false);
    exchange.finish(request);
    if let Some(answer) = read.answer.as_mut().filter(|_| !wanted.is_alike()) {
        guard::whole(wanted.guards, answer, wanted.expected.is_some())?;
    }
    if let Some(usage) = request.usage {
        quota::declare(request, usage);
    }
    let translated = read.answer.as_ref().filter(|_| !wanted.is_alike());
    let (head, out) = match translated {
        None => (head, document.clone()),
        Some(answer) => written(answer, &wanted)?,
    };
    let sent = send(request, down, head, out).await;
    if let Some(keeping) = &wanted.keeping {
        keeping.whole(&document);
    }
    if let Some(budget) = budget {
        if !read.told {
            count(request, budget, &document, read.answer.take(), &wanted).await;
        }
        if read.whole {
            note::learn(request, wanted.choices);
        }
    }
    Ok(sent?)
}

/// Notes what only spans tell.
fn tell(request: &mut Request, document: &[u8], wanted: &Wanted<'_>) {
    let read = || wanted.provider.read(document, wanted.envelope.id);
    if let Ok(answer) = large::work(document.len(), read) {
        note::answer(request, &answer);
    }
}

/// Reads all of it.
pub(super) async fn read(
    request: &mut Request,
    down: &mut Downstream,
    exchange: &mut Exchange,
    body: &mut Body,
    seen: &mut Seen,
) -> Result<(), Failed> {
    loop {
        match exchange.next(request, down, body).await? {
            Incoming::Chunk(chunk) => seen.add(chunk)?,
            Incoming::End(_) => return Ok(()),
            Incoming::Informational(_) | Incoming::Head(_) => {}
        }
    }
}

/// Finds out what an answer used and why it ended. What passes as it came is not read whole for
/// that, if it is a chat's.
fn look<'d>(
    request: &mut Request,
    document: &'d [u8],
    wanted: &Wanted<'_>,
) -> Result<Read<'d>, GatewayError> {
    if wanted.caller == Inbound::Chat && wanted.is_alike() {
        return glance(request, document);
    }
    let read = wanted.provider.read(document, wanted.envelope.id);
    let answer = read.map_err(|why| unread(document, wanted.provider, &why))?;
    if let Some(usage) = &answer.usage {
        note::told(request, usage);
    }
    let reasons = || answer.choices.iter().filter_map(|choice| choice.finish);
    note::stopped(request, || reasons().next().map(note::word));
    Ok(Read {
        told: answer.usage.is_some(),
        whole: !answer.choices.is_empty() && reasons().all(Finish::is_whole),
        answer: Some(answer),
    })
}

/// Why an answer could not be read: with responses, a failure may come as one of success.
fn unread(document: &[u8], provider: Outbound, why: &Malformed) -> GatewayError {
    let failure = match provider {
        Outbound::Responses => responses::answer::failure(document),
        _ => None,
    };
    match failure {
        Some(error) => fault::said(&error),
        None => GatewayError::new(Code::ProviderResponseInvalid).source(why),
    }
}

fn glance<'d>(request: &mut Request, document: &'d [u8]) -> Result<Read<'d>, GatewayError> {
    let text = document.trim_ascii();
    if !(text.starts_with(b"{") && text.ends_with(b"}")) {
        let error = GatewayError::new(Code::ProviderResponseInvalid);
        return Err(error.source("the answer is no JSON object"));
    }
    let told = usage::from_completion(document);
    if let Some(usage) = &told {
        note::told(request, usage);
    }
    let mut reasons = finish::reasons(document).peekable();
    let first = reasons.peek().copied();
    note::stopped(request, || first);
    let is_whole = |word: &str| matches!(word, "stop" | "tool_calls" | "function_call");
    Ok(Read {
        told: told.is_some(),
        whole: first.is_some() && reasons.all(is_whole),
        answer: None,
    })
}

fn written(
    answer: &Answer<'_>,
    wanted: &Wanted<'_>,
) -> Result<(Box<ResponseHeader>, Bytes), GatewayError> {
    let mut out = Vec::new();
    match wanted.expected {
        Some(schema) => output::write(&mut out, answer, schema)?,
        None => wanted.caller.write(&mut out, answer, &wanted.envelope),
    }
    let fields = [
        (CONTENT_TYPE, HeaderValue::from_static("application/json")),
        (CONTENT_LENGTH, HeaderValue::from(out.len())),
    ];
    Ok((fault::head(StatusCode::OK, fields)?, out.into()))
}

/// Sends a whole answer.
pub(super) async fn send(
    request: &mut Request,
    down: &mut Downstream,
    head: Box<ResponseHeader>,
    document: Bytes,
) -> Result<(), GatewayError> {
    if let Some(answered) = respond::head(request, down, head, false).await? {
        return reply::send(request, down, answered).await;
    }
    down.write_chunk(document).await?;
    down.write_end(None).await
}

/// Counts an answer whose provider did not say what it used.
async fn count(
    request: &mut Request,
    budget: &mut Budget<'_>,
    document: &[u8],
    answer: Option<Answer<'_>>,
    wanted: &Wanted<'_>,
) {
    // Until it is counted: no token is shorter than a byte.
    note::estimated(request, budget.prompt.tokens, document.len() as u64);
    let mut tally = Tally::of(budget.prompt.model);
    let again = || wanted.provider.read(document, wanted.envelope.id).ok();
    let Some(answer) = answer.or_else(again) else {
        return;
    };
    for choice in &answer.choices {
        count::texts(choice, &mut |place, text| tally.add(place, text));
    }
    if let Some(output) = tally.count().await {
        budget.prompt.count().await;
        note::counted(request, budget.prompt.tokens, output);
    }
}

/// What has come of a document; one chunk alone is not copied.
pub(super) struct Seen {
    /// The most bytes it may have.
    most: usize,
    first: Bytes,
    rest: BytesMut,
}

impl Seen {
    /// Nothing yet of a document of so many bytes at most.
    pub(super) fn up_to(most: usize) -> Self {
        Self {
            most,
            first: Bytes::new(),
            rest: BytesMut::new(),
        }
    }

    fn add(&mut self, chunk: Bytes) -> Result<(), Failed> {
        let sum = self.first.len().max(self.rest.len()) + chunk.len();
        if sum > self.most {
            let error = GatewayError::new(Code::ProviderResponseInvalid)
                .source(format!("the answer is longer than {} bytes", self.most));
            return Err(Failed::Final(error));
        }
        if self.first.is_empty() {
            self.first = chunk;
        } else {
            if self.rest.is_empty() {
                self.rest.extend_from_slice(&self.first);
            }
            self.rest.extend_from_slice(&chunk);
        }
        Ok(())
    }

    /// What has come of it.
    pub(super) fn document(&mut self) -> Bytes {
        if self.rest.is_empty() {
            self.first.clone()
        } else {
            self.first = self.rest.split().freeze();
            self.first.clone()
        }
    }
}
