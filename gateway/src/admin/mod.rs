//! The two addresses for operators: `metrics`, read-only, and `admin`, everything else. What
//! changes anything is a POST to `admin`.
//!
//! They serve plain HTTP/1.1 through the same guard as traffic, and share nothing with its way:
//! what they show must work when that does not.

mod answers;
mod audit;
mod body;
mod change;
mod console;
mod evidence;
mod figures;
mod methods;
mod problem;
mod quotas;
mod ready;
mod routes;
mod tail;
mod usage;
mod workers;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use http::header::{ALLOW, AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, WWW_AUTHENTICATE};
use http::{Method, StatusCode, Uri};
use pingora_core::apps::ServerApp;
use pingora_core::protocols::Stream;
use pingora_core::protocols::http::ServerSession;
use pingora_core::server::ShutdownWatch;
use pingora_http::{RequestHeader, ResponseHeader};
use subtle::ConstantTimeEq as _;
use weir_telemetry::tail::Filter;

use self::change::Change;
use self::problem::Problem;
use crate::config::{Config, Secret};
use crate::gateway::Gateway;
use crate::server::guard::{self, Allowance, Opening};

const METRICS: &str = "metrics";
const ADMIN: &str = "admin";

/// The addresses a configuration asks for, by the name of their socket.
pub(crate) fn addresses(config: &Config) -> impl Iterator<Item = (&'static str, SocketAddr)> {
    let admin = config.admin.as_ref().map(|admin| (ADMIN, admin.address));
    config
        .metrics
        .map(|address| (METRICS, address))
        .into_iter()
        .chain(admin)
}

/// What serves one of them.
pub(crate) struct App {
    gateway: Arc<Gateway>,
    admin: bool,
    looks: figures::Looks,
}

/// An answer.
pub(super) struct Answer {
    status: StatusCode,
    content_type: &'static str,
    body: Bytes,
}

impl Answer {
    fn text(status: StatusCode, body: impl Into<Bytes>) -> Self {
        Answer {
            status,
            content_type: "text/plain; charset=utf-8",
            body: body.into(),
        }
    }

    fn json(status: StatusCode, body: impl Into<Bytes>) -> Self {
        Answer {
            status,
            content_type: "application/json",
            body: body.into(),
        }
    }
}

impl App {
    /// Serves the address of this name.
    pub(crate) fn new(gateway: Arc<Gateway>, name: &str) -> Self {
        App {
            gateway,
            admin: name == ADMIN,
            looks: figures::Looks::default(),
        }
    }

    async fn exchange(
        &self,
        stream: Stream,
        buffer: BytesMut,
    ) -> Option<(Stream, Option<BytesMut>)> {
        let mut session = ServerSession::new_http1(stream);
        session.set_keepalive(Some(60));
        session.set_pipelining_enabled(true);
        session.set_pipelined_prefix(buffer);
        if !session.read_request().await.ok()? || self.gateway.drain.closing() {
            session.set_keepalive(None);
        }
        let _open = self.gateway.drain.begin();
        let answer = match self.watched(&session) {
            Some(Ok(filter)) => {
                tail::serve(&self.gateway, &mut session, &filter)
                    .await
                    .ok()?;
                return None;
            }
            Some(Err(problem)) => problem.into(),
            None => self.answer(&mut session).await,
        };
        write(&mut session, answer).await.ok()?;
        session
            .finish()
            .await
            .ok()?
            .map(|reusable| reusable.into_parts())
    }

    /// What is to be told as it happens, if that is what is asked for.
    fn watched(&self, session: &ServerSession) -> Option<Result<Filter, Problem>> {
        let head = session.req_header();
        let asked = self.admin && head.method == Method::GET && head.uri.path() == "/tail";
        // One that is about to go has nothing more to tell.
        let asked = asked && !self.gateway.drain.closing();
        (asked && self.authorized(head)).then(|| tail::filter(head.uri.query()))
    }

    async fn answer(&self, session: &mut ServerSession) -> Answer {
        let head = session.req_header();
        let reads = matches!(head.method, Method::GET | Method::HEAD);
        if self.admin
            && reads
            && let Some(answer) = console::show(head.uri.path())
        {
            return answer;
        }
        if self.admin && !self.authorized(head) {
            return Answer::text(
                StatusCode::UNAUTHORIZED,
                "this address wants its bearer token\n",
            );
        }
        let (method, uri) = (head.method.clone(), head.uri.clone());
        let change = self.admin.then(|| Change::of(uri.path())).flatten();
        match (method, change) {
            (Method::GET | Method::HEAD, _) => self.show(&uri).await,
            (Method::POST, Some(change)) => self.change(session, &change).await,
            (_, Some(_)) => {
                Answer::text(StatusCode::METHOD_NOT_ALLOWED, "POST makes this change\n")
            }
            (_, None) => Answer::text(StatusCode::METHOD_NOT_ALLOWED, "only GET is served here\n"),
        }
    }

