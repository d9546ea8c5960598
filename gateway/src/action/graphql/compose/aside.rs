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
    /// What was asked, as JSON that was found to be right; nothing, once it was read.
    asked: Vec<u8>,
    /// Whether it is a subscription.
    lasts: bool,
    /// The same, once it has begun.
    following: Option<Box<Following<'a>>>,
    request: Beside,
    headers: HeaderMap,
}

impl<'a> Aside<'a> {
    /// Begins with what was asked; a subscription `lasts`.
    pub(in super::super) fn new(
        graph: &'a Composed,
        asked: Vec<u8>,
        lasts: bool,
        request: Beside,
        headers: HeaderMap,
    ) -> Self {
        Self {
            graph,
            asked,
            lasts,
            following: None,
            request,
            headers,
        }
    }

    /// What comes of it next, and the rest, if there may be more.
    pub(in super::super) async fn next(
        mut self: Box<Self>,
    ) -> (Result<BatchResponse, GatewayError>, Option<Box<Self>>) {
        match self.advance().await {
            Ok(answer) if self.lasts => (Ok(answer), Some(self)),
            last => (last, None),
        }
    }

    async fn advance(&mut self) -> Result<BatchResponse, GatewayError> {
        let graph = self.graph;
        if let Some(following) = &mut self.following {
            return following.next(&mut self.request, &self.headers).await;
        }
        let asked = read(&std::mem::take(&mut self.asked))?;
        if !self.lasts {
            let running = Running::begin(graph, |calls| graph.execute(asked.data(calls)));
            return running.run(&mut self.request, &self.headers).await;
        }
        let following = Box::new(graph.follow(asked, self.request.consumer.as_ref()).await?);
        let following = self.following.insert(following);
        following.next(&mut self.request, &self.headers).await
    }
}
