//! What must hold for any template, path, query, body and message whatsoever of who transcodes.

use std::sync::LazyLock;

use bytes::{Bytes, BytesMut};
use weir_protocols::grpc::descriptor::{Body, Limits, Pool, Rule};
use weir_protocols::grpc::frame::{Head, write_head};
use weir_protocols::grpc::status::Code;
use weir_protocols::grpc::transcode::request::Fault;
use weir_protocols::grpc::transcode::response::{End, Options, Status, Stream};
use weir_protocols::grpc::transcode::{Found, Route, Table};

/// What a message may be here, so that some are too long.
const MAX: u32 = 300;

/// Methods of `library.proto`, by requests that reach them. Those that answer with what they are asked
/// come first.
const TARGETS: [(&str, &str); 8] = [
    ("POST", "/library.Echo/Everything"),
    ("POST", "/library.Echo/CreateBookRequest"),
    ("GET", "/v1/shelves/1/books/2"),
    ("PATCH", "/v1/shelves/1/books/2"),
    ("SEARCH", "/v1/everything"),
    ("POST", "/v1/shelves/1/books:import"),
    ("POST", "/v1/books/1/page"),
    ("POST", "/v1/pages"),
];
const ECHOES: usize = 2;

static POOL: LazyLock<Pool> = LazyLock::new(|| {
    let set = include_bytes!("library.binpb");
    Pool::read(set, Limits::default()).expect("it holds together")
});

static TABLE: LazyLock<Table> = LazyLock::new(|| {
    let mut routes = Vec::new();
    for method in POOL.methods() {
        routes.extend(Route::of(method).expect("its rules are sound"));
        routes.push(Route::plain(method).expect("it is a path"));
    }
    Table::build(routes).expect("no two are the same")
});

/// A template on the first line, and on the second a path that may be one of its.
pub fn template(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let (pattern, path) = text.split_once('\n').unwrap_or((text, text));
    let method = POOL.method("/library.Library/Titles").expect("it is there");
    let rule = Rule {
        http_method: "GET".into(),
        pattern: pattern.into(),
        body: Body::None,
        response_body: None,
    };
    let Ok(route) = Route::resolve(method, rule) else {
        return;
    };
    let table = Table::build([route]).expect("one alone has no other like it");
    let other = table.find("PUT", path);
    match table.find("GET", path) {
        Found::Route(found) => {
            assert!(path.starts_with('/'));
            assert!(matches!(other, Found::OtherMethod(allowed) if allowed == ["GET"]));
            if let Ok(mut reader) = found.request("", "", MAX) {
                let mut out = BytesMut::new();
                if reader.finish(&mut out).is_ok() {
                    assert_eq!(reader.messages(), 1);
                }
            }
        }
        Found::OtherMethod(_) => panic!("the method is the same"),
        Found::Nothing => assert!(matches!(other, Found::Nothing)),
    }
}

/// A method by the first byte, a query to the end of the line, and a body; and the body as what a
/// server answers.
pub fn transcode(data: &[u8]) {
    let Some((first, rest)) = data.split_first() else {
        return;
    };
    let target = usize::from(*first) % TARGETS.len();
    let end = memchr::memchr(b'\n', rest).unwrap_or(rest.len());
    let (query, body) = (&rest[..end], rest.get(end + 1..).unwrap_or_default());
    let Ok(query) = std::str::from_utf8(query) else {
        return;
    };
    let whole = read(target, query, body.chunks(body.len().max(1)));
    let is_cut_by_chunks = TARGETS[target].1 == "/v1/pages";
    if !is_cut_by_chunks {
        let by_bytes = read(target, query, body.chunks(1));
        assert_eq!(unordered(by_bytes), unordered(whole.clone()));
    }
    if let (true, (frames, Ok(()))) = (target < ECHOES, whole) {
        same_again(target, &frames);
    }
    answers(target, body);
}

type Read = (Vec<u8>, Result<(), Fault>);

fn read<'a>(target: usize, query: &str, chunks: impl Iterator<Item = &'a [u8]>) -> Read {
    let (method, path) = TARGETS[target];
    let Found::Route(found) = TABLE.find(method, path) else {
        panic!("{path} leads nowhere");
    };
    let mut out = BytesMut::new();
    let mut reader = match found.request(query, "text/plain", MAX) {
        Ok(reader) => reader,
        Err(fault) => return (Vec::new(), Err(fault)),
    };
    for chunk in chunks {
        if let Err(fault) = reader.push(chunk, &mut out) {
            assert_eq!(reader.push(chunk, &mut out), Err(fault.clone()));
            return (out.to_vec(), Err(fault));
        }
    }
    let finished = reader.finish(&mut out);
    (out.to_vec(), finished)
}

/// Entries of maps come in any order, in messages as in JSON.
fn unordered((mut frames, ended): Read) -> Read {
    frames.sort_unstable();
    (frames, ended)
}

/// What was read is written, and that is read as the same.
fn same_again(target: usize, frames: &[u8]) {
    let json = written(target, frames, Stream::Lines).expect("what was read can be written");
    let (again, ended) = read(target, "", json.chunks(json.len().max(1)));
    // As JSON it may be too long.
    if ended.is_ok() {
        let mut twice = written(target, &again, Stream::Lines).expect("the same");
        twice.sort_unstable();
        let mut once = json;
        once.sort_unstable();
        assert_eq!(twice, once);
    }
}

/// The answer to these bytes, if they are one.
fn written(target: usize, frames: &[u8], stream: Stream) -> Option<Vec<u8>> {
    let (method, path) = TARGETS[target];
    let Found::Route(found) = TABLE.find(method, path) else {
        panic!("{path} leads nowhere");
    };
    let mut writer = found.route.answer(stream, Options::default(), u32::MAX);
    let mut out = BytesMut::new();
    let status = Status {
        code: Code::Ok,
        message: "",
        details: b"",
    };
    writer.push(Bytes::copy_from_slice(frames), &mut out).ok()?;
    let end = writer.finish(&status, true, &mut out).ok()?;
    assert_eq!(end, End::Whole);
    Some(out.to_vec())
}

/// Bytes of any kind, as frames and as a message in one.
fn answers(target: usize, bytes: &[u8]) {
    let head = Head {
        compressed: false,
        length: u32::try_from(bytes.len()).unwrap_or(u32::MAX),
    };
    let framed = [&write_head(head)[..], bytes].concat();
    for stream in [Stream::Lines, Stream::Events] {
        let _ = written(target, bytes, stream);
        let _ = written(target, &framed, stream);
    }
    let status = Status {
        code: Code::NotFound,
        message: "no",
        details: bytes,
    };
    let failure = TABLE.routes()[0].failure(&status, Options::default());
    assert_eq!(failure.http_status, 404);
    assert!(serde_json::from_slice::<serde_json::Value>(&failure.json).is_ok());
}
