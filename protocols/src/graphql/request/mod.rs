//! A request as it comes over HTTP (GraphQL over HTTP, draft): from a JSON body, alone or in a batch, or
//! from a query string. Members of other names may stand beside those of the specification. Knows no
//! header and no status, and does not look into the document.

mod form;

#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::fmt;

use super::Json;
use crate::json::{Document as Body, Fault, Kind, Value};

/// A request for one operation.
#[derive(Clone, PartialEq, Eq)]
pub struct Request<'a> {
    /// The document; without one, [`persisted`](Self::persisted) or
    /// [`document_id`](Self::document_id) names it.
    pub query: Option<Cow<'a, str>>,
    /// Which operation of the document is to run.
    pub operation_name: Option<Cow<'a, str>>,
    /// Values of the operation's variables: an object.
    pub variables: Option<Json<'a>>,
    /// Whatever else was agreed upon: an object.
    pub extensions: Option<Json<'a>>,
    /// The document by its hash, from `extensions.persistedQuery`.
    pub persisted: Option<Persisted<'a>>,
    /// The document by a name that was agreed upon (GraphQL over HTTP, appendix on persisted
    /// documents).
    pub document_id: Option<Cow<'a, str>>,
}

/// A document named by its hash, as automatic persisted queries do it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Persisted<'a> {
    /// The version of the protocol; there is but 1 to date.
    pub version: u64,
    /// SHA-256 of the document: 64 hexadecimal digits, in whichever case they were sent.
    pub sha256: Cow<'a, str>,
}

impl Persisted<'_> {
    fn into_owned(self) -> Persisted<'static> {
        Persisted {
            version: self.version,
            sha256: Cow::Owned(self.sha256.into_owned()),
        }
    }
}

/// What a body asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Requests<'a> {
    /// One operation; its answer is an object.
    One(Request<'a>),
    /// Several; their answers are an array. Never none.
    Batch(Vec<Request<'a>>),
}

/// Without what was sent: documents and variables are the caller's.
impl fmt::Debug for Request<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("query_bytes", &self.query.as_ref().map(|query| query.len()))
            .field("operation_name", &self.operation_name)
            .field("variables", &self.variables.is_some())
            .field("extensions", &self.extensions.is_some())
            .field("persisted", &self.persisted)
            .field("document_id", &self.document_id)
            .finish()
    }
}

/// Reads the `body` of a POST as `application/json`, with at most `max_batch` requests in a batch; 0
/// refuses batches.
///
/// # Errors
/// If it is not JSON, a member is of a wrong type or stands twice, there is neither document nor hash,
/// or the batch is empty or too long.
pub fn from_json(body: &[u8], max_batch: usize) -> Result<Requests<'_>, Fault> {
    let root = Body::new(body)?.root();
    if !root.is_array() {
        return request(&root).map(Requests::One);
    }
    if max_batch == 0 {
        return Err(root.fault(
            Kind::WrongType,
            "batches are not accepted here",
            "send each request by itself, as a JSON object",
        ));
    }
    let mut batch = Vec::new();
    root.elements(&mut |element| {
        if batch.len() == max_batch {
            return Err(element.fault(
                Kind::OutOfRange,
                format!("a batch may have {max_batch} requests, this is one more"),
                "send several batches",
            ));
        }
        batch.push(request(&element)?);
        Ok(())
    })?;
    match batch.is_empty() {
        true => Err(root.fault(
            Kind::Missing,
            "the batch is empty",
            "send at least one request",
        )),
        false => Ok(Requests::Batch(batch)),
    }
}

/// Reads the query string of a GET, without its `?`. Other parameters may stand in it.
///
/// # Errors
/// As [`from_json`], and if a parameter is not encoded as forms are. A fault's place is one in the
/// decoded parameter, its path that parameter's name.
pub fn from_query(query: &str) -> Result<Request<'_>, Fault> {
    let [document, operation_name, variables, extensions, document_id] =
        form::pick(query, MEMBERS)?;
    let variables = match &variables {
        Some(text) => parameter("variables", text, |_| Ok(()))?.map(|(json, ())| json),
        None => None,
    };
    let extensions = match &extensions {
        Some(text) => parameter("extensions", text, |root| {
            persisted(root).map(|found| found.map(Persisted::into_owned))
        })?,
        None => None,
    };
    let (extensions, persisted) = match extensions {
        Some((json, persisted)) => (Some(json), persisted),
        None => (None, None),
    };
    let missing = || {
        let problem = "it is required and missing";
        Fault::new(Kind::Missing, b"", 0, problem, MEND_QUERY).at_path("query")
    };
    let request = Request {
        query: document,
        operation_name,
        variables,
        extensions,
        persisted,
        document_id,
    };
    complete(request).ok_or_else(missing)
}

