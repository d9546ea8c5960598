//! Manifests of the documents that a client runs, as its tools write them: Apollo's
//! (`apollo-persisted-query-manifest`, version 1), and a map from names to documents, as Relay and
//! GraphQL Code Generator write it. Does not read the documents themselves.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;

/// One document of a manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// What clients call it: most often a hash of it.
    pub id: String,
    /// The document.
    pub document: String,
}

/// The text is no manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoManifest(String);

impl fmt::Display for NoManifest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for NoManifest {}

#[derive(Deserialize)]
struct Apollo {
    format: String,
    version: u64,
    operations: Vec<Operation>,
}

#[derive(Deserialize)]
struct Operation {
    id: String,
    body: String,
}

/// Reads a manifest.
///
/// # Errors
/// If it is in neither form.
pub fn parse(text: &str) -> Result<Vec<Entry>, NoManifest> {
    if let Ok(map) = serde_json::from_str::<BTreeMap<String, String>>(text) {
        let entries = map.into_iter();
        return Ok(entries
            .map(|(id, document)| Entry { id, document })
            .collect());
    }
    // Texts are not repeated, which `serde_json` does of what has a wrong type.
    let read = serde_json::from_str::<Apollo>(text).map_err(|error| {
        NoManifest(format!(
            "it is neither a map from names to documents nor a manifest of Apollo's (line {}, \
             column {})",
            error.line(),
            error.column()
        ))
    })?;
    if read.format != "apollo-persisted-query-manifest" || read.version != 1 {
        let what = "it has `operations`, and is no apollo-persisted-query-manifest of version 1";
        return Err(NoManifest(what.to_owned()));
    }
    let entries = read.operations.into_iter();
    Ok(entries
        .map(|Operation { id, body }| Entry { id, document: body })
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_are_read() {
        let expected = vec![Entry {
            id: "a".to_owned(),
            document: "{b}".to_owned(),
        }];
        assert_eq!(parse(r#"{"a":"{b}"}"#), Ok(expected.clone()));
        let apollo = r#"{"format":"apollo-persisted-query-manifest","version":1,
            "operations":[{"id":"a","name":"B","type":"query","body":"{b}"}]}"#;
        assert_eq!(parse(apollo), Ok(expected));
        assert_eq!(parse("{}"), Ok(Vec::new()));
    }

    #[test]
    fn what_is_neither_is_refused() {
        for (text, said) in [
            ("", "(line 1, column 0)"),
            (r#"{"a":1}"#, "neither a map"),
            (r#"[{"id":"a","body":"{b}"}]"#, "neither a map"),
            (
                r#"{"format":"x","version":1,"operations":[]}"#,
                "of version 1",
            ),
            (
                r#"{"format":"apollo-persisted-query-manifest","version":2,"operations":[]}"#,
                "of version 1",
            ),
        ] {
            let refused = parse(text).expect_err(text).to_string();
            assert!(refused.contains(said), "{text}: {refused}");
        }
    }
}
