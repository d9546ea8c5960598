//! What goes upstream where documents were named: the same requests with their documents in full, and
//! without `extensions.persistedQuery`, which an upstream may take for a question to itself.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::value::RawValue;
use weir_protocols::graphql::Json;
use weir_protocols::graphql::request::Request;

use super::documents::Found;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Whole<'a> {
    query: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    operation_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    variables: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    extensions: BTreeMap<String, &'a RawValue>,
}

/// Writes `requests`, each with the document `found` for it, as a body.
pub(super) fn rewrite(requests: &[Request<'_>], found: &[Found], batch: bool) -> Vec<u8> {
    let whole: Vec<_> = requests
        .iter()
        .zip(found)
        .map(|(request, found)| Whole {
            query: &found.known.text,
            operation_name: request.operation_name.as_deref(),
            variables: request.variables.as_ref().and_then(raw),
            extensions: request.extensions.as_ref().map(others).unwrap_or_default(),
        })
        .collect();
    let written = match (&whole[..], batch) {
        ([one], false) => serde_json::to_vec(one),
        (all, _) => serde_json::to_vec(all),
    };
    written.expect("strings and JSON values always serialise into a Vec")
}

fn raw<'a>(json: &'a Json<'_>) -> Option<&'a RawValue> {
    serde_json::from_str(json.get()).ok()
}

/// All extensions but the name of the document.
fn others<'a>(json: &'a Json<'_>) -> BTreeMap<String, &'a RawValue> {
    let mut members: BTreeMap<String, &RawValue> =
        serde_json::from_str(json.get()).unwrap_or_default();
    members.remove("persistedQuery");
    members
}
