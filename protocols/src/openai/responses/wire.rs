//! A response object as it is written, whole or while it comes into being.
//!
//! Official client libraries read members that say again what was asked. Those that must be there
//! stand with what they mean when nothing was asked: the object tells what was answered.

use std::borrow::Cow;

use serde::Serialize;

use super::REDACTED;
use crate::llm::{self, Finish};

#[derive(Serialize)]
pub(super) struct Response<'r> {
    id: &'r str,
    object: &'static str,
    created_at: u64,
    pub(super) status: &'static str,
    background: bool,
    error: Option<Failure<'r>>,
    incomplete_details: Option<Incomplete>,
    instructions: (),
    max_output_tokens: (),
    metadata: Empty,
    model: &'r str,
    output: &'r [Item<'r>],
    parallel_tool_calls: bool,
    previous_response_id: (),
    reasoning: Reasoning,
    store: bool,
    temperature: (),
    text: Text,
    tool_choice: &'static str,
    tools: [(); 0],
    top_p: (),
    truncation: &'static str,
    pub(super) usage: Option<Usage>,
    user: (),
}

/// Why a response failed.
#[derive(Clone, Copy, Serialize)]
struct Failure<'r> {
    code: &'r str,
    message: &'r str,
}

/// Why a response is not whole; no reason if the dialect has no word for it.
#[derive(Clone, Copy, Serialize)]
struct Incomplete {
    reason: Option<&'static str>,
}

#[derive(Default, Serialize)]
struct Empty {}

#[derive(Default, Serialize)]
struct Reasoning {
    effort: (),
    summary: (),
}

#[derive(Serialize)]
struct Text {
    format: Format,
}

#[derive(Serialize)]
struct Format {
    #[serde(rename = "type")]
    kind: &'static str,
}

impl<'r> Response<'r> {
    /// A response that has just begun.
    pub(super) fn new(
        id: &'r str,
        model: &'r str,
        created_at: u64,
        output: &'r [Item<'r>],
    ) -> Self {
        Self {
            id,
            object: "response",
            created_at,
            status: "in_progress",
            background: false,
            error: None,
            incomplete_details: None,
            instructions: (),
            max_output_tokens: (),
            metadata: Empty {},
            model,
            output,
            parallel_tool_calls: true,
            previous_response_id: (),
            reasoning: Reasoning::default(),
            store: false,
            temperature: (),
            text: Text {
                format: Format { kind: "text" },
            },
            tool_choice: "auto",
            tools: [],
            top_p: (),
            truncation: "disabled",
            usage: None,
            user: (),
        }
    }

    /// The same, failed.
    pub(super) fn failed(mut self, code: &'r str, message: &'r str) -> Self {
        self.status = "failed";
        self.error = Some(Failure { code, message });
        self
    }

    /// The same, ended for this reason; whole, if the provider gives none.
    pub(super) fn ended(mut self, finish: Option<Finish>) -> Self {
        self.status = status(finish);
        self.incomplete_details = match finish {
            Some(Finish::Length) => Some("max_output_tokens"),
            Some(Finish::Filtered) => Some("content_filter"),
            _ => None,
        }
        .map(|reason| Incomplete {
            reason: Some(reason),
        });
        if self.status == "incomplete" && self.incomplete_details.is_none() {
            self.incomplete_details = Some(Incomplete { reason: None });
        }
        self
    }
}

/// The status of a response that ended for this reason, and of the item it ended in.
pub(super) const fn status(finish: Option<Finish>) -> &'static str {
    match finish {
        None | Some(Finish::Stop | Finish::StopSequence | Finish::ToolCalls | Finish::Refusal) => {
            "completed"
        }
        Some(
            Finish::Length
            | Finish::Filtered
            | Finish::Paused
            | Finish::MalformedCall
            | Finish::Other,
        ) => "incomplete",
    }
}

/// An item of the output.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Item<'r> {
    Reasoning {
        id: String,
        summary: Vec<Summary<'r>>,
        #[serde(skip_serializing_if = "Option::is_none")]
        encrypted_content: Option<Cow<'r, str>>,
    },
    Message {
        id: String,
        status: &'static str,
        role: &'static str,
        content: Vec<Content<'r>>,
    },
    FunctionCall {
        id: String,
        status: &'static str,
        call_id: Cow<'r, str>,
        name: Cow<'r, str>,
        arguments: Cow<'r, str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        extra_content: Option<Extra<'r>>,
    },
}

