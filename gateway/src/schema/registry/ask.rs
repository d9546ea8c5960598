//! How a registry is asked: over the one way upstreams are called, one question after another under
//! one deadline.

use std::collections::VecDeque;
use std::time::Instant;

use http::header::{ACCEPT, AUTHORIZATION, HOST};
use http::{HeaderName, HeaderValue, StatusCode};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use pingora_http::RequestHeader;
use weir_telemetry::Code;

use super::answer::{Answer, Named};
use super::{Question, Registered, Registry, unavailable};
use crate::error::GatewayError;
use crate::proxy::{Downstream, Request};
use crate::schema::Reference;
use crate::upstream::{self, Body, Call};

/// The longest answer that is read, in bytes.
const MAX_ANSWER: usize = 4 << 20;
/// As many schemas may one refer to, however far.
const MOST_REFERENCES: usize = 64;
/// What stands in a segment of a path as it is.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// What was asked for, or why there is none that could be used.
type Found<T> = Result<T, String>;

impl Registry {
    /// Asks for a schema and all that it refers to, and compiles it.
    pub(super) async fn ask(
        &self,
        question: &Question,
        request: &mut Request,
        down: &mut Downstream,
    ) -> Result<Found<Registered>, GatewayError> {
        let deadline = Instant::now() + self.definition.timeout;
        let (path, message) = match question {
            Question::Id(id) => (format!("/schemas/ids/{id}"), None),
            Question::Version {
                subject,
                version,
                message,
            } => (version_path(subject, *version), message.clone()),
        };
        let answer = match self.get(&path, deadline, request, down).await? {
            Ok(answer) => answer,
            Err(why) => return Ok(Err(why)),
        };
        let id = match (question, answer.id) {
            (Question::Id(id), _) => *id,
            (_, Some(id)) => id,
            (_, None) => return Err(unavailable(format!("{path}: its answer has no id"))),
        };
        let references = self.references(&answer.references, deadline, request, down);
        let references = match references.await? {
            Ok(references) => references,
            Err(why) => return Ok(Err(why)),
        };
        // A worker has others to serve meanwhile.
        let compiled =
            tokio::task::spawn_blocking(move || answer.compile(&references, message.as_deref()));
        let compiled = compiled.await.map_err(|error| {
            GatewayError::new(Code::InternalError).source(format!("{path}: {error}"))
        })?;
        Ok(compiled
            .map(|codec| Registered { id, codec })
            .map_err(|why| format!("{path}: {why}")))
    }

    /// All that a schema refers to, however far.
    async fn references(
        &self,
        named: &[Named],
        deadline: Instant,
        request: &mut Request,
        down: &mut Downstream,
    ) -> Result<Found<Vec<Reference>>, GatewayError> {
        let mut open: VecDeque<Named> = named.iter().cloned().collect();
        let mut found: Vec<Reference> = Vec::new();
        while let Some(next) = open.pop_front() {
            if found.iter().any(|reference| reference.name == next.name) {
                continue;
            }
            let path = version_path(&next.subject, Some(next.version));
            if found.len() == MOST_REFERENCES {
                return Ok(Err(format!("{path} is one reference too many")));
            }
            match self.get(&path, deadline, request, down).await? {
                Ok(answer) => {
                    open.extend(answer.references);
                    found.push(Reference {
                        name: next.name,
                        text: answer.schema,
                    });
                }
                Err(why) => return Ok(Err(why)),
            }
        }
        Ok(Ok(found))
    }

    async fn get(
        &self,
        path: &str,
        deadline: Instant,
        request: &mut Request,
        down: &mut Downstream,
    ) -> Result<Found<Answer>, GatewayError> {
        let mut call = Call {
            body: Body::None,
            hash_key: None,
            deadline,
            hasty: false,
        };
        let head = |request: &Request, _: &Downstream, span| {
            self.head(path, &request.record.trace.traceparent_of(span))
        };
        let answer = upstream::call(&self.upstream, request, down, &mut call, head).await?;
        let (status, exchange) = (answer.head.status, answer.exchange);
        let too_long = || unavailable(format!("{path}: its answer is too long"));
        let body = exchange
            .whole(request, down, &mut call.body, MAX_ANSWER, too_long)
            .await?;
        match status {
            StatusCode::OK => match serde_json::from_slice(&body) {
                Ok(answer) => Ok(Ok(answer)),
                Err(_) => Err(unavailable(format!("{path}: its answer is no schema"))),
            },
            StatusCode::NOT_FOUND => Ok(Err(format!("{path}: it has no such schema"))),
            status => Err(unavailable(format!(
                "{path}: it answered {}",
                status.as_u16()
            ))),
        }
    }

    fn head(&self, path: &str, trace: &str) -> RequestHeader {
        let path = format!("{}{path}", self.definition.base_path);
        let mut head = RequestHeader::build_no_case("GET", path.as_bytes(), Some(4))
            .expect("what is no letter or digit of a path is escaped");
        let mut put = |name: HeaderName, value: HeaderValue| {
            head.insert_header(name, value)
                .expect("a typed header is valid");
        };
        let field = |text: &str| HeaderValue::from_str(text).expect("`check` wants it to fit");
        put(HOST, field(&self.definition.authority));
        let media = "application/vnd.schemaregistry.v1+json, application/json";
        put(ACCEPT, HeaderValue::from_static(media));
        put(HeaderName::from_static("traceparent"), field(trace));
        if let Some(authorization) = &self.definition.authorization {
            let mut value = field(authorization.expose());
            value.set_sensitive(true);
            put(AUTHORIZATION, value);
        }
        head
    }
}

fn version_path(subject: &str, version: Option<u32>) -> String {
    let subject = utf8_percent_encode(subject, SEGMENT);
    match version {
        Some(version) => format!("/subjects/{subject}/versions/{version}"),
        None => format!("/subjects/{subject}/versions/latest"),
    }
}
