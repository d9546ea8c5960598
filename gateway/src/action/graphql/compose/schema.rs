//! A composed graph as a schema that is run: made with the snapshot, never for a request.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_graphql::dynamic::{
    Enum, Field, FieldFuture, FieldValue, InputObject, InputValue, Interface, InterfaceField,
    Object, ResolverContext, Scalar, Schema, SchemaBuilder, TypeRef, Union,
};
use async_graphql::{Context, Error, ErrorExtensions as _, PathSegment};
use serde_json::{Map, Value as Json};
use weir_protocols::graphql::document::MAX_NESTING;

use super::calls::{Call, Calls, Fault, Status, Told, What};
use super::give::{self, Give};
use super::given::arguments;
use super::nulls::Nulls;
use super::plan::plan;
use super::prepare::Number;
use super::{ask, document, events, grpc};
use crate::config::routes::graphql::compose as config;
use crate::config::routes::graphql::compose::{
    Asked, Composed, Given, Link, Member, Operation, Shape, Type, Way,
};

/// Makes the schema. `shown` says that whoever asks may see it, so that mistakes are told with the names
/// that may have been meant.
pub(super) fn build(graph: &Arc<Composed>, shown: bool) -> Result<Schema, String> {
    let mutation = (!graph.mutation.is_empty()).then_some("Mutation");
    let subscription = (!graph.subscription.is_empty()).then_some("Subscription");
    let mut schema =
        Schema::build("Query", mutation, subscription).register(root(graph, "Query", &graph.query));
    if mutation.is_some() {
        schema = schema.register(root(graph, "Mutation", &graph.mutation));
    }
    if subscription.is_some() {
        schema = schema.register(events::shown(graph));
    }
    finish(schema, graph, shown)
}

/// Gives a schema that has its roots all other types.
pub(super) fn finish(
    mut schema: SchemaBuilder,
    graph: &Arc<Composed>,
    shown: bool,
) -> Result<Schema, String> {
    schema = schema.limit_recursive_depth(usize::try_from(MAX_NESTING).unwrap_or(usize::MAX));
    if !shown {
        schema = schema.disable_suggestions();
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
            Type::Interface(interface) => schema.register(common(graph, name, interface)),
            Type::Union(objects) => {
                let objects = objects.iter().map(|object| object.to_string());
                schema.register(objects.fold(Union::new(&**name), Union::possible_type))
            }
            Type::Object(fields) => {
                let fields = fields.iter().map(|(name, said)| match said {
                    config::Field::Member(member) => member_field(graph, name, member),
                    config::Field::Asked(asked) => asked_field(graph, name, asked),
                    config::Field::Link(link) => link_field(graph, name, link),
                });
                let object = fields.fold(Object::new(&**name), Object::field);
                let interfaces = graph.interfaces(name).map(|wider| wider.to_string());
                schema.register(interfaces.fold(object, Object::implement))
            }
        };
    }
    schema.finish().map_err(|error| error.to_string())
}

/// A type as the executor has it.
pub(super) fn ty(shape: &Shape) -> TypeRef {
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
                let arguments = arguments(cx.ctx, &cx.ctx.item.node);
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
        FieldFuture::Value(member_of(&cx, &give, &key))
    })
}

/// A member that was asked for with arguments.
fn asked_field(graph: &Arc<Composed>, name: &str, asked: &Asked) -> Field {
    let give = Give::of(graph, &asked.member.shape);
    let (of, graph) = (asked.clone(), graph.clone());
    let field = Field::new(name, ty(&asked.member.shape), move |cx| {
        let key = ask::key(&graph, &of, cx.ctx);
        FieldFuture::Value(member_of(&cx, &give, &key))
    });
    let arguments = asked.arguments.iter();
    let arguments = arguments.map(|(name, argument)| taken(name, &argument.member));
    arguments.fold(field, Field::argument)
}

fn member_of<'a>(cx: &ResolverContext<'a>, give: &Give, key: &str) -> Option<FieldValue<'a>> {
    let json = give::json_of(cx.parent_value).and_then(|json| json.get(key));
    taken_over(cx.ctx, give::member(give, json?))
}

/// Gives a value, and tells where it is none of its type.
pub(super) fn taken_over<'v>(
    cx: &Context<'_>,
    given: Result<give::Given<'v>, &str>,
) -> Option<FieldValue<'v>> {
    match given {
        Ok((value, nulls)) => {
            Nulls::note(cx, nulls);
            value
        }
        Err(wrong) => refuse(cx, wrong_value(wrong)),
    }
}

