//! A service that sends metadata back as it came: some before the response, some behind it.
//!
//! It knows nothing of messages. tonic has no way to add metadata behind a call that succeeds, so that
//! this looks at the HTTP underneath.

use std::convert::Infallible;
use std::task::{Context, Poll};

use http::{HeaderMap, HeaderName, Request, Response};
use http_body_util::BodyExt;
use tonic::body::Body;
use tonic::codegen::{BoxFuture, Service};
use tonic::server::NamedService;

/// Comes back before the response.
const INITIAL: HeaderName = HeaderName::from_static("x-grpc-test-echo-initial");
/// Comes back behind it.
const TRAILING: HeaderName = HeaderName::from_static("x-grpc-test-echo-trailing-bin");

#[derive(Debug, Clone)]
pub(super) struct Echo<S>(pub(super) S);

impl<S: NamedService> NamedService for Echo<S> {
    const NAME: &'static str = S::NAME;
}

impl<S> Service<Request<Body>> for Echo<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
    S::Future: Send + 'static,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<Response<Body>, Infallible>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let initial = copy(request.headers(), &INITIAL);
        let trailing = copy(request.headers(), &TRAILING);
        let answering = self.0.call(request);
        Box::pin(async move {
            let mut response = answering.await?;
            response.headers_mut().extend(initial);
            if response.headers().contains_key("grpc-status") {
                // Nothing comes behind a head that says how the call ended.
                response.headers_mut().extend(trailing);
                return Ok(response);
            }
            Ok(response.map(|body| {
                Body::new(body.map_frame(move |mut frame| {
                    if let Some(trailers) = frame.trailers_mut() {
                        trailers.extend(trailing.clone());
                    }
                    frame
                }))
            }))
        })
    }
}

fn copy(from: &HeaderMap, name: &HeaderName) -> HeaderMap {
    let values = from.get_all(name).iter();
    values.map(|value| (name.clone(), value.clone())).collect()
}
