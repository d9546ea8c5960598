//! HTTP requests as the messages of a call: what the path, the query and the body say, as protobuf in
//! gRPC's frames. Does not know which headers a call needs.

mod fault;
pub(super) mod json;
mod order;
mod query;

use std::sync::Arc;

use bytes::{BufMut as _, Bytes, BytesMut};
use prost_reflect::prost::Message as _;
use prost_reflect::{DynamicMessage, Kind, MessageDescriptor, Value};

use super::field::{self, Expected, Path, Shape};
use super::route::{Payload, Route, Target};
use super::table::Match;
use crate::grpc::frame::{HEAD, Head, write_head};

pub use fault::{Fault, Part, What};

/// Reads a request, as its body comes.
///
/// What takes one message is gathered and written at the end. What takes many is read line by line,
/// one JSON text on each; a raw body is then cut where its chunks are.
pub struct Reader {
    route: Arc<Route>,
    /// What path and query say, for each message.
    values: Vec<(Path, Value)>,
    content_type: String,
    max_message: u32,
    /// What was gathered of a message.
    held: BytesMut,
    /// How many messages there are so far.
    messages: u64,
    fault: Option<Fault>,
}

impl Match<'_, '_> {
    /// Begins to read the request that led here. Its query is as it came, without the question mark;
    /// its content type goes into `google.api.HttpBody`, if that is what the method takes. No message
    /// may be longer than `max_message` bytes, neither as sent nor as made of that.
    ///
    /// # Errors
    /// If the path or the query has a value that is none for its field, or names no field.
    pub fn request(
        &self,
        query: &str,
        content_type: &str,
        max_message: u32,
    ) -> Result<Reader, Fault> {
        let mut values = Vec::new();
        for (variable, path) in self
            .route
            .template()
            .variables()
            .iter()
            .zip(&self.route.bound)
        {
            let fault = |what| Fault {
                part: Part::Path,
                field: Some(variable.field.clone()),
                what,
            };
            let text = variable
                .value(&self.path)
                .map_err(|_| fault(What::Escape))?;
            let kind = path.last().kind();
            let value = field::parse(&kind, &text).ok_or_else(|| {
                let (kind, shape) = (&kind, Shape::One);
                let expected = Expected { kind, shape }.to_string();
                fault(What::Value { expected })
            })?;
            values.push((path.clone(), value));
        }
        query::read(self.route, query, &mut values)?;
        choices(&self.route.method().input, &values)?;
        Ok(Reader {
            values,
            content_type: content_type.to_owned(),
            ..self.route.request(max_message)
        })
    }
}

/// Refuses what sets two fields of which there can be one.
fn choices(input: &MessageDescriptor, values: &[(Path, Value)]) -> Result<(), Fault> {
    if values.len() < 2 {
        return Ok(());
    }
    let mut probe = DynamicMessage::new(input.clone());
    for (path, value) in values {
        if path.rival(&probe).is_some() {
            return Err(Fault::query(&path.name(), What::Choice));
        }
        path.set(&mut probe, value.clone());
    }
    Ok(())
}

impl Route {
    /// Begins to read a request of which neither the path nor a query says anything. No message may be
    /// longer than `max_message` bytes, neither as sent nor as made of that.
    pub fn request(self: &Arc<Self>, max_message: u32) -> Reader {
        Reader {
            route: self.clone(),
            values: Vec::new(),
            content_type: String::new(),
            max_message,
            held: BytesMut::new(),
            messages: 0,
            fault: None,
        }
    }
}

impl Reader {
    /// Takes a piece of the body and writes the messages that are whole with it, each in its frame.
    ///
    /// # Errors
    /// Then and ever after, when a message is too long or is none. Those before it were written.
    pub fn push(&mut self, chunk: &[u8], out: &mut BytesMut) -> Result<(), Fault> {
        self.sound()?;
        let read = self.read(chunk, out);
        self.keep(read)
    }

    /// Ends the body, and writes what is left of it.
    ///
    /// # Errors
    /// As for [`push`](Self::push).
    pub fn finish(&mut self, out: &mut BytesMut) -> Result<(), Fault> {
        self.sound()?;
        let held = self.held.split();
        let streams = self.route.method().client_streaming;
        let is_json = matches!(self.route.body, Payload::Json(_));
        let read = if streams && is_json {
            self.line(&held, out)
        } else if streams && self.messages > 0 {
            Ok(())
        } else {
            self.message(&held, out)
        };
        self.keep(read)
    }

    /// How many messages were written so far.
    pub fn messages(&self) -> u64 {
        self.messages
    }

