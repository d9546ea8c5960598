//! Counts the messages of a stream that goes by. Takes nothing from it and changes nothing in it.

use super::reader::{Reader, Step};
use super::{Fault, Seen};

/// Watches a stream, chunk by chunk.
///
/// ```
/// # use weir_protocols::grpc::frame::{Fault, Watch};
/// let mut watch = Watch::new(4 * 1024 * 1024);
/// watch.see(b"\0\0\0")?;
/// watch.see(b"\0\x02hi")?;
/// assert_eq!(watch.seen().messages, 1);
/// assert_eq!(watch.seen().biggest, 2);
/// watch.finish()?;
/// # Ok::<(), Fault>(())
/// ```
#[derive(Debug)]
pub struct Watch {
    reader: Reader,
}

impl Watch {
    /// A watch at the start of a stream, none of whose messages may be longer than `max_message`
    /// bytes as sent.
    pub fn new(max_message: u32) -> Self {
        Self {
            reader: Reader::new(max_message),
        }
    }

    /// Looks at the next chunk of the stream.
    ///
    /// # Errors
    /// Then and ever after, when a head in it is none or its message is too long. What was seen of
    /// the stream until there does not depend on how it was cut.
    pub fn see(&mut self, mut chunk: &[u8]) -> Result<(), Fault> {
        loop {
            match self.reader.step(chunk)? {
                Step::More => return Ok(()),
                Step::Head(taken, _) | Step::Body(taken) => chunk = &chunk[taken..],
                Step::End => {}
            }
        }
    }

    /// What has gone by.
    pub fn seen(&self) -> Seen {
        self.reader.seen()
    }

    /// Ends the stream.
    ///
    /// # Errors
    /// If it ended within a message, or had failed.
    pub fn finish(&self) -> Result<(), Fault> {
        self.reader.finish()
    }
}
