//! The parts of a prompt, one by one: what someone who counts tokens must see.
//! Counts none, and knows no model.

use super::super::json::{self, Stop, is_string, unescape};
use super::messages::{self, Found, Medium};
use super::request::Request;

/// A part of the prompt. Texts are unescaped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part<'p> {
    /// Text of a message: its role, its content or a text part of it, the name
    /// and the arguments of a tool call, or which call it answers.
    Text(&'p str),
    /// The `name` of a message's author.
    Name(&'p str),
    /// Something else where text belongs: its JSON, which may be printed.
    Json(&'p str),
    /// There is a tool call in a message, its texts told beside.
    Call,
    /// An image.
    Image(Image<'p>),
    /// A sound, a film, a file: its cost does not follow from its bytes.
    Attachment,
    /// The array `tools`, as JSON.
    Tools(&'p str),
    /// The older dialect's `functions`, as JSON.
    Functions(&'p str),
    /// `response_format`, as JSON.
    ResponseFormat(&'p str),
}

/// An image in a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Image<'p> {
    /// Where it is, as written between the quotes, escapes and all: it may be
    /// long. `None` if there is no URL, or more than one.
    pub url: Option<&'p str>,
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

impl Request<'_> {
    /// Calls `each` with every part of the prompt, in the order of the
    /// messages, then with the tools, the functions and the answer's format.
    /// As many parts are images or attachments as [`attachments`] says.
    ///
    /// [`attachments`]: Request::attachments
    pub fn for_each_part(&self, each: &mut dyn FnMut(Part<'_>)) {
        let messages = &self.body[self.messages.clone()];
        let walked = messages::walk(messages, &mut |found| match found {
            Found::String(string) => each(Part::Text(&unescape(string))),
            Found::Name(string) => each(Part::Name(&unescape(string))),
            Found::Json(json) => each(Part::Json(json)),
            Found::Call => each(Part::Call),
            Found::Payload(Medium::Image, value) => each(Part::Image(Image::read(value))),
            Found::Payload(Medium::Other, _) | Found::Attachment => each(Part::Attachment),
        });
        debug_assert!(walked.is_ok(), "parse has walked the same text");
        if let Some(tools) = &self.tools {
            each(Part::Tools(&self.body[tools.clone()]));
        }
        if let Some(functions) = self.functions {
            each(Part::Functions(functions));
        }
        if let Some(format) = self.response_format {
            each(Part::ResponseFormat(format));
        }
    }
}

impl<'p> Image<'p> {
    /// Reads the value of `image_url`: an object or, with some providers, the
    /// URL itself.
    fn read(value: &'p str) -> Self {
        let mut image = Self {
            url: None,
            detail: Detail::Auto,
        };
        if is_string(value) {
            image.url = Some(inside(value));
            return image;
        }
        let mut urls = 0;
        let mut details = 0;
        // A broken object has no URL then: that is all to know about it.
        let walked: Result<(), Stop<()>> = json::members(value, &mut |key, value| {
            match key {
                "url" => {
                    urls += 1;
                    image.url = (urls == 1 && is_string(value)).then(|| inside(value));
                }
                "detail" if value != "null" => {
                    details += 1;
                    image.detail = Detail::read(value, details == 1);
                }
                _ => {}
            }
            Ok(())
        });
        if walked.is_err() {
            image = Self {
                url: None,
                detail: Detail::Other,
            };
        }
        image
    }
}

impl Detail {
    fn read(value: &str, only: bool) -> Self {
        match value {
            "\"auto\"" if only => Self::Auto,
            "\"low\"" if only => Self::Low,
            "\"high\"" if only => Self::High,
            "\"original\"" if only => Self::Original,
            _ => Self::Other,
        }
    }
}

fn inside(string: &str) -> &str {
    &string[1..string.len() - 1]
}
