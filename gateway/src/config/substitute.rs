//! `${VAR}` and `${file:PATH}`: put in after parsing, inside text values only.
//!
//! What was put in may be secret, so it is remembered and taken out again of
//! everything that is said about the configuration ([`Scrubber`]).

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::Value;

use super::fault::Fault;
use super::source::File;
use super::watched::Watched;

/// The environment that `${VAR}` is looked up in.
pub(super) type Environment<'e> = dyn Fn(&str) -> Option<String> + 'e;

/// The largest file `${file:…}` reads.
const MAX_FILE: u64 = 1 << 20;

/// A tree with its values put in.
pub(super) struct Substituted {
    /// The tree.
    pub tree: Value,
    /// Files read on the way.
    pub watched: Watched,
}

/// Puts values into `file`'s tree. What is missing becomes a fault, and stays as it was written.
pub(super) fn apply(
    file: &File,
    environment: &Environment<'_>,
    scrubber: &mut Scrubber,
    faults: &mut Vec<Fault>,
) -> Substituted {
    let mut walk = Walk {
        file,
        environment,
        scrubber,
        faults,
        watched: Watched::default(),
    };
    let tree = walk.value(&file.tree, &mut String::new());
    Substituted {
        tree,
        watched: walk.watched,
    }
}

struct Walk<'a> {
    file: &'a File,
    environment: &'a Environment<'a>,
    scrubber: &'a mut Scrubber,
    faults: &'a mut Vec<Fault>,
    watched: Watched,
}

impl Walk<'_> {
    /// `value` with everything in it put in; `path` is where it stands.
    fn value(&mut self, value: &Value, path: &mut String) -> Value {
        let length = path.len();
        match value {
            Value::String(text) if text.contains("${") => Value::String(self.text(text, path)),
            Value::Array(items) => {
                let items = items.iter().enumerate().map(|(at, item)| {
                    super::fault::push_index(path, at);
                    let item = self.value(item, path);
                    path.truncate(length);
                    item
                });
                Value::Array(items.collect())
            }
            Value::Object(entries) => {
                let entries = entries.iter().map(|(key, entry)| {
                    super::fault::push_key(path, key);
                    let entry = self.value(entry, path);
                    path.truncate(length);
                    (key.clone(), entry)
                });
                Value::Object(entries.collect())
            }
            other => other.clone(),
        }
    }

    /// `text` with every `${…}` in it put in; `$${` stands for `${`.
    fn text(&mut self, text: &str, path: &str) -> String {
        let mut result = String::new();
        let mut rest = text;
        let mut filled = false;
        while let Some(at) = rest.find("${") {
            if rest[..at].ends_with('$') {
                result.push_str(&rest[..at]);
                result.push('{');
                rest = &rest[at + 2..];
                continue;
            }
            result.push_str(&rest[..at]);
            let Some((name, after)) = rest[at + 2..].split_once('}') else {
                self.fault(
                    path,
                    "\"${\" without \"}\"".to_owned(),
                    "write \"$${\" for the characters themselves".to_owned(),
                );
                return text.to_owned();
            };
            match self.lookup(name) {
                Ok(value) => result.push_str(&value),
                Err((message, hint)) => {
                    self.fault(path, message, hint);
                    return text.to_owned();
                }
            }
            filled = true;
            rest = after;
        }
        result.push_str(rest);
        if filled {
            self.scrubber.remember(&result, text);
        }
        result
    }

    /// The value that stands behind `${name}`.
    fn lookup(&mut self, name: &str) -> Result<String, (String, String)> {
        if let Some(path) = name.strip_prefix("file:") {
            let value = self.read(path).map_err(|error| {
                (
                    format!("\"{path}\" cannot be read: {error}"),
                    "paths are relative to the configuration file".to_owned(),
                )
            })?;
            self.scrubber.remember(&value, &format!("${{{name}}}"));
            return Ok(value);
        }
        let named = !name.is_empty()
            && name
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        if !named {
            return Err((
                "\"${\" is followed by no name of a variable".to_owned(),
                "write ${VAR} or ${file:PATH}, or \"$${\" for the characters themselves".to_owned(),
            ));
        }
        let value = (self.environment)(name).ok_or_else(|| {
            (
                format!("the environment variable {name} is not set"),
                "set it, or write the value".to_owned(),
            )
        })?;
        self.scrubber.remember(&value, &format!("${{{name}}}"));
        Ok(value)
    }

    /// The text of a file, without the line end that editors put after it.
    fn read(&mut self, path: &str) -> std::io::Result<String> {
        let path = self.file.directory.join(Path::new(path));
        self.watched.note(&path);
        if fs::metadata(&path)?.len() > MAX_FILE {
            return Err(std::io::Error::other("it is larger than 1 MiB"));
        }
        let text = fs::read_to_string(&path)?;
        let text = text.strip_suffix('\n').unwrap_or(&text);
        Ok(text.strip_suffix('\r').unwrap_or(text).to_owned())
    }

    fn fault(&mut self, path: &str, message: String, hint: String) {
        let file = self.file.path.clone();
        self.faults.push(Fault {
            file,
            path: path.to_owned(),
            message,
            hint,
        });
    }
}

/// Takes out of what is said what must not be seen.
#[derive(Default)]
pub(super) struct Scrubber {
    /// What was put in, and what was written instead.
    known: BTreeMap<String, String>,
}

impl Scrubber {
    /// Values shorter than this are taken out only where they are quoted: they
    /// would be found inside innocent words.
    const SHORT: usize = 6;

    /// `value` must not be seen; `written` may.
    pub(super) fn remember(&mut self, value: &str, written: &str) {
        if !value.is_empty() {
            self.known.insert(value.to_owned(), written.to_owned());
        }
    }

    /// Takes out of `fault` what must not be seen.
    pub(super) fn scrub(&self, fault: &mut Fault) {
        self.text(&mut fault.message);
        self.text(&mut fault.hint);
    }

    fn text(&self, text: &mut String) {
        // longer values first: one may be part of another
        let mut known: Vec<_> = self.known.iter().collect();
        known.sort_by_key(|(value, _)| std::cmp::Reverse(value.len()));
        for (value, written) in known {
            let quoted = format!("\"{value}\"");
            if text.contains(&quoted) {
                *text = text.replace(&quoted, &format!("\"{written}\""));
            }
            if value.len() >= Self::SHORT && text.contains(value.as_str()) {
                *text = text.replace(value.as_str(), written);
            }
        }
    }
}
