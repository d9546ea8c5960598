//! Policies that mind what is said: what they refuse to be, and where they may stand.

use super::{faults, good};

const MODELS: &str = "
upstreams: [{ name: guard, endpoints: [{ address: 127.0.0.1:9 }] }]
providers: [{ name: p, dialect: openai, base_url: 'http://127.0.0.1:9/v1' }]
models: [{ name: m, targets: [{ provider: p, model: m }] }]
";

#[test]
fn guardrails_that_cannot_work_are_refused() {
    let one = |policy: &str| {
        let routes =
            format!("routes: [{{ name: r, llm: {{ models: [m] }}, policies: [{policy}] }}]");
        faults(&format!("{MODELS}{routes}"))
    };
    let table = [
        (
            "{ kind: prompt }",
            "routes[0].policies[0]: this changes nothing; say what to prepend or append, or give a template, or leave the policy out",
        ),
        (
            "{ kind: prompt, prepend: [{ role: system, text: 'for {variables.x}' }] }",
            "routes[0].policies[0].prepend[0].text: no variable \"{variables.x}\"; known are {consumer}, {team} and {header.NAME}",
        ),
        (
            "{ kind: prompt, templates: [{ name: a, messages: [] }] }",
            "routes[0].policies[0].templates[0].messages: this list is empty; give at least one entry",
        ),
        (
            "{ kind: prompt_guard }",
            "routes[0].policies[0]: this lets everything pass; say what to deny or to allow, or leave the policy out",
        ),
        (
            "{ kind: prompt_guard, deny: [{ name: a, pattern: 'a*' }] }",
            "routes[0].policies[0].deny[0].pattern: it matches a text of nothing; leave nothing of it optional",
        ),
        (
            "{ kind: prompt_guard, deny: [{ name: a, pattern: 'a(?=b)' }] }",
            "routes[0].policies[0].deny[0].pattern: this is no regular expression: look-around, including look-ahead and look-behind, is not supported; write it as the crate `regex` reads it: https://docs.rs/regex",
        ),
        (
            "{ kind: prompt_guard, answer: { deny: [{ name: a, pattern: 'ab+' }] } }",
            "routes[0].policies[0].answer.deny[0].pattern: answers come in pieces, and this may match more than 1024 bytes of them; write {1,64} instead of +, and {0,64} instead of *",
        ),
        (
            "{ kind: pii, action: { kind: mask, reversible: true }, direction: response }",
            "routes[0].policies[0].action.reversible: nothing is masked in prompts, so there is nothing to turn back; use direction request or both, or leave `reversible` out",
        ),
        (
            "{ kind: pii, action: { kind: block }, detect: [{ kind: email }, { kind: pattern, name: email, pattern: a }] }",
            "routes[0].policies[0].detect[1]: \"email\" is given twice; leave one out, or give it another name",
        ),
        (
            "{ kind: external_guard, upstream: guard, path: check, on_failure: deny }",
            "routes[0].policies[0].path: \"check\" is no path; write it as /v1/check",
        ),
    ];
    for (policy, line) in table {
        assert_eq!(one(policy), [line], "{policy}");
    }
    let silent = one("{ kind: external_guard, upstream: guard, path: /check }");
    assert!(silent[0].contains("on_failure"), "{silent:?}");
}

#[test]
fn guardrails_stand_where_models_are_asked() {
    let route =
        "routes: [{ name: r, respond: {}, policies: [{ kind: pii, action: { kind: report } }] }]";
    assert_eq!(
        faults(route),
        [
            "routes[0].policies[0]: pii minds what is said to models, and this route asks none; use it on llm and prompt routes"
        ]
    );
    let own = format!(
        "{MODELS}routes: [{{ name: r, prompt: {{ model: m, message: a, input: {{ type: object }} }}, policies: [{{ kind: pii, action: {{ kind: report }} }}, {{ kind: prompt, append: [{{ role: user, text: a }}] }}] }}]"
    );
    assert_eq!(
        faults(&own),
        [
            "routes[0].policies[1]: the policy prompt adds nothing to a route with a prompt of its own; write it into the route's `prompt`"
        ]
    );
    // Where every route has it, it means those that ask models.
    let everywhere = good(&format!(
        "{MODELS}
policies: {{ enforced: [{{ kind: pii, action: {{ kind: report }} }}], default: [{{ kind: prompt, append: [{{ role: user, text: a }}] }}] }}
routes:
- {{ name: a, respond: {{}} }}
- {{ name: b, hosts: [b.example.com], llm: {{ models: [m] }}, policies: [{{ kind: prompt_guard, max_messages: 9 }}] }}
"
    ));
    let kinds = |route: usize| -> Vec<_> {
        let policies = &everywhere.config.routes[route].policies;
        policies.iter().map(|policy| policy.config.kind()).collect()
    };
    assert_eq!(kinds(0), Vec::<&str>::new());
    assert_eq!(kinds(1), ["prompt", "pii", "prompt_guard"]);
}
