//! What can be called at an upstream, as its server says by reflection.

use http::StatusCode;
use serde::Serialize;
use weir_protocols::grpc::descriptor::{Body, Method, Pool, Rule, Service};

use super::Answer;
use super::problem::Problem;
use crate::gateway::Gateway;

#[derive(Serialize)]
struct Shown<'a> {
    upstream: &'a str,
    services: Vec<Services<'a>>,
}

#[derive(Serialize)]
struct Services<'a> {
    name: &'a str,
    methods: Vec<Called<'a>>,
}

#[derive(Serialize)]
struct Called<'a> {
    name: &'a str,
    path: &'a str,
    /// The types of its messages.
    request: &'a str,
    response: &'a str,
    /// Whether there can be many.
    client_streaming: bool,
    server_streaming: bool,
    /// Its rules of `google.api.http`.
    http: Vec<Http<'a>>,
}

#[derive(Serialize)]
struct Http<'a> {
    method: &'a str,
    path: &'a str,
    /// The field that the body is: `*` for all, none if `null`.
    body: Option<&'a str>,
    /// The field that is answered; all, if `null`.
    response_body: Option<&'a str>,
}

/// Answers `/upstreams/{name}/methods`, if that is what is asked for.
pub(super) async fn show(gateway: &Gateway, path: &str) -> Option<Answer> {
    let name = path.strip_prefix("/upstreams/")?.strip_suffix("/methods")?;
    let snapshot = gateway.snapshot();
    let Some(upstream) = snapshot
        .upstreams()
        .find(|upstream| *upstream.name == *name)
    else {
        let names: Vec<_> = snapshot
            .upstreams()
            .map(|upstream| &*upstream.name)
            .collect();
        let hint = format!("the upstreams are {}", names.join(", "));
        return Some(Problem::absent(format!("there is no upstream \"{name}\""), hint).into());
    };
    Some(match upstream.methods().await {
        Ok(pool) => Answer::json(StatusCode::OK, list(name, &pool)),
        Err(why) => {
            let hint = "its server has to serve grpc.reflection.v1 or v1alpha";
            Problem::new(StatusCode::BAD_GATEWAY, "not_told", why, hint).into()
        }
    })
}

fn list(upstream: &str, pool: &Pool) -> String {
    let services = pool.services().iter().map(service).collect();
    let shown = Shown { upstream, services };
    serde_json::to_string(&shown).expect("text always serialises")
}

fn service(service: &Service) -> Services<'_> {
    Services {
        name: &service.name,
        methods: service
            .methods
            .iter()
            .map(|method| called(method))
            .collect(),
    }
}

fn called(method: &Method) -> Called<'_> {
    Called {
        name: &method.name,
        path: &method.path,
        request: method.input(),
        response: method.output(),
        client_streaming: method.client_streaming,
        server_streaming: method.server_streaming,
        http: method.rules.iter().map(http).collect(),
    }
}

fn http(rule: &Rule) -> Http<'_> {
    Http {
        method: &rule.http_method,
        path: &rule.pattern,
        body: match &rule.body {
            Body::None => None,
            Body::Whole => Some("*"),
            Body::Field(name) => Some(name),
        },
        response_body: rule.response_body.as_deref(),
    }
}
