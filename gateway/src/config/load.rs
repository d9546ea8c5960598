//! From files to a checked configuration: every stage, and every fault of each.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::check::{At, Checker, Item, Noun};
use super::fault::{Fault, Faults};
use super::source::{self, File};
use super::substitute::{self, Environment, Scrubber};
use super::watched::Watched;
use super::{Loaded, revision, sections, shape, snapshot};

/// Sections that only the platform's files hold.
const PLATFORM: &[&str] = &[
    "listeners",
    "metrics",
    "admin",
    "server",
    "telemetry",
    "secrets",
    "stores",
    "teams",
    "policies",
    "prices",
    "usage_events",
];

/// Loads `path`, a file or a directory.
///
/// # Errors
/// Everything that is wrong with it.
pub fn load(path: &Path) -> Result<Loaded, Faults> {
    load_with(path, &|name| std::env::var(name).ok())
}

/// As [`load`], in another environment.
pub(super) fn load_with(path: &Path, environment: &Environment<'_>) -> Result<Loaded, Faults> {
    let mut watched = Watched::default();
    let (files, faults) = source::read(path, &mut watched);
    let mut loaded = check(&files, faults, environment)?;
    loaded.watched.extend(watched);
    Ok(loaded)
}

/// Reads a configuration from text. Relative paths in it begin at the working directory.
///
/// # Errors
/// Everything that is wrong with it.
pub fn parse_str(yaml: &str) -> Result<Loaded, Faults> {
    parse_with(yaml, &|name| std::env::var(name).ok())
}

/// As [`parse_str`], in another environment.
pub(super) fn parse_with(yaml: &str, environment: &Environment<'_>) -> Result<Loaded, Faults> {
    match source::text(yaml) {
        Ok(file) => check(&[file], Vec::new(), environment),
        Err(fault) => Err(Faults(vec![fault])),
    }
}

/// A file whose values are put in and whose shape is known.
pub(super) struct Shaped {
    /// Which file.
    pub file: usize,
    /// The team it belongs to.
    pub team: Option<Arc<str>>,
    /// What it says.
    pub tree: Value,
    /// Where its shape is wrong.
    misshapen: BTreeSet<String>,
}

/// Checks `files`; `faults` are what was found on the way here.
fn check(
    files: &[File],
    mut faults: Vec<Fault>,
    environment: &Environment<'_>,
) -> Result<Loaded, Faults> {
    let mut scrubber = Scrubber::default();
    let mut watched = Watched::default();
    let mut trees = Vec::new();
    for file in files {
        let substituted = substitute::apply(file, environment, &mut scrubber, &mut faults);
        watched.extend(substituted.watched);
        trees.push(substituted.tree);
    }
    // what is missing is not judged for what it is not
    let missing = faults.clone();
    let shaped: Vec<Shaped> = trees
        .into_iter()
        .enumerate()
        .map(|(index, tree)| shape_of(index, &files[index], tree, &mut faults))
        .collect();
    for secret in shaped
        .iter()
        .filter_map(|file| file.tree.get("secrets")?.as_array())
        .flatten()
    {
        if let Some(value) = secret.get("value").and_then(Value::as_str) {
            scrubber.remember(value, "***");
        }
    }
    let mut cx = Checker::new(files);
    let complete = faults.is_empty();
    if files.is_empty() {
        return Err(finish(faults, &missing, &scrubber));
    }
    check_files(&mut cx, &shaped);
    let config = sections::check(&mut cx, &shaped);
    faults.append(&mut cx.faults);
    let (Some(config), true) = (config, complete && faults.is_empty()) else {
        return Err(finish(faults, &missing, &scrubber));
    };
    cx.warnings
        .iter_mut()
        .for_each(|warning| scrubber.scrub(warning));
    watched.extend(std::mem::take(&mut cx.watched));
    let tree = snapshot::Tree::new(&shaped, &cx.digests);
    Ok(Loaded {
        config,
        warnings: cx.warnings,
        watched,
        revision: revision::of(&tree),
        redacted: snapshot::redacted(files),
        tree,
    })
}

/// The faults in order, without what must not be seen and what was said twice.
/// Of a place where a value is `missing`, nothing else is said.
fn finish(faults: Vec<Fault>, missing: &[Fault], scrubber: &Scrubber) -> Faults {
    let same_place =
        |fault: &Fault, other: &Fault| (&fault.file, &fault.path) == (&other.file, &other.path);
    let mut told: Vec<Fault> = Vec::new();
    for mut fault in faults {
        let follows =
            missing.iter().any(|other| same_place(&fault, other)) && !missing.contains(&fault);
        scrubber.scrub(&mut fault);
        if !follows && !told.contains(&fault) {
            told.push(fault);
        }
    }
    Faults(told)
}

