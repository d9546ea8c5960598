//! What the model has to say to a call, in whatever dialect it was written. The same call gets the
//! same answer.
//!
//! | The call | The answer |
//! |---|---|
//! | ends with what a tool returned | repeats that |
//! | offers a tool that what was said names, or that has to be called | calls it |
//! | wants JSON | JSON, made after the schema |
//! | any other | repeats what was said |

use http::StatusCode;
use serde_json::Value;
use weir_protocols::llm::prompt::{self, Prompt as _};
use weir_protocols::llm::{
    Answer, Choice, Choose, Event, Finish, Format, Message, Part, Request, Role, Tool, ToolCall,
    Usage,
};

use super::{Refusal, made, words};

/// What OpenAI documents around each message, and before the answer, in tokens.
const PER_MESSAGE: u64 = 3;
const BEFORE_ANSWER: u64 = 3;

/// The most of what was said that is repeated, in characters.
const REPEATED: usize = 160;

const CLOSING: &str = "I am a parrot and know no more than that, but every word of this was counted \
                       on its way to you.";

/// An answer.
#[derive(Debug)]
pub(super) struct Thought {
    said: Said,
    finish: Finish,
    usage: Usage,
}

#[derive(Debug)]
enum Said {
    /// Text, token by token.
    Text(Vec<String>),
    /// A call of a tool, and what with.
    Call(String, String),
}

impl Thought {
    /// The answer to a call.
    pub(super) fn of(call: &Request<'_>) -> Result<Self, Refusal> {
        check(call)?;
        let room = call.limit.map_or(usize::MAX, |limit| {
            usize::try_from(limit).unwrap_or(usize::MAX)
        });
        let (said, finish, written) = match said(call) {
            Said::Call(name, arguments) => {
                let written = words::tokens(&arguments).count() + words::tokens(&name).count();
                match written <= room {
                    true => (Said::Call(name, arguments), Finish::ToolCalls, written),
                    // Half a call is none.
                    false => (Said::Text(Vec::new()), Finish::Length, 0),
                }
            }
            Said::Text(mut tokens) => {
                let finish = match tokens.len() > room {
                    true => Finish::Length,
                    false => Finish::Stop,
                };
                tokens.truncate(room);
                let written = tokens.len();
                (Said::Text(tokens), finish, written)
            }
        };
        Ok(Thought {
            said,
            finish,
            usage: Usage::new(prompt_tokens(call), written as u64),
        })
    }

    /// The whole answer; `number` tells its calls of tools from those of others.
    pub(super) fn answer(&self, number: u64) -> Answer<'_> {
        let part = match &self.said {
            Said::Text(tokens) => Part::Text(tokens.concat().into()),
            Said::Call(name, arguments) => Part::ToolCall(ToolCall {
                id: call_id(&format!("demo{number}")).into(),
                name: name.into(),
                arguments: arguments.into(),
                signature: None,
            }),
        };
        Answer {
            choices: vec![Choice {
                index: 0,
                parts: vec![part],
                finish: Some(self.finish),
                stopped_at: None,
            }],
            usage: Some(self.usage),
            ..Answer::default()
        }
    }

    /// The answer in pieces: a token each, or a call of a tool. Its calls are named after `id`.
    pub(super) fn events(&self, id: &str) -> Vec<Event<'_>> {
        let mut events = vec![Event::Begin {
            id: None,
            model: None,
            created: None,
        }];
        match &self.said {
            Said::Text(tokens) => events.extend(tokens.iter().map(|text| Event::Text {
                choice: 0,
                text: text.into(),
            })),
            Said::Call(name, arguments) => {
                events.push(Event::Call {
                    choice: 0,
                    index: 0,
                    id: call_id(id).into(),
                    name: name.into(),
                    signature: None,
                });
                let pieces = words::tokens(arguments).map(|json| Event::Arguments {
                    choice: 0,
                    index: 0,
                    json: json.into(),
                });
                events.extend(pieces);
            }
        }
        events.push(Event::Finish {
            choice: 0,
            reason: self.finish,
            stopped_at: None,
        });
        events.extend([Event::Usage(self.usage), Event::End]);
        events
    }
}

fn call_id(id: &str) -> String {
    format!("call_{id}")
}

