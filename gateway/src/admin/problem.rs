//! What went wrong, for whoever asked: `application/problem+json` that says what, where and how to
//! mend it.

use http::StatusCode;
use serde_json::json;
use weir_protocols::problem;

use super::Answer;

/// Why something was not done.
#[derive(Debug)]
pub(super) struct Problem {
    pub(super) status: StatusCode,
    /// A slug for programs.
    pub(super) code: &'static str,
    /// Where the code is explained, if it is one of the catalogue's.
    pub(super) runbook: Option<String>,
    /// What is wrong, and where.
    pub(super) detail: String,
    /// How to mend it.
    pub(super) hint: String,
}

impl Problem {
    pub(super) fn new(
        status: StatusCode,
        code: &'static str,
        detail: impl Into<String>,
        hint: impl Into<String>,
    ) -> Self {
        Self {
            status,
            code,
            runbook: None,
            detail: detail.into(),
            hint: hint.into(),
        }
    }

    /// What was sent is wrong.
    pub(super) fn bad(detail: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad_request", detail, hint)
    }

    /// There is no such thing.
    pub(super) fn absent(detail: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", detail, hint)
    }
}

impl From<Problem> for Answer {
    fn from(problem: Problem) -> Self {
        let document = problem::Problem {
            type_uri: problem.runbook.as_deref().unwrap_or("about:blank"),
            title: problem.status.canonical_reason().unwrap_or_default(),
            status: problem.status.as_u16(),
            detail: Some(&problem.detail),
            code: problem.code,
            extra: &[("hint", json!(problem.hint))],
            ..problem::Problem::default()
        };
        Answer {
            status: problem.status,
            content_type: problem::MEDIA_TYPE,
            body: document.to_json().into(),
        }
    }
}
