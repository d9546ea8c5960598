//! What a call to a model reserves, what the model is told to keep to, and what is charged: in
//! tokens, in money, and where nothing is enforced.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use serde_json::{Value, json};
use weir_telemetry::Code;
use weir_tests::metered::{
    PROMPT, Speaker, Streamed, ask, charged, config, gateway, post, quota, stream, total,
};
use weir_tests::openai::{Provider, Reply};
use weir_tests::wire::Response;
use weir_tests::{Behaviour, Gateway};

/// The limit the model was told to keep to with the latest call.
fn told(provider: &Provider) -> Value {
    provider.requests().last().unwrap().json()["max_tokens"].clone()
}

fn refused(answer: &Response) -> Value {
    assert_eq!(answer.status, 429, "{}", answer.text());
    let error = answer.json()["error"].clone();
    assert_eq!(error["code"], Code::QuotaExhausted.slug());
    error
}

async fn decided(gateway: &Gateway, quota: &str, decision: &str) -> u64 {
    let labels = [("quota", quota), ("decision", decision)];
    gateway.metric("weir_quota_decisions_total", &labels).await as u64
}

#[tokio::test]
async fn a_callers_own_limit_is_reserved_whole_or_the_call_is_refused() {
    let provider = Speaker::new(10).start().await;
    let quotas = quota("tokens", "tokens", "1000", "");
    let gateway = gateway(&provider, &quotas, "tokens").await;
    let public = gateway.addr("public");
    for more in [r#","max_tokens":993"#, r#","max_tokens":500,"n":2"#] {
        let error = refused(&post(public, "ann", ask(more)).await);
        assert_eq!(error["quota"]["remaining"], 1_000, "nothing was taken");
        refused(&post(public, "ann", stream(more)).await);
    }
    assert!(provider.requests().is_empty());
    assert_eq!(
        post(public, "ann", ask(r#","max_tokens":992"#))
            .await
            .status,
        200
    );
    assert_eq!(told(&provider), 992);
    let charged = charged(&gateway, 1).await;
    assert_eq!(
        (&charged[0][0]["reserved"], &charged[0][0]["used"]),
        (&json!(1_000), &json!(18))
    );
}

#[tokio::test]
async fn a_first_call_under_a_small_limit_is_let_in_with_what_there_is() {
    for (limit, expected) in [("2000", 256), ("200", 192), ("24", 16)] {
        let provider = Speaker::new(10).start().await;
        let quotas = quota("tokens", "tokens", limit, "");
        let gateway = gateway(&provider, &quotas, "tokens").await;
        let answer = post(gateway.addr("public"), "ann", ask("")).await;
        assert_eq!(answer.status, 200, "{limit}: {}", answer.text());
        assert_eq!(told(&provider), expected, "{limit}");
    }
    let provider = Speaker::new(10).start().await;
    let quotas = quota("tokens", "tokens", "23", "");
    let gateway = gateway(&provider, &quotas, "tokens").await;
    let error = refused(&post(gateway.addr("public"), "ann", ask("")).await);
    assert_eq!(
        error["quota"]["requested"],
        PROMPT + 16,
        "the least that would do"
    );
}

#[tokio::test]
async fn where_there_is_plenty_no_answer_is_ended_at_a_guess() {
    let provider = Speaker::new(3_000).start().await;
    let quotas = quota("tokens", "tokens", "100000", "");
    let gateway = gateway(&provider, &quotas, "tokens").await;
    let answer = post(gateway.addr("public"), "ann", ask("")).await;
    assert_eq!(answer.json()["choices"][0]["finish_reason"], "stop");
    assert_eq!(told(&provider), 4_096);
    // What the caller is told is left, is left beside all that was reserved.
    let reserved = charged(&gateway, 1).await[0][0]["reserved"]
        .as_u64()
        .unwrap();
    let left = answer.header("ratelimit").unwrap().to_owned();
    assert!(
        left.contains(&format!("r={}", 100_000 - reserved)),
        "{left}"
    );
}

#[tokio::test]
async fn what_answers_came_to_before_is_learned_and_outlives_a_reload() {
    let provider = Speaker::new(1_000).start().await;
    let by = ", by: [consumer]";
    let large = quota("tokens", "tokens", "200000", by);
    let gateway = gateway(&provider, &large, "tokens").await;
    let public = gateway.addr("public");
    for _ in 0..8 {
        assert_eq!(post(public, "ann", ask("")).await.status, 200);
        let limited = ask(r#","max_tokens":500"#);
        assert_eq!(post(public, "bob", limited).await.status, 200);
    }
    charged(&gateway, 16).await;
    let limits = "200000, overrides: { ann: 10064, bob: 6064 }";
    let small = quota("tokens", "tokens", limits, by);
    gateway.reload(&config(&provider, &small, "tokens")).await;
    // 2000 are left to each.
    for (consumer, expected) in [
        ("ann", 1_250),
        // Answers that were ended by a limit teach nothing.
        ("bob", 256),
    ] {
        assert_eq!(post(public, consumer, ask("")).await.status, 200);
        assert_eq!(told(&provider), expected, "{consumer}");
    }
}

#[tokio::test]
async fn a_call_that_may_finish_is_told_no_limit_and_begins_if_anything_is_left() {
    let provider = Speaker::new(500).start().await;
    let quotas = quota("tokens", "tokens", "100", ", on_exhausted: finish");
    let gateway = gateway(&provider, &quotas, "tokens").await;
    let public = gateway.addr("public");
    let answer = post(public, "ann", ask(r#","max_tokens":5000"#)).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(told(&provider), 5_000, "the caller's own");
    let charged = charged(&gateway, 1).await;
    assert_eq!(
        (&charged[0][0]["reserved"], &charged[0][0]["used"]),
        (&json!(100), &json!(508))
    );
    let labels = [("quota", "tokens"), ("state", "debt")];
    let debt = gateway.metric("weir_quota_units_total", &labels).await;
    assert!((debt - 408.0).abs() < f64::EPSILON, "{debt}");
    refused(&post(public, "ann", ask("")).await);
}

#[tokio::test]
async fn the_strictest_of_several_quotas_decides_and_those_of_others_do_not_count() {
    let provider = Speaker::new(10).start().await;
    let quotas = quota("ends", "tokens", "1000", ", on_exhausted: finish")
        + &quota("cuts", "output_tokens", "50", ", on_exhausted: cut")
        + &quota("refuses", "tokens", "1000", ", match: { models: [quick] }")
        + &quota("watches", "tokens", "1", ", enforce: false");
    let gateway = gateway(&provider, &quotas, "ends, cuts, refuses, watches").await;
    let public = gateway.addr("public");
    let wants = ask(r#","max_tokens":2000"#);
    assert_eq!(post(public, "ann", &wants).await.status, 200);
    assert_eq!(told(&provider), 50);
    let quick = wants.replace("smart", "quick");
    refused(&post(public, "ann", quick).await);
    let charged = charged(&gateway, 1).await;
    let names: Vec<&Value> = charged[0].iter().map(|quota| &quota["quota"]).collect();
    assert_eq!(names, ["ends", "cuts", "watches"]);
}

#[tokio::test]
async fn a_quota_that_is_not_enforced_reports_and_lets_through() {
    let provider = Speaker::new(600).start().await;
    let quotas = quota(
        "tokens",
        "tokens",
        "10",
        ", on_exhausted: cut, enforce: false",
    );
    let gateway = gateway(&provider, &quotas, "tokens").await;
    let public = gateway.addr("public");
    let answer = post(public, "ann", ask("")).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert!(told(&provider).is_null(), "it limits nothing");
    let left = answer.header("ratelimit").unwrap();
    assert!(left.contains("\"tokens\";r=0"), "{left}");
    assert_eq!(decided(&gateway, "tokens", "not_enforced").await, 1);
    let read = Streamed::read(&post(public, "ann", stream("")).await);
    assert_eq!((read.words(), read.done), (600, true));
    let charged = charged(&gateway, 2).await;
    assert_eq!(total(&charged, "tokens", "used"), 2 * 608);
    assert_eq!(decided(&gateway, "tokens", "not_enforced").await, 2);
    assert_eq!(decided(&gateway, "tokens", "refused").await, 0);
    assert_eq!(decided(&gateway, "tokens", "cut").await, 0);
}

/// A model that says it used so much.
async fn billing(usage: &Value) -> Provider {
    let choice = json!({ "index": 0, "message": { "content": "Hi" }, "finish_reason": "stop" });
    let answer = json!({ "id": "1", "choices": [choice], "usage": usage });
    let json = ["Content-Type: application/json"];
    let body = answer.to_string();
    Provider::start(Reply::Raw(Behaviour::answer(200, &json, body))).await
}

#[tokio::test]
async fn money_is_what_the_provider_says_was_used_times_the_price() {
    let provider = billing(&json!({
        "prompt_tokens": 100,
        "completion_tokens": 50,
        "total_tokens": 150,
        "prompt_tokens_details": { "cached_tokens": 40 },
        "completion_tokens_details": { "reasoning_tokens": 20 },
    }))
    .await;
    let quotas = quota("spend", "money", "\"0.0019\"", "")
        + &quota("cached", "cached_tokens", "1000", "")
        + &quota("thought", "reasoning_tokens", "1000", "");
    let gateway = gateway(&provider, &quotas, "spend, cached, thought").await;
    let public = gateway.addr("public");
    let call = ask(r#","max_tokens":50"#);
    let first = post(public, "ann", &call).await;
    assert_eq!(first.status, 200, "{}", first.text());
    let charged = charged(&gateway, 1).await;
    // 60 × 2.5 + 40 × 1.25 + 30 × 10 + 20 × 20 millionths of a dollar
    assert_eq!(total(&charged, "spend", "used"), 900_000);
    assert_eq!(total(&charged, "cached", "used"), 40);
    assert_eq!(total(&charged, "thought", "used"), 20);

    let error = refused(&post(public, "ann", &call).await);
    let message = error["message"].as_str().unwrap();
    // At most 8 × 2.5 + 50 × 20 millionths.
    assert!(
        message.contains("\"spend\" has $0.001 of $0.0019 left, and this request needs $0.00102"),
        "{message}"
    );
    let figures = &error["quota"];
    assert_eq!(figures["unit"], "money");
    assert_eq!(
        [
            &figures["limit"],
            &figures["remaining"],
            &figures["requested"]
        ],
        ["0.0019", "0.001", "0.00102"]
    );
}

#[tokio::test]
async fn money_limits_an_answer_to_what_it_can_pay_for() {
    let provider = Speaker::new(10_000).heedless().start().await;
    // The prompt and 100 words, at the dearer price, for they might be thoughts.
    let quotas = quota("spend", "money", "\"0.00202\"", ", on_exhausted: cut");
    let gateway = gateway(&provider, &quotas, "spend").await;
    let public = gateway.addr("public");
    let read = Streamed::read(&post(public, "ann", stream("")).await);
    assert_eq!(told(&provider), 100);
    assert_eq!((read.words(), read.done), (100, true));
    assert_eq!(read.ends()[0]["weir"]["quota"], "spend");
}
