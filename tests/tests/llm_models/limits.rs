//! What this process asks of a target at most.

use weir_telemetry::Code;
use weir_tests::{Behaviour, Gateway, Upstream};

use super::{call, calls, config, served, two, well};

fn limited(limits: &str, first: &Upstream, second: &Upstream) -> String {
    let sections = two(first.addr(), second.addr(), "", "");
    let limited = format!("model: one, limits: {{ {limits} }}");
    config(&sections.replace("model: one", &limited), "smart", "")
}

#[tokio::test]
async fn a_target_at_its_limit_is_passed_over() {
    for (limits, served_by_first) in [
        ("requests_per_minute: 3", 3),
        // 11 are used each time; before it, 20 of the prompt and 256 of the answer are expected.
        ("tokens_per_minute: 300", 3),
    ] {
        let first = Upstream::start(well()).await;
        let second = Upstream::start(well()).await;
        let gateway = Gateway::start(&limited(limits, &first, &second)).await;
        for _ in 0..6 {
            served(&gateway).await;
        }
        assert_eq!(calls(&first), served_by_first, "{limits}");
        assert_eq!(calls(&second), 6 - served_by_first, "{limits}");
    }
}

#[tokio::test]
async fn calls_at_once_are_limited_until_one_is_over() {
    let first = Upstream::start(Behaviour::hang()).await;
    let second = Upstream::start(well()).await;
    let gateway = Gateway::start(&limited("concurrent_requests: 1", &first, &second)).await;
    let others = async {
        first.wait_for_requests(1).await;
        for _ in 0..3 {
            assert_eq!(served(&gateway).await, "second");
        }
    };
    tokio::select! {
        answer = call(&gateway) => panic!("nobody answers: {}", answer.text()),
        () = others => {}
    }
    // Its caller left, and that is noticed.
    first.wait_for_close().await;
    first.set(well());
    weir_tests::wait::until("the place to be free", || async {
        (served(&gateway).await == "first").then_some(())
    })
    .await;
}

#[tokio::test]
async fn where_all_are_at_their_limit_the_caller_is_told_when_to_ask_again() {
    let first = Upstream::start(well()).await;
    let sections = format!(
        r#"
providers: [{{ name: first, dialect: openai, base_url: "{}" }}]
models:
  - {{ name: smart, targets: [{{ provider: first, model: one, limits: {{ requests_per_minute: 1 }} }}] }}
"#,
        first.url("/v1")
    );
    let gateway = Gateway::start(&config(&sections, "smart", "")).await;
    assert_eq!(served(&gateway).await, "first");
    let answer = call(&gateway).await;
    assert_eq!(answer.status, 429);
    assert_eq!(
        answer.header("weir-error"),
        Some(Code::ModelLimitReached.slug())
    );
    let after: u64 = answer.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=61).contains(&after), "{after}");
    assert_eq!(answer.json()["error"]["type"], "rate_limit_error");
    assert_eq!(calls(&first), 1);
}
