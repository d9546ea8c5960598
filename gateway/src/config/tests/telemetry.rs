//! What may be shown of prompts and answers, and who has to agree to that.

use super::{expect_after, good};
use crate::config::routes::action::Action;
use crate::config::telemetry::LlmContent;

const MODEL: &str = "providers: [{ name: p, dialect: openai, base_url: 'http://127.0.0.1:1/v1' }]
models: [{ name: m, targets: [{ provider: p, model: x }] }]
";

/// What the one route shows.
fn shown(more: &str) -> Option<LlmContent> {
    let loaded = good(&format!("{MODEL}{more}"));
    match &loaded.config.routes[0].action {
        Action::Llm(llm) => llm.content,
        _ => panic!("it is an llm route"),
    }
}

#[test]
fn prompts_and_answers_are_shown_where_both_agree() {
    let asks = "routes: [{ name: r, llm: { models: [m], record_content: true } }]";
    let silent = "routes: [{ name: r, llm: { models: [m] } }]";
    let allows = "telemetry: { llm_content: {} }\n";
    let max_bytes = 8 << 10;
    assert_eq!(
        shown(&format!("{allows}{asks}")),
        Some(LlmContent { max_bytes })
    );
    assert_eq!(shown(&format!("{allows}{silent}")), None);
    assert_eq!(shown(silent), None);
}

#[test]
fn a_route_shows_nothing_that_the_platform_does_not_allow() {
    expect_after(
        MODEL,
        &[
            (
                "routes: [{ name: r, llm: { models: [m], record_content: true } }]",
                "routes[0].llm.record_content: the platform does not allow prompts and answers to be \
                 shown; ask it for `telemetry.llm_content`, or leave this out",
            ),
            (
                "routes: [{ name: r, prompt: { model: m, message: Hm, input: { type: object }, record_content: true } }]",
                "routes[0].prompt.record_content: the platform does not allow prompts and answers to \
                 be shown; ask it for `telemetry.llm_content`, or leave this out",
            ),
            (
                "telemetry: { llm_content: { max_bytes: 1MiB } }
routes: [{ name: r, llm: { models: [m], record_content: true } }]",
                "telemetry.llm_content.max_bytes: 1MiB of a prompt is more than a span can carry; \
                 give 256KiB at most",
            ),
        ],
    );
}
