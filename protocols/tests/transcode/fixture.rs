//! A server's files, compiled, and calls of its methods.

use bytes::BytesMut;
use protox::Compiler;
use protox::file::{ChainFileResolver, File, FileResolver, GoogleFileResolver};
use weir_protocols::grpc::descriptor::{Limits, Pool};
use weir_protocols::grpc::frame::{Head, write_head};
use weir_protocols::grpc::status::Code;
use weir_protocols::grpc::transcode::request::Fault;
use weir_protocols::grpc::transcode::response::Status;
use weir_protocols::grpc::transcode::{Found, Route, Table};

/// The files there are, by their names.
const FILES: [(&str, &str); 5] = [
    ("library.proto", include_str!("library.proto")),
    (
        "google/api/annotations.proto",
        include_str!("../../../tests/proto/google/api/annotations.proto"),
    ),
    (
        "google/api/http.proto",
        include_str!("../../../tests/proto/google/api/http.proto"),
    ),
    ("google/api/httpbody.proto", include_str!("httpbody.proto")),
    ("shelf.proto", include_str!("shelf.proto")),
];

struct Files(Vec<(String, String)>);

impl FileResolver for Files {
    fn open_file(&self, name: &str) -> Result<File, protox::Error> {
        match self.0.iter().find(|(there, _)| there == name) {
            Some((name, source)) => File::from_source(name, source),
            None => Err(protox::Error::file_not_found(name)),
        }
    }
}

/// A set of a file and, if wanted, of what it imports.
pub fn compile(name: &str, source: &str, with_imports: bool) -> Vec<u8> {
    let mut files: Vec<_> = FILES
        .map(|(name, source)| (name.to_owned(), source.to_owned()))
        .into();
    files.insert(0, (name.to_owned(), source.to_owned()));
    let mut resolver = ChainFileResolver::new();
    resolver.add(Files(files));
    resolver.add(GoogleFileResolver::new());
    let mut compiler = Compiler::with_file_resolver(resolver);
    compiler.include_imports(with_imports);
    compiler.open_file(name).expect("it compiles");
    compiler.encode_file_descriptor_set()
}

pub fn set() -> Vec<u8> {
    compile("library.proto", FILES[0].1, true)
}

pub fn pool() -> Pool {
    Pool::read(&set(), Limits::default()).expect("it holds together")
}

/// All rules of the library, and each method by its own path.
pub fn table() -> Table {
    table_of(&pool())
}

pub fn table_of(pool: &Pool) -> Table {
    let mut routes = Vec::new();
    for method in pool.methods() {
        routes.extend(Route::of(method).expect("its rules are sound"));
        routes.push(Route::plain(method).expect("it is a path"));
    }
    Table::build(routes).expect("no two are the same")
}

/// A table of one method with this rule, given as options are written in a file.
pub fn with_rule(rule: &str) -> Result<Table, String> {
    let source = format!(
        r#"syntax = "proto3"; package t;
        import "google/api/annotations.proto";
        import "library.proto";
        service S {{ rpc M(library.Everything) returns (library.Everything) {{
            option (google.api.http) = {{ {rule} }};
        }} }}"#
    );
    let set = compile("t.proto", &source, true);
    let pool = Pool::read(&set, Limits::default()).map_err(|fault| fault.to_string())?;
    let method = pool.method("/t.S/M").expect("it is there");
    let routes = Route::of(method).map_err(|fault| fault.to_string())?;
    Table::build(routes).map_err(|fault| fault.to_string())
}

/// The messages that a request is, each in JSON again.
pub fn call(table: &Table, method: &str, target: &str, body: &str) -> Result<Vec<String>, Fault> {
    call_in(table, method, target, &[body.as_bytes()], 1 << 20)
}

pub fn call_in(
    table: &Table,
    method: &str,
    target: &str,
    chunks: &[&[u8]],
    max: u32,
) -> Result<Vec<String>, Fault> {
    let frames = frames_of(table, method, target, chunks, max)?;
    Ok(messages(&frames)
        .iter()
        .map(|message| show(table, method, target, message))
        .collect())
}

/// The frames that a request is.
pub fn frames_of(
    table: &Table,
    method: &str,
    target: &str,
    chunks: &[&[u8]],
    max: u32,
) -> Result<Vec<u8>, Fault> {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let Found::Route(found) = table.find(method, path) else {
        panic!("{method} {target} leads nowhere");
    };
    let mut out = BytesMut::new();
    let mut reader = found.request(query, "text/plain", max)?;
    for chunk in chunks {
        reader.push(chunk, &mut out)?;
    }
    reader.finish(&mut out)?;
    Ok(out.to_vec())
}

/// A request's message as JSON: of a method that answers with what it is asked.
fn show(table: &Table, method: &str, target: &str, message: &[u8]) -> String {
    use weir_protocols::grpc::transcode::response::{End, Options, Stream};
    let (path, _) = target.split_once('?').unwrap_or((target, ""));
    let Found::Route(found) = table.find(method, path) else {
        panic!("{method} {target} leads nowhere");
    };
    let input = found.route.method().input();
    let echo = format!(
        "/library.Echo/{}",
        input.rsplit('.').next().expect("it has a name")
    );
    let echo = table
        .routes()
        .iter()
        .find(|route| route.method().path == echo);
    let Some(echo) = echo else {
        return format!("{message:?}");
    };
    let mut writer = echo.answer(Stream::Lines, Options::default(), 1 << 20);
    let mut out = BytesMut::new();
    writer
        .push(frame(message).into(), &mut out)
        .expect("it is its type");
    let end = writer.finish(&status(Code::Ok), true, &mut out);
    assert_eq!(end, Ok(End::Whole));
    String::from_utf8(out.to_vec()).expect("it is JSON")
}

pub fn status(code: Code) -> Status<'static> {
    let (message, details) = ("", b"".as_slice());
    Status {
        code,
        message,
        details,
    }
}

/// A message in its frame.
pub fn frame(message: &[u8]) -> Vec<u8> {
    let length = u32::try_from(message.len()).expect("it is short");
    let head = Head {
        compressed: false,
        length,
    };
    [&write_head(head), message].concat()
}

/// The messages in frames.
pub fn messages(mut frames: &[u8]) -> Vec<Vec<u8>> {
    let mut messages = Vec::new();
    while let Some((head, rest)) = frames.split_first_chunk::<5>() {
        let length = u32::from_be_bytes([head[1], head[2], head[3], head[4]]) as usize;
        messages.push(rest[..length].to_vec());
        frames = &rest[length..];
    }
    messages
}

/// Whether two texts are the same JSON.
#[track_caller]
pub fn same(found: &str, expected: &str) {
    let json = |text: &str| serde_json::from_str::<serde_json::Value>(text).expect(text);
    assert_eq!(json(found), json(expected));
}
