//! What a model wrote: the texts of a whole answer, or of one chunk of a stream, and which choices
//! end with it. Reads answers; counts nothing.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::finish;
use super::json::{is_string, unescape};

/// Where in an answer a text stands: texts of one place go on from chunk to chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// The choice's `index`.
    pub choice: u64,
    /// What of the choice.
    pub part: Part,
}

/// A part of a choice that grows by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Part {
    /// `content`.
    Content,
    /// `reasoning_content` or `reasoning`, as some providers name it.
    Reasoning,
    /// `refusal`.
    Refusal,
    /// The name of a tool that is called, by the call's `index`, or of a function.
    Name(u64),
    /// What it is called with.
    Arguments(u64),
}

/// A whole answer or a chunk, borrowed.
#[derive(Debug, Default, Deserialize)]
pub struct Output<'a> {
    /// The answer's `id`, as JSON.
    #[serde(borrow, default)]
    pub id: Option<&'a RawValue>,
    /// When it was begun, as JSON.
    #[serde(borrow, default)]
    pub created: Option<&'a RawValue>,
    /// The model's name, as JSON.
    #[serde(borrow, default)]
    pub model: Option<&'a RawValue>,
    #[serde(borrow, default)]
    choices: Option<Vec<Choice<'a>>>,
}

#[derive(Debug, Deserialize)]
struct Choice<'a> {
    #[serde(default)]
    index: u64,
    #[serde(borrow, default)]
    delta: Option<Message<'a>>,
    #[serde(borrow, default)]
    message: Option<Message<'a>>,
    #[serde(borrow, default)]
    finish_reason: Option<&'a RawValue>,
}

#[derive(Debug, Deserialize)]
struct Message<'a> {
    #[serde(borrow, default)]
    content: Option<&'a RawValue>,
    #[serde(borrow, default)]
    reasoning_content: Option<&'a RawValue>,
    #[serde(borrow, default)]
    reasoning: Option<&'a RawValue>,
    #[serde(borrow, default)]
    refusal: Option<&'a RawValue>,
    #[serde(borrow, default)]
    tool_calls: Option<Vec<ToolCall<'a>>>,
    #[serde(borrow, default)]
    function_call: Option<Function<'a>>,
}

#[derive(Debug, Deserialize)]
struct ToolCall<'a> {
    #[serde(default)]
    index: Option<u64>,
    #[serde(borrow, default)]
    function: Option<Function<'a>>,
    #[serde(borrow, default)]
    custom: Option<Function<'a>>,
}

#[derive(Debug, Deserialize)]
struct Function<'a> {
    #[serde(borrow, default)]
    name: Option<&'a RawValue>,
    #[serde(borrow, default)]
    arguments: Option<&'a RawValue>,
    #[serde(borrow, default)]
    input: Option<&'a RawValue>,
}

impl<'a> Output<'a> {
    /// Reads a whole answer, or an event's data. `None` if it is neither.
    pub fn parse(data: &'a [u8]) -> Option<Self> {
        let is_object = data.trim_ascii_start().starts_with(b"{");
        is_object.then(|| serde_json::from_slice(data).ok())?
    }

    /// Calls `each` with every text that is not empty, unescaped. What stands in the place of a
    /// text and is none is told as its JSON.
    pub fn for_each_text(&self, each: &mut dyn FnMut(Place, &str)) {
        for choice in self.choices.iter().flatten() {
            let mut told = |part, value: Option<&RawValue>| {
                if let Some(value) = value {
                    let place = Place {
                        choice: choice.index,
                        part,
                    };
                    text(value.get(), &mut |text| each(place, text));
                }
            };
            for message in choice.delta.iter().chain(&choice.message) {
                message.texts(&mut told);
            }
        }
    }

    /// The choices there are, and why each one ends, if it does here.
    pub fn choices(&self) -> impl Iterator<Item = (u64, Option<&str>)> {
        self.choices.iter().flatten().map(|choice| {
            let reason = choice.finish_reason.map(RawValue::get);
            let word = reason.filter(|reason| is_string(reason));
            (choice.index, word.and_then(finish::word))
        })
    }
}

