//! Which strings of a body are texts, and who says them.
//!
//! One pass over the bytes with a short stack, so that neither length nor depth costs more than it
//! is. Strings are texts unless their key says that they are something else: what a dialect adds
//! one day is looked at rather than overlooked.

use std::ops::Range;

use super::{Dialect, Role, escape};
use crate::json::{Fault, FaultKind};

/// The deepest nesting that is followed.
const DEEPEST: usize = 512;

/// A string that is a text.
pub(super) struct Hit {
    /// Where it stands, its quotes included.
    pub(super) at: Range<usize>,
    /// Who says it, where that is said.
    pub(super) role: Option<Role>,
    /// Whether the text is JSON itself.
    pub(super) is_json: bool,
}

/// What was found.
#[derive(Default)]
pub(super) struct Found {
    pub(super) hits: Vec<Hit>,
    pub(super) messages: usize,
}

/// What the strings below a value are.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// Members of a body.
    Root(Dialect),
    /// What dialects define: by their keys.
    Defined,
    /// What callers and models make up, as arguments of tools: all are texts.
    Free,
    /// No texts.
    Skipped,
}

/// What the key of a value says of it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Key {
    /// Nothing.
    Plain,
    /// A string says who speaks.
    Role,
    /// A string says what the object is.
    Type,
    /// A string that is a text where the object's type is `text`.
    Data,
    /// A string that is JSON, or an object that was made up.
    Arguments,
    /// What a tool returned.
    Returned,
    /// The texts of a role; messages, or none.
    Section(Role, bool),
    /// None of what is below is a text.
    Opaque,
}

/// An object or array that has begun.
struct Frame {
    mode: Mode,
    object: bool,
    /// Whether a string that comes is a key.
    at_key: bool,
    key: Key,
    role: Option<Role>,
    /// How many texts there were before it.
    first: usize,
    data: Option<Range<usize>>,
    is_text: bool,
    /// Whether its elements are messages.
    turns: bool,
}

/// Finds the texts of a call.
pub(super) fn call(dialect: Dialect, body: &str) -> Result<Found, Fault> {
    match dialect {
        Dialect::Made => made_up(body),
        _ => walk(body, Mode::Root(dialect)),
    }
}

/// Finds the texts of JSON that somebody made up.
pub(super) fn made_up(json: &str) -> Result<Found, Fault> {
    walk(json, Mode::Free)
}

fn walk(json: &str, mode: Mode) -> Result<Found, Fault> {
    let mut walk = Walk {
        json,
        mode,
        frames: Vec::new(),
        found: Found::default(),
    };
    let bytes = json.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        let end = match bytes[at] {
            b'"' => string_end(bytes, at),
            _ => at + 1,
        };
        match bytes[at] {
            b'"' => walk.string(at..end),
            open @ (b'{' | b'[') => walk.open(open == b'{', at)?,
            b'}' | b']' => walk.close(),
            b',' => walk.expect_key(true),
            b':' => walk.expect_key(false),
            _ => {}
        }
        at = end;
    }
    while !walk.frames.is_empty() {
        walk.close();
    }
    Ok(walk.found)
}

/// Where the string that begins at `start` ends, its quote included.
fn string_end(bytes: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while let Some(found) = memchr::memchr2(b'"', b'\\', &bytes[at.min(bytes.len())..]) {
        at += found + 1;
        if bytes[at - 1] == b'"' {
            return at;
        }
        at += 1;
    }
    bytes.len()
}

struct Walk<'j> {
    json: &'j str,
    mode: Mode,
    frames: Vec<Frame>,
    found: Found,
}

