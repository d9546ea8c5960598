//! Server reflection (grpc/reflection/v1/reflection.proto, and v1alpha, which says the same by
//! another name): asks a server for its files, one question at a time. Opens no call.

use std::collections::{HashSet, VecDeque};
use std::fmt;

use bytes::Bytes;
use prost_reflect::prost::Message as _;
use prost_reflect::prost_types::FileDescriptorProto;
use prost_reflect::{DynamicMessage, Value};

use super::descriptor::{self, Pool, builtin};

/// The method that is called; one call for all questions.
pub const V1: &str = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo";
/// What older servers have instead.
pub const V1ALPHA: &str = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo";

/// A question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Question {
    /// Which services there are.
    Services,
    /// The file that defines a symbol, such as a service, by its name with its package.
    FileOf(String),
    /// A file, by its name.
    File(String),
}

/// What a server answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The names of its services, with their packages.
    Services(Vec<String>),
    /// Files, each a google.protobuf.FileDescriptorProto.
    Files(Vec<Bytes>),
    /// It cannot say: a code of gRPC's, and why.
    Error(i32, String),
    /// Something else.
    Other,
}

impl Question {
    /// The bytes of a ServerReflectionRequest, in no frame.
    ///
    /// ```
    /// # use weir_protocols::grpc::reflection::Question;
    /// assert_eq!(Question::FileOf("a.B".into()).encode(), b"\x22\x03a.B"[..]);
    /// ```
    pub fn encode(&self) -> Bytes {
        let (name, value) = match self {
            // It has to be set, and says nothing.
            Self::Services => ("list_services", "*"),
            Self::FileOf(symbol) => ("file_containing_symbol", symbol.as_str()),
            Self::File(file) => ("file_by_filename", file.as_str()),
        };
        let Some(kind) = builtin::message("grpc.reflection.v1.ServerReflectionRequest") else {
            return Bytes::new();
        };
        let mut request = DynamicMessage::new(kind);
        let set = request.try_set_field_by_name(name, Value::String(value.to_owned()));
        debug_assert!(set.is_ok(), "the field is defined");
        request.encode_to_vec().into()
    }
}

impl Answer {
    /// Reads a ServerReflectionResponse.
    ///
    /// # Errors
    /// If it is none.
    pub fn decode(message: &[u8]) -> Result<Self, Fault> {
        let not = |why: String| Fault::Answer { why };
        let kind = builtin::message("grpc.reflection.v1.ServerReflectionResponse");
        let kind = kind.ok_or_else(|| not("its type is not known".into()))?;
        let answer =
            DynamicMessage::decode(kind, message).map_err(|error| not(error.to_string()))?;
        let Some((field, value)) = answer.fields().next() else {
            return Ok(Self::Other);
        };
        let Some(inner) = value.as_message() else {
            return Ok(Self::Other);
        };
        Ok(match field.name() {
            "list_services_response" => Self::Services(names(inner)),
            "file_descriptor_response" => Self::Files(files(inner)),
            "error_response" => error(inner),
            _ => Self::Other,
        })
    }
}

fn names(answer: &DynamicMessage) -> Vec<String> {
    let name = |service: &Value| {
        let name = service.as_message()?.get_field_by_name("name")?;
        Some(name.as_str()?.to_owned())
    };
    let services = answer.get_field_by_name("service");
    let services = services.as_deref().and_then(Value::as_list);
    services
        .unwrap_or_default()
        .iter()
        .filter_map(name)
        .collect()
}

fn files(answer: &DynamicMessage) -> Vec<Bytes> {
    let files = answer.get_field_by_name("file_descriptor_proto");
    let files = files.as_deref().and_then(Value::as_list);
    let files = files.unwrap_or_default().iter();
    files.filter_map(|file| file.as_bytes().cloned()).collect()
}

fn error(answer: &DynamicMessage) -> Answer {
    let code = answer.get_field_by_name("error_code");
    let code = code.as_deref().and_then(Value::as_i32).unwrap_or_default();
    let why = answer.get_field_by_name("error_message");
    let why = why.as_deref().and_then(Value::as_str).unwrap_or_default();
    Answer::Error(code, why.to_owned())
}

/// How much is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// How long all files together may be, in bytes, and how many there may be.
    pub set: descriptor::Limits,
    /// How many questions are asked.
    pub questions: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            set: descriptor::Limits::default(),
            questions: 4096,
        }
    }
}

/// Why a server's files cannot be had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// An answer is none.
    Answer {
        /// What is wrong with it.
        why: String,
    },
    /// The server does not have what it said it has.
    Refused {
        /// What was asked for.
        asked: Question,
        /// The code it gave.
        code: i32,
        /// What it said.
        why: String,
    },
    /// Another thing was answered than asked for, or there was no question.
    Unasked,
    /// It takes more questions than allowed.
    TooManyQuestions {
        /// How many may be asked.
        max: usize,
    },
    /// Not all was asked for yet.
    Unfinished,
    /// The files are no set that can be used.
    Set(descriptor::Fault),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("server reflection: ")?;
        match self {
            Self::Answer { why } => write!(f, "the answer cannot be read: {why}"),
            Self::Refused { asked, code, why } => {
                match asked {
                    Question::Services => f.write_str("the server does not list its services")?,
                    Question::FileOf(symbol) => write!(f, "the server has no file for {symbol}")?,
                    Question::File(file) => write!(f, "the server does not have {file}")?,
                }
                write!(
                    f,
                    " (code {code}: {why}): use a descriptor set from a file instead"
                )
            }
            Self::Unasked => f.write_str("the server answered something else than was asked"),
            Self::TooManyQuestions { max } => write!(
                f,
                "the server has more files than can be had with {max} questions: use a descriptor \
                 set from a file instead"
            ),
            Self::Unfinished => f.write_str("the server did not answer all questions"),
            Self::Set(fault) => fault.fmt(f),
        }
    }
}