impl Message<'_> {
    fn texts(&self, told: &mut dyn FnMut(Part, Option<&RawValue>)) {
        told(Part::Content, self.content);
        told(Part::Reasoning, self.reasoning_content.or(self.reasoning));
        told(Part::Refusal, self.refusal);
        for (at, call) in (0..).zip(self.tool_calls.iter().flatten()) {
            for function in call.function.iter().chain(&call.custom) {
                function.texts(call.index.unwrap_or(at), told);
            }
        }
        if let Some(function) = &self.function_call {
            function.texts(0, told);
        }
    }
}

impl Function<'_> {
    fn texts(&self, index: u64, told: &mut dyn FnMut(Part, Option<&RawValue>)) {
        told(Part::Name(index), self.name);
        told(Part::Arguments(index), self.arguments);
        told(Part::Arguments(index), self.input);
    }
}

fn text(value: &str, each: &mut dyn FnMut(&str)) {
    match value {
        "null" | "\"\"" => {}
        _ if is_string(value) => each(&unescape(value)),
        _ => each(value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(data: &str) -> Vec<(u64, Part, String)> {
        let mut texts = Vec::new();
        if let Some(output) = Output::parse(data.as_bytes()) {
            output.for_each_text(&mut |place, text| {
                texts.push((place.choice, place.part, text.to_owned()));
            });
        }
        texts
    }

    #[test]
    fn everything_a_model_writes_is_told_unescaped() {
        let told = texts(
            r#"{"choices":[
                {"index":1,"delta":{"content":"\u00e4\n","reasoning_content":"hm","refusal":null}},
                {"delta":{"content":"","refusal":"no","tool_calls":[
                    {"index":0,"id":"call_1","function":{"name":"f","arguments":"{\"a\":1}"}},
                    {"function":{"arguments":"xy"}},
                    {"index":7,"custom":{"name":"g","input":"z"}}]}}]}"#,
        );
        let of = |choice, part, text: &str| (choice, part, text.to_owned());
        assert_eq!(
            told,
            [
                of(1, Part::Content, "\u{e4}\n"),
                of(1, Part::Reasoning, "hm"),
                of(0, Part::Refusal, "no"),
                of(0, Part::Name(0), "f"),
                of(0, Part::Arguments(0), "{\"a\":1}"),
                of(0, Part::Arguments(1), "xy"),
                of(0, Part::Name(7), "g"),
                of(0, Part::Arguments(7), "z"),
            ]
        );
    }

    #[test]
    fn a_whole_answer_and_the_older_dialect_are_read_alike() {
        let told = texts(
            r#"{"choices":[{"index":0,"message":{"content":"Hi","function_call":{"name":"f"}}}]}"#,
        );
        let texts: Vec<_> = told.iter().map(|(_, _, text)| text.as_str()).collect();
        assert_eq!(texts, ["Hi", "f"]);
    }

    #[test]
    fn what_is_no_text_is_told_as_json_and_what_is_no_answer_has_none() {
        let parts = texts(r#"{"choices":[{"delta":{"content":["part"]}}]}"#);
        assert_eq!(parts[0].2, r#"["part"]"#);
        let half = texts(r#"{"choices":[{"delta":{"content":"\ud800"}}]}"#);
        assert_eq!(half[0].2, r"\ud800");
        for nothing in [
            r#"{"choices":[]}"#,
            r#"{"choices":null}"#,
            r#"{"choices":[{"delta":{}}],"usage":null}"#,
            r#"{"choices":[{"delta":null}]}"#,
            r#"{"error":{"message":"overloaded"}}"#,
            "[DONE]",
            "{",
            "",
        ] {
            assert!(texts(nothing).is_empty(), "{nothing}");
        }
    }

    #[test]
    fn choices_say_why_they_end() {
        let data = br#"{"id":"c1","choices":[{"index":0,"finish_reason":null},
            {"index":2,"finish_reason":"stop"},{"finish_reason":7}]}"#;
        let output = Output::parse(data).expect("it is an answer");
        let choices: Vec<_> = output.choices().collect();
        assert_eq!(choices, [(0, None), (2, Some("stop")), (0, None)]);
        assert_eq!(output.id.map(RawValue::get), Some("\"c1\""));
    }
}
