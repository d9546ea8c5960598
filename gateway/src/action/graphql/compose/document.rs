//! Documents that GraphQL sources are sent: several fields in one, each by a name of its own, and what
//! answers say of each.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::sync::Arc;

use async_graphql::PathSegment;
use bytes::Bytes;
use http::{HeaderValue, Method};
use serde_json::{Map, Value as Json, json};

use super::ask::{Ask, Selection};
use super::calls::{Answer, Asked, Call, Outcome, Told, What};
use super::rest;
use super::source::Sent;
use crate::config::routes::graphql::compose::Endpoint;
use crate::large;

/// The most fields that are asked in one document.
const MAX_FIELDS: usize = 50;
/// The most bytes of what is asked in one document; a single field may be more.
const MAX_BYTES: usize = 64 << 10;

/// The next of those that wait, with all that may go along with it.
pub(super) fn together(waiting: &mut VecDeque<Asked>) -> Vec<Asked> {
    let mut taken: Vec<Asked> = waiting.pop_front().into_iter().collect();
    let Some(Call {
        source,
        what: What::Graphql(first),
    }) = taken.first().map(|asked| &asked.call)
    else {
        return taken;
    };
    if !first.reads {
        return taken;
    }
    let (source, mut bytes) = (*source, size(first));
    let mut others = VecDeque::new();
    for asked in waiting.drain(..) {
        match &asked.call.what {
            What::Graphql(ask)
                if ask.reads
                    && asked.call.source == source
                    && taken.len() < MAX_FIELDS
                    && bytes + size(ask) <= MAX_BYTES =>
            {
                bytes += size(ask);
                taken.push(asked);
            }
            _ => others.push_back(asked),
        }
    }
    *waiting = others;
    taken
}

fn size(ask: &Ask) -> usize {
    let text = ask.pieces.iter().map(String::len);
    let values = ask
        .variables
        .iter()
        .map(|(ty, value)| ty.len() + value.len());
    text.chain(values).sum()
}

/// What is sent: the fields as `_0`, `_1` and so on.
pub(super) fn body(asks: &[&Arc<Ask>]) -> Bytes {
    let (mut head, mut fields, mut values) = (String::new(), String::new(), String::new());
    let mut number = 0;
    for (index, ask) in asks.iter().enumerate() {
        // Writing to a string does not fail.
        let _ = write!(fields, " _{index}:");
        for (at, piece) in ask.pieces.iter().enumerate() {
            fields.push_str(piece);
            if let Some((ty, value)) = ask.variables.get(at) {
                let _ = write!(fields, "$v{number}");
                let _ = write!(head, "$v{number}:{ty} ");
                let comma = if number == 0 { "" } else { "," };
                let _ = write!(values, "{comma}\"v{number}\":{value}");
                number += 1;
            }
        }
    }
    let operation = match asks.iter().all(|ask| ask.reads) {
        true => "query",
        false => "mutation",
    };
    let head = match head.trim_end() {
        "" => String::new(),
        head => format!("({head})"),
    };
    let document = json!(format!("{operation}{head}{{{fields}}}"));
    format!("{{\"query\":{document},\"variables\":{{{values}}}}}").into()
}

/// How it is sent.
pub(super) fn sent<'a>(endpoint: &'a Endpoint, body: &'a Bytes) -> Sent<'a> {
    Sent {
        method: &Method::POST,
        target: &endpoint.path,
        // The former has the status 200 also where something is wrong with the document, so that what is
        // wrong is read.
        accept: HeaderValue::from_static(
            "application/json, application/graphql-response+json;q=0.9",
        ),
        body: Some(body),
    }
}

/// What an answer says to each that was asked.
pub(super) fn read(call: &Call, asks: &[&Arc<Ask>], status: u16, body: &Bytes) -> Vec<Outcome> {
    let all = |outcome: Outcome| vec![outcome; asks.len()];
    if !(200..300).contains(&status) {
        return all(Err(rest::refused(call, status)));
    }
    large::work(body.len(), || {
        let Ok(Json::Object(mut said)) = serde_json::from_slice(body) else {
            return all(Err(rest::no_json(call)));
        };
        let data = said.remove("data").unwrap_or_default();
        let errors = said.remove("errors").unwrap_or_default();
        let Json::Array(errors) = errors else {
            return match data {
                Json::Object(data) => given(asks, data, Vec::new()),
                _ => all(Err(rest::no_json(call))),
            };
        };
        let told = errors.iter().map(told).collect();
        match data {
            Json::Object(data) => given(asks, data, told),
            // What failed has cost everything.
            _ => given(asks, Map::new(), told.into_iter().map(of_all).collect()),
        }
    })
}

