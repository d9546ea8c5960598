//! A subscription that is run: anew for each record.

use std::collections::HashSet;
use std::sync::Arc;

use async_graphql::parser::types::{
    DocumentOperations, ExecutableDocument, OperationType, Selection,
};
use async_graphql::{
    BatchRequest, BatchResponse, Request as Operation, Response, Value, Variables,
};
use http::HeaderMap;
use weir_telemetry::Code;

use super::calls::Calls;
use super::events::{Events, Occasion};
use super::nulls::Nulls;
use super::order::Order;
use super::prepare::{self, Number};
use super::running::Running;
use super::{Composed, answer};
use crate::error::GatewayError;
use crate::kafka::{Access, Follower};
use crate::proxy::Request;
use crate::runtime::Consumer;

/// A subscription.
pub(super) struct Following<'a> {
    graph: &'a Composed,
    events: &'a Events,
    asked: Asked,
    follower: Follower,
    /// Kept, as what it follows by is kept with it.
    _access: Access,
}

/// What was asked, ready to be run as a query.
struct Asked {
    document: ExecutableDocument,
    variables: Variables,
    order: Order,
}

impl Composed {
    /// Subscribes to what was asked; an operation that does not mean one feed is refused.
    pub(super) async fn follow(
        &self,
        asked: BatchRequest,
        consumer: Option<&Arc<Consumer>>,
    ) -> Result<Following<'_>, GatewayError> {
        let (Some(events), BatchRequest::Single(one)) = (&self.events, asked) else {
            return Err(not_one());
        };
        let asked = Asked::read(self, one)?;
        let meant = Arc::new(Occasion::Which(Default::default()));
        let answer = asked.run(events, meant.clone(), None).await;
        if let Some(refused) = answer::refusal(&answer) {
            return Err(refused);
        }
        let Occasion::Which(meant) = &*meant else {
            return Err(not_one());
        };
        let field = match &meant.lock()[..] {
            [one] if asked.order.roots() == 1 => one.clone(),
            _ => return Err(not_one()),
        };
        let (access, follower) = events.follow(&field, consumer).await?;
        Ok(Following {
            graph: self,
            events,
            follower,
            asked,
            _access: access,
        })
    }
}

impl Following<'_> {
    /// What comes of the next record. Its calls are made beside `request`. A record is lost with what is
    /// dropped while pending.
    pub(super) async fn next(
        &mut self,
        request: &mut Request,
        headers: &HeaderMap,
    ) -> Result<BatchResponse, GatewayError> {
        let record = self.follower.next().await?;
        let event = Arc::new(Occasion::event(&record));
        drop(record);
        let (asked, events) = (&self.asked, self.events);
        let running = Running::begin(self.graph, |calls| async move {
            BatchResponse::Single(asked.run(events, event, Some(calls)).await)
        });
        running.run(request, headers).await
    }
}

impl Asked {
    fn read(graph: &Composed, mut one: Operation) -> Result<Self, GatewayError> {
        let order = prepare::prepare(&graph.graph, 0, &mut one).ok_or_else(not_one)?;
        let document = one.parsed_query().map_err(|_| not_one())?.clone();
        let document = as_query(document, one.operation_name.as_deref()).ok_or_else(not_one)?;
        Ok(Self {
            document,
            variables: one.variables,
            order,
        })
    }

    async fn run(
        &self,
        events: &Events,
        occasion: Arc<Occasion>,
        calls: Option<Arc<Calls>>,
    ) -> Response {
        let nulls = Nulls::default();
        let mut one = Operation::new("").variables(self.variables.clone());
        one.set_parsed_query(self.document.clone());
        let mut one = one.data(nulls.clone()).data(Number(0)).data(occasion);
        if let Some(calls) = calls {
            one = one.data(calls);
        }
        let mut answer = events.schema.execute(one).await;
        nulls.apply(&mut answer.data);
        if answer.data != Value::Null {
            self.order.apply(&mut answer.data);
        }
        answer
    }
}

/// The one operation that is meant, as a query, with the fragments that it spreads: by the schema of
/// events no other of its document is valid.
fn as_query(document: ExecutableDocument, named: Option<&str>) -> Option<ExecutableDocument> {
    let ExecutableDocument {
        operations,
        mut fragments,
    } = document;
    let mut operation = match operations {
        DocumentOperations::Single(one) => one,
        DocumentOperations::Multiple(mut several) => several.remove(named?)?,
    };
    operation.node.ty = OperationType::Query;
    let mut spread = HashSet::new();
    let mut sets = vec![&operation.node.selection_set.node];
    while let Some(set) = sets.pop() {
        for item in &set.items {
            match &item.node {
                Selection::Field(field) => sets.push(&field.node.selection_set.node),
                Selection::InlineFragment(inline) => sets.push(&inline.node.selection_set.node),
                Selection::FragmentSpread(spreads) => {
                    let name = &spreads.node.fragment_name.node;
                    if spread.insert(name.clone())
                        && let Some(fragment) = fragments.get(name)
                    {
                        sets.push(&fragment.node.selection_set.node);
                    }
                }
            }
        }
    }
    fragments.retain(|name, _| spread.contains(name));
    Some(ExecutableDocument {
        operations: DocumentOperations::Single(operation),
        fragments,
    })
}

fn not_one() -> GatewayError {
    GatewayError::public(
        Code::GraphqlDocumentInvalid,
        "A subscription has one field, which is one of Subscription, and is a request by itself.",
    )
}
