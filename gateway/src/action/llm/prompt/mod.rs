//! `prompt`: an API made of a prompt. Callers POST JSON; a template makes it a call of a model, which
//! goes the way of every such call: quotas, targets, telemetry.
//!
//! | Module | Knows |
//! |---|---|
//! | `input` | what callers send, and why it is refused |
//! | `answer` | what callers of a prompt without a schema are given, whole or streamed |
//! | `output` | what an answer is held to |
//!
//! What a caller sends is put into the prompt as text and nothing in it is interpreted here. What a
//! model makes of it is the model's business: a prompt is no barrier against texts that give orders.

pub(super) mod answer;
mod input;
pub(super) mod output;

use std::sync::Arc;

use http::header::{ACCEPT, ALLOW};
use http::{HeaderMap, HeaderValue, Method};
use serde_json::{Map, Value};
use weir_protocols::llm::{
    Fault, FaultKind, Format, Json, Message, Part, Request as Call, Role, Sampling,
};
use weir_telemetry::Code;

use super::api::Inbound;
use super::ask::Asked;
use super::endpoint::Generate;
use super::guard;
use super::model::Model;
use super::note::Notes;
use super::serve;
use crate::config::routes::prompt as config;
use crate::error::GatewayError;
use crate::large;
use crate::proxy::{Downstream, Request};

/// The action.
pub(crate) struct Prompt {
    /// What it says.
    pub(super) config: config::Prompt,
    /// Who answers.
    pub(super) model: Arc<Model>,
    /// What is written down of calls.
    pub(super) notes: Notes,
}

impl Prompt {
    /// Makes ready what takes long the first time tokens are counted.
    pub(crate) fn prepare_to_count(&self) {
        self.model.prepare_to_count();
    }

    /// Answers one call.
    pub(crate) async fn run(
        &self,
        request: &mut Request,
        down: &mut Downstream,
    ) -> Result<(), GatewayError> {
        if down.head().method != Method::POST {
            let error = GatewayError::public(Code::MethodNotAllowed, "This is asked for by POST.");
            return Err(error.header(ALLOW, HeaderValue::from_static("POST")));
        }
        if !self.model.admits(request.consumer.as_deref()) {
            return Err(self.model.denied());
        }
        let stream = self.config.output.is_none() && wants_events(&down.head().headers);
        down.limit(self.config.max_body)?;
        let body = down.read_whole().await?;
        let mut input = large::work(body.len(), || input::read(&body, &self.config.input))?;
        let generate = Generate {
            api: Inbound::Prompt,
            model: None,
            stream: Some(stream),
            array: false,
        };
        let sent = body.clone();
        let (body, guards) = guard::prompt(request, down, &generate, body).await?;
        if body != sent {
            // What stands for what was masked need not fit the schema.
            input = large::work(body.len(), || input::again(&body))?;
        }
        let call = self.call(&input, stream);
        let expected = self.config.output.as_deref();
        let asked = Asked::made(call, &generate, &body, expected).guarded(guards);
        serve::serve(request, down, &asked, &self.model, &self.notes, None).await
    }

    /// The call that the template makes of an input.
    fn call(&self, input: &Map<String, Value>, stream: bool) -> Call<'static> {
        let config = &self.config;
        let text = |text: &config::Text| Part::Text(text.fill(input).into());
        Call {
            instructions: config.instructions.iter().map(text).collect(),
            messages: vec![Message {
                role: Role::User,
                name: None,
                parts: vec![text(&config.message)],
            }],
            format: config.output.as_deref().map_or(Format::Text, format),
            limit: config.max_tokens,
            sampling: Sampling {
                temperature: config.temperature,
                ..Sampling::default()
            },
            stream,
            stream_usage: stream,
            ..Call::new(self.model.name.to_string())
        }
    }
}

fn format(schema: &config::Schema) -> Format<'static> {
    let text = schema.json().to_string();
    Format::Schema {
        name: None,
        description: None,
        schema: Json::parse(&text).expect("it was just written"),
        strict: None,
    }
}

/// Whether a caller wants its answer as events, while it is written.
fn wants_events(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(ACCEPT).iter();
    let ranges = accepted.flat_map(|value| value.as_bytes().split(|byte| *byte == b','));
    let mut essences = ranges.map(|range| range.split(|byte| *byte == b';').next());
    essences.any(|essence| {
        essence.is_some_and(|it| it.trim_ascii().eq_ignore_ascii_case(b"text/event-stream"))
    })
}

/// Why nobody reads a prompt's call: there is no text of one.
pub(super) fn unread() -> Fault {
    Fault {
        kind: FaultKind::WrongType,
        path: String::new(),
        problem: "a prompt's call is made by its route".into(),
        mend: "send the input that the route describes",
        byte: 0,
        line: 1,
        column: 1,
    }
}
