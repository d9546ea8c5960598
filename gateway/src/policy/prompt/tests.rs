//! What callers fill into templates.

use super::fill::Filled;
use super::*;
use crate::config::policies::prompt::Named;
use weir_protocols::texts::Role;

fn templates() -> Vec<Named> {
    let text = "Sum up for {variables.who}: {variables.what}";
    vec![Named {
        name: "summary".into(),
        messages: vec![Message {
            role: Role::User,
            text: Template::parse_prompt(text, true).expect("a template"),
        }],
    }]
}

#[test]
fn what_is_filled_in_is_text_and_known() {
    let templates = templates();
    let read = |asked: &str| Filled::read(asked, &templates);
    let filled = read(r#"{"name":"summary","variables":{"who":"{team}","what":7}}"#);
    let filled = filled.expect("a template");
    let text = filled.template.messages[0]
        .text
        .render(|variable| match variable {
            Variable::Argument(name) => filled.value(name).map(Cow::Borrowed),
            _ => None,
        });
    assert_eq!(text.as_deref(), Ok("Sum up for {team}: 7"));
    for (bad, param) in [
        (r#"{"name":"other"}"#, "prompt_template.name"),
        (
            r#"{"name":"summary","variables":{"which":"x"}}"#,
            "prompt_template.variables.which",
        ),
        (
            r#"{"name":"summary","variables":{"who":["x"]}}"#,
            "prompt_template.variables.who",
        ),
        (r#"{"template":"summary"}"#, "prompt_template"),
        ("7", "prompt_template"),
    ] {
        let error = read(bad).map(|_| ()).expect_err(bad);
        assert_eq!(error.code, Code::RequestBodyInvalid);
        assert_eq!(error.param.as_deref(), Some(param), "{bad}");
    }
}
