//! `redirect`: sends the caller elsewhere.

use http::header::LOCATION;
use http::{HeaderValue, StatusCode};
use weir_telemetry::Code;

use crate::action::template;
use crate::config::template::Template;
use crate::error::GatewayError;
use crate::proxy::{Downstream, Reply, Request, reply};

/// The action.
pub(crate) struct Redirect {
    /// Where to.
    pub(crate) location: Template,
    /// 301, 302, 303, 307 or 308.
    pub(crate) status: StatusCode,
}

impl Redirect {
    /// Sends the redirect.
    pub(crate) async fn run(
        &self,
        request: &mut Request,
        down: &mut Downstream,
    ) -> Result<(), GatewayError> {
        let location = template::render(&self.location, &request.captures, down.head())
            .ok()
            .and_then(|text| HeaderValue::try_from(text).ok())
            .ok_or_else(|| {
                GatewayError::public(
                    Code::RequestBodyInvalid,
                    "The request lacks a value that this route's redirect is made of.",
                )
            })?;
        let reply = Reply::empty(self.status).header(LOCATION, location);
        reply::answer(request, down, reply).await
    }
}
