//! A rule whose names were looked up: which fields its path sets, what its body is, what is sent of
//! the answer. Everything about a method that can be known before a request is.

use std::fmt;
use std::sync::Arc;

use prost_reflect::{FieldDescriptor, Kind, MessageDescriptor};

use super::any;
use super::field;
use super::message::Message;
use super::template::{Template, Variable};
use crate::grpc::descriptor::{Body, Method, Rule};

/// A way to call a method over HTTP.
#[derive(Clone)]
pub struct Route {
    method: Arc<Method>,
    rule: Rule,
    template: Template,
    /// One for each variable of the template.
    pub(super) bound: Vec<field::Path>,
    pub(super) body: Payload<Target>,
    /// What is asked.
    pub(super) asks: Message,
    pub(super) answer: Answer,
}

/// How something is in a body.
#[derive(Clone, Debug)]
pub(super) enum Payload<T> {
    /// Not at all.
    Nothing,
    /// As JSON.
    Json(T),
    /// Raw, and in the message as `google.api.HttpBody`.
    Raw(T),
}

/// What is meant of a message.
#[derive(Clone, Debug)]
pub(super) enum Target {
    Whole,
    Field(FieldDescriptor),
}

/// What is sent of an answer.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    pub(super) target: Target,
    pub(super) is_raw: bool,
    /// Whether a `google.protobuf.Any` may be in it, whose nesting its own bytes do not bound.
    pub(super) has_any: bool,
}

/// Why a rule does not fit its method, or another rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The method's path.
    pub method: String,
    /// The HTTP method and template of the rule.
    pub rule: String,
    /// What is wrong.
    pub why: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { method, rule, why } = self;
        write!(f, "the HTTP rule `{rule}` of {method}: {why}")
    }
}

impl std::error::Error for Fault {}

impl Route {
    /// The routes of a method, as its rules say. It has none without rules.
    ///
    /// # Errors
    /// If a rule has a template that is none, or names a field that is not there or cannot be there.
    pub fn of(method: &Arc<Method>) -> Result<Vec<Self>, Fault> {
        let rules = method.rules.iter().cloned();
        rules.map(|rule| Self::resolve(method, rule)).collect()
    }

    /// The route by which any method can be called, rules or not: POST to the path that gRPC has for
    /// it, with the whole message as the body.
    ///
    /// # Errors
    /// If the method's name does not fit into a path.
    pub fn plain(method: &Arc<Method>) -> Result<Self, Fault> {
        let rule = Rule {
            http_method: "POST".into(),
            pattern: method.path.clone(),
            body: Body::Whole,
            response_body: None,
        };
        Self::resolve(method, rule)
    }

    /// As [`plain`](Self::plain), for who deals in JSON alone: a raw body is an object with its data in
    /// base64.
    ///
    /// # Errors
    /// As for [`plain`](Self::plain).
    pub fn json(method: &Arc<Method>) -> Result<Self, Fault> {
        let mut route = Self::plain(method)?;
        route.body = Payload::Json(Target::Whole);
        route.answer.is_raw = false;
        Ok(route)
    }

    /// The route of a rule.
    ///
    /// # Errors
    /// As for [`of`](Self::of).
    pub fn resolve(method: &Arc<Method>, rule: Rule) -> Result<Self, Fault> {
        let fault = |why: String| Fault {
            method: method.path.clone(),
            rule: format!("{} {}", rule.http_method, rule.pattern),
            why,
        };
        let template = Template::parse(&rule.pattern).map_err(|why| fault(why.to_string()))?;
        let path = |variable: &Variable| field::Path::resolve(&method.input, &variable.field);
        let bound = template.variables().iter().map(path);
        let bound = bound.collect::<Result<Vec<_>, _>>().map_err(fault)?;
        let body = body(&method.input, &rule.body).map_err(fault)?;
        if let Payload::Json(Target::Field(field)) | Payload::Raw(Target::Field(field)) = &body
            && let Some(path) = bound.iter().find(|path| path.first() == field)
        {
            return Err(fault(format!(
                "{} is in the path, so that {} cannot be the body",
                path.name(),
                field.name()
            )));
        }
        let answer = answer(&method.output, rule.response_body.as_deref()).map_err(fault)?;
        Ok(Self {
            method: method.clone(),
            template,
            bound,
            body,
            asks: Message::new(method.input.clone()),
            answer,
            rule,
        })
    }

    /// What it calls.
    pub fn method(&self) -> &Arc<Method> {
        &self.method
    }

    /// What it was made of.
    pub fn rule(&self) -> &Rule {
        &self.rule
    }

    /// Whether a body of its requests is JSON.
    pub fn takes_json(&self) -> bool {
        matches!(self.body, Payload::Json(_))
    }

    /// The method of its requests, or `*` for any.
    pub fn http_method(&self) -> &str {
        &self.rule.http_method
    }

    pub(super) fn template(&self) -> &Template {
        &self.template
    }

    pub(super) fn conflict(&self, other: &Self) -> Fault {
        Fault {
            method: self.method.path.clone(),
            rule: format!("{} {}", self.rule.http_method, self.rule.pattern),
            why: format!(
                "{} has a rule for the same requests, `{} {}`: change one of them",
                other.method.path, other.rule.http_method, other.rule.pattern
            ),
        }
    }
}

fn body(input: &MessageDescriptor, body: &Body) -> Result<Payload<Target>, String> {
    let target = match body {
        Body::None => return Ok(Payload::Nothing),
        Body::Whole => Target::Whole,
        Body::Field(name) => Target::Field(top_field(input, name)?),
    };
    Ok(match is_raw(input, &target) {
        true => Payload::Raw(target),
        false => Payload::Json(target),
    })
}

fn answer(output: &MessageDescriptor, field: Option<&str>) -> Result<Answer, String> {
    let target = match field {
        None => Target::Whole,
        Some(name) => Target::Field(top_field(output, name)?),
    };
    Ok(Answer {
        is_raw: is_raw(output, &target),
        has_any: any::is_within(output),
        target,
    })
}

fn top_field(message: &MessageDescriptor, name: &str) -> Result<FieldDescriptor, String> {
    message.get_field_by_name(name).ok_or_else(|| {
        format!(
            "{} has no field {name}, which is to be the body",
            message.full_name()
        )
    })
}

fn is_raw(message: &MessageDescriptor, target: &Target) -> bool {
    let is_raw = |message: &MessageDescriptor| message.full_name() == "google.api.HttpBody";
    match target {
        Target::Whole => is_raw(message),
        Target::Field(field) => {
            !field.is_list() && matches!(field.kind(), Kind::Message(kind) if is_raw(&kind))
        }
    }
}

impl fmt::Debug for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Route")
            .field("method", &self.method.path)
            .field("rule", &self.rule)
            .finish_non_exhaustive()
    }
}
