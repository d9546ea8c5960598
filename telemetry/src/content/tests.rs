use super::*;
use serde_json::{Value, json};

fn read(json: Option<String>) -> Value {
    serde_json::from_str(&json.expect("something was said")).expect("JSON")
}

#[test]
fn the_json_is_that_of_the_schemas() {
    let mut content = Content::new(1 << 10);
    content.instruct(Part::Text("Be brief.".into()));
    content.turn("user", [Part::Text("Rain?".into())]);
    let (id, name) = (String::from("c1"), String::from("weather"));
    let arguments = r#"{"city":"Paris"}"#.to_owned();
    content.turn(
        "assistant",
        [Part::Call {
            id: id.clone(),
            name: name.clone(),
            arguments,
        }],
    );
    content.turn(
        "tool",
        [Part::Returned {
            id: id.clone(),
            text: "rainy".into(),
        }],
    );
    assert_eq!(
        read(content.system_instructions()),
        json!([{ "type": "text", "content": "Be brief." }])
    );
    assert_eq!(
        read(content.input_messages()),
        json!([
            { "role": "user", "parts": [{ "type": "text", "content": "Rain?" }] },
            { "role": "assistant", "parts": [
                { "type": "tool_call", "id": "c1", "name": "weather", "arguments": { "city": "Paris" } }] },
            { "role": "tool", "parts": [
                { "type": "tool_call_response", "id": "c1", "response": "rainy" }] },
        ])
    );
    assert_eq!(content.output_messages(), None);

    content.say(0, Part::Reasoning("Hm".into()));
    content.say(0, Part::Text("It ".into()));
    content.say(1, Part::Text("No.".into()));
    content.say(0, Part::Text("rains.".into()));
    content.say(
        1,
        Part::Call {
            id,
            name,
            arguments: String::new(),
        },
    );
    content.argue(1, "{\"a\":");
    content.argue(1, "1}");
    content.finish(0, "stop");
    content.finish(1, "tool_calls");
    assert_eq!(
        read(content.output_messages()),
        json!([
            { "role": "assistant", "finish_reason": "stop", "parts": [
                { "type": "reasoning", "content": "Hm" },
                { "type": "text", "content": "It rains." }] },
            { "role": "assistant", "finish_reason": "tool_call", "parts": [
                { "type": "text", "content": "No." },
                { "type": "tool_call", "id": "c1", "name": "weather", "arguments": { "a": 1 } }] },
        ])
    );
    assert!(!content.is_cut());
    content.unanswered();
    assert_eq!(content.output_messages(), None);
}

#[test]
fn no_more_is_held_than_was_said_whatever_comes() {
    const MAX: usize = 100;
    let mut content = Content::new(MAX);
    for _ in 0..1_000 {
        content.turn("user", std::iter::repeat_n(Part::Text("é".into()), 10));
        content.instruct(Part::Text(String::new()));
    }
    for choice in 0..1_000 {
        content.say(choice, Part::Text("…".repeat(30)));
        content.argue(choice, "{");
        content.finish(choice, "stop");
    }
    assert!(content.is_cut());
    assert!(content.size() <= 2 * MAX);
    assert!(content.input.len() + content.output.len() <= 2 * MAX / OVERHEAD);
    let all = [content.input_messages(), content.output_messages()];
    let text: usize = all.into_iter().flatten().map(|json| json.len()).sum();
    assert!(text < 20 * MAX, "{text}");
}

#[test]
fn an_answer_that_was_cut_short_is_still_json() {
    let mut content = Content::new(2 * OVERHEAD + 10);
    content.say(
        0,
        Part::Call {
            id: "c1".into(),
            name: "f".into(),
            arguments: r#"{"city":"Paris"}"#.into(),
        },
    );
    let output = read(content.output_messages());
    assert_eq!(output[0]["finish_reason"], "error");
    let arguments = output[0]["parts"][0]["arguments"].as_str();
    assert!(
        arguments.is_some_and(|text| r#"{"city":"Paris"}"#.starts_with(text)),
        "{output}"
    );
}