/// Judges the shape of one file.
fn shape_of(index: usize, file: &File, tree: Value, faults: &mut Vec<Fault>) -> Shaped {
    let mut misshapen = BTreeSet::new();
    for fault in shape::check(&tree) {
        misshapen.insert(fault.path.clone());
        let shape::Misshape {
            path,
            message,
            hint,
        } = fault;
        faults.push(Fault {
            file: file.path.clone(),
            path,
            message,
            hint,
        });
    }
    let team = tree.get("team").and_then(Value::as_str).map(Into::into);
    Shaped {
        file: index,
        team,
        tree,
        misshapen,
    }
}

/// What is wrong between files: whose they are, and what they say twice.
fn check_files(cx: &mut Checker<'_>, files: &[Shaped]) {
    let mut given: Vec<(&str, usize)> = Vec::new();
    for file in files {
        for (section, value) in file.tree.as_object().into_iter().flatten() {
            let at = At::section(file.file, section);
            let platform = PLATFORM.contains(&section.as_str());
            if let (true, Some(team)) = (platform, &file.team) {
                let message =
                    format!("this file belongs to team \"{team}\", and {section} to the platform");
                cx.fault(&at, message, "move it to a file without `team`");
            }
            if platform && value.is_object() {
                if given.iter().any(|(other, _)| other == section) {
                    cx.fault(
                        &at,
                        "this section is in another file already",
                        "it can be given only once",
                    );
                }
                given.push((section, file.file));
            }
        }
    }
    for file in files {
        if let Some(team) = &file.team {
            let at = At::section(file.file, "team");
            let known = files
                .iter()
                .any(|other| names_of(&other.tree, "teams").any(|(_, name)| *name == **team));
            if !known {
                let names: Vec<&str> = files
                    .iter()
                    .flat_map(|other| names_of(&other.tree, "teams"))
                    .map(|(_, name)| name)
                    .collect();
                let hint = super::fault::suggest(team, names);
                cx.fault(&at, format!("no team named \"{team}\""), hint);
            }
        }
    }
    for file in files {
        for (noun, section, _) in Noun::ALL {
            for (index, name) in names_of(&file.tree, section) {
                let at = At::section(file.file, section).index(index);
                cx.name(noun, name, &at, file.team.as_ref());
            }
        }
    }
}

/// The names in a section, whatever else is wrong with its entries.
fn names_of<'t>(tree: &'t Value, section: &str) -> impl Iterator<Item = (usize, &'t str)> {
    let entries = tree.get(section).and_then(Value::as_array);
    entries
        .into_iter()
        .flatten()
        .enumerate()
        .filter_map(|(index, entry)| {
            entry
                .get("name")
                .and_then(Value::as_str)
                .map(|name| (index, name))
        })
}

/// The entries of a list section that can be read; of others the shape has said why.
pub(super) fn list<T: DeserializeOwned>(
    cx: &mut Checker<'_>,
    files: &[Shaped],
    section: &str,
) -> Vec<Item<T>> {
    let mut items = Vec::new();
    for file in files {
        let entries = file.tree.get(section).and_then(Value::as_array);
        for (index, entry) in entries.into_iter().flatten().enumerate() {
            let at = At::section(file.file, section).index(index);
            items.extend(item(cx, file, at, entry));
        }
    }
    items
}

/// A section that is given once, from the first file that has it.
pub(super) fn single<T: DeserializeOwned>(
    cx: &mut Checker<'_>,
    files: &[Shaped],
    section: &str,
) -> Option<Item<T>> {
    let (file, value) = files
        .iter()
        .find_map(|file| Some((file, file.tree.get(section)?)))?;
    item(cx, file, At::section(file.file, section), value)
}

fn item<T: DeserializeOwned>(
    cx: &mut Checker<'_>,
    file: &Shaped,
    at: At,
    value: &Value,
) -> Option<Item<T>> {
    match T::deserialize(value) {
        Ok(raw) => Some(Item {
            at,
            team: file.team.clone(),
            raw,
        }),
        Err(error) => {
            let told = file
                .misshapen
                .iter()
                .any(|path| path.starts_with(&at.path) || path.is_empty());
            if !told {
                cx.fault(
                    &at,
                    format!("this cannot be read: {error}"),
                    "see `weir schema`",
                );
            }
            None
        }
    }
}
