//! A composed graph as a schema that is run: made with the snapshot, never for a request.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_graphql::dynamic::{
    Enum, Field, FieldFuture, FieldValue, InputObject, InputValue, Object, ResolverContext, Scalar,
    Schema, TypeRef,
};
use async_graphql::{Context, Error, ErrorExtensions as _};
use serde_json::{Map, Value as Json};
use weir_protocols::graphql::document::MAX_NESTING;

use super::calls::{Calls, Fault, Status};
use super::give::{self, Give};
use super::plan::plan;
use crate::config::routes::graphql::compose as config;
use crate::config::routes::graphql::compose::{
    Composed, Given, Link, Member, Operation, Shape, Type,
};

/// Makes the schema. `shown` says that whoever asks may see it, so that mistakes are told with the names
/// that may have been meant.
pub(super) fn build(graph: &Arc<Composed>, shown: bool) -> Result<Schema, String> {
    let mutation = (!graph.mutation.is_empty()).then_some("Mutation");
    let mut schema = Schema::build("Query", mutation, None)
        .limit_recursive_depth(usize::try_from(MAX_NESTING).unwrap_or(usize::MAX));
    if !shown {
        schema = schema.disable_suggestions();
    }
    schema = schema.register(root(graph, "Query", &graph.query));
    if mutation.is_some() {
        schema = schema.register(root(graph, "Mutation", &graph.mutation));
    }
    for (name, ty) in &graph.types {
        schema = match ty {
            Type::Scalar => schema.register(Scalar::new(&**name)),
            Type::Enum(values) => {
                let values = values.iter().map(|value| value.to_string());
                schema.register(values.fold(Enum::new(&**name), Enum::item))
            }
            Type::Input(members) => {
                let members = members.iter().map(|(name, member)| taken(name, member));
                schema.register(members.fold(InputObject::new(&**name), InputObject::field))
            }
            Type::Object(fields) => {
                let fields = fields.iter().map(|(name, said)| match said {
                    config::Field::Member(member) => member_field(graph, name, member),
                    config::Field::Link(link) => link_field(graph, name, link),
                });
                schema.register(fields.fold(Object::new(&**name), Object::field))
            }
        };
    }
    schema.finish().map_err(|error| error.to_string())
}

fn ty(shape: &Shape) -> TypeRef {
    match shape {
        Shape::Named(name) => TypeRef::named(&**name),
        Shape::List(item) => TypeRef::List(Box::new(ty(item))),
    }
}

fn taken(name: &str, member: &Member) -> InputValue {
    let ty = ty(&member.shape);
    let ty = match member.required {
        true => TypeRef::NonNull(Box::new(ty)),
        false => ty,
    };
    InputValue::new(name, ty)
}

fn root(graph: &Arc<Composed>, name: &str, fields: &BTreeMap<Arc<str>, Arc<Operation>>) -> Object {
    let fields = fields.iter().map(|(name, operation)| {
        let give = Arc::new(Give::of(graph, &operation.answer));
        let (of, graph) = (operation.clone(), graph.clone());
        let field = Field::new(&**name, ty(&operation.answer), move |cx| {
            let (operation, graph, give) = (of.clone(), graph.clone(), give.clone());
            FieldFuture::new(async move {
                let mut arguments = Map::new();
                for (name, value) in cx.args.iter() {
                    if let Ok(value) = value.as_value().clone().into_json() {
                        arguments.insert(name.to_string(), value);
                    }
                }
                Ok(called(&cx, &graph, &operation, arguments, &give).await)
            })
        });
        let arguments = operation.arguments.iter();
        let arguments = arguments.map(|(name, argument)| taken(name, &argument.member));
        arguments.fold(field, Field::argument)
    });
    fields.fold(Object::new(name), Object::field)
}

