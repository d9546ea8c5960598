//! A request for a response in terms that every dialect shares.
//!
//! | What | Is read as |
//! |---|---|
//! | `instructions`, and messages of `system` and `developer` | instructions |
//! | messages, calls and reasoning of the model that follow each other | one turn |
//! | results of functions that follow each other | one turn of the user |
//! | `encrypted_content` | the signature of the thoughts |
//! | `prompt_cache_breakpoint` | a cache point after its part |
//! | `allowed_tools` | the tools it names, all others left out |
//! | `store: true` | told as unknown: nothing is kept |
//! | what only the provider keeps, tools that it runs itself | a fault |

mod content;
mod input;
mod options;

use crate::json::{Document, Fault, Value};
use crate::llm::{self, FaultKind, Part};

/// The members read here; all others are OpenAI's own business.
const KEYS: [&str; 22] = [
    "model",
    "input",
    "instructions",
    "tools",
    "tool_choice",
    "parallel_tool_calls",
    "text",
    "reasoning",
    "max_output_tokens",
    "temperature",
    "top_p",
    "top_logprobs",
    "include",
    "user",
    "safety_identifier",
    "stream",
    "stream_options",
    "store",
    "background",
    "previous_response_id",
    "conversation",
    "prompt",
];

/// Reads a request for a response.
///
/// # Errors
/// A [`Fault`] with the place of what is wrong, or cannot be told to a model of another dialect.
pub fn read(body: &[u8]) -> Result<llm::Request<'_>, Fault> {
    let root = Document::new(body)?.root();
    let mut unknown = Vec::new();
    let [
        model,
        input,
        instructions,
        tools,
        choice,
        parallel,
        text,
        reasoning,
        limit,
        temperature,
        top_p,
        top_logprobs,
        include,
        user,
        safety_identifier,
        stream,
        stream_options,
        store,
        background,
        kept @ ..,
    ] = root.members(KEYS, &mut |key| unknown.push(key.to_owned()))?;
    stands_alone(background, kept)?;

    let model = model.ok_or_else(|| root.missing("model", "name the model to use, as a string"))?;
    let mut request = llm::Request::new(model.text()?);
    request.unknown = unknown;
    if let Some(instructions) = instructions {
        request.instructions.push(Part::Text(instructions.text()?));
    }
    let input = input.ok_or_else(|| root.missing("input", "send a text or an array of items"))?;
    input::read(&input, &mut request)?;

    request.tools = opt(tools, options::tools)?.unwrap_or_default();
    request.choose = opt(choice, |choice| options::choose(choice, &mut request.tools))?;
    request.parallel_tool_calls = opt(parallel, Value::boolean)?;
    request.reasoning = opt(reasoning, options::reasoning)?.flatten();
    request.limit = opt(limit, Value::whole)?;
    request.sampling.temperature = opt(temperature, Value::number)?;
    request.sampling.top_p = opt(top_p, Value::number)?;
    request.user = opt(user.or(safety_identifier), Value::text)?;
    request.stream = opt(stream, Value::boolean)?.unwrap_or(false);
    // Every stream of this dialect ends with it.
    request.stream_usage = request.stream;
    options::text(text, &mut request)?;
    options::logprobs(include, top_logprobs, &mut request)?;
    options::left_undone(store, stream_options, &mut request)?;
    Ok(request)
}

/// That the request says all there is to say, and is answered while the caller waits.
fn stands_alone(
    background: Option<Value<'_, '_>>,
    kept: [Option<Value<'_, '_>>; 3],
) -> Result<(), Fault> {
    if let Some(background) = background
        && background.boolean()?
    {
        return Err(background.fault(
            FaultKind::OutOfRange,
            "an answer cannot be fetched later: none is kept",
            "leave it out, and read the answer or its stream",
        ));
    }
    match kept.into_iter().flatten().next() {
        None => Ok(()),
        Some(kept) => Err(kept.fault(
            FaultKind::OutOfRange,
            "it names what only the provider that keeps it knows, and nothing is kept here",
            "leave it out, and send the whole conversation in `input`",
        )),
    }
}

/// What `read` makes of a value, if there is one.
fn opt<'a, 'p, T>(
    value: Option<Value<'a, 'p>>,
    read: impl FnOnce(&Value<'a, 'p>) -> Result<T, Fault>,
) -> Result<Option<T>, Fault> {
    value.as_ref().map(read).transpose()
}
