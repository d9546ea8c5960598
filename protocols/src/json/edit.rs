//! Changes members of a JSON object and leaves every other byte as it was.

use std::fmt;
use std::ops::Range;

use bytes::Bytes;

use super::walk::{pick, range_in};

/// Edits of one body, which is an object.
#[derive(Clone)]
pub struct Edit {
    body: Bytes,
    edits: Vec<(Range<usize>, String)>,
}

impl Edit {
    /// No edit of `body` yet.
    pub fn new(body: Bytes) -> Self {
        Self {
            body,
            edits: Vec::new(),
        }
    }

    /// Makes the member at `path` this text. Objects that are not there are made.
    pub fn string(&mut self, path: &[&str], text: &str) -> &mut Self {
        let json = serde_json::to_string(text).expect("text always serialises");
        self.put(path, json)
    }

    /// Makes the member at `path` this number.
    pub fn number(&mut self, path: &[&str], number: u64) -> &mut Self {
        self.put(path, number.to_string())
    }

    /// The edited body; the same, not copied, if nothing was changed.
    pub fn finish(mut self) -> Bytes {
        if self.edits.is_empty() {
            return self.body;
        }
        self.edits.sort_by_key(|(range, _)| range.start);
        let grown: usize = self.edits.iter().map(|(_, json)| json.len()).sum();
        let mut out = Vec::with_capacity(self.body.len() + grown);
        let mut copied = 0;
        for (range, json) in &self.edits {
            out.extend_from_slice(&self.body[copied..range.start]);
            out.extend_from_slice(json.as_bytes());
            copied = range.end;
        }
        out.extend_from_slice(&self.body[copied..]);
        out.into()
    }

    /// A body that is no object, or has a key twice on the way, stays as it is: whoever read it has
    /// refused it.
    fn put(&mut self, path: &[&str], json: String) -> &mut Self {
        if let Some(edit) = place(&self.body, path, json) {
            self.edits.push(edit);
        }
        self
    }
}

fn place(body: &[u8], path: &[&str], json: String) -> Option<(Range<usize>, String)> {
    let body = std::str::from_utf8(body).ok()?;
    let mut object = body.trim_ascii();
    for (depth, key) in path.iter().enumerate() {
        let inner = &path[depth + 1..];
        let [value] = pick(object, [*key])?;
        match value {
            Some(value) if value.starts_with('{') && !inner.is_empty() => object = value,
            Some(value) => return Some((range_in(body, value), nested(inner, json))),
            None => {
                let at = range_in(body, object).start + 1;
                let rest = object[1..].trim_ascii_start();
                let comma = if rest.starts_with('}') { "" } else { "," };
                let key = serde_json::to_string(key).expect("text always serialises");
                let member = format!("{key}:{}{comma}", nested(inner, json));
                return Some((at..at, member));
            }
        }
    }
    None
}

/// `json` in objects of one member each.
fn nested(path: &[&str], json: String) -> String {
    path.iter().rev().fold(json, |inner, key| {
        let key = serde_json::to_string(key).expect("text always serialises");
        format!("{{{key}:{inner}}}")
    })
}

impl fmt::Debug for Edit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The body is a caller's prompt: never printed.
        f.debug_struct("Edit")
            .field("body_len", &self.body.len())
            .field("edits", &self.edits.len())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edited(body: &'static str, path: &[&str], number: u64) -> String {
        let mut edit = Edit::new(Bytes::from_static(body.as_bytes()));
        edit.number(path, number);
        String::from_utf8(edit.finish().to_vec()).expect("UTF-8")
    }

    #[test]
    fn a_member_is_changed_or_made_and_nothing_else() {
        assert_eq!(
            edited(r#" {"a": 1, "b":[ ]} "#, &["a"], 7),
            r#" {"a": 7, "b":[ ]} "#
        );
        assert_eq!(edited(r#"{"b":0}"#, &["a"], 7), r#"{"a":7,"b":0}"#);
        assert_eq!(edited("{ }", &["a"], 7), r#"{"a":7 }"#);
        let path = ["c", "max"];
        assert_eq!(
            edited(r#"{"c":{"x":1}}"#, &path, 7),
            r#"{"c":{"max":7,"x":1}}"#
        );
        assert_eq!(edited(r#"{"c":{"max":9}}"#, &path, 7), r#"{"c":{"max":7}}"#);
        assert_eq!(edited(r#"{"c":null}"#, &path, 7), r#"{"c":{"max":7}}"#);
        assert_eq!(edited("{}", &path, 7), r#"{"c":{"max":7}}"#);
    }

    #[test]
    fn several_edits_are_made_at_once_and_what_is_no_object_stays() {
        let mut edit = Edit::new(Bytes::from_static(br#"{"n":1,"model":"a"}"#));
        edit.string(&["model"], "b\"c")
            .number(&["max"], 3)
            .number(&["n"], 2);
        assert_eq!(&*edit.finish(), br#"{"max":3,"n":2,"model":"b\"c"}"#);
        assert_eq!(edited("[1]", &["a"], 7), "[1]");
        assert_eq!(edited(r#"{"a":1,"a":2}"#, &["a"], 7), r#"{"a":1,"a":2}"#);
    }
}
