//! What OpenTelemetry's semantic conventions ask of the spans of a trace: their kinds, names, parents and
//! required attributes, for HTTP, RPC, messaging, GraphQL and generative AI.
//!
//! It judges spans as they were received, and knows nothing of what a gateway means by them.

use serde_json::Value;

use crate::otlp::{Kind, Span, StatusCode};

/// RFC 9110's methods and PATCH; others are `_OTHER`.
const METHODS: [&str; 10] = [
    "GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH", "_OTHER",
];

/// Asserts that the spans of one trace are one tree below the caller's span, empty if there is none, and
/// that each is as the conventions say.
///
/// # Panics
/// If not; the message has every fault.
pub fn assert_followed(spans: &[Span], caller: &str) {
    let mut faults = tree(spans, caller);
    for span in spans {
        let mut judge = Judge {
            span,
            faults: &mut faults,
        };
        judge.all();
    }
    assert!(faults.is_empty(), "{}\n{spans:#?}", faults.join("\n"));
}

/// What is wrong with who is whose parent.
fn tree(spans: &[Span], caller: &str) -> Vec<String> {
    let mut faults = Vec::new();
    let roots: Vec<_> = spans
        .iter()
        .filter(|span| span.parent_span_id == caller)
        .collect();
    let [root] = roots[..] else {
        return vec![format!("{} spans are below the caller's", roots.len())];
    };
    for span in spans {
        let name = &span.name;
        let parent = spans
            .iter()
            .find(|other| other.span_id == span.parent_span_id);
        if span.span_id != root.span_id && parent.is_none() {
            faults.push(format!("{name}: its parent is not in the trace"));
        }
        if let Some(parent) = parent
            && !(parent.start <= span.start && span.end <= parent.end)
        {
            faults.push(format!("{name}: it is not within its parent's time"));
        }
        if span.trace_id != root.trace_id {
            faults.push(format!("{name}: it is of another trace"));
        }
        if span.end < span.start {
            faults.push(format!("{name}: it ends before it begins"));
        }
    }
    let mut ids: Vec<_> = spans.iter().map(|span| &span.span_id).collect();
    ids.sort();
    ids.dedup();
    if ids.len() != spans.len() {
        faults.push("two spans have one id".to_owned());
    }
    faults
}

struct Judge<'s, 'f> {
    span: &'s Span,
    faults: &'f mut Vec<String>,
}

impl<'s> Judge<'s, '_> {
    fn all(&mut self) {
        for name in [
            "service.name",
            "telemetry.sdk.name",
            "telemetry.sdk.language",
            "telemetry.sdk.version",
        ] {
            if !self.span.resource.contains_key(name) {
                self.fault(&format!("its resource has no {name}"));
            }
        }
        let failed = self.span.status == StatusCode::Error;
        if failed && !self.has("error.type") {
            self.fault("it failed, and has no error.type");
        }
        let messaging = self.has("messaging.system");
        match self.span.kind {
            Kind::Server => self.http_server(),
            Kind::Client if !messaging => self.http_client(),
            _ if messaging => self.messaging(),
            kind => self.fault(&format!("nothing is known of a {kind:?}")),
        }
        if self.has("rpc.system.name") {
            self.rpc();
        }
        if self.has("graphql.operation.type") {
            self.one_of(
                "graphql.operation.type",
                &["query", "mutation", "subscription"],
            );
        }
        if self.has("gen_ai.operation.name") && self.span.kind == Kind::Client {
            self.gen_ai();
        }
    }

    fn http(&mut self) {
        self.one_of("http.request.method", &METHODS);
        let other = self.text("http.request.method") == "_OTHER";
        if other != self.has("http.request.method_original") {
            self.fault("http.request.method_original stands beside _OTHER, and only there");
        }
        self.required(&["server.address"]);
        let status = self.span.attribute("http.response.status_code").as_u64();
        let least = match self.span.kind {
            Kind::Server => 500,
            _ => 400,
        };
        let failed = self.span.status == StatusCode::Error;
        if status.is_some_and(|status| status >= least) && !failed {
            self.fault("its status code says that it failed, and its status does not");
        }
    }

    fn http_server(&mut self) {
        self.http();
        self.required(&[
            "url.path",
            "url.scheme",
            "client.address",
            "network.protocol.version",
        ]);
        if !self.text("url.path").starts_with('/') || self.text("url.path").contains('?') {
            self.fault("url.path is no path");
        }
        self.one_of("url.scheme", &["http", "https"]);
        if !self.has("rpc.system.name") && self.has("http.route") {
            let method = match self.text("http.request.method") {
                "_OTHER" => "HTTP",
                method => method,
            };
            let name = format!("{method} {}", self.text("http.route"));
            self.named(&name);
        }
    }

    fn http_client(&mut self) {
        self.http();
        self.required(&["server.port", "url.full"]);
        let url = self.text("url.full");
        let place = format!(
            "{}:{}",
            self.text("server.address"),
            self.span.attribute("server.port")
        );
        let rest = url.split_once("://").map_or("", |(_, rest)| rest);
        if !rest
            .strip_prefix(&place)
            .is_some_and(|path| path.starts_with('/'))
        {
            self.fault(&format!("url.full is {url:?}, which is not at {place}"));
        }
    }

    fn rpc(&mut self) {
        self.one_of("rpc.system.name", &["grpc"]);
        self.required(&["rpc.method", "server.address", "rpc.response.status_code"]);
        self.named(self.text("rpc.method"));
    }

    fn gen_ai(&mut self) {
        self.required(&["gen_ai.provider.name", "gen_ai.request.model"]);
        let operation = self.text("gen_ai.operation.name");
        self.named(&format!(
            "{operation} {}",
            self.text("gen_ai.request.model")
        ));
    }

    fn messaging(&mut self) {
        self.required(&["messaging.operation.name"]);
        let kind = match self.text("messaging.operation.type") {
            "send" => Kind::Producer,
            "receive" => Kind::Client,
            "process" => Kind::Consumer,
            other => return self.fault(&format!("messaging.operation.type is {other:?}")),
        };
        if self.span.kind != kind {
            self.fault(&format!(
                "its kind is {:?}, and not {kind:?}",
                self.span.kind
            ));
        }
        let operation = self.text("messaging.operation.name");
        match self.text("messaging.destination.name") {
            "" => self.required(&["messaging.batch.message_count"]),
            topic => self.named(&format!("{operation} {topic}")),
        }
    }

    fn has(&self, name: &str) -> bool {
        !matches!(self.span.attribute(name), Value::Null)
    }

    fn text(&self, name: &str) -> &'s str {
        self.span.attribute(name).as_str().unwrap_or_default()
    }

    fn fault(&mut self, what: &str) {
        let Span { name, kind, .. } = self.span;
        self.faults.push(format!("{name} ({kind:?}): {what}"));
    }

    fn required(&mut self, names: &[&str]) {
        for name in names {
            if !self.has(name) {
                self.fault(&format!("it has no {name}"));
            }
        }
    }

    fn one_of(&mut self, name: &str, words: &[&str]) {
        if !words.contains(&self.text(name)) {
            self.fault(&format!("{name} is {}", self.span.attribute(name)));
        }
    }

    fn named(&mut self, name: &str) {
        if self.span.name != name {
            self.fault(&format!("it should be named {name:?}"));
        }
    }
}
