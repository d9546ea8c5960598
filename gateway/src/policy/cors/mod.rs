//! `cors`: lets browsers on other origins read answers (Fetch, "CORS protocol").
//!
//! A preflight is answered here, before anything authenticates: browsers send it without
//! credentials. Every other answer, an error's included, gets the fields the browser looks for.

#[cfg(test)]
mod tests;

use std::fmt::Display;

use async_trait::async_trait;
use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE,
    ACCESS_CONTROL_REQUEST_HEADERS, ACCESS_CONTROL_REQUEST_METHOD, HeaderMap, ORIGIN, VARY,
};
use http::{HeaderName, HeaderValue, Method, StatusCode};

use super::{Policy, RequestCx, ResponseCx, Verdict};
use crate::config::policies::cors::{Config, Origin};
use crate::error::GatewayError;
use crate::proxy::Reply;

/// The policy.
pub(crate) struct Cors {
    config: Config,
    methods: HeaderValue,
    headers: Option<HeaderValue>,
    expose: Option<HeaderValue>,
}

type Fields = Vec<(HeaderName, HeaderValue)>;

impl Cors {
    /// Builds it.
    pub(crate) fn new(config: Config) -> Self {
        Cors {
            methods: list(&config.methods).unwrap_or_else(|| HeaderValue::from_static("")),
            headers: list(&config.headers),
            expose: list(&config.expose),
            config,
        }
    }

    /// The origin to name, if the request's may read the answer.
    fn allowed(&self, headers: &HeaderMap) -> Option<HeaderValue> {
        let origin = headers.get(ORIGIN)?;
        let text = origin.to_str().ok()?;
        let by = self
            .config
            .origins
            .iter()
            .find(|allowed| allowed.matches(text))?;
        let any = matches!(by, Origin::Any) && !self.config.credentials;
        Some(if any {
            HeaderValue::from_static("*")
        } else {
            origin.clone()
        })
    }

    fn common(&self, origin: HeaderValue) -> Fields {
        // The answer differs by origin, so a cache must not give it to another one.
        let mut fields = vec![
            (ACCESS_CONTROL_ALLOW_ORIGIN, origin),
            (VARY, HeaderValue::from_static("origin")),
        ];
        if self.config.credentials {
            fields.push((
                ACCESS_CONTROL_ALLOW_CREDENTIALS,
                HeaderValue::from_static("true"),
            ));
        }
        fields
    }

    fn preflight(&self, headers: &HeaderMap) -> Reply {
        let mut reply = Reply::empty(StatusCode::NO_CONTENT);
        let Some(origin) = self.allowed(headers) else {
            reply
                .headers
                .push((VARY, HeaderValue::from_static("origin")));
            return reply;
        };
        reply.headers = self.common(origin);
        reply
            .headers
            .push((ACCESS_CONTROL_ALLOW_METHODS, self.methods.clone()));
        let asked = headers.get(ACCESS_CONTROL_REQUEST_HEADERS).cloned();
        if let Some(allowed) = self.headers.clone().or(asked) {
            reply.headers.push((ACCESS_CONTROL_ALLOW_HEADERS, allowed));
        }
        let age = HeaderValue::from(self.config.max_age.as_secs());
        reply.headers.push((ACCESS_CONTROL_MAX_AGE, age));
        reply
    }
}

#[async_trait]
impl Policy for Cors {
    async fn on_request(&self, cx: &mut RequestCx<'_>) -> Result<Verdict, GatewayError> {
        let headers = &cx.head.headers;
        if !headers.contains_key(ORIGIN) {
            return Ok(Verdict::Continue);
        }
        let asks = headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD);
        if cx.head.method == Method::OPTIONS && asks {
            return Ok(Verdict::Respond(self.preflight(headers)));
        }
        if let Some(origin) = self.allowed(headers) {
            let mut fields = self.common(origin);
            if let Some(expose) = &self.expose {
                fields.push((ACCESS_CONTROL_EXPOSE_HEADERS, expose.clone()));
            }
            cx.request.answer_headers.extend(fields);
        }
        Ok(Verdict::Continue)
    }

    async fn on_response(&self, cx: &mut ResponseCx<'_>) -> Result<Verdict, GatewayError> {
        // The route's word stands; an upstream's own would make two, which browsers refuse.
        for name in [
            ACCESS_CONTROL_ALLOW_ORIGIN,
            ACCESS_CONTROL_ALLOW_CREDENTIALS,
            ACCESS_CONTROL_EXPOSE_HEADERS,
        ] {
            cx.head.remove_header(&name);
        }
        Ok(Verdict::Continue)
    }
}

fn list<T: Display>(items: &[T]) -> Option<HeaderValue> {
    let joined = items
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(", ");
    (!items.is_empty())
        .then(|| HeaderValue::try_from(joined).ok())
        .flatten()
}