fn member_field(graph: &Arc<Composed>, name: &str, member: &Member) -> Field {
    let give = Give::of(graph, &member.shape);
    let key = member.key.clone();
    Field::new(name, ty(&member.shape), move |cx| {
        let json = give::json_of(cx.parent_value).and_then(|json| json.get(&*key));
        let given = json.map_or(Ok(None), |json| give::member(&give, json));
        FieldFuture::Value(match given {
            Ok(given) => given,
            Err(wrong) => refuse(cx.ctx, wrong_value(wrong)),
        })
    })
}

fn link_field(graph: &Arc<Composed>, name: &str, link: &Link) -> Field {
    let give = Arc::new(Give::of(graph, &link.operation.answer));
    let (of, graph) = (Arc::new(link.clone()), graph.clone());
    Field::new(name, ty(&link.operation.answer), move |cx| {
        let (link, graph, give) = (of.clone(), graph.clone(), give.clone());
        FieldFuture::new(async move {
            let parent = give::json_of(cx.parent_value).unwrap_or(&Json::Null);
            if refers_to_nothing(&link, parent) {
                return Ok(None);
            }
            let mut arguments = Map::new();
            for (name, given) in &link.arguments {
                let value = match given {
                    Given::Text(text) => Json::from(&**text),
                    Given::Parent(key) => parent.get(&**key).cloned().unwrap_or_default(),
                };
                let required = |argument: &config::Argument| argument.member.required;
                // Half a reference is none.
                if value.is_null() && link.operation.arguments.get(name).is_some_and(required) {
                    return Ok(None);
                }
                arguments.insert(name.to_string(), value);
            }
            Ok(called(&cx, &graph, &link.operation, arguments, &give).await)
        })
    })
}

/// Whether all that a link takes of an object is null there. Asked without it, a source would give what is
/// no business of the object's.
fn refers_to_nothing(link: &Link, parent: &Json) -> bool {
    let mut taken = link.arguments.values().filter_map(|given| match given {
        Given::Parent(key) => Some(parent.get(&**key).is_none_or(Json::is_null)),
        Given::Text(_) => None,
    });
    let first = taken.next();
    first.is_some_and(|is_null| is_null && taken.all(|is_null| is_null))
}

/// What a call gives; null where it fails, with an error beside it. An error of a resolver would take the
/// field out of the answer.
async fn called(
    cx: &ResolverContext<'_>,
    graph: &Composed,
    operation: &Operation,
    arguments: Map<String, Json>,
    give: &Give,
) -> Option<FieldValue<'static>> {
    let call = match plan(graph, operation, arguments) {
        Ok(call) => call,
        Err(fault) => return refuse(cx.ctx, error(graph, &fault)),
    };
    let Some(calls) = cx.ctx.data_opt::<Arc<Calls>>() else {
        return refuse(cx.ctx, wrong_value("not to be had"));
    };
    match calls.ask(call).await {
        Err(fault) => refuse(cx.ctx, error(graph, &fault)),
        Ok(answer) => match give::whole(give, &answer) {
            Ok(given) => given,
            Err(wrong) => refuse(cx.ctx, wrong_value(wrong)),
        },
    }
}

fn refuse<'v>(cx: &Context<'_>, error: Error) -> Option<FieldValue<'v>> {
    let error = error.into_server_error(cx.item.pos);
    cx.add_error(cx.set_error_path(error));
    None
}

fn wrong_value(wrong: &str) -> Error {
    let message = format!("What the source says here is {wrong}.");
    Error::new(message).extend_with(|_, extensions| extensions.set("code", "source_answer_invalid"))
}

fn error(graph: &Composed, fault: &Fault) -> Error {
    Error::new(&fault.message).extend_with(|_, extensions| {
        extensions.set("code", fault.code);
        if let Some(source) = fault.source.and_then(|source| graph.sources.get(source)) {
            extensions.set("source", &*source.name);
        }
        match fault.status {
            Some(Status::Http(status)) => extensions.set("status", status),
            Some(Status::Grpc(status)) => extensions.set("grpc_status", status.name()),
            None => {}
        }
    })
}