/// The query string without what [`from_query`] reads of it, for those who send that in a body;
/// `None` if nothing is left.
pub fn strip_query(query: &str) -> Option<String> {
    let kept: Vec<&str> = query
        .split('&')
        .filter(|pair| !pair.is_empty() && form::name_of(pair, MEMBERS).is_none())
        .collect();
    (!kept.is_empty()).then(|| kept.join("&"))
}

/// Which parameter of [`from_query`] a query string holds. Some upstreams prefer it to the body's.
pub fn in_query(query: &str) -> Option<&'static str> {
    let mut pairs = query.split('&');
    pairs.find_map(|pair| form::name_of(pair, MEMBERS))
}

/// What a request consists of, in a body or a query string.
const MEMBERS: [&str; 5] = [
    "query",
    "operationName",
    "variables",
    "extensions",
    "documentId",
];

/// An object that is all of the parameter `name`, with what `read` finds in it. `null` and nothing are
/// taken as not there.
fn parameter<T>(
    name: &'static str,
    text: &str,
    read: impl Fn(&Value<'_, '_>) -> Result<T, Fault>,
) -> Result<Option<(Json<'static>, T)>, Fault> {
    let within = |fault: Fault| {
        let path = match fault.path.as_str() {
            "" => name.to_owned(),
            path => format!("{name}.{path}"),
        };
        fault.at_path(path)
    };
    let root = Body::new(text.as_bytes()).map_err(within)?.root();
    if root.raw().is_empty() || root.is_null() {
        return Ok(None);
    }
    let [] = root.pick([]).map_err(within)?;
    let found = read(&root).map_err(within)?;
    Ok(Json::parse(root.raw()).map(|json| (json, found)))
}

const MEND_QUERY: &str = "send a GraphQL document in it, or its hash in extensions.persistedQuery";

/// One request of a body.
fn request<'a>(value: &Value<'a, '_>) -> Result<Request<'a>, Fault> {
    if !value.is_object() {
        return Err(value.wrong_type("an object with a query", "send a JSON object"));
    }
    let mut alike = None;
    let picked = value.members(MEMBERS, &mut |name| {
        let known = MEMBERS
            .iter()
            .find(|known| known.eq_ignore_ascii_case(name));
        alike = alike.or(known);
    })?;
    if let Some(known) = alike {
        return Err(value.fault(
            Kind::Duplicate,
            format!("a key is \"{known}\" but for its case, and some readers take it for that"),
            "spell it right, or leave it out",
        ));
    }
    let [query, operation_name, variables, extensions, document_id] = picked;
    let text = |value: Option<Value<'a, '_>>| value.map(|value| value.text()).transpose();
    let object = |value: Option<Value<'a, '_>>| value.map(|value| value.json_object()).transpose();
    let persisted = match &extensions {
        Some(extensions) => persisted(extensions)?,
        None => None,
    };
    let request = Request {
        query: text(query)?,
        operation_name: text(operation_name)?,
        variables: object(variables)?,
        extensions: object(extensions)?,
        persisted,
        document_id: text(document_id)?,
    };
    complete(request).ok_or_else(|| value.missing("query", MEND_QUERY))
}

/// Empty texts are taken as not there, which clients that name a hash rely on. `None` if it says in no
/// way what to run.
fn complete(mut request: Request<'_>) -> Option<Request<'_>> {
    let said = |text: &Cow<'_, str>| !text.is_empty();
    request.query = request.query.filter(said);
    request.operation_name = request.operation_name.filter(said);
    request.document_id = request.document_id.filter(said);
    let named = request.persisted.is_some() || request.document_id.is_some();
    (request.query.is_some() || named).then_some(request)
}

/// `persistedQuery` of `extensions`.
fn persisted<'a>(extensions: &Value<'a, '_>) -> Result<Option<Persisted<'a>>, Fault> {
    if !extensions.is_object() {
        return Err(extensions.wrong_type("an object", "send an object"));
    }
    let [Some(query)] = extensions.pick(["persistedQuery"])? else {
        return Ok(None);
    };
    if !query.is_object() {
        return Err(query.wrong_type("an object", "send its version and sha256Hash"));
    }
    let [version, hash] = query.pick(["version", "sha256Hash"])?;
    let version = version
        .ok_or_else(|| query.missing("version", "send 1"))?
        .whole()?;
    let value = hash.ok_or_else(|| query.missing("sha256Hash", MEND_HASH))?;
    let sha256 = value.text()?;
    match sha256.len() == 64 && sha256.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        true => Ok(Some(Persisted { version, sha256 })),
        false => Err(value.fault(Kind::OutOfRange, "this is no SHA-256", MEND_HASH)),
    }
}

const MEND_HASH: &str = "send the SHA-256 of the document in 64 hexadecimal digits";