impl Walk<'_> {
    fn expect_key(&mut self, expected: bool) {
        if let Some(frame) = self.frames.last_mut() {
            frame.at_key = expected && frame.object;
        }
    }

    fn open(&mut self, object: bool, at: usize) -> Result<(), Fault> {
        if self.frames.len() == DEEPEST {
            let body = self.json.as_bytes();
            return Err(Fault::new(
                FaultKind::OutOfRange,
                body,
                at,
                "it is nested deeper than anybody nests",
                "send it flatter",
            ));
        }
        let (mode, role, turns) = match self.frames.last() {
            None => (self.mode, None, false),
            Some(parent) => parent.below(object),
        };
        self.frames.push(Frame {
            mode,
            object,
            at_key: object,
            key: Key::Plain,
            role,
            first: self.found.hits.len(),
            data: None,
            is_text: false,
            turns,
        });
        Ok(())
    }

    fn close(&mut self) {
        let Some(frame) = self.frames.pop() else {
            return;
        };
        if let Some(at) = frame.data.filter(|_| frame.is_text) {
            self.found.hits.push(Hit {
                at,
                role: None,
                is_json: false,
            });
        }
        if let Some(role) = frame.role {
            for hit in &mut self.found.hits[frame.first..] {
                hit.role.get_or_insert(role);
            }
        }
        let is_turn = self.frames.last().is_some_and(|parent| parent.turns);
        self.found.messages += usize::from(is_turn && frame.object);
    }

    fn string(&mut self, at: Range<usize>) {
        let inside = self.json.get(at.start + 1..at.end.saturating_sub(1));
        let inside = inside.unwrap_or_default();
        let Some(frame) = self.frames.last_mut() else {
            return;
        };
        if frame.at_key {
            frame.key = key(frame.mode, &escape::text(inside));
            return;
        }
        let mut hit = Hit {
            at: at.clone(),
            role: None,
            is_json: false,
        };
        match (frame.mode, frame.key) {
            (Mode::Free, _) | (Mode::Defined, Key::Plain | Key::Returned) => {}
            (Mode::Root(_), Key::Section(role, turns)) => {
                hit.role = Some(role);
                self.found.messages += usize::from(turns);
            }
            (Mode::Defined, Key::Arguments) => hit.is_json = true,
            (Mode::Defined, Key::Role) => {
                frame.role = role(&escape::text(inside));
                return;
            }
            (Mode::Defined, Key::Type) => {
                let word = escape::text(inside);
                frame.is_text = word == "text";
                frame.role = of_type(&word).or(frame.role);
                return;
            }
            (Mode::Defined, Key::Data) => {
                frame.data = Some(at);
                return;
            }
            _ => return,
        }
        self.found.hits.push(hit);
    }
}

impl Frame {
    /// What a value is that begins in it: whose it is, and whether its elements are messages.
    fn below(&self, object: bool) -> (Mode, Option<Role>, bool) {
        match (self.mode, self.key) {
            (Mode::Root(_), Key::Section(role, turns)) => {
                (Mode::Defined, Some(role), turns && !object)
            }
            (Mode::Root(_) | Mode::Skipped, _) => (Mode::Skipped, None, false),
            (Mode::Free, _) => (Mode::Free, None, false),
            (Mode::Defined, Key::Arguments) => (Mode::Free, None, false),
            (Mode::Defined, Key::Returned) => (Mode::Defined, Some(Role::Tool), false),
            (Mode::Defined, Key::Opaque | Key::Data | Key::Role | Key::Type) => {
                (Mode::Skipped, None, false)
            }
            (Mode::Defined, Key::Plain | Key::Section(..)) => (Mode::Defined, None, false),
        }
    }
}

fn key(mode: Mode, word: &str) -> Key {
    match mode {
        Mode::Root(dialect) => section(dialect, word),
        Mode::Defined => defined(word),
        Mode::Free | Mode::Skipped => Key::Plain,
    }
}

fn section(dialect: Dialect, word: &str) -> Key {
    match (dialect, word) {
        (Dialect::Chat | Dialect::Messages, "messages")
        | (Dialect::Responses, "input")
        | (Dialect::Gemini, "contents") => Key::Section(Role::User, true),
        (Dialect::Chat, "prediction") => Key::Section(Role::Assistant, false),
        (Dialect::Responses, "instructions")
        | (Dialect::Messages, "system")
        | (Dialect::Gemini, "systemInstruction" | "system_instruction") => {
            Key::Section(Role::System, false)
        }
        (Dialect::Embeddings, "input" | "content" | "requests")
        | (Dialect::Responses, "prompt") => Key::Section(Role::User, false),
        _ => Key::Opaque,
    }
}

fn defined(word: &str) -> Key {
    match word {
        "role" => Key::Role,
        "type" => Key::Type,
        "data" => Key::Data,
        "arguments" | "input" | "args" | "response" | "variables" => Key::Arguments,
        "functionResponse" | "function_response" => Key::Returned,
        // Names and addresses, bytes, and what a provider signed or encrypted.
        "id" | "call_id" | "tool_call_id" | "tool_use_id" | "name" | "status" | "version"
        | "url" | "image_url" | "file_url" | "file_id" | "file_data" | "fileData" | "file_uri"
        | "fileUri" | "filename" | "inlineData" | "inline_data" | "input_audio" | "media_type"
        | "mimeType" | "mime_type" | "signature" | "thoughtSignature" | "thought_signature"
        | "thinking" | "encrypted_content" | "extra_content" | "detail" | "cache_control"
        | "logprobs" => Key::Opaque,
        _ => Key::Plain,
    }
}

fn role(word: &str) -> Option<Role> {
    Some(match word {
        "system" | "developer" => Role::System,
        "user" => Role::User,
        "assistant" | "model" => Role::Assistant,
        "tool" | "function" => Role::Tool,
        _ => return None,
    })
}

/// Who says what is of this type, whatever message it stands in.
fn of_type(word: &str) -> Option<Role> {
    match word {
        "tool_result" => Some(Role::Tool),
        _ if word.ends_with("_call_output") => Some(Role::Tool),
        _ if word.ends_with("_call") || word == "reasoning" => Some(Role::Assistant),
        _ => None,
    }
}