fn given(asks: &[&Arc<Ask>], mut data: Map<String, Json>, told: Vec<Told>) -> Vec<Outcome> {
    let each = asks.iter().enumerate().map(|(index, ask)| {
        let name = format!("_{index}");
        let json = data.remove(&name).unwrap_or_default();
        let json = match &ask.selection {
            Some(selection) => gathered(ask, selection, json),
            None => json,
        };
        let mine = told.iter().filter_map(|told| {
            let mut told = told.clone();
            match told.path.first() {
                Some(PathSegment::Field(first)) if *first == name => {
                    told.path.remove(0);
                    Some(told)
                }
                // It leads to another.
                Some(PathSegment::Field(first)) if is_ours(first, asks.len()) => None,
                _ => Some(of_all(told)),
            }
        });
        Ok(Answer {
            json: Arc::new(json),
            told: mine.collect(),
        })
    });
    each.collect()
}

/// Whether it is the name of one that was asked.
fn is_ours(name: &str, count: usize) -> bool {
    let number = name
        .strip_prefix('_')
        .and_then(|number| number.parse().ok());
    number.is_some_and(|number: usize| number < count)
}

fn of_all(told: Told) -> Told {
    Told {
        path: Vec::new(),
        ..told
    }
}

/// The longest that is passed on of what a source says of an error, in characters.
const MAX_MESSAGE: usize = 1000;

fn told(error: &Json) -> Told {
    let path = error["path"].as_array().into_iter().flatten();
    let path = path.map_while(|segment| match segment {
        Json::String(name) => Some(PathSegment::Field(name.clone())),
        index => {
            let index = index.as_u64().and_then(|index| usize::try_from(index).ok());
            index.map(PathSegment::Index)
        }
    });
    let cut = |text: &str| text.chars().take(MAX_MESSAGE).collect();
    let message = error["message"].as_str();
    Told {
        path: path.collect(),
        message: message.map_or_else(|| "The source told of an error.".to_owned(), cut),
        code: error["extensions"]["code"].as_str().map(cut),
    }
}

/// An answer with its members by what they are read by, and its types by their names in the graph.
fn gathered(ask: &Ask, selection: &Selection, json: Json) -> Json {
    match json {
        Json::Array(items) => {
            let items = items.into_iter();
            items.map(|item| gathered(ask, selection, item)).collect()
        }
        Json::Object(mut said) => {
            let mut out = Map::new();
            if selection.open
                && let Some(Json::String(own)) = said.remove("__typename")
                && let Some(ty) = ask.endpoint.shown.get(own.as_str())
            {
                out.insert("__typename".to_owned(), Json::from(&**ty));
            }
            for entry in &selection.entries {
                let Some(value) = said.remove(&entry.alias) else {
                    continue;
                };
                let value = match &entry.within {
                    Some(within) => gathered(ask, within, value),
                    None => value,
                };
                let known = out.entry(entry.key.as_str()).or_insert(Json::Null);
                merge(known, value);
            }
            Json::Object(out)
        }
        leaf => leaf,
    }
}

/// What is said twice of one thing, as of an object itself and of what it has in common with others.
fn merge(known: &mut Json, more: Json) {
    match (known, more) {
        (Json::Object(known), Json::Object(more)) => {
            for (key, value) in more {
                merge(known.entry(key).or_insert(Json::Null), value);
            }
        }
        (Json::Array(known), Json::Array(more)) if known.len() == more.len() => {
            for (known, more) in known.iter_mut().zip(more) {
                merge(known, more);
            }
        }
        (known @ Json::Null, more) => *known = more,
        _ => {}
    }
}

/// Where in the caller's answer that is which the source's path leads to, as far as it is there.
pub(super) fn shown(ask: &Ask, path: &[PathSegment]) -> Vec<PathSegment> {
    let mut selection = ask.selection.as_ref();
    let mut shown = Vec::new();
    for segment in path {
        match segment {
            PathSegment::Index(_) => shown.push(segment.clone()),
            PathSegment::Field(name) => {
                let mut entries = selection.map(|s| s.entries.iter()).into_iter().flatten();
                let Some(entry) = entries.find(|entry| entry.alias == *name) else {
                    break;
                };
                let Some(called) = &entry.shown else {
                    break;
                };
                shown.push(PathSegment::Field(called.clone()));
                selection = entry.within.as_ref();
            }
        }
    }
    shown
}
