//! The parts of a chat request's prompt, one by one.

use super::messages::{self, Found, Medium};
use super::request::Request;
use crate::json::{self, Stop, is_string, unescape};
use crate::llm::prompt::{Detail, Image, Part, Prompt};

impl Prompt for Request<'_> {
    /// The bytes of the body without those of attachments: JSON's own syntax is longer than what a
    /// provider puts around a message.
    fn text_bytes(&self) -> usize {
        self.body.len() - self.payload
    }

    fn messages(&self) -> usize {
        self.messages_len
    }

    fn attachments(&self) -> usize {
        self.attachments
    }

    fn for_each_part(&self, each: &mut dyn FnMut(Part<'_>)) {
        let messages = &self.body[self.messages.clone()];
        let walked = messages::walk(messages, &mut |found| match found {
            Found::String(string) => each(Part::Text(&unescape(string))),
            Found::Name(string) => each(Part::Name(&unescape(string))),
            Found::Json(json) => each(Part::Json(json)),
            Found::Call => each(Part::Call),
            Found::Payload(Medium::Image, value) => each(Part::Image(read_image(value))),
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

/// Reads the value of `image_url`: an object or, with some providers, the
/// URL itself.
fn read_image(value: &str) -> Image<'_> {
    let mut image = Image {
        url: None,
        base64: None,
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
                image.detail = read_detail(value, details == 1);
            }
            _ => {}
        }
        Ok(())
    });
    if walked.is_err() {
        image = Image {
            url: None,
            base64: None,
            detail: Detail::Other,
        };
    }
    image
}

fn read_detail(value: &str, only: bool) -> Detail {
    match value {
        "\"auto\"" if only => Detail::Auto,
        "\"low\"" if only => Detail::Low,
        "\"high\"" if only => Detail::High,
        "\"original\"" if only => Detail::Original,
        _ => Detail::Other,
    }
}

fn inside(string: &str) -> &str {
    &string[1..string.len() - 1]
}