/// What objects of several types have in common.
fn common(graph: &Composed, name: &str, said: &config::Interface) -> Interface {
    let fields = said.fields.iter().filter_map(|(name, field)| match field {
        config::Field::Member(member) => Some(InterfaceField::new(&**name, ty(&member.shape))),
        config::Field::Asked(asked) => {
            let field = InterfaceField::new(&**name, ty(&asked.member.shape));
            let arguments = asked.arguments.iter();
            let arguments = arguments.map(|(name, argument)| taken(name, &argument.member));
            Some(arguments.fold(field, InterfaceField::argument))
        }
        // Links are of objects.
        config::Field::Link(_) => None,
    });
    let interface = fields.fold(Interface::new(name), Interface::field);
    let wider = graph.interfaces(name).map(|wider| wider.to_string());
    wider.fold(interface, Interface::implement)
}

fn link_field(graph: &Arc<Composed>, name: &str, link: &Link) -> Field {
    let give = Arc::new(Give::of(graph, &link.operation.answer));
    let (of, graph) = (Arc::new(link.clone()), graph.clone());
    Field::new(name, ty(&link.operation.answer), move |cx| {
        let (link, graph, give) = (of.clone(), graph.clone(), give.clone());
        FieldFuture::new(async move {
            // Where nothing is, nothing leads on.
            let Some(parent) = give::json_of(cx.parent_value) else {
                return Ok(None);
            };
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
                if !value.is_null() {
                    arguments.insert(name.to_string(), value);
                }
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
    let call = match call(cx, graph, operation, arguments) {
        Ok(call) => call,
        Err(fault) => return refuse(cx.ctx, error(graph, &fault)),
    };
    let Some(calls) = cx.ctx.data_opt::<Arc<Calls>>() else {
        return refuse(cx.ctx, wrong_value("not to be had"));
    };
    let number = cx.ctx.data_opt::<Number>().map_or(0, |number| number.0);
    let place = (number, cx.ctx.item.node.response_key().node.to_string());
    let ask = call.ask().cloned();
    let answer = match calls.ask(call, place).await {
        Ok(answer) => answer,
        Err(fault) => return refuse(cx.ctx, error(graph, &fault)),
    };
    for told in &*answer.told {
        let below = ask.as_deref().map(|ask| document::shown(ask, &told.path));
        tell(cx.ctx, graph, operation, told, below.unwrap_or_default());
    }
    taken_over(cx.ctx, give::whole(give, &answer.json))
}

fn call(
    cx: &ResolverContext<'_>,
    graph: &Composed,
    operation: &Operation,
    arguments: Map<String, Json>,
) -> Result<Call, Arc<Fault>> {
    match &operation.way {
        Way::Rest { method, path } => plan(graph, operation, (method, path), arguments),
        Way::Grpc { route, reads } => Ok(Call {
            source: operation.source,
            what: grpc::ask(graph, operation, (route, *reads), arguments)?,
        }),
        Way::Graphql(root) => {
            let ask = ask::plan(graph, operation, root, arguments, cx.ctx);
            Ok(Call {
                source: operation.source,
                what: What::Graphql(Arc::new(ask)),
            })
        }
    }
}

/// Passes on what a source says of a part that failed: its callers are used to reading it.
fn tell(
    cx: &Context<'_>,
    graph: &Composed,
    operation: &Operation,
    told: &Told,
    below: Vec<PathSegment>,
) {
    let error = Error::new(&told.message).extend_with(|_, extensions| {
        extensions.set("code", told.code.as_deref().unwrap_or("source_error"));
        if let Some(source) = graph.sources.get(operation.source) {
            extensions.set("source", &*source.name);
        }
    });
    let mut error = cx.set_error_path(error.into_server_error(cx.item.pos));
    error.path.extend(below);
    cx.add_error(error);
}

/// Gives null, and tells why.
pub(super) fn refuse<'v>(cx: &Context<'_>, error: Error) -> Option<FieldValue<'v>> {
    let error = error.into_server_error(cx.item.pos);
    cx.add_error(cx.set_error_path(error));
    None
}

/// A value is not of its type.
pub(super) fn wrong_value(wrong: &str) -> Error {
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
