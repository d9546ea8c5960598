//! How much a model is told to think, and how words are picked, which depends on it.

use serde_json::{Value, json};
use weir_protocols::anthropic::request::Defaults;
use weir_protocols::llm::{Choose, Effort, Json, Part, Reasoning, Request, Role, Sampling};

use crate::asked::{ADAPTIVE, BUDGET, asked, call, message, result, text, thought, tool, written};

/// What is asked for under which limit, the budget it becomes, and the effort.
type Case = (Reasoning, u64, Option<u64>, Option<&'static str>);

const CASES: [Case; 8] = [
    (Reasoning::Off, 9_000, None, None),
    (Reasoning::Budget(8_999), 9_000, Some(8_999), Some("high")),
    (Reasoning::Budget(9_000), 9_000, Some(6_750), Some("high")),
    (Reasoning::Budget(5), 9_000, Some(1_024), Some("low")),
    (
        Reasoning::Effort(Effort::Max),
        4_000,
        Some(3_000),
        Some("max"),
    ),
    (
        Reasoning::Effort(Effort::Minimal),
        9_000,
        Some(1_024),
        Some("low"),
    ),
    (Reasoning::Effort(Effort::Low), 1_024, None, Some("low")),
    (Reasoning::Adaptive, 90_000, Some(8_192), None),
];

#[test]
fn how_a_model_is_told_to_think() {
    for (reasoning, limit, budget, effort) in CASES {
        let request = Request {
            reasoning: Some(reasoning),
            limit: Some(limit),
            ..asked()
        };
        let (body, dropped) = written(&request, &BUDGET);
        let enabled = |tokens| json!({ "type": "enabled", "budget_tokens": tokens });
        let told = budget.map_or(Value::Null, enabled);
        assert_eq!(body["thinking"], told, "{reasoning:?}");
        assert_eq!(body["output_config"], Value::Null);
        let is_left_out = reasoning != Reasoning::Off && budget.is_none();
        assert_eq!(dropped.contains(&"reasoning"), is_left_out, "{reasoning:?}");
        let is_shrunk = reasoning == Reasoning::Budget(9_000);
        assert_eq!(dropped.contains(&"reasoning above the limit"), is_shrunk);

        let (body, dropped) = written(&request, &ADAPTIVE);
        let told = match reasoning {
            Reasoning::Off => "disabled",
            _ => "adaptive",
        };
        assert_eq!(body["thinking"], json!({ "type": told }), "{reasoning:?}");
        let told = &body["output_config"]["effort"];
        assert_eq!(told.as_str(), effort, "{reasoning:?}");
        assert!(dropped.is_empty());
    }
}

#[test]
fn thinking_yields_to_a_tool_that_must_be_called() {
    let request = Request {
        reasoning: Some(Reasoning::Effort(Effort::Low)),
        choose: Some(Choose::Any),
        tools: vec![tool("f", None)],
        ..asked()
    };
    for defaults in [BUDGET, ADAPTIVE] {
        let (body, dropped) = written(&request, &defaults);
        assert_eq!(body["thinking"], Value::Null);
        assert_eq!(body["tool_choice"]["type"], "any");
        assert_eq!(dropped, ["reasoning"]);
    }
}

#[test]
fn with_a_budget_calls_must_have_begun_with_a_signed_thought() {
    let turns = |first: Vec<Part<'static>>| Request {
        reasoning: Some(Reasoning::Budget(2_000)),
        messages: vec![
            message(Role::User, vec![text("q")]),
            message(Role::Assistant, first),
            message(Role::User, vec![result("1", "r")]),
            message(Role::Assistant, vec![call("2")]),
            message(Role::User, vec![result("2", "r")]),
        ],
        ..asked()
    };
    let signed = turns(vec![thought(Some("s")), call("1")]);
    let (body, dropped) = written(&signed, &BUDGET);
    assert_eq!(body["thinking"]["budget_tokens"], 2_000);
    assert_eq!(body["messages"][1]["content"][0]["signature"], "s");
    assert!(dropped.is_empty());

    let unsigned = turns(vec![thought(None), call("1")]);
    let (body, dropped) = written(&unsigned, &BUDGET);
    assert_eq!(body["thinking"], Value::Null);
    assert_eq!(dropped, ["reasoning of earlier turns", "reasoning"]);
    let (body, _) = written(&unsigned, &ADAPTIVE);
    assert_eq!(body["thinking"]["type"], "adaptive");

    let mut next = unsigned;
    next.messages
        .push(message(Role::Assistant, vec![text("a")]));
    next.messages.push(message(Role::User, vec![text("q")]));
    let (body, _) = written(&next, &BUDGET);
    assert_eq!(
        body["thinking"]["budget_tokens"], 2_000,
        "the calls are over"
    );
}

#[test]
fn a_model_that_is_not_to_think_gets_no_thoughts() {
    let request = Request {
        reasoning: Some(Reasoning::Off),
        messages: vec![
            message(Role::User, vec![text("q")]),
            message(Role::Assistant, vec![thought(Some("s"))]),
            message(Role::User, vec![text("r")]),
        ],
        ..asked()
    };
    for defaults in [BUDGET, ADAPTIVE] {
        let (body, _) = written(&request, &defaults);
        let merged = json!([{ "role": "user", "content": [
            { "type": "text", "text": "q" }, { "type": "text", "text": "r" }] }]);
        assert_eq!(body["messages"], merged);
    }
    let unsaid = Request {
        reasoning: None,
        ..request
    };
    let (body, _) = written(&unsaid, &ADAPTIVE);
    assert_eq!(body["messages"][1]["content"][0]["type"], "thinking");
}

#[test]
fn what_only_tunes_the_answer_is_dropped_and_named() {
    let tuned = |sampling: Sampling<'static>, reasoning| Request {
        sampling,
        reasoning,
        ..asked()
    };
    let hot = Sampling {
        temperature: Some(1.7),
        frequency_penalty: Some(0.1),
        presence_penalty: Some(0.1),
        seed: Some(-1),
        logit_bias: Json::parse("{}"),
        ..Sampling::default()
    };
    let (body, dropped) = written(&tuned(hot, None), &ADAPTIVE);
    assert_eq!(body["temperature"], 1.0);
    assert_eq!(
        dropped,
        [
            "frequency_penalty",
            "presence_penalty",
            "seed",
            "logit_bias",
            "temperature above 1"
        ]
    );
    let all = Sampling {
        temperature: Some(0.5),
        top_p: Some(0.97),
        top_k: Some(3),
        ..Sampling::default()
    };
    let (body, dropped) = written(&tuned(all.clone(), None), &ADAPTIVE);
    assert_eq!(
        (&body["temperature"], &body["top_k"]),
        (&json!(0.5), &json!(3))
    );
    assert_eq!(dropped, ["top_p"]);
    let thinking = Some(Reasoning::Adaptive);
    let (body, dropped) = written(&tuned(all.clone(), thinking), &ADAPTIVE);
    assert_eq!(body["top_p"], 0.97);
    assert_eq!(dropped, ["temperature", "top_k"]);
    let without = Defaults {
        sampling: false,
        ..ADAPTIVE
    };
    let (_, dropped) = written(&tuned(all, None), &without);
    assert_eq!(dropped, ["temperature", "top_p", "top_k"]);
}
