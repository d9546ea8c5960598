//! An operation that is run apart from the request that it came by. It is given up by dropping it.

use async_graphql::BatchResponse;
use http::HeaderMap;

use super::following::Following;
use super::running::Running;
use super::{Composed, read};
use crate::error::GatewayError;
use crate::proxy::Beside;

/// The operation, and what is known of the request.
pub(in super::super) struct Aside<'a> {
    graph: &'a Composed,
    what: What<'a>,
    request: Beside,
    headers: HeaderMap,
}

enum What<'a> {
    /// This was asked, as JSON that was found to be right.
    Asked { text: Vec<u8>, lasts: bool },
    /// A subscription, of which more may come.
    Following(Box<Following<'a>>),
}

impl<'a> Aside<'a> {
    /// Begins with what was asked; a subscription `lasts`.
    pub(in super::super) fn new(
        graph: &'a Composed,
        text: Vec<u8>,
        lasts: bool,
        request: Beside,
        headers: HeaderMap,
    ) -> Self {
        Self {
            graph,
            what: What::Asked { text, lasts },
            request,
            headers,
        }
    }

    /// What comes of it next, and the rest, if there may be more.
    pub(in super::super) async fn next(
        mut self: Box<Self>,
    ) -> (Result<BatchResponse, GatewayError>, Option<Box<Self>>) {
        match self.advance().await {
            Ok(answer) if matches!(self.what, What::Following(_)) => (Ok(answer), Some(self)),
            last => (last, None),
        }
    }

    async fn advance(&mut self) -> Result<BatchResponse, GatewayError> {
        if let What::Asked { text, lasts } = &mut self.what {
            let (asked, graph) = (read(&std::mem::take(text))?, self.graph);
            if !*lasts {
                let running = Running::begin(graph, |calls| graph.execute(asked.data(calls)));
                return running.run(&mut self.request, &self.headers).await;
            }
            self.what = What::Following(Box::new(graph.follow(asked).await?));
        }
        match &mut self.what {
            What::Following(following) => following.next(&mut self.request, &self.headers).await,
            What::Asked { .. } => unreachable!("it was begun above"),
        }
    }
}
