//! Files asked of a server, one question at a time.

use std::collections::HashMap;

use weir_protocols::grpc::descriptor;
use weir_protocols::grpc::reflection::{Answer, Fault, Limits, Question, Reader};

use crate::fixture::{messages, set};

/// A field of bytes.
fn field(number: u8, value: &[u8]) -> Vec<u8> {
    let mut out = vec![number << 3 | 2];
    let mut length = value.len();
    while length > 0x7f {
        out.push((length & 0x7f) as u8 | 0x80);
        length >>= 7;
    }
    out.push(length as u8);
    out.extend(value);
    out
}

/// The fields of bytes of a message that has no others.
fn fields(mut message: &[u8]) -> Vec<(u8, Vec<u8>)> {
    let mut out = Vec::new();
    while let Some((tag, rest)) = message.split_first() {
        let (mut length, mut at) = (0usize, 0);
        loop {
            length |= usize::from(rest[at] & 0x7f) << (7 * at);
            at += 1;
            if rest[at - 1] < 0x80 {
                break;
            }
        }
        out.push((tag >> 3, rest[at..at + length].to_vec()));
        message = &rest[at + length..];
    }
    out
}

/// A server that answers by the letter.
struct Server {
    services: Vec<&'static str>,
    files: HashMap<String, Vec<u8>>,
    asked: Vec<String>,
}

impl Server {
    fn new() -> Self {
        let files = fields(&set()).into_iter().map(|(_, file)| {
            let name = fields(&file[..2 + usize::from(file[1])]).remove(0).1;
            (String::from_utf8(name).expect("it is text"), file)
        });
        Self {
            services: vec![
                "library.Library",
                "library.Echo",
                "grpc.reflection.v1.ServerReflection",
            ],
            files: files.collect(),
            asked: Vec::new(),
        }
    }

    fn answer(&mut self, question: &[u8]) -> Vec<u8> {
        let (kind, value) = fields(question).remove(0);
        let value = String::from_utf8(value).expect("it is text");
        self.asked.push(value.clone());
        let file = match kind {
            7 => {
                let services = self.services.iter();
                let services = services.map(|name| field(1, &field(1, name.as_bytes())));
                return field(6, &services.collect::<Vec<_>>().concat());
            }
            4 => self
                .files
                .get("library.proto")
                .filter(|_| value.starts_with("library.")),
            3 => self.files.get(&value),
            kind => panic!("{kind}"),
        };
        match file {
            Some(file) => field(4, &field(1, file)),
            None => field(7, &[&b"\x08\x05"[..], &field(2, b"not here")].concat()),
        }
    }

    fn ask(&mut self, limits: Limits) -> Result<descriptor::Pool, Fault> {
        let mut reader = Reader::new(limits);
        while let Some(question) = reader.question() {
            let answer = self.answer(&question.encode());
            if let Err(fault) = reader.answer(&answer) {
                assert_eq!(reader.question(), None);
                assert_eq!(reader.answer(&answer), Err(fault.clone()));
                assert_eq!(reader.pool().expect_err("it failed"), fault);
                return Err(fault);
            }
        }
        reader.pool()
    }
}

#[test]
fn a_server_is_asked_for_what_is_needed_and_no_more() {
    let mut server = Server::new();
    let pool = server.ask(Limits::default()).expect("it answers");
    let methods: Vec<_> = pool.methods().map(|method| &*method.path).collect();
    assert!(
        methods.contains(&"/library.Library/GetBook") && methods.len() == 15,
        "{methods:?}"
    );
    let book = pool
        .method("/library.Library/GetBook")
        .expect("it is there");
    assert_eq!(book.rules.len(), 2, "options are not lost on the way");
    assert_eq!(server.asked, ["*", "library.Library", "shelf.proto"]);
}

#[test]
fn what_a_server_does_not_have_is_named() {
    let mut server = Server::new();
    server.files.remove("shelf.proto");
    let fault = server
        .ask(Limits::default())
        .expect_err("a file is missing");
    let asked = Question::File("shelf.proto".into());
    let why = "not here".to_owned();
    assert_eq!(
        fault,
        Fault::Refused {
            asked,
            code: 5,
            why
        }
    );
    let said = "server reflection: the server does not have shelf.proto (code 5: not here): use a \
                descriptor set from a file instead";
    assert_eq!(fault.to_string(), said);
    server.services.push("other.Service");
    let fault = Server {
        files: Server::new().files,
        ..server
    };
    let fault = { fault }
        .ask(Limits::default())
        .expect_err("a service is missing");
    assert!(
        fault.to_string().contains("no file for other.Service"),
        "{fault}"
    );
}

#[test]
fn a_server_that_never_ends_is_left() {
    let few = Limits {
        questions: 2,
        ..Limits::default()
    };
    let fault = Server::new().ask(few).expect_err("it takes three");
    assert_eq!(fault, Fault::TooManyQuestions { max: 2 });
    let set = descriptor::Limits {
        files: 1,
        ..descriptor::Limits::default()
    };
    let fault = Server::new().ask(Limits {
        set,
        ..Limits::default()
    });
    let expected = Fault::Set(descriptor::Fault::TooManyFiles { files: 2, max: 1 });
    assert_eq!(fault.expect_err("there are two"), expected);
    let set = descriptor::Limits {
        bytes: 100,
        ..descriptor::Limits::default()
    };
    let fault = Server::new().ask(Limits {
        set,
        ..Limits::default()
    });
    let fault = fault.expect_err("it is long");
    assert!(
        matches!(
            fault,
            Fault::Set(descriptor::Fault::TooLong { max: 100, .. })
        ),
        "{fault:?}"
    );
}

#[test]
fn another_answer_than_asked_for_is_none() {
    for answer in [&b""[..], b"\x22\x00", b"\x2a\x00"] {
        let mut reader = Reader::new(Limits::default());
        assert_eq!(reader.answer(answer), Err(Fault::Unasked), "{answer:?}");
    }
    let mut reader = Reader::new(Limits::default());
    assert!(matches!(reader.answer(b"\xff"), Err(Fault::Answer { .. })));
    let mut reader = Reader::new(Limits::default());
    assert_eq!(
        reader.pool().expect_err("nothing was asked"),
        Fault::Unfinished
    );
    reader.answer(b"\x32\x00").expect("there are none");
    assert_eq!(reader.answer(b"\x32\x00"), Err(Fault::Unasked));
    assert_eq!(
        Answer::decode(b"\x32\x05\x0a\x03\x0a\x01s"),
        Ok(Answer::Services(vec!["s".into()]))
    );
    assert!(messages(b"").is_empty());
}
