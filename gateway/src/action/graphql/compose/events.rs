//! Subscriptions: which feed an operation means, and what is made of a record.
//!
//! The executor runs a subscription as one operation whose events share what they note and lose what fails.
//! So each event is run anew here, as a query on the record: by a schema whose queries are the fields of
//! `Subscription`.

use std::collections::HashMap;
use std::sync::Arc;

use async_graphql::dynamic::{
    Field, FieldFuture, FieldValue, Object, Schema, Subscription, SubscriptionField,
    SubscriptionFieldFuture,
};
use async_graphql::{Context, Error};
use futures_util::stream::Empty;
use parking_lot::Mutex;
use serde_json::Value as Json;

use super::give::{self, Give};
use super::schema::{finish, refuse, taken_over, ty, wrong_value};
use crate::config::kafka_identity::Operation;
use crate::config::routes::graphql::compose::Composed;
use crate::error::GatewayError;
use crate::kafka::{self, Access, Follower, Record};
use crate::runtime::{Consumer, Parts};

/// What can be subscribed to.
pub(super) struct Events {
    /// By which events are run.
    pub(super) schema: Schema,
    feeds: HashMap<Arc<str>, Fed>,
}

/// What feeds a field.
struct Fed {
    cluster: Arc<kafka::Cluster>,
    topic: Arc<str>,
}

/// Why a field is run.
pub(super) enum Occasion {
    /// To learn which are meant.
    Which(Mutex<Vec<Arc<str>>>),
    /// A record came, which says this; nothing, where that is no JSON.
    Event(Option<Arc<Json>>),
}

impl Events {
    /// Makes them ready.
    pub(super) fn build(
        graph: &Arc<Composed>,
        shown: bool,
        parts: &Parts<'_>,
    ) -> Result<Self, String> {
        let schema = Schema::build(ROOT, None, None).register(root(graph));
        let feeds = graph.subscription.iter().map(|(field, feed)| {
            let fed = Fed {
                cluster: parts.cluster(&feed.cluster),
                topic: feed.topic.clone(),
            };
            (field.clone(), fed)
        });
        Ok(Self {
            schema: finish(schema, graph, shown)?,
            feeds: feeds.collect(),
        })
    }

    /// Follows what feeds a field, from now on, as one who may use its cluster so.
    pub(super) async fn follow(
        &self,
        field: &str,
        consumer: Option<&Arc<Consumer>>,
    ) -> Result<(Access, Follower), GatewayError> {
        let Fed { cluster, topic } = &self.feeds[field];
        let access = cluster.of(consumer)?;
        access.may(Operation::Read, topic)?;
        let follower = access.session().follow(topic).await?;
        Ok((access, follower))
    }
}

const ROOT: &str = "Subscription";

impl Occasion {
    /// That a record came.
    pub(super) fn event(record: &Record) -> Self {
        let value = match &record.value {
            Some(value) => serde_json::from_slice(value).ok(),
            // The key it had is no more.
            None => Some(Json::Null),
        };
        Self::Event(value.map(Arc::new))
    }
}

/// What is never given.
type Never = Empty<async_graphql::Result<FieldValue<'static>>>;

/// The root as callers see it, who may ask what there is. It is never run.
pub(super) fn shown(graph: &Composed) -> Subscription {
    let fields = graph.subscription.iter().map(|(name, feed)| {
        SubscriptionField::new(&**name, ty(&feed.answer), |_| {
            let run = async { Err::<Never, _>(Error::new("It is run by events.")) };
            SubscriptionFieldFuture::new(run)
        })
    });
    fields.fold(Subscription::new(ROOT), Subscription::field)
}

/// The same as events are run.
fn root(graph: &Arc<Composed>) -> Object {
    let fields = graph.subscription.iter().map(|(name, feed)| {
        let (give, field) = (Give::of(graph, &feed.answer), name.clone());
        Field::new(&**name, ty(&feed.answer), move |cx| {
            FieldFuture::Value(tell(cx.ctx, &field, &give))
        })
    });
    fields.fold(Object::new(ROOT), Object::field)
}

fn tell(cx: &Context<'_>, field: &Arc<str>, give: &Give) -> Option<FieldValue<'static>> {
    match &**cx.data_opt::<Arc<Occasion>>()? {
        Occasion::Which(meant) => {
            meant.lock().push(field.clone());
            None
        }
        Occasion::Event(Some(json)) => taken_over(cx, give::whole(give, json)),
        Occasion::Event(None) => refuse(cx, wrong_value("no JSON")),
    }
}