    fn sound(&self) -> Result<(), Fault> {
        self.fault.clone().map_or(Ok(()), Err)
    }

    fn keep(&mut self, read: Result<(), Fault>) -> Result<(), Fault> {
        self.fault = read.as_ref().err().cloned();
        read
    }

    fn read(&mut self, mut chunk: &[u8], out: &mut BytesMut) -> Result<(), Fault> {
        if chunk.is_empty() {
            return Ok(());
        }
        match (&self.route.body, self.route.method().client_streaming) {
            (Payload::Nothing, _) => Err(self.body(What::Body)),
            (_, false) => self.hold(chunk),
            (Payload::Raw(_), true) => {
                // One message each, and so none that is too long.
                let most = usize::try_from(self.max_message)
                    .unwrap_or(usize::MAX)
                    .max(1);
                chunk
                    .chunks(most)
                    .try_for_each(|piece| self.message(piece, out))
            }
            (Payload::Json(_), true) => {
                while let Some(end) = memchr::memchr(b'\n', chunk) {
                    let (line, after) = (&chunk[..end], &chunk[end + 1..]);
                    if self.held.is_empty() && line.len() <= self.max() {
                        self.line(line, out)?;
                    } else {
                        self.hold(line)?;
                        let held = self.held.split();
                        self.line(&held, out)?;
                    }
                    chunk = after;
                }
                self.hold(chunk)
            }
        }
    }

    fn max(&self) -> usize {
        usize::try_from(self.max_message).unwrap_or(usize::MAX)
    }

    fn hold(&mut self, piece: &[u8]) -> Result<(), Fault> {
        if self.max() - self.held.len().min(self.max()) < piece.len() {
            let max = self.max_message;
            return Err(self.body(What::TooLong { max }));
        }
        self.held.extend_from_slice(piece);
        Ok(())
    }

    /// Something about the message that is being read.
    fn body(&self, what: What) -> Fault {
        let part = Part::Body {
            message: self.messages + 1,
            line: 0,
            column: 0,
        };
        let field = None;
        Fault { part, field, what }
    }

    fn line(&mut self, line: &[u8], out: &mut BytesMut) -> Result<(), Fault> {
        if line.trim_ascii().is_empty() {
            return Ok(());
        }
        self.message(line, out)
    }

    fn message(&mut self, text: &[u8], out: &mut BytesMut) -> Result<(), Fault> {
        let input = &self.route.method().input;
        let mut message = match &self.route.body {
            Payload::Nothing => DynamicMessage::new(input.clone()),
            Payload::Json(target) => json::read(&self.route.asks, target, text, self.messages + 1)?,
            Payload::Raw(target) => self.raw(input, target, text),
        };
        for (path, value) in &self.values {
            path.set(&mut message, value.clone());
        }
        // A number may be shorter as text than it is packed. What stands around raw bytes is not counted.
        let most = match &self.route.body {
            Payload::Raw(_) => u32::MAX,
            Payload::Nothing | Payload::Json(_) => self.max_message,
        };
        let length = u32::try_from(message.encoded_len()).ok();
        let length = length.filter(|length| *length <= most);
        let length = length.ok_or_else(|| {
            let max = self.max_message;
            self.body(What::TooLong { max })
        })?;
        let compressed = false;
        out.reserve(HEAD + message.encoded_len());
        out.put_slice(&write_head(Head { compressed, length }));
        message.encode_raw(out);
        self.messages += 1;
        Ok(())
    }

    /// A raw body, or a piece of one: what it is stands in the first.
    fn raw(&self, input: &MessageDescriptor, target: &Target, data: &[u8]) -> DynamicMessage {
        let fill = |mut body: DynamicMessage| {
            if self.messages == 0 && !self.content_type.is_empty() {
                let kind = Value::String(self.content_type.clone());
                // It has these fields, or would not be taken for what it is.
                let _set = body.try_set_field_by_name("content_type", kind);
            }
            let data = Value::Bytes(Bytes::copy_from_slice(data));
            let _set = body.try_set_field_by_name("data", data);
            body
        };
        match target {
            Target::Whole => fill(DynamicMessage::new(input.clone())),
            Target::Field(field) => {
                let mut message = DynamicMessage::new(input.clone());
                if let Kind::Message(body) = field.kind() {
                    message.set_field(field, Value::Message(fill(DynamicMessage::new(body))));
                }
                message
            }
        }
    }
}

impl std::fmt::Debug for Reader {
    /// Not what was sent, which is the caller's.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reader")
            .field("route", &self.route)
            .field("messages", &self.messages)
            .field("held", &self.held.len())
            .finish_non_exhaustive()
    }
}
