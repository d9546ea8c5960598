//! Writes the body of `Converse` and `ConverseStream`, which are the same (Amazon Bedrock API
//! Reference, `Converse`). The model and whether the answer is streamed stand in the path.
//!
//! | What | Becomes |
//! |---|---|
//! | instructions | `system` |
//! | turns of one role after another | one turn, results of tools first |
//! | blank texts, and turns that say nothing | left out: the API refuses them |
//! | reasoning without a signature, in earlier turns | dropped: no model takes it back |
//! | cache points | `cachePoint`, for models known to keep prompts; else dropped |
//! | images | bytes; at addresses or in a provider's store: refused |
//! | documents | bytes, under a name of the API's alphabet that no other has |
//! | sounds | refused |
//! | `tool_choice` `none` | no tools; refused once the conversation has calls |
//! | one tool at a time | refused: nothing holds models to it |
//! | a schema for the answer | `outputConfig.textFormat`; JSON of any shape is refused |
//! | `top_k`, thinking | `additionalModelRequestFields`, in the words of the model's maker; dropped where it has none, or a tool is forced |
//! | `temperature` above 1 | 1, and told |
//! | several choices, probabilities | refused |
//! | `seed`, penalties, `logit_bias`, `user` | dropped |

mod content;
mod extra;
mod id;
mod media;
mod tools;
mod wire;

use super::model::Model;
use crate::llm::loss::Dropped;
use crate::llm::{Format, Part, Refused, Request, Written};

/// Writes `request`.
///
/// # Errors
/// [`Refused`] if it says something that Converse has no words for.
pub fn write(request: &Request<'_>) -> Result<Written, Refused> {
    let model = Model::of(&request.model);
    let mut dropped = Dropped::default();
    if request.choices > 1 {
        return Err(Refused::new("n", "gives one answer at a time"));
    }
    if request.logprobs.is_some() {
        return Err(Refused::new("logprobs", "tells no probabilities"));
    }
    note(request, &mut dropped);
    let tool_config = tools::config(request)?;
    let (extra, thinks) = extra::fields(request, model, &mut dropped);
    let body = wire::Body {
        messages: content::messages(request, model, &mut dropped)?,
        system: system(request, model, &mut dropped)?,
        inference_config: inference(request, model, thinks, &mut dropped),
        tool_config,
        output_config: output(&request.format)?,
        additional_model_request_fields: extra,
        // Told only if asked for, and passed over by models that do not tell.
        additional_model_response_field_paths: match request.stop.is_empty() {
            true => &[],
            false => &["/stop_sequence"],
        },
    };
    Ok(Written {
        body: serde_json::to_vec(&body).expect("text, numbers and JSON always serialise"),
        dropped: dropped.into_names(),
    })
}

/// What only tunes and has no word.
fn note(request: &Request<'_>, dropped: &mut Dropped) {
    let sampling = &request.sampling;
    dropped.note("seed", sampling.seed.is_some());
    dropped.note("frequency_penalty", sampling.frequency_penalty.is_some());
    dropped.note("presence_penalty", sampling.presence_penalty.is_some());
    dropped.note("logit_bias", sampling.logit_bias.is_some());
    dropped.note("user", request.user.is_some());
}

fn system<'r>(
    request: &'r Request<'_>,
    model: Model,
    dropped: &mut Dropped,
) -> Result<Vec<wire::System<'r>>, Refused> {
    let mut system = Vec::new();
    for (index, part) in request.instructions.iter().enumerate() {
        match part {
            Part::Text(text) if text.trim().is_empty() => {}
            Part::Text(text) => system.push(wire::System::Text(text)),
            // The API wants something before it.
            Part::CachePoint if model.caches() && !system.is_empty() => {
                system.push(wire::System::CachePoint(wire::CACHE_POINT));
            }
            Part::CachePoint => dropped.note("cache_control", true),
            _ => {
                let path = format!("system[{index}]");
                return Err(Refused::new(path, "takes only text as instructions"));
            }
        }
    }
    Ok(system)
}

fn inference<'r>(
    request: &'r Request<'_>,
    model: Model,
    thinks: bool,
    dropped: &mut Dropped,
) -> Option<wire::Inference<'r>> {
    let sampling = &request.sampling;
    // Claude thinks at its own temperature, and of the likeliest words only so far.
    let claude_thinks = thinks && matches!(model, Model::Claude(_));
    let fixed = claude_thinks || !model.samples();
    dropped.note("temperature", fixed && sampling.temperature.is_some());
    let temperature = sampling.temperature.filter(|_| !fixed);
    dropped.note("temperature above 1", temperature.is_some_and(|t| t > 1.0));
    let narrow = sampling.top_p.is_some_and(|p| p < 0.95);
    let no_top_p = !model.samples() || (claude_thinks && narrow);
    dropped.note("top_p", no_top_p && sampling.top_p.is_some());
    let inference = wire::Inference {
        max_tokens: request.limit,
        temperature: temperature.map(|t| t.min(1.0)),
        top_p: sampling.top_p.filter(|_| !no_top_p),
        stop_sequences: &request.stop,
    };
    let says = inference.max_tokens.is_some()
        || inference.temperature.is_some()
        || inference.top_p.is_some()
        || !inference.stop_sequences.is_empty();
    says.then_some(inference)
}

fn output<'r>(format: &'r Format<'_>) -> Result<Option<wire::OutputConfig<'r>>, Refused> {
    match format {
        Format::Text => Ok(None),
        Format::Json => Err(Refused::new(
            "response_format",
            "writes JSON only to a schema: name one",
        )),
        // Every schema is held to the letter, whether or not that was asked for.
        Format::Schema {
            name,
            description,
            schema,
            strict: _,
        } => Ok(Some(wire::OutputConfig {
            text_format: wire::TextFormat {
                kind: "json_schema",
                structure: wire::Structure {
                    json_schema: wire::JsonSchema {
                        schema: schema.get(),
                        name: name.as_deref(),
                        description: description.as_deref(),
                    },
                },
            },
        })),
    }
}
