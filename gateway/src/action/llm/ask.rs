//! A call as its caller wrote it, and the bytes it becomes for whoever is to answer.
//!
//! Where the provider speaks as the caller does, the caller's own bytes are edited at a few places;
//! else the call is read whole and written anew.

use std::borrow::Cow;
use std::time::Duration;

use bytes::Bytes;
use weir_protocols::llm::prompt::Prompt;
use weir_protocols::llm::{Edit, Fault, Request};
use weir_protocols::openai::chat::{self, Splice};
use weir_telemetry::Code;

use super::api::{Inbound, Outbound};
use super::embed::Embed;
use super::endpoint::Generate;
use super::guard::Guards;
use super::model::Target;
use super::skimmed::Skimmed;
use crate::config::routes::prompt::Schema;
use crate::error::GatewayError;
use crate::large;

/// How long a stream may be silent where no route says so.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// A call.
pub(super) struct Asked<'a> {
    /// In whose words.
    pub(super) api: Inbound,
    /// How long a stream may be silent before its caller is told that it lives on.
    pub(super) keep_alive: Option<Duration>,
    /// What the path says of it, unless it asks for vectors.
    generate: Option<&'a Generate<'a>>,
    body: &'a Bytes,
    form: Form<'a>,
    /// What the answer has to fit before the caller gets it.
    pub(super) expected: Option<&'a Schema>,
    guards: Guards,
}

