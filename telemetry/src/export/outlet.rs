//! Where one signal other than spans goes, and how, from the file and from OpenTelemetry's variables for
//! that signal. The spans' own client reads the same ones by itself.

use super::settings::{Settings, SettingsError};
use percent_encoding::percent_decode_str;
use std::time::Duration;

/// What a signal's variables are called after `OTEL_EXPORTER_OTLP_`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Signal {
    Logs,
    Metrics,
}

impl Signal {
    const fn word(self) -> &'static str {
        match self {
            Self::Logs => "LOGS",
            Self::Metrics => "METRICS",
        }
    }
}

/// Where it goes.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Outlet {
    pub(super) endpoint: String,
    /// Values may be secrets.
    pub(super) headers: Vec<(String, String)>,
    /// For one export, retries included.
    pub(super) timeout: Duration,
    pub(super) gzip: bool,
}

impl std::fmt::Debug for Outlet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names: Vec<_> = self.headers.iter().map(|(name, _)| name).collect();
        f.debug_struct("Outlet")
            .field("endpoint", &self.endpoint)
            .field("headers", &names)
            .field("timeout", &self.timeout)
            .field("gzip", &self.gzip)
            .finish()
    }
}

/// `None` where the signal is not asked for, is switched off from outside, or nothing names a collector.
/// `variable` gives those that are set and not empty; `endpoint` and `headers` of `settings` are what the
/// file says.
pub(super) fn resolve(
    signal: Signal,
    is_asked_for: bool,
    settings: &Settings,
    variable: &impl Fn(&str) -> Option<String>,
) -> Result<Option<Outlet>, SettingsError> {
    let word = signal.word();
    let switch = variable(&format!("OTEL_{word}_EXPORTER"));
    let is_on = match switch.as_deref().map(str::trim) {
        Some("none") => false,
        Some(names) => is_asked_for || names.split(',').any(|name| name.trim() == "otlp"),
        None => is_asked_for,
    };
    let off = variable("OTEL_SDK_DISABLED").is_some_and(|v| v.eq_ignore_ascii_case("true"));
    if off || !is_on {
        return Ok(None);
    }
    let either = |what: &str| {
        let own = format!("OTEL_EXPORTER_OTLP_{word}_{what}");
        let general = format!("OTEL_EXPORTER_OTLP_{what}");
        [own, general]
            .into_iter()
            .find_map(|name| variable(&name).map(|value| (name, value)))
    };
    let named = settings.endpoint.clone();
    let Some(endpoint) = named.or_else(|| Some(either("ENDPOINT")?.1)) else {
        return Ok(None);
    };
    let mut headers = match either("HEADERS") {
        Some((name, text)) => parse_headers(&name, &text)?,
        None => Vec::new(),
    };
    // Later ones replace earlier ones of the same name: the file wins.
    headers.extend(settings.headers.iter().cloned());
    let timeout = match (settings.timeout, either("TIMEOUT")) {
        (Some(timeout), _) => timeout,
        (None, Some((name, text))) => milliseconds(&name, &text)?,
        (None, None) => Duration::from_secs(10),
    };
    let gzip = match either("COMPRESSION") {
        None => false,
        Some((_, text)) if text.trim() == "none" => false,
        Some((_, text)) if text.trim() == "gzip" => true,
        Some((name, text)) => {
            return Err(SettingsError::new(
                &name,
                format!("{text:?} is not supported; use gzip or none"),
            ));
        }
    };
    Ok(Some(Outlet {
        endpoint,
        headers,
        timeout,
        gzip,
    }))
}

/// `key=value,…`, values percent-encoded; what is wrong is said without the value.
fn parse_headers(name: &str, text: &str) -> Result<Vec<(String, String)>, SettingsError> {
    let pairs = text.split(',').filter(|pair| !pair.trim().is_empty());
    let parse = |pair: &str| {
        let (key, value) = pair.split_once('=')?;
        let value = percent_decode_str(value.trim()).decode_utf8().ok()?;
        Some((key.trim().to_owned(), value.into_owned()))
    };
    pairs
        .map(|pair| {
            parse(pair).ok_or_else(|| SettingsError::new(name, "write it as name=value,name=value"))
        })
        .collect()
}

pub(super) fn milliseconds(name: &str, text: &str) -> Result<Duration, SettingsError> {
    let number = text.trim().parse().map_err(|_| {
        SettingsError::new(
            name,
            format!("{text:?} is not a whole number of milliseconds"),
        )
    })?;
    Ok(Duration::from_millis(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(
        asked: bool,
        settings: &Settings,
        variables: &[(&str, &str)],
    ) -> Result<Option<Outlet>, SettingsError> {
        resolve(Signal::Logs, asked, settings, &|name: &str| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn a_signal_is_sent_if_file_or_environment_ask_for_it() {
        let file = Settings {
            endpoint: Some("http://file:4317".into()),
            ..Settings::default()
        };
        assert_eq!(of(false, &file, &[]), Ok(None));
        assert_eq!(of(true, &Settings::default(), &[]), Ok(None));
        let asked = of(true, &file, &[]).expect("fine").expect("on");
        assert_eq!(asked.endpoint, "http://file:4317");
        assert!(
            of(false, &file, &[("OTEL_LOGS_EXPORTER", "console, otlp")]).is_ok_and(|o| o.is_some())
        );
        assert_eq!(of(true, &file, &[("OTEL_LOGS_EXPORTER", "none")]), Ok(None));
        assert_eq!(of(true, &file, &[("OTEL_SDK_DISABLED", "true")]), Ok(None));
    }

    #[test]
    fn a_signals_own_variables_come_before_the_general_ones_and_the_file_before_both() {
        let variables = [
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://general:4317"),
            ("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", "http://logs:4317"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "a=one%20two, b=general"),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "250"),
            ("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip"),
        ];
        let file = Settings {
            headers: vec![("b".into(), "file".into())],
            ..Settings::default()
        };
        let outlet = of(true, &file, &variables).expect("fine").expect("on");
        assert_eq!(outlet.endpoint, "http://logs:4317");
        assert_eq!(outlet.timeout, Duration::from_millis(250));
        assert!(outlet.gzip);
        let last = |name: &str| outlet.headers.iter().rev().find(|(known, _)| known == name);
        assert_eq!(last("a").map(|(_, value)| &**value), Some("one two"));
        assert_eq!(last("b").map(|(_, value)| &**value), Some("file"));
    }

    #[test]
    fn what_cannot_be_used_is_named_and_no_value_of_a_header_told() {
        let file = Settings {
            endpoint: Some("http://file:4317".into()),
            ..Settings::default()
        };
        for bad in [
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "soon"),
            ("OTEL_EXPORTER_OTLP_COMPRESSION", "zip"),
            ("OTEL_EXPORTER_OTLP_LOGS_HEADERS", "hush"),
        ] {
            let error = of(true, &file, &[bad]).expect_err("must be refused");
            assert_eq!(error.name, bad.0);
            assert!(!error.problem.contains("hush"));
        }
    }
}