    async fn show(&self, uri: &Uri) -> Answer {
        let path = uri.path();
        if path == "/metrics" {
            self.looks.refresh(&self.gateway).await;
            return answers::metrics(&self.gateway).await;
        }
        if let Some(answer) = answers::common(&self.gateway, path) {
            return answer;
        }
        if self.admin {
            if let Some(answer) = answers::admin(&self.gateway, path) {
                return answer;
            }
            if let Some(answer) = methods::show(&self.gateway, path).await {
                return answer;
            }
            if let Some(answer) = quotas::show(&self.gateway, uri).await {
                return answer;
            }
            if let Some(answer) = evidence::show(&self.gateway, uri).await {
                return answer;
            }
        }
        Answer::text(StatusCode::NOT_FOUND, answers::index(self.admin))
    }

    async fn change(&self, session: &mut ServerSession, change: &Change) -> Answer {
        let peer = session.client_addr().and_then(|peer| peer.as_inet());
        let person = audit::Person {
            peer: peer.copied(),
            token: self.has_token(),
        };
        match body::read(session).await {
            Ok(body) => change.make(&self.gateway, person, &body).await,
            Err(problem) => problem.into(),
        }
    }

    /// Whether callers have to show a token, and so have shown it.
    fn has_token(&self) -> bool {
        let snapshot = self.gateway.snapshot();
        let admin = snapshot.loaded.config.admin.as_ref();
        admin.is_some_and(|admin| admin.token.is_some())
    }

    fn authorized(&self, head: &RequestHeader) -> bool {
        let presented = head.headers.get(AUTHORIZATION).map(|v| v.as_bytes());
        let snapshot = self.gateway.snapshot();
        let token = snapshot
            .loaded
            .config
            .admin
            .as_ref()
            .and_then(|admin| admin.token.as_ref());
        token.is_none_or(|token| bears(presented, token))
    }
}

/// Compared in constant time, lengths apart.
fn bears(presented: Option<&[u8]>, token: &Secret) -> bool {
    presented
        .and_then(|value| value.split_at_checked(7))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case(b"bearer "))
        .is_some_and(|(_, given)| bool::from(given.ct_eq(token.expose().as_bytes())))
}

async fn write(session: &mut ServerSession, answer: Answer) -> Result<(), pingora_error::BError> {
    let mut head = ResponseHeader::build(answer.status, Some(4))?;
    head.insert_header(CONTENT_TYPE, answer.content_type)?;
    head.insert_header(CONTENT_LENGTH, answer.body.len())?;
    if answer.status == StatusCode::UNAUTHORIZED {
        head.insert_header(WWW_AUTHENTICATE, "Bearer realm=\"weir admin\"")?;
    }
    if answer.status == StatusCode::METHOD_NOT_ALLOWED {
        let change = Change::of(session.req_header().uri.path());
        head.insert_header(ALLOW, change.map_or("GET, HEAD", |_| "POST"))?;
    }
    let bodiless = session.req_header().method == Method::HEAD;
    session.write_response_header(Box::new(head)).await?;
    if !bodiless {
        session.write_response_body(answer.body, true).await?;
    }
    session.finish_body().await
}

#[async_trait]
impl ServerApp for App {
    async fn process_new(
        self: &Arc<Self>,
        mut stream: Stream,
        _shutdown: &ShutdownWatch,
    ) -> Option<Stream> {
        let mut buffer = BytesMut::new();
        while let Ok(Opening::Http1) = guard::read_head(&mut stream, &mut buffer, &ALLOWANCE).await
        {
            let (next, rest) = self.exchange(stream, std::mem::take(&mut buffer)).await?;
            stream = next;
            buffer = rest.unwrap_or_default();
        }
        None
    }
}

const ALLOWANCE: Allowance = Allowance {
    head: Duration::from_secs(5),
    idle: Duration::from_secs(60),
    max_bytes: 16 << 10,
    max_fields: 100,
};
