//! The parts of a prompt, one by one: what someone who counts tokens must see, whatever dialect it
//! is written in. Counts none, and knows no model.

use super::message::{self, Media, Source};
use super::request::{Format, Request};

/// What a prompt consists of.
pub trait Prompt: Sync {
    /// An upper bound on its tokens, images and attachments apart: no token is shorter than a byte.
    fn text_bytes(&self) -> usize;

    /// Whether it is a conversation, around which a model is told marks: a text to be made a vector
    /// is none.
    fn converses(&self) -> bool {
        true
    }

    /// How many messages there are.
    fn messages(&self) -> usize;

    /// How many parts are images or attachments.
    fn attachments(&self) -> usize;

    /// Calls `each` with every part, in the order of the messages, then with the tools and the
    /// answer's format.
    fn for_each_part(&self, each: &mut dyn FnMut(Part<'_>));
}

/// A part of the prompt. Texts are unescaped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part<'p> {
    /// Text of a message: its role, its content or a text part of it, the name and the arguments of
    /// a tool call, or which call it answers.
    Text(&'p str),
    /// The `name` of a message's author.
    Name(&'p str),
    /// Something else where text belongs: its JSON, which may be printed.
    Json(&'p str),
    /// There is a tool call in a message, its texts told beside.
    Call,
    /// So many tokens: text that was cut into them before.
    Tokens(usize),
    /// An image.
    Image(Image<'p>),
    /// A sound, a film, a file: its cost does not follow from its bytes.
    Attachment,
    /// OpenAI's array `tools`, as JSON.
    Tools(&'p str),
    /// The `functions` of its older dialect, as JSON.
    Functions(&'p str),
    /// `response_format`, as JSON.
    ResponseFormat(&'p str),
}

/// An image in a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Image<'p> {
    /// Where it is, as written between the quotes, escapes and all: it may be long. `None` if there
    /// is no URL, or more than one.
    pub url: Option<&'p str>,
    /// Its bytes in base64, where they are here and in no URL.
    pub base64: Option<&'p str>,
    /// How closely the model is to look.
    pub detail: Detail,
}

/// The `detail` of an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Detail {
    /// `auto`, or nothing, which means the same.
    Auto,
    /// `low`.
    Low,
    /// `high`.
    High,
    /// `original`.
    Original,
    /// Something else, or two things at once.
    Other,
}

/// More than any provider puts around a message, a part or a tool, in tokens.
const AROUND: usize = 16;

impl Prompt for Request<'_> {
    fn text_bytes(&self) -> usize {
        let mut bytes = 0;
        self.for_each_part(&mut |part| {
            bytes += AROUND
                + match part {
                    Part::Text(text)
                    | Part::Name(text)
                    | Part::Json(text)
                    | Part::Tools(text)
                    | Part::Functions(text)
                    | Part::ResponseFormat(text) => text.len(),
                    Part::Tokens(tokens) => tokens,
                    Part::Call | Part::Image(_) | Part::Attachment => 0,
                };
        });
        bytes
    }

    fn messages(&self) -> usize {
        self.messages.len() + usize::from(!self.instructions.is_empty())
    }

    fn attachments(&self) -> usize {
        let mut attachments = 0;
        self.for_each_part(&mut |part| {
            attachments += usize::from(matches!(part, Part::Image(_) | Part::Attachment));
        });
        attachments
    }

    fn for_each_part(&self, each: &mut dyn FnMut(Part<'_>)) {
        tell(&self.instructions, each);
        for message in &self.messages {
            if let Some(name) = &message.name {
                each(Part::Name(name));
            }
            tell(&message.parts, each);
        }
        for tool in &self.tools {
            each(Part::Call);
            each(Part::Text(&tool.name));
            for text in tool.description.iter() {
                each(Part::Text(text));
            }
            for schema in tool.parameters.iter() {
                each(Part::Text(schema.get()));
            }
        }
        if let Format::Schema { schema, .. } = &self.format {
            each(Part::ResponseFormat(schema.get()));
        }
    }
}

fn tell(parts: &[message::Part<'_>], each: &mut dyn FnMut(Part<'_>)) {
    for part in parts {
        match part {
            message::Part::Text(text)
            | message::Part::Refusal(text)
            | message::Part::Redacted(text)
            | message::Part::Reasoning { text, .. } => each(Part::Text(text)),
            message::Part::Image(media) => each(Part::Image(image(media))),
            message::Part::Document(Media {
                source: Source::Text(text),
                ..
            }) => each(Part::Text(text)),
            message::Part::Audio(_) | message::Part::Document(_) => each(Part::Attachment),
            message::Part::ToolCall(call) => {
                each(Part::Call);
                each(Part::Text(&call.id));
                each(Part::Text(&call.name));
                each(Part::Text(&call.arguments));
            }
            message::Part::ToolResult(result) => {
                each(Part::Call);
                each(Part::Text(&result.id));
                tell(&result.parts, each);
            }
            message::Part::CachePoint => {}
        }
    }
}

fn image<'p>(media: &'p Media<'_>) -> Image<'p> {
    let (url, base64) = match &media.source {
        Source::Url(url) => (Some(&**url), None),
        Source::Base64(data) => (None, Some(&**data)),
        Source::Text(_) | Source::File(_) => (None, None),
    };
    Image {
        url,
        base64,
        detail: match media.detail.as_deref() {
            None | Some("auto") => Detail::Auto,
            Some("low") => Detail::Low,
            Some("high") => Detail::High,
            Some("original") => Detail::Original,
            Some(_) => Detail::Other,
        },
    }
}
