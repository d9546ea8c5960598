//! The calls that are being put together: the dialect has no word for a piece of a call.

use crate::llm::ToolCall;

/// How much of calls is held at most, of all choices together, in bytes.
const MAX_HELD: usize = 1024 * 1024;

/// At most one call for each choice.
#[derive(Debug, Default)]
pub(super) struct Calls {
    open: Vec<Open>,
    held: usize,
}

#[derive(Debug)]
struct Open {
    choice: u64,
    index: u64,
    call: ToolCall<'static>,
}

impl Calls {
    /// A call begins. The one before it in its choice must have been [taken](Self::take).
    pub(super) fn begin(&mut self, choice: u64, index: u64, call: ToolCall<'static>) -> bool {
        let signature = call
            .signature
            .as_ref()
            .map_or(0, |signature| signature.len());
        self.held += call.id.len() + call.name.len() + signature;
        self.open.push(Open {
            choice,
            index,
            call,
        });
        self.held <= MAX_HELD
    }

    /// More of what a call is called with. Whether that can be held: not if it is too much, or of a
    /// call that is not being put together.
    pub(super) fn add(&mut self, choice: u64, index: u64, json: &str) -> bool {
        let of = |open: &&mut Open| (open.choice, open.index) == (choice, index);
        let Some(open) = self.open.iter_mut().find(of) else {
            return json.is_empty();
        };
        self.held += json.len();
        let fits = self.held <= MAX_HELD;
        if fits {
            open.call.arguments.to_mut().push_str(json);
        }
        fits
    }

    /// The call of `choice` that is being put together: it is whole.
    pub(super) fn take(&mut self, choice: u64) -> Option<ToolCall<'static>> {
        let at = self.open.iter().position(|open| open.choice == choice)?;
        let call = self.open.swap_remove(at).call;
        let signature = call
            .signature
            .as_ref()
            .map_or(0, |signature| signature.len());
        let size = call.id.len() + call.name.len() + signature + call.arguments.len();
        self.held = self.held.saturating_sub(size);
        Some(call)
    }

    /// Any choice whose call is being put together.
    pub(super) fn any(&self) -> Option<u64> {
        self.open.first().map(|open| open.choice)
    }
}
