//! What passes and what does not.

use weir_protocols::texts::Dialect;
use weir_telemetry::Metrics;

use super::*;
use crate::config;
use crate::config::policies::PolicyConfig;
use crate::policy::speech::Kind;

fn guard(policy: &str) -> PromptGuard {
    let loaded = config::parse_str(&format!(
        "{{ version: 1, listeners: [{{ name: public, address: 127.0.0.1:0 }}],
           providers: [{{ name: p, dialect: openai, base_url: 'http://127.0.0.1:9/v1' }}],
           models: [{{ name: m, targets: [{{ provider: p, model: m }}] }}],
           routes: [{{ name: r, llm: {{ models: [m] }}, policies: [{policy}] }}] }}"
    ));
    let loaded = loaded.unwrap_or_else(|faults| panic!("{faults}"));
    let PolicyConfig::PromptGuard(config) = &loaded.config.routes[0].policies[0].config else {
        panic!("no prompt_guard");
    };
    let metrics = Metrics::new();
    PromptGuard::new((**config).clone(), &|rule, direction| {
        metrics.findings("r", "prompt_guard", rule, direction)
    })
}

fn refused(guard: &PromptGuard, messages: &str) -> Option<String> {
    let body = format!(r#"{{"messages":{messages}}}"#);
    let texts = Texts::read(Dialect::Chat, body.as_bytes()).expect("a chat");
    guard.refusing(&texts).map(str::to_owned)
}

#[test]
fn the_rule_that_refuses_is_named() {
    let guard = guard(
        "{ kind: prompt_guard, roles: [user], max_characters: 24, max_messages: 2,
           allow: [{ name: polite, pattern: '(?i)please' }],
           deny: [{ name: secrets, pattern: 'pass(word|phrase)' }] }",
    );
    let user = |text: &str| format!(r#"[{{"role":"user","content":"{text}"}}]"#);
    for (messages, expected) in [
        (user("Please do it"), None),
        (user("do it"), Some("allow")),
        (user(r"please: p\u0061ssword"), Some("secrets")),
        (user("please do it äöü äöü äöü äöü"), Some("max_characters")),
        (
            r#"[{"role":"system","content":"the password is long, and so is this"},{"role":"user","content":"please"}]"#.to_owned(),
            None,
        ),
        ("[{},{},{}]".to_owned(), Some("max_messages")),
    ] {
        assert_eq!(refused(&guard, &messages).as_deref(), expected, "{messages}");
    }
}

#[test]
fn an_answer_ends_where_something_denied_comes_in_pieces() {
    let guard = guard(
        "{ kind: prompt_guard, answer: { deny: [{ name: code-name, pattern: 'blue ?heron' }] } }",
    );
    let denied = guard.answers.clone().expect("answers are looked through");
    let mut filter = denied.filter(Kind::Answer).expect("every text is");
    let mut out = String::new();
    for piece in ["It is called the blue", " he"] {
        filter.text(piece, &mut out).expect("nothing yet");
    }
    let error = filter
        .text("ron, I think", &mut out)
        .expect_err("it is denied");
    assert_eq!(error.code, Code::CompletionDenied);
    assert!(error.public.contains("code-name") && !error.public.contains("heron"));
    assert!("It is called the ".starts_with(&out), "{out}");
}