impl std::error::Error for Fault {}

/// Asks for all files that the services of a server need.
///
/// ```
/// # use weir_protocols::grpc::reflection::{Fault, Limits, Question, Reader};
/// let mut reader = Reader::new(Limits::default());
/// assert_eq!(reader.question(), Some(&Question::Services));
/// reader.answer(b"\x32\x00")?; // it has none
/// assert_eq!(reader.question(), None);
/// assert!(reader.pool()?.services().is_empty());
/// # Ok::<(), Fault>(())
/// ```
#[derive(Debug)]
pub struct Reader {
    limits: Limits,
    open: VecDeque<Question>,
    asked: usize,
    /// The names of the files that are there.
    known: HashSet<String>,
    /// The services that the files have.
    defined: HashSet<String>,
    files: Vec<Bytes>,
    bytes: usize,
    fault: Option<Fault>,
}

impl Reader {
    /// One that knows nothing yet.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            open: VecDeque::from([Question::Services]),
            asked: 0,
            known: HashSet::new(),
            defined: HashSet::new(),
            files: Vec::new(),
            bytes: 0,
            fault: None,
        }
    }

    /// What to ask next. `None` if all is there, or nothing more will be.
    pub fn question(&self) -> Option<&Question> {
        self.open.front().filter(|_| self.fault.is_none())
    }

    /// Takes the answer to that.
    ///
    /// # Errors
    /// Then and ever after, if it is none, or the server does not say, or there is too much.
    pub fn answer(&mut self, message: &[u8]) -> Result<(), Fault> {
        if let Some(fault) = &self.fault {
            return Err(fault.clone());
        }
        let taken = self.take(message);
        self.fault = taken.as_ref().err().cloned();
        taken
    }

    /// What the files say.
    ///
    /// # Errors
    /// If there is a question left, or the files are no set.
    pub fn pool(&self) -> Result<Pool, Fault> {
        if let Some(fault) = &self.fault {
            return Err(fault.clone());
        }
        if !self.open.is_empty() {
            return Err(Fault::Unfinished);
        }
        // As they came: what is read and written again loses the options it does not know.
        let mut set = Vec::with_capacity(self.bytes + self.files.len() * 6);
        for file in &self.files {
            prost_reflect::prost::encoding::bytes::encode(1, file, &mut set);
        }
        Pool::read(&set, self.limits.set).map_err(Fault::Set)
    }

    fn take(&mut self, message: &[u8]) -> Result<(), Fault> {
        if self.asked >= self.limits.questions {
            let max = self.limits.questions;
            return Err(Fault::TooManyQuestions { max });
        }
        let asked = self.open.pop_front().ok_or(Fault::Unasked)?;
        self.asked += 1;
        match (Answer::decode(message)?, asked) {
            (Answer::Services(names), Question::Services) => self.services(names),
            (Answer::Files(files), Question::File(_) | Question::FileOf(_)) => {
                files.into_iter().try_for_each(|file| self.file(file))?;
            }
            (Answer::Error(code, why), asked) => return Err(Fault::Refused { asked, code, why }),
            _ => return Err(Fault::Unasked),
        }
        // A file that came has often more than what was asked for.
        let (known, defined) = (&self.known, &self.defined);
        let is_open = |question: &Question| match question {
            Question::Services => true,
            Question::FileOf(symbol) => !defined.contains(symbol),
            Question::File(name) => !known.contains(name),
        };
        self.open.retain(is_open);
        Ok(())
    }

    fn services(&mut self, names: Vec<String>) {
        // What is asked now is nothing to call from outside.
        let names = names
            .into_iter()
            .filter(|name| !name.starts_with("grpc.reflection."));
        self.open.extend(names.map(Question::FileOf));
    }

    fn file(&mut self, bytes: Bytes) -> Result<(), Fault> {
        let file = FileDescriptorProto::decode(&*bytes).map_err(|error| Fault::Answer {
            why: error.to_string(),
        })?;
        if !self.known.insert(file.name().to_owned()) {
            return Ok(());
        }
        let (set, length) = (self.limits.set, self.bytes + bytes.len());
        if length > set.bytes {
            let max = set.bytes;
            return Err(Fault::Set(descriptor::Fault::TooLong { length, max }));
        }
        if self.files.len() == set.files {
            let (files, max) = (set.files + 1, set.files);
            return Err(Fault::Set(descriptor::Fault::TooManyFiles { files, max }));
        }
        self.bytes = length;
        self.files.push(bytes);
        for service in &file.service {
            self.defined.insert(match file.package() {
                "" => service.name().to_owned(),
                package => format!("{package}.{}", service.name()),
            });
        }
        for import in file.dependency {
            let question = Question::File(import.clone());
            if !builtin::has_file(&import) && !self.open.contains(&question) {
                self.open.push_back(question);
            }
        }
        Ok(())
    }
}
