//! How long a prompt is: asked of its own provider where that counts for whoever speaks as the
//! caller does, and counted here where not, or where that fails. Either way it is free.

use std::borrow::Cow;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::StatusCode;
use serde::Deserialize;
use weir_protocols::llm::prompt::Prompt;
use weir_protocols::llm::{Edit, Request as Counted};
use weir_protocols::{anthropic, gemini};
use weir_telemetry::Code;
use weir_telemetry::code::Fault;

use super::api::Inbound;
use super::ask::{Outgoing, refused};
use super::model::Target;
use super::whole::{self, Seen};
use super::{Llm, MAX_BODY, count};
use crate::error::GatewayError;
use crate::policy::quota::{Bound, charge};
use crate::proxy::{Downstream, Reply, Request, reply};

/// How long a provider may take: a count is not worth waiting longer for.
const WAIT: Duration = Duration::from_secs(5);
/// The longest answer that is read, in bytes.
const MAX_ANSWER: usize = 64 << 10;

/// Answers one question for the length of a prompt.
pub(super) async fn answer(
    llm: &Llm,
    request: &mut Request,
    down: &mut Downstream,
    api: Inbound,
    model: Option<&str>,
) -> Result<(), GatewayError> {
    down.limit(MAX_BODY)?;
    let body = down.read_whole().await?;
    let read = match api {
        Inbound::Gemini => gemini::count_tokens::read(&body, model.unwrap_or_default()),
        _ => anthropic::request::read_for_count(&body),
    };
    let counted = read.map_err(|fault| refused(&fault))?;
    let target = &llm.model(request, &counted.model)?.targets[0];
    charge(request, &down.head().headers, Bound::default()).await?;
    let out = match aim(target, api, &body) {
        Some(outgoing) => ask(request, down, target, &outgoing).await?,
        None => None,
    };
    let out = match out {
        Some(out) => out,
        None => count_here(&counted, target, api).await,
    };
    reply::answer(request, down, Reply::json(StatusCode::OK, out)).await
}

async fn count_here(counted: &Counted<'_>, target: &Target, api: Inbound) -> Bytes {
    let prompt: &dyn Prompt = counted;
    let tokens = count::exact(prompt, &target.model).await;
    let mut out = Vec::new();
    match api {
        Inbound::Gemini => gemini::count_tokens::write(&mut out, tokens),
        _ => anthropic::count_tokens::write(&mut out, tokens),
    }
    out.into()
}

/// The question as it goes to the provider, if that counts and speaks as the caller does.
fn aim(target: &Target, api: Inbound, body: &Bytes) -> Option<Outgoing> {
    let provider = &target.provider;
    if !api.is(provider.api) {
        return None;
    }
    let path = provider.count_path(&target.model)?;
    let mut edit = Edit::new(body.clone());
    match api {
        Inbound::Gemini => {
            #[derive(Deserialize)]
            #[serde(rename_all = "camelCase")]
            struct Whole<'b> {
                #[serde(borrow, default, alias = "generate_content_request")]
                generate_content_request: Option<Named<'b>>,
            }
            #[derive(Deserialize)]
            struct Named<'b> {
                #[serde(borrow, default)]
                model: Option<Cow<'b, str>>,
            }
            // The model is named in it again, and has to be the path's.
            let whole: Whole<'_> = serde_json::from_slice(body).ok()?;
            if whole
                .generate_content_request
                .is_some_and(|w| w.model.is_some())
            {
                let name = format!("models/{}", target.model.trim_start_matches("models/"));
                edit.string(&["generateContentRequest", "model"], &name);
            }
        }
        _ => {
            edit.string(&["model"], &target.model);
        }
    }
    Some(Outgoing {
        body: edit.finish(),
        path,
        speaks: provider.api,
        alike: true,
        dropped: Vec::new(),
    })
}

/// Asks the provider; `None` if it does not say.
///
/// # Errors
/// If it is the caller that ended this.
async fn ask(
    request: &mut Request,
    down: &mut Downstream,
    target: &Target,
    outgoing: &Outgoing,
) -> Result<Option<Bytes>, GatewayError> {
    let provider = &target.provider;
    let deadline = Instant::now() + WAIT.min(provider.upstream.timeouts.total);
    // One key will do for what is free: should it be limited, the gateway counts.
    let key = target.standing.free_key();
    let sent = provider.send(request, down, outgoing, key, deadline).await;
    let (answer, mut body) = match sent {
        Ok(sent) => sent,
        Err(error) if error.code.fault() == Fault::Client => return Err(error),
        Err(_) => return Ok(None),
    };
    let mut exchange = answer.exchange;
    if answer.head.status != StatusCode::OK {
        let error = GatewayError::new(Code::ProviderError).source(format!(
            "the provider counts no tokens: it answered {}",
            answer.head.status.as_u16()
        ));
        exchange.abandon(request, &error);
        return Ok(None);
    }
    let mut seen = Seen::up_to(MAX_ANSWER);
    if let Err(failed) = whole::read(request, down, &mut exchange, &mut body, &mut seen).await {
        let error = failed.error();
        exchange.abandon(request, error);
        return match error.code.fault() {
            Fault::Client => Err(error.clone()),
            _ => Ok(None),
        };
    }
    exchange.finish(request);
    let document = seen.document();
    Ok(says(&document).then_some(document))
}

/// Whether an answer says how many tokens there are.
fn says(document: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct Said {
        #[serde(default, rename = "input_tokens", alias = "totalTokens")]
        tokens: Option<u64>,
    }
    serde_json::from_slice::<Said>(document).is_ok_and(|said| said.tokens.is_some())
}
