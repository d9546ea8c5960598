//! A chat request in terms that every dialect shares. Reads all of it, where
//! [`Request`](super::Request) reads what a gateway decides by.

mod messages;
mod options;
mod parts;

use crate::json::{Document, Fault, Value};
use crate::llm;

/// The members read here; all others are OpenAI's own business.
const KEYS: [&str; 27] = [
    "model",
    "messages",
    "tools",
    "functions",
    "tool_choice",
    "function_call",
    "parallel_tool_calls",
    "response_format",
    "max_completion_tokens",
    "max_tokens",
    "n",
    "stop",
    "temperature",
    "top_p",
    "top_k",
    "frequency_penalty",
    "presence_penalty",
    "seed",
    "logit_bias",
    "logprobs",
    "top_logprobs",
    "reasoning_effort",
    "user",
    "safety_identifier",
    "stream",
    "stream_options",
    "modalities",
];

/// Reads a chat completions request.
///
/// # Errors
/// A [`Fault`] with the place of what is wrong, or cannot be told to a model of another dialect.
pub fn read(body: &[u8]) -> Result<llm::Request<'_>, Fault> {
    let root = Document::new(body)?.root();
    let mut unknown = Vec::new();
    let values = root.members(KEYS, &mut |key| unknown.push(key.to_owned()))?;
    let [
        model,
        messages,
        tools,
        functions,
        tool_choice,
        function_call,
        parallel,
        format,
        completion_limit,
        limit,
        n,
        stop,
        temperature,
        top_p,
        top_k,
        frequency_penalty,
        presence_penalty,
        seed,
        logit_bias,
        logprobs,
        top_logprobs,
        effort,
        user,
        safety_identifier,
        stream,
        stream_options,
        modalities,
    ] = values;
    let model = model.ok_or_else(|| root.missing("model", "name the model to use, as a string"))?;
    let mut request = llm::Request::new(model.text()?);
    let said = messages.ok_or_else(|| root.missing("messages", "send an array of messages"))?;
    messages::read(&said, &mut request)?;
    request.tools = options::tools(tools, functions)?;
    request.choose = match (tool_choice, function_call) {
        (Some(choice), _) | (None, Some(choice)) => Some(options::choose(&choice)?),
        (None, None) => None,
    };
    request.parallel_tool_calls = opt(parallel, Value::boolean)?;
    request.format = opt(format, options::format)?.unwrap_or_default();
    request.limit = opt(completion_limit.or(limit), Value::whole)?;
    request.choices = opt(n, options::choices)?.unwrap_or(1);
    request.stop = opt(stop, options::stop)?.unwrap_or_default();
    request.sampling = llm::Sampling {
        temperature: opt(temperature, Value::number)?,
        top_p: opt(top_p, Value::number)?,
        top_k: opt(top_k, Value::whole)?,
        frequency_penalty: opt(frequency_penalty, Value::number)?,
        presence_penalty: opt(presence_penalty, Value::number)?,
        seed: opt(seed, Value::integer)?,
        logit_bias: opt(logit_bias, Value::json_object)?,
    };
    request.logprobs = options::logprobs(logprobs, top_logprobs)?;
    request.reasoning = opt(effort, options::reasoning)?;
    request.user = opt(user.or(safety_identifier), Value::text)?;
    request.stream = opt(stream, Value::boolean)?.unwrap_or(false);
    request.stream_usage = opt(stream_options, options::include_usage)?.unwrap_or(false);
    if let Some(modalities) = modalities {
        options::modalities(&modalities)?;
    }
    request.unknown = unknown;
    Ok(request)
}

/// What `read` makes of a value, if there is one.
fn opt<'a, 'p, T>(
    value: Option<Value<'a, 'p>>,
    read: impl FnOnce(&Value<'a, 'p>) -> Result<T, Fault>,
) -> Result<Option<T>, Fault> {
    value.as_ref().map(read).transpose()
}
