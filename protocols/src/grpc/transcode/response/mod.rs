//! The messages of an answer as HTTP: one JSON text, a text a line, server-sent events, or the raw
//! body they hold. Does not know which headers an answer needs, but for its content type.

mod failure;
mod fault;
mod floats;
pub(super) mod json;

use std::fmt;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use prost_reflect::{DynamicMessage, SerializeOptions, Value};

use super::route::{Route, Target};
use crate::grpc::frame::{Piece, Splitter};
use crate::grpc::status::Code;
use crate::sse::{Outgoing, write_event};

pub use failure::{Failure, Status};
pub use fault::Fault;

/// How messages become JSON.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Fields are also written that have the value they have if nobody sets them.
    pub always_print_defaults: bool,
    /// Fields have their names as defined, `page_size`, and not those of JSON, `pageSize`.
    pub preserve_field_names: bool,
    /// Values of enumerations are numbers.
    pub enums_as_numbers: bool,
    /// Whole numbers of 64 bits are numbers and not texts: for readers that lose none of them.
    pub longs_as_numbers: bool,
}

impl Options {
    pub(super) fn serialize(self) -> SerializeOptions {
        SerializeOptions::new()
            .skip_default_fields(!self.always_print_defaults)
            .use_proto_field_name(self.preserve_field_names)
            .use_enum_numbers(self.enums_as_numbers)
            .stringify_64_bit_integers(!self.longs_as_numbers)
    }
}

/// How an answer of many messages is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// A JSON text on each line: `application/x-ndjson`.
    Lines,
    /// An event for each, with the text as its data: `text/event-stream`.
    Events,
}

/// How an answer ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// Well. What was written is all of it.
    Whole,
    /// Not well, and its head was not sent: this is the answer, and nothing that was written.
    Failed(Failure),
    /// Not well, with its head out. What was written says so at its end, if it can: as the event
    /// `error`, or as a line `{"error":…}`. A raw body cannot. The connection is not to end cleanly
    /// unless it was said.
    Broken {
        /// What was said, or would have been.
        failure: Failure,
        /// Whether it was.
        is_said: bool,
    },
}

/// Writes an answer, as the messages of a call come.
///
/// Of a method that answers once, nothing is written before it is known that the call ended well.
pub struct Writer {
    route: Arc<Route>,
    stream: Stream,
    options: Options,
    splitter: Splitter,
    held: Held,
    /// Messages that are whole.
    messages: u64,
    /// The one message of an answer that is not streamed, as it will be sent.
    one: BytesMut,
    /// What a raw body is, as its first message says.
    raw_type: Option<String>,
    fault: Option<Fault>,
}

/// The body of the message that is being read.
#[derive(Default)]
enum Held {
    #[default]
    Nothing,
    /// It came in one piece so far.
    Piece(Bytes),
    Gathered(BytesMut),
}

impl Route {
    /// Begins to write the answer to a request. Of its messages none may be longer than `max_message`
    /// bytes, as sent; `stream` is how they are sent if there can be many.
    pub fn answer(self: &Arc<Self>, stream: Stream, options: Options, max_message: u32) -> Writer {
        Writer {
            route: self.clone(),
            stream,
            options,
            splitter: Splitter::new(max_message),
            held: Held::Nothing,
            messages: 0,
            one: BytesMut::new(),
            raw_type: None,
            fault: None,
        }
    }

    /// A failed call as an answer, for who has nothing of it but the status.
    pub fn failure(&self, status: &Status<'_>, options: Options) -> Failure {
        Failure::new(status, self.method().output.parent_pool(), options)
    }
}

impl Writer {
    /// Takes a piece of the call's body and appends to `out` what is to be sent.
    ///
    /// # Errors
    /// Then and ever after, when it is no stream of messages or one of them cannot be written. What
    /// was so far was written; the answer is then ended with [`finish`](Self::finish) and a status of
    /// the caller's.
    pub fn push(&mut self, mut chunk: Bytes, out: &mut BytesMut) -> Result<(), Fault> {
        if let Some(fault) = &self.fault {
            return Err(fault.clone());
        }
        let read = self.read(&mut chunk, out);
        self.fault = read.as_ref().err().cloned();
        read
    }

    /// How many messages have come, of those that are whole.
    pub fn messages(&self) -> u64 {
        self.messages
    }

    /// The media type of the answer. `None` where the first message says it, and there is none yet.
    pub fn content_type(&self) -> Option<&str> {
        if self.route.answer.is_raw {
            return self.raw_type.as_deref();
        }
        Some(match (self.route.method().server_streaming, self.stream) {
            (false, _) => "application/json",
            (true, Stream::Lines) => "application/x-ndjson",
            (true, Stream::Events) => "text/event-stream",
        })
    }

