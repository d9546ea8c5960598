//! What an answer is held to: JSON that fits the route's schema. One that does not fit is the model's
//! fault, and no caller gets it.

use serde_json::Value;
use weir_protocols::llm::{Answer, Finish, Part};
use weir_telemetry::Code;

use super::answer::{ended, text};
use crate::action::llm::note;
use crate::config::routes::prompt::Schema;
use crate::error::GatewayError;

/// Appends the JSON that an answer is, written anew: what was judged is what is sent.
///
/// # Errors
/// If it is none, does not fit, or is not all that the model had to say.
pub(in crate::action::llm) fn write(
    out: &mut Vec<u8>,
    answer: &Answer<'_>,
    schema: &Schema,
) -> Result<(), GatewayError> {
    let value = judged(answer, schema).map_err(|why| {
        let detail =
            format!("The model's answer does not fit the schema of this route's output: {why}.");
        GatewayError::public(Code::ModelOutputInvalid, detail.clone()).source(detail)
    })?;
    serde_json::to_writer(out, &value).expect("what was read as JSON can be written");
    Ok(())
}

/// What an answer holds, or what is wrong with it: the rule and where the schema says it, nothing of
/// what the model said.
fn judged(answer: &Answer<'_>, schema: &Schema) -> Result<Value, String> {
    let Some(choice) = answer.choices.first() else {
        return Err("there is none".to_owned());
    };
    let finish = ended(choice);
    if choice
        .parts
        .iter()
        .any(|part| matches!(part, Part::Refusal(_)))
    {
        return Err("the model declined".to_owned());
    }
    if !matches!(finish, Finish::Stop | Finish::StopSequence) {
        return Err(format!("it ended early, by \"{}\"", note::word(finish)));
    }
    let text = text(choice);
    let value = serde_json::from_str(text.trim()).map_err(|_| "it is not JSON".to_owned())?;
    schema
        .check(&value, text.len())
        .map_err(|fault| match fault {
            Some(fault) => format!("it breaks the rule `{}` at {}", fault.rule, fault.place),
            None => "it breaks a rule".to_owned(),
        })?;
    Ok(value)
}
