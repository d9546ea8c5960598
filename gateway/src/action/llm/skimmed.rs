//! A request for a response, of which only what decides is read at first: a provider that has
//! responses is sent it as it came, with all that only it knows. All of it is read once somebody
//! needs that, to translate it or to count its prompt.

use weir_protocols::llm::prompt::{Part, Prompt};
use weir_protocols::llm::{Fault, Request};
use weir_protocols::openai::responses::{Skim, request};

/// A request for a response.
pub(super) struct Skimmed<'a> {
    /// What decides.
    pub(super) skim: Skim<'a>,
    body: &'a [u8],
    whole: Option<Box<Request<'a>>>,
}

impl<'a> Skimmed<'a> {
    /// Reads what decides.
    pub(super) fn read(body: &'a [u8]) -> Result<Self, Fault> {
        Ok(Self {
            skim: Skim::parse(body)?,
            body,
            whole: None,
        })
    }

    /// Reads all of it, for who looks at its prompt.
    pub(super) fn read_prompt(&mut self) {
        self.whole = request::read(self.body).ok().map(Box::new);
    }

    /// All of it.
    ///
    /// # Errors
    /// If it says something that only a provider with responses understands.
    pub(super) fn whole(&self) -> Result<Request<'a>, Fault> {
        match &self.whole {
            Some(all) => Ok((**all).clone()),
            None => request::read(self.body),
        }
    }

    /// The pieces of base64 in it, and their bytes, where it cannot be read whole.
    fn payloads(&self) -> (usize, usize) {
        const MARK: &[u8] = b";base64,";
        let (mut pieces, mut bytes) = (0, 0);
        for at in memchr::memmem::find_iter(self.body, MARK) {
            let data = &self.body[at + MARK.len()..];
            let is_payload = |byte: &&u8| {
                byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=' | b'\\')
            };
            pieces += 1;
            bytes += data.iter().take_while(is_payload).count();
        }
        (pieces, bytes)
    }
}

/// Where it cannot be read whole, every byte of it may be a token. A conversation that the provider
/// keeps is not seen: what it adds is known from what the provider says was used.
impl Prompt for Skimmed<'_> {
    fn text_bytes(&self) -> usize {
        match &self.whole {
            Some(all) => all.text_bytes(),
            None => self.body.len() - self.payloads().1,
        }
    }

    fn messages(&self) -> usize {
        self.whole
            .as_ref()
            .map_or(1, |all| Prompt::messages(&**all))
    }

    fn attachments(&self) -> usize {
        match &self.whole {
            Some(all) => all.attachments(),
            None => self.payloads().0,
        }
    }

    fn for_each_part(&self, each: &mut dyn FnMut(Part<'_>)) {
        match &self.whole {
            Some(all) => all.for_each_part(each),
            None => {
                let (pieces, bytes) = self.payloads();
                each(Part::Tokens(self.body.len() - bytes));
                for _ in 0..pieces {
                    each(Part::Attachment);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_only_its_provider_knows_is_bounded_by_bytes_without_payloads() {
        let body =
            br#"{"model":"m","tools":[{"type":"web_search"}],"input":[{"role":"user","content":
            [{"type":"input_image","image_url":"data:image/png;base64,iVBORw0KGgo="}]}]}"#;
        let mut asked = Skimmed::read(body).expect("it is one");
        asked.read_prompt();
        assert!(asked.whole().is_err());
        assert_eq!(asked.text_bytes(), body.len() - "iVBORw0KGgo=".len());
        assert_eq!((asked.messages(), asked.attachments()), (1, 1));
        let mut parts = Vec::new();
        asked.for_each_part(&mut |part| parts.push(format!("{part:?}")));
        assert_eq!(
            parts,
            [
                format!("Tokens({})", asked.text_bytes()),
                "Attachment".to_owned()
            ]
        );
    }
}
