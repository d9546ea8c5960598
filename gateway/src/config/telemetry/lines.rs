//! Which requests the access log has a line for, and what stands in it.

use weir_telemetry::access_log::FIELDS;

use super::super::check::{At, Checker};
use super::super::fault::suggest;
use super::super::raw::telemetry as raw;

/// What is written to the access log.
#[derive(Debug, Clone, PartialEq)]
pub struct Lines {
    /// The share of requests that get one, from 0 to 1.
    pub sample_ratio: f64,
    /// Those without one.
    pub exclude: Vec<Excluded>,
    /// What stands in one.
    pub fields: Fields,
}

/// Requests that are all that is said; at least one is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Excluded {
    /// Those of this path.
    pub path: Option<String>,
    /// Those whose `User-Agent` begins so.
    pub user_agent_prefix: Option<String>,
    /// Those of this route.
    pub route: Option<String>,
}

/// Members of a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fields {
    /// All that apply.
    All,
    /// These, in this order.
    Include(Vec<String>),
    /// All but these.
    Exclude(Vec<String>),
}

pub(super) fn check(cx: &mut Checker<'_>, at: &At, raw: &raw::AccessLog) -> Option<Lines> {
    let exclude = raw.exclude.iter().enumerate();
    let exclude = exclude.map(|(index, one)| excluded(cx, &at.key("exclude").index(index), one));
    let exclude: Vec<_> = exclude.collect();
    let fields = fields(cx, &at.key("fields"), raw.fields.as_ref());
    if !(0.0..=1.0).contains(&raw.sample_ratio) {
        let message = format!("{} is no share", raw.sample_ratio);
        cx.fault(
            &at.key("sample_ratio"),
            message,
            "give a number from 0 to 1",
        );
        return None;
    }
    Some(Lines {
        sample_ratio: raw.sample_ratio,
        exclude: exclude.into_iter().collect::<Option<_>>()?,
        fields: fields?,
    })
}

fn excluded(cx: &mut Checker<'_>, at: &At, raw: &raw::Exclusion) -> Option<Excluded> {
    let raw::Exclusion {
        path,
        user_agent_prefix,
        route,
    } = raw.clone();
    if path.is_none() && user_agent_prefix.is_none() && route.is_none() {
        let hint = "name a path, a user_agent_prefix or a route";
        cx.fault(at, "nothing says which requests these are", hint);
        return None;
    }
    if path.as_ref().is_some_and(|path| !path.starts_with('/')) {
        cx.fault(
            &at.key("path"),
            "a path begins with a slash",
            "write it as /healthz",
        );
        return None;
    }
    Some(Excluded {
        path,
        user_agent_prefix,
        route,
    })
}

fn fields(cx: &mut Checker<'_>, at: &At, raw: Option<&raw::Fields>) -> Option<Fields> {
    let Some(raw) = raw else {
        return Some(Fields::All);
    };
    let (word, names) = match (&raw.include, &raw.exclude) {
        (Some(names), None) => ("include", names),
        (None, Some(names)) => ("exclude", names),
        _ => {
            cx.fault(
                at,
                "say what stands in a line",
                "give either include or exclude",
            );
            return None;
        }
    };
    let mut good = true;
    for (index, name) in names.iter().enumerate() {
        if !FIELDS.contains(&&**name) {
            let at = at.key(word).index(index);
            let message = format!("no line has a field \"{name}\"");
            cx.fault(&at, message, suggest(name, FIELDS.iter().copied()));
            good = false;
        }
    }
    good.then(|| match word {
        "include" => Fields::Include(names.clone()),
        _ => Fields::Exclude(names.clone()),
    })
}
