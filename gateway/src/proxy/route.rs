//! The second stage: which route is this.

use std::fmt::Write as _;
use std::sync::Arc;

use http::header::{ACCESS_CONTROL_REQUEST_METHOD, ALLOW, ORIGIN};
use http::{HeaderValue, Method};
use weir_telemetry::Code;

use super::downstream::Downstream;
use super::grpc;
use super::identify;
use super::request::Request;
use crate::action::grpc::Told;
use crate::error::GatewayError;
use crate::routing::{self, Outcome, Query};
use crate::runtime::Route;

/// Finds the request's route and writes it into the context.
pub(super) fn route(
    request: &mut Request,
    down: &mut Downstream,
) -> Result<Arc<Route>, GatewayError> {
    let head = down.head();
    if head.method == Method::CONNECT {
        return Err(GatewayError::new(Code::MethodRefused));
    }
    let path = routing::normalise(head.uri.path()).map_err(|refused| bad_path(&refused))?;
    if let std::borrow::Cow::Owned(path) = path {
        request.normal_path = Some(path);
    }
    let path = request.normal_path.as_deref().unwrap_or(head.uri.path());
    let query = Query {
        listener: &request.connection.listener,
        host: strip_port(identify::host(head)),
        path,
        query: head.uri.query(),
        method: &head.method,
        headers: &head.headers,
    };
    let snapshot = request.snapshot.clone();
    match find(&snapshot.router, &query) {
        Outcome::Found {
            route,
            captures,
            pattern,
            asks,
        } => {
            request.record.matched = Some(asks.clone());
            request.record.pattern = Some(pattern.clone());
            let route = snapshot.routes[route].clone();
            let told = route.action.told(head, path);
            request.captures = captures;
            enter(request, &route, told);
            Ok(route)
        }
        nothing => {
            // Who calls by gRPC reads it also where nobody serves it.
            request.dialect = grpc::dialect(head);
            Err(no_route(&nothing))
        }
    }
}

/// Writes down that this is its route.
pub(super) fn enter(request: &mut Request, route: &Arc<Route>, told: Told) {
    request.record.route = Some(route.name.clone());
    request.record.team.clone_from(&route.team);
    request.record.action = route.action.kind();
    request.dialect = told.dialect;
    request.record.rpc = told.rpc;
    request.record.called = told.called;
    request.active = Some(route.metrics.begin());
    request.route = Some(route.clone());
}

fn no_route(outcome: &Outcome<'_>) -> GatewayError {
    match outcome {
        Outcome::Refused(refused) => bad_path(refused),
        Outcome::MethodNotAllowed { allow } => method_not_allowed(allow),
        Outcome::NotFound | Outcome::Found { .. } => GatewayError::public(
            Code::RouteNotFound,
            "No route matches this host and path. `weir route` shows why.",
        ),
    }
}

fn bad_path(refused: &routing::Refused) -> GatewayError {
    GatewayError::public(
        Code::RequestHeadMalformed,
        format!("The path cannot be used: {refused}."),
    )
}

/// A HEAD is served where a GET is, and a preflight is matched as the request it asks about, so
/// that the route's `cors` can answer it (Fetch, 3.2.2).
fn find<'a>(router: &'a routing::Router, query: &Query<'_>) -> Outcome<'a> {
    let found = router.find(query);
    if !matches!(found, Outcome::MethodNotAllowed { .. }) {
        return found;
    }
    let instead = match *query.method {
        Method::HEAD => Some(Method::GET),
        Method::OPTIONS if query.headers.contains_key(ORIGIN) => query
            .headers
            .get(ACCESS_CONTROL_REQUEST_METHOD)
            .and_then(|value| Method::from_bytes(value.as_bytes()).ok()),
        _ => None,
    };
    match instead.map(|method| {
        router.find(&Query {
            method: &method,
            ..*query
        })
    }) {
        Some(other @ Outcome::Found { .. }) => other,
        _ => found,
    }
}

fn method_not_allowed(allow: &[Method]) -> GatewayError {
    let mut list = String::new();
    for (i, method) in allow.iter().enumerate() {
        let _ = write!(list, "{}{method}", if i == 0 { "" } else { ", " });
    }
    let error = GatewayError::public(
        Code::MethodNotAllowed,
        format!("This path is served for {list} only."),
    );
    match HeaderValue::try_from(list) {
        Ok(value) => error.header(ALLOW, value),
        Err(_) => error,
    }
}

/// The host without its port, IPv6 brackets kept.
fn strip_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) && !name.is_empty() => name,
        _ => host,
    }
}

#[cfg(test)]
mod tests {
    use super::strip_port;

    #[test]
    fn a_port_is_taken_off_and_an_ipv6_address_is_not_cut() {
        assert_eq!(strip_port("example.com:8080"), "example.com");
        assert_eq!(strip_port("example.com"), "example.com");
        assert_eq!(strip_port("[::1]:80"), "[::1]");
        assert_eq!(strip_port("[::1]"), "[::1]");
    }
}
