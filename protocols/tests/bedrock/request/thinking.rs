//! How models are told to think, each in its maker's words.

use serde_json::{Value, json};
use weir_protocols::bedrock::request::write;
use weir_protocols::llm::{Choose, Effort, Part, Reasoning};

use super::{CLAUDE, LLAMA, answer, body, call, hello, result, say, tool};

const CLAUDE_46: &str = "anthropic.claude-sonnet-4-6";
const CLAUDE_5: &str = "global.anthropic.claude-opus-5";
const NOVA: &str = "us.amazon.nova-2-lite-v1:0";

/// How a model is told to think: the model, how hard, the limit; the fields that say so, what is
/// dropped.
type Thought = (
    &'static str,
    Reasoning,
    Option<u64>,
    Value,
    &'static [&'static str],
);

#[test]
fn thinking_is_said_in_the_words_of_each_maker() {
    let sonnet_4 = "anthropic.claude-sonnet-4-20250514-v1:0";
    let oss = "openai.gpt-oss-20b-1:0";
    let high = Reasoning::Effort(Effort::High);
    let enabled =
        |tokens: u64| json!({ "thinking": { "type": "enabled", "budget_tokens": tokens } });
    let adaptive = |effort: &str| json!({ "thinking": { "type": "adaptive" }, "output_config": { "effort": effort } });
    let nova = |effort: &str| json!({ "reasoningConfig": { "type": "enabled", "maxReasoningEffort": effort } });
    let cases: [Thought; 20] = [
        (sonnet_4, Reasoning::Budget(5000), None, enabled(5000), &[]),
        (sonnet_4, Reasoning::Budget(10), None, enabled(1024), &[]),
        (sonnet_4, high, Some(4000), enabled(3999), &[]),
        (sonnet_4, high, Some(1024), Value::Null, &["reasoning"]),
        (sonnet_4, Reasoning::Adaptive, None, enabled(8192), &[]),
        (sonnet_4, Reasoning::Off, None, Value::Null, &[]),
        (CLAUDE_46, high, Some(10), adaptive("high"), &[]),
        (CLAUDE_46, Reasoning::Off, None, Value::Null, &[]),
        (
            CLAUDE_46,
            Reasoning::Effort(Effort::Max),
            None,
            adaptive("high"),
            &["reasoning effort above high"],
        ),
        (
            CLAUDE_5,
            Reasoning::Budget(2000),
            None,
            adaptive("low"),
            &[],
        ),
        (
            CLAUDE_5,
            Reasoning::Effort(Effort::Max),
            None,
            adaptive("max"),
            &[],
        ),
        (
            CLAUDE_5,
            Reasoning::Adaptive,
            None,
            json!({ "thinking": { "type": "adaptive" } }),
            &[],
        ),
        (
            CLAUDE_5,
            Reasoning::Off,
            None,
            json!({ "thinking": { "type": "disabled" } }),
            &[],
        ),
        (NOVA, high, None, nova("high"), &[]),
        (
            NOVA,
            high,
            Some(9),
            nova("medium"),
            &["reasoning effort above medium"],
        ),
        (
            oss,
            Reasoning::Effort(Effort::Minimal),
            None,
            json!({ "reasoning_effort": "low" }),
            &[],
        ),
        (oss, Reasoning::Off, None, Value::Null, &["reasoning"]),
        (LLAMA, high, None, Value::Null, &["reasoning"]),
        (CLAUDE, high, None, Value::Null, &["reasoning"]),
        (CLAUDE, Reasoning::Off, None, Value::Null, &[]),
    ];
    for (model, reasoning, limit, expected, dropped) in cases {
        let mut request = hello(model);
        request.reasoning = Some(reasoning);
        request.limit = limit;
        let written = write(&request).expect("it can be said");
        let said = body(&written)["additionalModelRequestFields"].take();
        assert_eq!(said, expected, "{model} {reasoning:?}");
        assert_eq!(written.dropped, dropped, "{model} {reasoning:?}");
    }
}

#[test]
fn claude_thinks_at_its_own_temperature_and_never_with_a_forced_tool() {
    let mut request = hello("anthropic.claude-opus-4-1-20250805-v1:0");
    request.reasoning = Some(Reasoning::Budget(2000));
    request.sampling.temperature = Some(0.2);
    request.sampling.top_k = Some(5);
    request.sampling.top_p = Some(0.5);
    let written = write(&request).expect("it can be said");
    assert_eq!(written.dropped, ["top_k", "temperature", "top_p"]);
    assert_eq!(body(&written).get("inferenceConfig"), None);

    request.tools = vec![tool("f")];
    request.choose = Some(Choose::Any);
    let written = write(&request).expect("it can be said");
    assert_eq!(written.dropped, ["reasoning"]);
    let said = body(&written);
    assert_eq!(said["additionalModelRequestFields"], json!({ "top_k": 5 }));
    assert_eq!(
        said["inferenceConfig"],
        json!({ "temperature": 0.2, "topP": 0.5 })
    );

    // In the midst of calls, only with the signed thoughts that led to them.
    request.choose = None;
    answer(&mut request, call("1", "f", "{}"));
    say(&mut request, result("1", vec![], false));
    assert_eq!(
        write(&request).expect("it can be said").dropped,
        ["reasoning"]
    );
    request.messages[1]
        .parts
        .insert(0, Part::Redacted("RW5j".into()));
    assert!(
        !write(&request)
            .expect("it can be said")
            .dropped
            .contains(&"reasoning")
    );

    // Later ones take no sampling at all.
    let mut request = hello(CLAUDE_5);
    request.sampling.temperature = Some(0.2);
    request.sampling.top_p = Some(0.99);
    request.sampling.top_k = Some(5);
    let written = write(&request).expect("it can be said");
    assert_eq!(written.dropped, ["top_k", "temperature", "top_p"]);
}
