//! Prompts that could not do what they say.

use super::{expect_after, faults, good};

const MODEL: &str = "providers: [{ name: p, dialect: openai, base_url: 'http://a' }]\n\
    models: [{ name: m, targets: [{ provider: p, model: x }] }]\n";

const INPUT: &str = "{ type: object, properties: { text: {}, tone: {}, day: { default: today } }, required: [text] }";

fn prompt(message: &str, input: &str, more: &str) -> String {
    format!(
        "routes: [{{ name: r, hosts: [a.b], prompt: {{ model: m, message: '{message}', input: {input}{more} }} }}]"
    )
}

#[test]
fn texts_name_what_an_input_is_sure_to_have() {
    let table = [
        (
            "{input.texd}",
            "`input` has no property \"texd\"; did you mean \"text\"?",
        ),
        (
            "{input.tone}",
            "`input` does not require \"tone\", so it may be missing; add it to `required`, or give it a `default`: { default: … } in `properties.tone`",
        ),
        (
            "{path.id}",
            "no variable \"{path.id}\"; name a property of the input, as {input.text}; \"{{\" is a brace",
        ),
        (
            "{ \"a\": 1 }",
            "no variable \"{ \"a\": 1 }\"; name a property of the input, as {input.text}; \"{{\" is a brace",
        ),
        (
            "{input.text",
            "\"{\" without its counterpart; write \"{{\" for the character itself",
        ),
    ];
    for (message, expected) in table {
        let found = faults(&format!("{MODEL}{}", prompt(message, INPUT, "")));
        assert_eq!(found, [format!("routes[0].prompt.message: {expected}")]);
        let more = format!(", instructions: '{message}'");
        let found = faults(&format!("{MODEL}{}", prompt("{input.text}", INPUT, &more)));
        assert_eq!(
            found,
            [format!("routes[0].prompt.instructions: {expected}")]
        );
    }
    let fine = prompt("{{ {input.text} by {input.day} }}", INPUT, "");
    good(&format!("{MODEL}{fine}"));
}

#[test]
fn schemas_are_of_objects_and_whole_in_themselves() {
    let object = "{ type: object }";
    let output = |output: &str| prompt("Hm?", object, &format!(", output: {output}"));
    expect_after(
        MODEL,
        &[
            (
                &output("{ type: string }"),
                "routes[0].prompt.output: this is no schema of an object; add `type: object` and `properties`",
            ),
            (
                &prompt("Hm?", "{ properties: {} }", ""),
                "routes[0].prompt.input: this is no schema of an object; add `type: object` and `properties`",
            ),
            (
                &prompt("Hm?", "[]", ""),
                "routes[0].prompt.input: expected settings, found a list",
            ),
            (
                &output(object).replace("model: m,", "model: n,"),
                "routes[0].prompt.model: no model named \"n\"; did you mean \"m\"?",
            ),
            (
                &output(object).replace("model: m,", "model: m, temperature: 3,"),
                "routes[0].prompt.temperature: 3 is too large; the most is 2",
            ),
        ],
    );
    for broken in [
        "{ type: object, properties: { a: { type: strin } } }",
        "{ type: object, properties: { a: { pattern: '(' } } }",
        "{ type: object, properties: { a: { $ref: 'https://example.com/a' } } }",
    ] {
        let found = faults(&format!("{MODEL}{}", output(broken)));
        assert_eq!(found.len(), 1, "{found:?}");
        let told = "routes[0].prompt.output: this is no JSON Schema: ";
        assert!(found[0].starts_with(told), "{found:?}");
    }
}

#[test]
fn a_prompt_is_counted_as_every_call_of_a_model() {
    let quota = "stores: [{ name: s, kind: memory }]\n\
        quotas: [{ name: q, store: s, unit: tokens, limit: { default: 1 }, \
        window: { kind: fixed, every: day }, by: [model], match: { models: [m] } }]\n";
    let route = prompt("Hm?", "{ type: object }", "");
    let route = route.replace("hosts: [a.b],", "policies: [{ kind: quota, quotas: [q] }],");
    let loaded = good(&format!("{MODEL}{quota}{route}"));
    assert_eq!(loaded.config.routes[0].policies.len(), 1);
}
