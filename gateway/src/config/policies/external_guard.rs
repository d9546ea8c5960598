//! `external_guard`, checked.

use std::sync::Arc;
use std::time::Duration;

use crate::config::check::{At, Checker, Noun};
use crate::config::raw::guardrails as raw;

/// Asks a service whether a prompt may pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Who is asked; it exists.
    pub upstream: Arc<str>,
    /// Where: begins with `/`.
    pub path: Arc<str>,
    /// How long it may take altogether.
    pub timeout: Duration,
    /// Whether prompts pass when it cannot be asked.
    pub fails_open: bool,
}

/// Checks `external_guard`.
pub(in crate::config) fn check(
    cx: &mut Checker<'_>,
    at: &At,
    raw: &raw::ExternalGuard,
    team: Option<&Arc<str>>,
) -> Option<Config> {
    let upstream = cx.resolve(&at.key("upstream"), Noun::Upstream, &raw.upstream.0, team);
    let visible = raw.path.bytes().all(|byte| byte.is_ascii_graphic());
    if !raw.path.starts_with('/') || !visible || raw.path.parse::<http::Uri>().is_err() {
        let message = format!("\"{}\" is no path", raw.path);
        cx.fault(&at.key("path"), message, "write it as /v1/check");
    }
    if raw.timeout.0.is_zero() {
        cx.fault(
            &at.key("timeout"),
            "nobody answers in no time",
            "give it 2s",
        );
    }
    Some(Config {
        upstream: upstream?,
        path: raw.path.as_str().into(),
        timeout: raw.timeout.0,
        fails_open: raw.on_failure == raw::OnFailure::Allow,
    })
}