/// A part of a message.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Content<'r> {
    OutputText {
        annotations: [(); 0],
        logprobs: [(); 0],
        text: Cow<'r, str>,
    },
    Refusal {
        refusal: Cow<'r, str>,
    },
}

impl<'r> Content<'r> {
    pub(super) const fn text(text: Cow<'r, str>) -> Self {
        Self::OutputText {
            annotations: [],
            logprobs: [],
            text,
        }
    }
}

/// A part of what is shown of thoughts.
#[derive(Serialize)]
pub(super) struct Summary<'r> {
    #[serde(rename = "type")]
    kind: &'static str,
    pub(super) text: Cow<'r, str>,
}

impl<'r> Summary<'r> {
    pub(super) const fn new(text: Cow<'r, str>) -> Self {
        Self {
            kind: "summary_text",
            text,
        }
    }
}

/// What signs a call: a member beyond those of the API, named as Google names it in its own version
/// of OpenAI's dialect.
#[derive(Serialize)]
pub(super) struct Extra<'r> {
    google: Google<'r>,
}

#[derive(Serialize)]
struct Google<'r> {
    thought_signature: Cow<'r, str>,
}

impl<'r> Item<'r> {
    /// Thoughts, numbered `at` in the output of the response `seed`: what is shown of them, and what
    /// signs them.
    pub(super) fn reasoning(
        seed: &str,
        at: usize,
        shown: Option<Cow<'r, str>>,
        encrypted_content: Option<Cow<'r, str>>,
    ) -> Self {
        Self::Reasoning {
            id: format!("rs_{seed}_{at}"),
            summary: shown.map(Summary::new).into_iter().collect(),
            encrypted_content,
        }
    }

    /// Thoughts that only their provider can read.
    pub(super) fn redacted(seed: &str, at: usize, data: Cow<'r, str>) -> Self {
        Self::Reasoning {
            id: format!("{REDACTED}{seed}_{at}"),
            summary: Vec::new(),
            encrypted_content: Some(data),
        }
    }

    /// A message.
    pub(super) fn message(seed: &str, at: usize, content: Vec<Content<'r>>) -> Self {
        Self::Message {
            id: format!("msg_{seed}_{at}"),
            status: "in_progress",
            role: "assistant",
            content,
        }
    }

    /// A call of a function, with what is known of its arguments.
    pub(super) fn call(seed: &str, at: usize, call: llm::ToolCall<'r>) -> Self {
        Self::FunctionCall {
            id: format!("fc_{seed}_{at}"),
            status: "in_progress",
            call_id: call.id,
            name: call.name,
            arguments: call.arguments,
            extra_content: call.signature.map(|thought_signature| Extra {
                google: Google { thought_signature },
            }),
        }
    }

    /// What the item is called.
    pub(super) fn id(&self) -> &str {
        let (Self::Reasoning { id, .. } | Self::Message { id, .. } | Self::FunctionCall { id, .. }) =
            self;
        id
    }

    /// How far it has come; reasoning has no word for that.
    pub(super) fn set_status(&mut self, now: &'static str) {
        match self {
            Self::Reasoning { .. } => {}
            Self::Message { status, .. } | Self::FunctionCall { status, .. } => *status = now,
        }
    }
}

/// What was used. All its members are required: a number the provider does not give is zero.
#[derive(Clone, Copy, Serialize)]
pub(super) struct Usage {
    input_tokens: u64,
    input_tokens_details: InputDetails,
    output_tokens: u64,
    output_tokens_details: OutputDetails,
    total_tokens: u64,
}

#[derive(Clone, Copy, Serialize)]
struct InputDetails {
    cached_tokens: u64,
    cache_write_tokens: u64,
}

#[derive(Clone, Copy, Serialize)]
struct OutputDetails {
    reasoning_tokens: u64,
}

impl From<llm::Usage> for Usage {
    fn from(usage: llm::Usage) -> Self {
        Self {
            input_tokens: usage.input,
            input_tokens_details: InputDetails {
                cached_tokens: usage.cached.unwrap_or(0),
                cache_write_tokens: usage.cache_written.unwrap_or(0),
            },
            output_tokens: usage.output,
            output_tokens_details: OutputDetails {
                reasoning_tokens: usage.reasoning.unwrap_or(0),
            },
            total_tokens: usage.total,
        }
    }
}