/// What is read of a call before anybody is picked to answer it.
enum Form<'a> {
    /// What decides: the rest is for the provider.
    Chat(Box<chat::Request<'a>>),
    /// The same, of a request for a response.
    Responses(Box<Skimmed<'a>>),
    /// All of a call for embeddings.
    Embed(Box<Embed<'a>>),
    /// All of it.
    Whole(Box<Request<'a>>),
}

/// A call as it goes to one provider.
pub(super) struct Outgoing {
    /// The body.
    pub(super) body: Bytes,
    /// Where it goes: path and query.
    pub(super) path: String,
    /// In whose words it is.
    pub(super) speaks: Outbound,
    /// Whether those are the caller's.
    pub(super) alike: bool,
    /// What of the caller's request is not in it.
    pub(super) dropped: Vec<String>,
}

impl<'a> Asked<'a> {
    /// Reads a call.
    pub(super) fn read(generate: &'a Generate<'a>, body: &'a Bytes) -> Result<Self, GatewayError> {
        let form = large::work(body.len(), || match generate.api {
            Inbound::Chat => chat::Request::parse(body).map(|chat| Form::Chat(Box::new(chat))),
            Inbound::Responses => {
                Skimmed::read(body).map(|skimmed| Form::Responses(Box::new(skimmed)))
            }
            api => whole(api, Some(generate), body).map(|all| Form::Whole(Box::new(all))),
        });
        let form = form.map_err(|fault| refused(&fault))?;
        if matches!(&form, Form::Responses(asked) if asked.skim.background) {
            // What it uses is known to whoever fetches it, and nobody could say who that is.
            let why = "background: answers made in the background cannot be counted; leave it out \
                       and wait, or stream the answer";
            let error = GatewayError::public(Code::RequestBodyInvalid, why);
            return Err(error.param("background"));
        }
        Ok(Self {
            api: generate.api,
            keep_alive: Some(KEEP_ALIVE),
            generate: Some(generate),
            body,
            form,
            expected: None,
            guards: Guards::new(),
        })
    }

    /// A call that was made of what its caller sent, which is `body`.
    pub(super) fn made(
        call: Request<'a>,
        generate: &'a Generate<'a>,
        body: &'a Bytes,
        expected: Option<&'a Schema>,
    ) -> Self {
        Self {
            api: generate.api,
            keep_alive: Some(KEEP_ALIVE),
            generate: Some(generate),
            body,
            form: Form::Whole(Box::new(call)),
            expected,
            guards: Guards::new(),
        }
    }

    /// The same, told so often that its stream lives on.
    pub(super) fn kept_alive(self, keep_alive: Option<Duration>) -> Self {
        Self { keep_alive, ..self }
    }

    /// Reads what the prompt consists of, where only what decides was read: for who counts it.
    pub(super) fn read_prompt(&mut self) {
        if let Form::Responses(asked) = &mut self.form {
            large::work(self.body.len(), || asked.read_prompt());
        }
    }

    /// Reads a call for embeddings.
    pub(super) fn read_embed(body: &'a Bytes) -> Result<Self, GatewayError> {
        let read = large::work(body.len(), || Embed::read(body));
        Ok(Self {
            api: Inbound::Chat,
            keep_alive: None,
            generate: None,
            body,
            form: Form::Embed(Box::new(read.map_err(|fault| refused(&fault))?)),
            expected: None,
            guards: Guards::new(),
        })
    }

    /// The call for embeddings, if it is one.
    pub(super) fn embed(&self) -> Option<&Embed<'a>> {
        match &self.form {
            Form::Embed(embed) => Some(embed),
            _ => None,
        }
    }

    /// OpenTelemetry's word for what is asked for.
    pub(super) fn operation(&self) -> &'static str {
        match &self.form {
            Form::Embed(_) => "embeddings",
            _ => "chat",
        }
    }

    /// The same, its answer minded by `guards`.
    pub(super) fn guarded(self, guards: Guards) -> Self {
        Self { guards, ..self }
    }

    /// What is to be done to its answer.
    pub(super) const fn guards(&self) -> &Guards {
        &self.guards
    }

    /// The model asked for.
    pub(super) fn model(&self) -> &str {
        match &self.form {
            Form::Chat(chat) => &chat.model,
            Form::Responses(asked) => &asked.skim.model,
            Form::Embed(embed) => embed.model(),
            Form::Whole(all) => &all.model,
        }
    }

    /// Whether the answer is to be streamed.
    pub(super) fn stream(&self) -> bool {
        match &self.form {
            Form::Chat(chat) => chat.stream,
            Form::Responses(asked) => asked.skim.stream,
            Form::Embed(_) => false,
            Form::Whole(all) => all.stream,
        }
    }

    /// How many answers are asked for, at least one.
    pub(super) fn choices(&self) -> u64 {
        match &self.form {
            Form::Chat(chat) => chat.n,
            Form::Responses(_) | Form::Embed(_) => 1,
            Form::Whole(all) => all.choices,
        }
    }

    /// The caller's own limit on each, in tokens.
    pub(super) fn limit(&self) -> Option<u64> {
        match &self.form {
            Form::Chat(chat) => chat.output_limit.as_ref().map(|limit| limit.tokens),
            Form::Responses(asked) => asked.skim.limit.as_ref()?.tokens,
            // A vector has no tokens.
            Form::Embed(_) => Some(0),
            Form::Whole(all) => all.limit,
        }
    }

    /// Whether a stream is to say at its end what was used. OpenAI's chat alone has to be asked.
    pub(super) fn usage(&self) -> bool {
        match &self.form {
            Form::Chat(chat) => chat.include_usage,
            Form::Responses(_) | Form::Embed(_) | Form::Whole(_) => true,
        }
    }

    /// Whether a stream is to be one JSON array instead of events.
    pub(super) fn array(&self) -> bool {
        self.generate.is_some_and(|generate| generate.array)
    }

    /// What it was written as.
    pub(super) const fn body(&self) -> &'a Bytes {
        self.body
    }

    /// Bytes of its body.
    pub(super) fn len(&self) -> usize {
        self.body.len()
    }

    /// All of it, for those who must know more than what decides; `None` if it cannot be read.
    pub(super) fn in_full(&self) -> Option<Cow<'_, Request<'_>>> {
        match &self.form {
            Form::Chat(_) => whole(self.api, self.generate, self.body)
                .ok()
                .map(Cow::Owned),
            Form::Responses(asked) => asked.whole().ok().map(Cow::Owned),
            Form::Embed(_) => None,
            Form::Whole(all) => Some(Cow::Borrowed(all)),
        }
    }

    /// What its prompt consists of.
    pub(super) fn prompt(&self) -> &dyn Prompt {
        match &self.form {
            Form::Chat(chat) => &**chat,
            Form::Responses(asked) => &**asked,
            Form::Embed(embed) => &**embed,
            Form::Whole(all) => &**all,
        }
    }

    /// The call for one target, with no more output per choice than `limit`.
    pub(super) fn aim(
        &self,
        target: &Target,
        limit: Option<u64>,
    ) -> Result<Outgoing, GatewayError> {
        large::work(self.body.len(), || {
            if let Form::Embed(embed) = &self.form {
                return embed.aim(self.body, &target.provider, &target.model);
            }
            let provider = &target.provider;
            let speaks = provider.speaks(self.api);
            let alike = self.api.is(speaks);
            let (body, dropped) = match alike {
                true => (self.splice(target, limit), Vec::new()),
                false => self.translate(target, speaks, limit)?,
            };
            Ok(Outgoing {
                body,
                path: provider.path(speaks, &target.model, self.stream()),
                speaks,
                alike,
                dropped,
            })
        })
    }

    fn splice(&self, target: &Target, limit: Option<u64>) -> Bytes {
        let (body, model) = (self.body, &*target.model);
        let mut edit = Edit::new(body.clone());
        match &self.form {
            Form::Chat(chat) => return splice_chat(body, chat, target, limit),
            Form::Responses(asked) => {
                let mut splice = Splice::new(body.clone());
                if *asked.skim.model != *model {
                    asked.skim.aim(&mut splice, model);
                }
                if let Some(limit) = limit {
                    asked.skim.bound(&mut splice, limit);
                }
                return splice.finish();
            }
            Form::Embed(_) => {}
            Form::Whole(all) if self.api == Inbound::Gemini => {
                if let Some(limit) = lower(limit, all.limit) {
                    edit.number(&["generationConfig", "maxOutputTokens"], limit);
                }
            }
            Form::Whole(all) => {
                if *all.model != *model {
                    edit.string(&["model"], model);
                }
                if let Some(limit) = lower(limit, all.limit) {
                    edit.number(&["max_tokens"], limit);
                }
            }
        }
        edit.finish()
    }

    fn translate(
        &self,
        target: &Target,
        speaks: Outbound,
        limit: Option<u64>,
    ) -> Result<(Bytes, Vec<String>), GatewayError> {
        let mut request = match &self.form {
            Form::Responses(asked) => asked.whole().map_err(|fault| refused(&fault))?,
            Form::Whole(all) => (**all).clone(),
            Form::Chat(_) | Form::Embed(_) => {
                whole(self.api, self.generate, self.body).map_err(|fault| refused(&fault))?
            }
        };
        request.model = (*target.model).into();
        request.limit = [request.limit, limit].into_iter().flatten().min();
        let written = speaks.write(&request, &target.provider.profile);
        let written = written.map_err(|refused| {
            let path = refused.path.clone();
            GatewayError::public(Code::RequestBodyInvalid, refused.to_string()).param(path)
        })?;
        let mut dropped: Vec<String> = written.dropped.into_iter().map(str::to_owned).collect();
        dropped.append(&mut request.unknown);
        Ok((written.body.into(), dropped))
    }
}

