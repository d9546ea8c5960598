//! What a provider that speaks this dialect says was used. Knows no price and no quota.

use std::sync::LazyLock;

use memchr::memmem::Finder;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::json;
use crate::llm::Usage;

/// The `usage` of a whole response. `None` if there is none, or it lacks input or output tokens.
pub fn of_answer(body: &[u8]) -> Option<Usage> {
    let response: Response<'_> = object(body)?;
    read(response.usage?.get())
}

/// The `usage` in the response that an event of a stream holds, given the event's data. Events
/// without one, `null` included, cost one scan.
pub fn of_event(data: &[u8]) -> Option<Usage> {
    // Inside a JSON string every quote is escaped: the key in quotes cannot be part of one.
    static KEY: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b"\"usage\""));
    let may_be_there = KEY.find_iter(data).any(|at| {
        let after = data[at + KEY.needle().len()..].trim_ascii_start();
        let value = after.strip_prefix(b":").map(<[u8]>::trim_ascii_start);
        value.is_some_and(|value| !value.starts_with(b"null"))
    });
    if !may_be_there {
        return None;
    }
    let event: Event<'_> = object(data)?;
    read(event.response?.usage?.get())
}

#[derive(Deserialize)]
struct Event<'a> {
    #[serde(borrow, default)]
    response: Option<Response<'a>>,
}

#[derive(Deserialize)]
struct Response<'a> {
    #[serde(borrow, default)]
    usage: Option<&'a RawValue>,
}

fn object<'a, T: Deserialize<'a>>(data: &'a [u8]) -> Option<T> {
    let is_object = data.trim_ascii_start().starts_with(b"{");
    is_object.then(|| serde_json::from_slice(data).ok())?
}

/// The value of `usage`.
pub(super) fn read(report: &str) -> Option<Usage> {
    #[derive(Deserialize)]
    struct Report<'a> {
        #[serde(borrow, default)]
        input_tokens: Option<&'a RawValue>,
        #[serde(borrow, default)]
        output_tokens: Option<&'a RawValue>,
        #[serde(borrow, default)]
        total_tokens: Option<&'a RawValue>,
        #[serde(borrow, default)]
        input_tokens_details: Option<&'a RawValue>,
        #[serde(borrow, default)]
        output_tokens_details: Option<&'a RawValue>,
    }
    if !report.starts_with('{') {
        return None;
    }
    let report: Report<'_> = serde_json::from_str(report).ok()?;
    let mut usage = Usage::new(number(report.input_tokens)?, number(report.output_tokens)?);
    if let Some(total) = number(report.total_tokens) {
        usage.total = total;
    }
    if let Some([cached, written, _]) = details(report.input_tokens_details) {
        usage.cached = cached;
        usage.cache_written = written;
    }
    if let Some([_, _, reasoning]) = details(report.output_tokens_details) {
        usage.reasoning = reasoning;
    }
    Some(usage)
}

/// Tokens read from a cache, written to one, and spent on reasoning.
fn details(details: Option<&RawValue>) -> Option<[Option<u64>; 3]> {
    let keys = ["cached_tokens", "cache_write_tokens", "reasoning_tokens"];
    Some(json::pick(details?.get(), keys)?.map(|value| whole(value?)))
}

fn number(value: Option<&RawValue>) -> Option<u64> {
    whole(value?.get())
}

fn whole(value: &str) -> Option<u64> {
    value.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const REPORT: &str = r#""usage":{"input_tokens":9,"input_tokens_details":{"cached_tokens":4,
        "cache_write_tokens":1},"output_tokens":5,"output_tokens_details":{"reasoning_tokens":2},
        "total_tokens":15}"#;

    fn full() -> Usage {
        Usage {
            input: 9,
            output: 5,
            total: 15,
            cached: Some(4),
            cache_written: Some(1),
            reasoning: Some(2),
        }
    }

    #[test]
    fn an_answer_and_the_last_event_report_all_they_know() {
        let answer = format!(r#"{{"output":[{{"usage":1}}],{REPORT}}}"#);
        assert_eq!(of_answer(answer.as_bytes()), Some(full()));
        let event = format!(r#"{{"type":"response.completed","response":{answer}}}"#);
        assert_eq!(of_event(event.as_bytes()), Some(full()));
        assert_eq!(of_answer(event.as_bytes()), None);
    }

    #[test]
    fn missing_numbers_are_not_made_up_and_odd_details_cost_nothing() {
        for none in [
            r#"{"usage":null}"#,
            r#"{"usage":{}}"#,
            r#"{"usage":[1,2]}"#,
            r#"{"usage":{"input_tokens":1}}"#,
            r#"{"usage":{"input_tokens":-1,"output_tokens":1}}"#,
            r#"{"type":"response.output_text.delta","delta":"\"usage\":{}"}"#,
            r#"{"type":"response.created","response":{"usage":null}}"#,
            "[DONE]",
            "{",
        ] {
            assert_eq!(of_answer(none.as_bytes()), None, "{none}");
            assert_eq!(of_event(none.as_bytes()), None, "{none}");
        }
        let odd = br#"{"usage":{"input_tokens":0,"output_tokens":2,"total_tokens":"x",
            "input_tokens_details":[1],"output_tokens_details":null}}"#;
        assert_eq!(of_answer(odd), Some(Usage::new(0, 2)));
    }
}