/// Refuses what the model cannot do.
fn check(call: &Request<'_>) -> Result<(), Refusal> {
    let refused =
        |param, message: &str| Err(Refusal::new(StatusCode::BAD_REQUEST, message).param(param));
    if call.messages.is_empty() {
        return refused("messages", "there has to be at least one message");
    }
    if call.limit == Some(0) {
        return refused("max_tokens", "the limit has to be at least 1");
    }
    if call.choices != 1 {
        return refused("n", "this model gives one answer: leave n out, or write 1");
    }
    Ok(())
}

fn prompt_tokens(call: &Request<'_>) -> u64 {
    let mut written = 0;
    call.for_each_part(&mut |part| {
        if let prompt::Part::Text(text)
        | prompt::Part::Name(text)
        | prompt::Part::Json(text)
        | prompt::Part::ResponseFormat(text) = part
        {
            written += words::tokens(text).count() as u64;
        }
    });
    written + call.messages() as u64 * PER_MESSAGE + BEFORE_ANSWER
}

fn said(call: &Request<'_>) -> Said {
    let user = |message: &&Message<'_>| message.role == Role::User;
    let last = call.messages.iter().rev().find(user);
    let heard = last.map(heard).unwrap_or_default();
    if let Some((name, returned)) = last.and_then(|message| returned(call, message)) {
        let tool = name.unwrap_or_else(|| "The tool".to_owned());
        return text(&format!("{tool} says “{}”. {CLOSING}", short(&returned)));
    }
    if let Some(tool) = wanted(call, &heard) {
        let schema = tool.parameters.as_ref();
        let schema = schema.and_then(|schema| serde_json::from_str::<Value>(schema.get()).ok());
        let arguments = made::arguments(&schema.unwrap_or_default(), &heard);
        let arguments = match arguments {
            Value::Object(_) => arguments.to_string(),
            _ => "{}".to_owned(),
        };
        return Said::Call(tool.name.to_string(), arguments);
    }
    match &call.format {
        Format::Text => text(&reply(&heard)),
        Format::Json => text(&serde_json::json!({ "said": short(&heard) }).to_string()),
        Format::Schema { schema, .. } => {
            let schema = serde_json::from_str(schema.get()).unwrap_or_default();
            text(&made::answer(&schema, &heard).to_string())
        }
    }
}

fn text(text: &str) -> Said {
    Said::Text(words::tokens(text).map(str::to_owned).collect())
}

/// The text of a message, its parts joined by spaces; what is not text is left out.
fn heard(message: &Message<'_>) -> String {
    let texts = message.parts.iter().filter_map(|part| match part {
        Part::Text(text) => Some(&**text),
        _ => None,
    });
    texts.collect::<Vec<_>>().join(" ")
}

/// What the last tool returned, and its name, if a message says that and nothing after it.
fn returned(call: &Request<'_>, message: &Message<'_>) -> Option<(Option<String>, String)> {
    let Some(Part::ToolResult(result)) = message.parts.last() else {
        return None;
    };
    let name = result.name.as_deref().or(call.tool_name(&result.id));
    let texts = result.parts.iter().filter_map(|part| match part {
        Part::Text(text) => Some(&**text),
        _ => None,
    });
    let returned = texts.collect::<Vec<_>>().join(" ");
    Some((name.map(str::to_owned), returned))
}

/// The tool that is to be called: the one demanded, or the first of which a word of its name was
/// said.
fn wanted<'c, 'a>(call: &'c Request<'a>, heard: &str) -> Option<&'c Tool<'a>> {
    let heard = heard.to_lowercase();
    let named = |tool: &&Tool<'_>| {
        let mut words = tool.name.split(|c: char| !c.is_alphanumeric());
        words.any(|word| word.len() > 3 && heard.contains(&word.to_lowercase()))
    };
    let mut tools = call.tools.iter();
    match &call.choose {
        Some(Choose::None) => None,
        Some(Choose::Tool(name)) => tools.find(|tool| tool.name == *name),
        Some(Choose::Any) => tools.clone().find(named).or(tools.next()),
        Some(Choose::Auto) | None => tools.find(named),
    }
}

/// The beginning of a text, on one line.
fn short(text: &str) -> String {
    let one_line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let repeated: String = one_line.chars().take(REPEATED).collect();
    match repeated.len() < one_line.len() {
        true => repeated + "…",
        false => repeated,
    }
}

/// What the model has to say about what it was told.
fn reply(heard: &str) -> String {
    let count = match heard.split_whitespace().count() {
        0 => return format!("You said nothing I could read. {CLOSING}"),
        1 => "one word".to_owned(),
        count => format!("{count} words"),
    };
    format!("You said “{}”, which is {count}. {CLOSING}", short(heard))
}