fn splice_chat(
    body: &Bytes,
    chat: &chat::Request<'_>,
    target: &Target,
    limit: Option<u64>,
) -> Bytes {
    let profile = &target.provider.profile;
    let mut splice = Splice::new(body.clone());
    splice.with_model(chat, &target.model);
    if profile.ask_usage {
        splice.with_usage_requested(chat);
    }
    if profile.one_limit {
        splice.with_limit_called(chat, profile.limit);
    }
    if let Some(limit) = limit {
        splice.with_max_tokens(chat, limit, profile.limit);
    }
    splice.finish()
}

/// Ours, if it is less than the caller's.
fn lower(ours: Option<u64>, theirs: Option<u64>) -> Option<u64> {
    ours.filter(|ours| theirs.is_none_or(|theirs| *ours < theirs))
}

fn whole<'a>(
    api: Inbound,
    generate: Option<&'a Generate<'a>>,
    body: &'a Bytes,
) -> Result<Request<'a>, Fault> {
    let model = generate.and_then(|generate| generate.model.as_deref());
    api.read(body, model, generate.and_then(|generate| generate.stream))
}

pub(super) fn refused(fault: &Fault) -> GatewayError {
    GatewayError::public(Code::RequestBodyInvalid, fault.to_string()).param(&*fault.path)
}
