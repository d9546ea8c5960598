//! Which requests get a line, and what stands in it.
//!
//! A request that failed, was cut or was slow always gets one, whatever is said here.

use serde_json::value::RawValue;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::time::Duration;

use crate::json::Line;
use crate::record::Record;
use crate::trace::{RatioError, Sampler};

/// What is chosen; by default everything.
#[derive(Debug, Default)]
pub struct Choice {
    sample: Option<Sampler>,
    exclude: Vec<Exclusion>,
    fields: Fields,
}

/// Requests without a line: those that are all that is said.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Exclusion {
    /// Those of this path.
    pub path: Option<String>,
    /// Those whose `User-Agent` begins so.
    pub user_agent_prefix: Option<String>,
    /// Those of this route.
    pub route: Option<String>,
}

/// What stands in a line, by the names of its members.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Fields {
    /// All that apply.
    #[default]
    All,
    /// These, in this order.
    Include(Vec<String>),
    /// All but these.
    Exclude(Vec<String>),
}

impl Choice {
    /// `Err` if the ratio is none.
    pub fn new(ratio: f64, exclude: Vec<Exclusion>, fields: Fields) -> Result<Self, RatioError> {
        let sampler = Sampler::new(ratio)?;
        Ok(Self {
            sample: (ratio < 1.0).then_some(sampler),
            exclude,
            fields,
        })
    }

    /// Whether this request gets a line.
    pub(crate) fn takes(&self, record: &Record, slow_after: Duration) -> bool {
        if self.sample.is_none() && self.exclude.is_empty() {
            return true;
        }
        let telling = record.error_type().is_some() || record.aborted || record.slow(slow_after);
        telling
            || (self
                .sample
                .is_none_or(|sampler| sampler.picks(&record.trace.trace_id))
                && !self.exclude.iter().any(|one| one.fits(record)))
    }

    /// The members of the line, by name.
    pub(crate) fn members(&self, record: &Record) -> Map<String, Value> {
        // A struct of strings and numbers: there is nothing to fail.
        let Ok(Value::Object(mut members)) = serde_json::to_value(Line::of(record)) else {
            return Map::new();
        };
        match &self.fields {
            Fields::All => {}
            Fields::Include(names) => members.retain(|name, _| names.contains(name)),
            Fields::Exclude(names) => members.retain(|name, _| !names.contains(name)),
        }
        members
    }

    /// Writes the line, without its end.
    pub(super) fn write(&self, record: &Record, line: &mut Vec<u8>) -> serde_json::Result<()> {
        let whole = Line::of(record);
        if self.fields == Fields::All {
            return serde_json::to_writer(line, &whole);
        }
        let text = serde_json::to_string(&whole)?;
        let members: BTreeMap<&str, &RawValue> = serde_json::from_str(&text)?;
        let chosen: Vec<(&str, &RawValue)> = match &self.fields {
            Fields::All => members.into_iter().collect(),
            Fields::Include(names) => {
                let found = |name: &String| members.get_key_value(&**name);
                names
                    .iter()
                    .filter_map(found)
                    .map(|(name, value)| (*name, *value))
                    .collect()
            }
            Fields::Exclude(names) => {
                let stays = |name: &str| !names.iter().any(|without| without == name);
                members
                    .into_iter()
                    .filter(|(name, _)| stays(name))
                    .collect()
            }
        };
        line.push(b'{');
        for (index, (name, value)) in chosen.into_iter().enumerate() {
            if index > 0 {
                line.push(b',');
            }
            serde_json::to_writer(&mut *line, name)?;
            line.push(b':');
            line.extend_from_slice(value.get().as_bytes());
        }
        line.push(b'}');
        Ok(())
    }
}

impl Exclusion {
    fn fits(&self, record: &Record) -> bool {
        let agent = record.user_agent.as_deref().unwrap_or_default();
        self.path.as_ref().is_none_or(|path| *path == record.path)
            && self
                .user_agent_prefix
                .as_ref()
                .is_none_or(|prefix| agent.starts_with(&**prefix))
            && self
                .route
                .as_ref()
                .is_none_or(|route| record.route.as_deref() == Some(&**route))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Code;
    use crate::record::sample;

    const SLOW: Duration = Duration::from_secs(1);

    fn probe() -> Exclusion {
        Exclusion {
            path: Some("/healthz".to_owned()),
            user_agent_prefix: Some("kube-probe/".to_owned()),
            route: None,
        }
    }

    #[test]
    fn probes_get_no_line_unless_they_fail_or_are_slow() {
        let choice = Choice::new(1.0, vec![probe()], Fields::All).expect("a ratio");
        let mut record = sample::plain("one");
        assert!(choice.takes(&record, SLOW));
        record.path = "/healthz".into();
        assert!(choice.takes(&record, SLOW), "somebody else asks for it");
        record.user_agent = Some("kube-probe/1.31".into());
        assert!(!choice.takes(&record, SLOW));
        record.duration = Duration::from_secs(2);
        assert!(choice.takes(&record, SLOW));
        record.duration = Duration::ZERO;
        record.code = Some(Code::RouteNotFound);
        assert!(choice.takes(&record, SLOW));
    }

    #[test]
    fn a_share_of_what_went_well_gets_a_line_and_all_that_failed() {
        let choice = Choice::new(0.25, Vec::new(), Fields::All).expect("a ratio");
        let many = || (0..4_000).map(|n| sample::plain(&n.to_string()));
        let taken = many().filter(|record| choice.takes(record, SLOW)).count();
        assert!((800..1_200).contains(&taken), "{taken}");
        let failed = many().map(|mut record| {
            record.status = 502;
            record
        });
        assert!(failed.into_iter().all(|record| choice.takes(&record, SLOW)));
        assert!(Choice::new(1.5, Vec::new(), Fields::All).is_err());
    }

    fn line(fields: Fields) -> String {
        let choice = Choice::new(1.0, Vec::new(), fields).expect("a ratio");
        let mut line = Vec::new();
        choice
            .write(&sample::plain("one"), &mut line)
            .expect("JSON");
        String::from_utf8(line).expect("UTF-8")
    }

    #[test]
    fn a_line_has_the_fields_chosen_in_their_order_and_those_that_apply() {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let chosen = ["http.response.status_code", "error.type", "request_id"];
        let some = line(Fields::Include(names(&chosen)));
        assert_eq!(
            some,
            r#"{"http.response.status_code":200,"request_id":"one"}"#
        );
        let without = line(Fields::Exclude(names(&["client.address", "url.path"])));
        assert!(!without.contains("client.address") && !without.contains("url.path"));
        assert!(without.contains("\"weir.route\":\"orders\""));
        let all: serde_json::Value = serde_json::from_str(&line(Fields::All)).expect("JSON");
        assert!(all["client.address"].is_string());
    }
}