    /// Ends the answer, as the call's status says. Appends to `out` what is still to be sent.
    ///
    /// # Errors
    /// If the call ended well, and yet is not whole. It is then ended once more, with a status of the
    /// caller's.
    pub fn finish(
        &mut self,
        status: &Status<'_>,
        is_head_sent: bool,
        out: &mut BytesMut,
    ) -> Result<End, Fault> {
        if status.code == Code::Ok {
            if let Some(fault) = &self.fault {
                return Err(fault.clone());
            }
            self.splitter.finish().map_err(Fault::Frame)?;
            if !self.route.method().server_streaming {
                if self.messages != 1 {
                    return Err(Fault::Messages);
                }
                out.unsplit(self.one.split());
            }
            return Ok(End::Whole);
        }
        let failure = self.route.failure(status, self.options);
        if !is_head_sent {
            return Ok(End::Failed(failure));
        }
        let is_said = self.route.method().server_streaming && !self.route.answer.is_raw;
        if is_said {
            self.say(&failure.json, out);
        }
        Ok(End::Broken { failure, is_said })
    }

    fn say(&self, json: &[u8], out: &mut BytesMut) {
        match self.stream {
            Stream::Lines => {
                out.extend_from_slice(b"{\"error\":");
                out.extend_from_slice(json);
                out.extend_from_slice(b"}\n");
            }
            Stream::Events => event(Some("error"), json, out),
        }
    }

    fn read(&mut self, chunk: &mut Bytes, out: &mut BytesMut) -> Result<(), Fault> {
        while let Some(piece) = self.splitter.next_piece(chunk).map_err(Fault::Frame)? {
            match piece {
                Piece::Head(head) if head.compressed => return Err(Fault::Compressed),
                Piece::Head(_) => self.held = Held::Nothing,
                Piece::Body(body) => self.held.add(body),
                Piece::End => {
                    let message = std::mem::take(&mut self.held).whole();
                    self.message(message, out)?;
                }
            }
        }
        Ok(())
    }

    fn message(&mut self, message: Bytes, out: &mut BytesMut) -> Result<(), Fault> {
        let streams = self.route.method().server_streaming;
        self.messages += 1;
        if !streams && self.messages > 1 {
            return Err(Fault::Messages);
        }
        let message = json::decode(&self.route.method().output, message)?;
        let answer = &self.route.answer;
        match (streams, answer.is_raw) {
            (true, true) => self.raw(message, out),
            (false, true) => {
                let mut one = BytesMut::new();
                self.raw(message, &mut one);
                self.one = one;
            }
            (false, false) => json::write(message, answer, self.options, &mut self.one)?,
            (true, false) => match self.stream {
                Stream::Lines => {
                    json::write(message, answer, self.options, out)?;
                    out.extend_from_slice(b"\n");
                }
                Stream::Events => {
                    let mut data = BytesMut::new();
                    json::write(message, answer, self.options, &mut data)?;
                    event(None, &data, out);
                }
            },
        }
        Ok(())
    }

    fn raw(&mut self, message: DynamicMessage, out: &mut BytesMut) {
        let body = match &self.route.answer.target {
            Target::Whole => message,
            Target::Field(field) => match message.get_field(field).as_message() {
                Some(body) => body.clone(),
                None => return,
            },
        };
        if self.raw_type.is_none() {
            let said = body.get_field_by_name("content_type");
            let said = said.as_deref().and_then(Value::as_str).unwrap_or_default();
            self.raw_type = Some(media_type(said).to_owned());
        }
        if let Some(data) = body.get_field_by_name("data")
            && let Some(data) = data.as_bytes()
        {
            out.extend_from_slice(data);
        }
    }
}

/// What can stand in a header; what says nothing, or cannot, is bytes of any kind.
fn media_type(said: &str) -> &str {
    let is_sound = |byte: u8| matches!(byte, b' '..=b'~' | b'\t');
    match said.trim() {
        said if !said.is_empty() && said.bytes().all(is_sound) => said,
        _ => "application/octet-stream",
    }
}

fn event(name: Option<&str>, data: &[u8], out: &mut BytesMut) {
    let event = Outgoing {
        name,
        data,
        ..Outgoing::default()
    };
    // Only a name could be refused, and ours has no line break.
    let written = write_event(out, &event);
    debug_assert!(written.is_ok());
}

impl Held {
    fn add(&mut self, piece: Bytes) {
        *self = match std::mem::take(self) {
            Self::Nothing => Self::Piece(piece),
            Self::Piece(first) => {
                let mut gathered = BytesMut::from(&*first);
                gathered.extend_from_slice(&piece);
                Self::Gathered(gathered)
            }
            Self::Gathered(mut gathered) => {
                gathered.extend_from_slice(&piece);
                Self::Gathered(gathered)
            }
        };
    }

    fn whole(self) -> Bytes {
        match self {
            Self::Nothing => Bytes::new(),
            Self::Piece(piece) => piece,
            Self::Gathered(gathered) => gathered.freeze(),
        }
    }
}

impl fmt::Debug for Writer {
    /// Not what was answered, which is the caller's.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Writer")
            .field("route", &self.route)
            .field("stream", &self.stream)
            .field("messages", &self.messages)
            .finish_non_exhaustive()
    }
}
