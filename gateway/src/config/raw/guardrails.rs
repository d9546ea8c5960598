//! Policies of `llm` routes that mind what is said, as written.

use schemars::JsonSchema;
use serde::Deserialize;

use super::Name;
use crate::config::units::Duration;

/// `prompt`: adds messages to prompts, and templates that callers fill in.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "PromptPolicy")]
pub struct Prompt {
    /// Messages before the conversation, in order. Texts may hold `{consumer}`, `{team}` and
    /// `{header.NAME}`; `{{` and `}}` are braces.
    pub prepend: Vec<Message>,
    /// Messages after it, in order.
    pub append: Vec<Message>,
    /// Messages that callers ask for by the member `prompt_template` of their body, as
    /// `{"name": "summary", "variables": {"audience": "children"}}`.
    pub templates: Vec<PromptTemplate>,
}

/// A message.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "PromptMessage")]
pub struct Message {
    /// Who says it.
    pub role: Speaker,
    /// What.
    pub text: String,
}

/// Who says a message that is added.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Speaker {
    /// Instructions.
    System,
    /// The caller.
    User,
    /// The model.
    Assistant,
}

/// Messages that callers ask for.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PromptTemplate {
    /// By this name.
    pub name: Name,
    /// The messages. Texts may hold `{variables.NAME}` beside the others.
    #[schemars(length(min = 1))]
    pub messages: Vec<Message>,
}

/// `prompt_guard`: lets prompts and answers pass by what they say and how long they are.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct PromptGuard {
    /// Whose texts `allow`, `deny` and `max_characters` are about; everybody's, if not said.
    pub roles: Vec<Role>,
    /// Each text has to match one of these.
    pub allow: Vec<Pattern>,
    /// No text may match any of these.
    pub deny: Vec<Pattern>,
    /// The most characters of all texts together.
    pub max_characters: Option<u32>,
    /// The most messages, instructions apart.
    pub max_messages: Option<u32>,
    /// What answers may not say.
    pub answer: AnswerGuard,
}

/// What answers may not say.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct AnswerGuard {
    /// No answer may match any of these, which match at most 1024 bytes each.
    pub deny: Vec<Pattern>,
}

/// A regular expression.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Pattern {
    /// What callers are told that it refused, and what metrics call it.
    pub name: Name,
    /// The expression, as the crate `regex` reads it: without look-around and references back.
    pub pattern: String,
}

/// Who says a text.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Instructions.
    System,
    /// The caller.
    User,
    /// The model, in earlier turns.
    Assistant,
    /// A tool that returned something.
    Tool,
}

/// `pii`: finds what identifies people in prompts and answers.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Pii {
    /// What is looked for; everything Weir knows, if not said.
    #[serde(default)]
    pub detect: Vec<Detector>,
    /// What is done about it.
    pub action: PiiAction,
    /// Where it is looked for.
    #[serde(default)]
    pub direction: Direction,
}

/// What is looked for.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
#[schemars(rename = "PiiDetector")]
pub enum Detector {
    /// Addresses of e-mail.
    Email,
    /// Telephone numbers: E.164, and the forms usual in North America.
    Phone,
    /// Numbers of cards whose checksum is right.
    CreditCard,
    /// Numbers of bank accounts whose checksum is right.
    Iban,
    /// Addresses of IPv4 and IPv6.
    IpAddress,
    /// Social security numbers of the USA.
    UsSsn,
    /// What a pattern says.
    Pattern {
        /// What placeholders and metrics call it.
        name: Name,
        /// The expression; it matches at most 1024 bytes.
        pattern: String,
    },
}

/// What is done about what is found.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum PiiAction {
    /// A placeholder takes its place, as `[EMAIL_1]`; `[EMAIL]` in answers.
    Mask {
        /// Turns the placeholders of the prompt back in the answer.
        #[serde(default)]
        reversible: bool,
    },
    /// The call, or its answer, is refused.
    Block,
    /// It is counted.
    Report,
}

/// Where something is looked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "SpeechDirection")]
pub enum Direction {
    /// In prompts.
    #[default]
    Request,
    /// In answers.
    Response,
    /// In both.
    Both,
}

/// `external_guard`: asks a service of yours whether a prompt may pass.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ExternalGuard {
    /// Who is asked: an entry of `upstreams`.
    pub upstream: Name,
    /// Where, by POST.
    pub path: String,
    /// How long it may take, connecting and trying again included.
    #[serde(default = "ExternalGuard::default_timeout")]
    pub timeout: Duration,
    /// What becomes of a prompt about which nobody says anything.
    pub on_failure: OnFailure,
}

impl ExternalGuard {
    fn default_timeout() -> Duration {
        Duration::from_secs(2)
    }
}

/// What becomes of a prompt about which nobody says anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "OnGuardFailure")]
pub enum OnFailure {
    /// It is refused.
    Deny,
    /// It passes, and that is counted.
    Allow,
}
