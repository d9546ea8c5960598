//! Where in a stream of messages its bytes stand. Keeps the head that is being read, no body.

use super::{Fault, HEAD, Head, Seen, What};

/// The place in a stream up to which it was read.
#[derive(Debug)]
pub(super) struct Reader {
    max_message: u32,
    head: [u8; HEAD],
    /// How many bytes of `head` are there.
    held: usize,
    /// How many bytes of the body are still to come, while one is being read.
    left: Option<u32>,
    seen: Seen,
    /// How many bytes were taken.
    position: u64,
    /// Where the head of the message begins that is being read.
    at: u64,
    fault: Option<Fault>,
}

/// What the next bytes are.
#[derive(Clone, Copy, Debug)]
pub(super) enum Step {
    /// All of them are the start of a head, or there are none.
    More,
    /// So many end a head.
    Head(usize, Head),
    /// So many are of a body.
    Body(usize),
    /// The body is whole; no byte was taken.
    End,
}

impl Reader {
    pub(super) fn new(max_message: u32) -> Self {
        Self {
            max_message,
            head: [0; HEAD],
            held: 0,
            left: None,
            seen: Seen::default(),
            position: 0,
            at: 0,
            fault: None,
        }
    }

    pub(super) fn seen(&self) -> Seen {
        self.seen
    }

    pub(super) fn step(&mut self, bytes: &[u8]) -> Result<Step, Fault> {
        if let Some(fault) = self.fault {
            return Err(fault);
        }
        match self.left {
            Some(0) => {
                self.left = None;
                Ok(Step::End)
            }
            Some(_) if bytes.is_empty() => Ok(Step::More),
            Some(left) => {
                let taken = u32::try_from(bytes.len()).map_or(left, |there| there.min(left));
                self.left = Some(left - taken);
                self.position += u64::from(taken);
                Ok(Step::Body(length(taken)))
            }
            None => self.head(bytes),
        }
    }

    /// Whether the stream may end here.
    pub(super) fn finish(&self) -> Result<(), Fault> {
        if let Some(fault) = self.fault {
            return Err(fault);
        }
        let missing = match self.left {
            Some(left) => left,
            None if self.held == 0 => 0,
            None => u32::try_from(HEAD - self.held).unwrap_or_default(),
        };
        if missing == 0 {
            return Ok(());
        }
        Err(Fault {
            message: self.seen.messages + u64::from(self.left.is_none()),
            at: self.at,
            what: What::Cut { missing },
        })
    }

    fn head(&mut self, bytes: &[u8]) -> Result<Step, Fault> {
        if self.held == 0 {
            self.at = self.position;
        }
        let taken = bytes.len().min(HEAD - self.held);
        self.head[self.held..][..taken].copy_from_slice(&bytes[..taken]);
        self.held += taken;
        self.position += taken as u64;
        let [flag, length @ ..] = self.head;
        // Known from the first byte on, and said then: what is not gRPC's may be short.
        if self.held > 0 && flag > 1 {
            return Err(self.fail(What::Flag(flag)));
        }
        if self.held < HEAD {
            return Ok(Step::More);
        }
        let head = Head {
            compressed: flag == 1,
            length: u32::from_be_bytes(length),
        };
        if head.length > self.max_message {
            return Err(self.fail(What::TooLong {
                length: head.length,
                max: self.max_message,
            }));
        }
        self.held = 0;
        self.left = Some(head.length);
        self.seen.messages += 1;
        self.seen.biggest = self.seen.biggest.max(head.length);
        Ok(Step::Head(taken, head))
    }

    fn fail(&mut self, what: What) -> Fault {
        *self.fault.insert(Fault {
            message: self.seen.messages + 1,
            at: self.at,
            what,
        })
    }
}

/// A length as memory has it, where a chunk was at least as long.
fn length(bytes: u32) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}
