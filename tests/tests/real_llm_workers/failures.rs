//! Quotas that are exhausted, and providers that fail.

use std::sync::Mutex;
use std::time::Duration;

use weir_tests::Upstream;
use weir_tests::kafka::{Kafka, Written};
use weir_tests::upstream::{Behaviour, Step, When};

use super::setup::{
    Setup, answer, assert_each_and_in_order, echo, labels, prompt, response, said, write_numbered,
};

#[tokio::test]
async fn an_exhausted_quota_pauses_until_its_window_frees_and_no_try_is_lost() {
    let kafka = Kafka::shared().await;
    let provider = Upstream::start(echo(Duration::ZERO)).await;
    // Each prompt uses ten tokens.
    let setup = Setup::new(kafka, &provider, "metered", 1)
        .await
        .quota(65, "2s");
    let gateway = setup
        .start("retries: { max_attempts: 1 }\n    max_in_flight: 2")
        .await;
    let written = write_numbered(kafka, "metered", 1, 3, 5).await;
    gateway
        .wait_for_metric("weir_llm_worker_paused", &labels("reason", "quota"), |n| {
            n == 1.0
        })
        .await;
    let completions = kafka.consume("metered-done", written).await;
    let again = assert_each_and_in_order(&completions, written);
    assert_eq!(again, 0);
    assert_eq!(
        provider.requests().len(),
        written,
        "no prompt was asked twice"
    );
    assert_eq!(kafka.count("metered-dead").await, 0);
    let held = labels("outcome", "held");
    assert!(gateway.metric("weir_llm_worker_records_total", &held).await >= 1.0);
    let failed = labels("outcome", "failed");
    assert_eq!(
        gateway
            .metric("weir_llm_worker_records_total", &failed)
            .await,
        0.0
    );
}

#[tokio::test]
async fn a_provider_that_fails_is_asked_again_and_then_the_prompt_is_given_up() {
    let kafka = Kafka::shared().await;
    let times: Mutex<usize> = Mutex::default();
    let provider = Upstream::start(Behaviour::new(When::Whole, move |request| {
        let said = said(request);
        let failing = |status| vec![Step::Send(response(status, "{}"))];
        match &*said {
            "never" => failing("500 No"),
            "later" => {
                let mut times = times.lock().unwrap();
                *times += 1;
                match *times {
                    1 => failing("429 No"),
                    2 => failing("503 No"),
                    _ => vec![Step::Send(answer("at last"))],
                }
            }
            _ => vec![Step::Send(answer(&said))],
        }
    }))
    .await;
    let setup = Setup::new(kafka, &provider, "failing", 1).await;
    let gateway = setup
        .start(
            "retries: { max_attempts: 8, backoff: { first: 20ms, max: 50ms } }\n    \
             dead_letter: { topic: failing-dead }\n    ordering: partition",
        )
        .await;
    let (later, never, good) = (prompt("later"), prompt("never"), prompt("good"));
    let record = |value: &'static str, headers| Written {
        value: Some(value.as_bytes()),
        headers,
        ..Written::default()
    };
    let [later, never, good] = [later, never, good].map(|text| -> &'static str { text.leak() });
    let records = [
        record(later, &[]),
        record(never, &[("correlation-id", b"c-1")]),
        record(never, &[]),
        record(good, &[]),
    ];
    kafka.write("failing", 0, &records).await;
    let completions = kafka.consume("failing-done", 3).await;
    assert_eq!(super::setup::text(&completions[0]), "at last");
    // Whoever waits is told, and the prompt is kept.
    assert_eq!(completions[1].header("status").as_deref(), Some("502"));
    assert_eq!(
        completions[1].header("correlation-id").as_deref(),
        Some("c-1")
    );
    assert_eq!(super::setup::text(&completions[2]), "good");
    let letters = kafka.consume("failing-dead", 2).await;
    for letter in &letters {
        assert_eq!(letter.text(), never);
        assert_eq!(letter.header("weir-attempts").as_deref(), Some("8"));
        assert_eq!(
            letter.header("weir-error").as_deref(),
            Some("provider_error")
        );
    }
    let failed = labels("outcome", "failed");
    assert!(
        gateway
            .metric("weir_llm_worker_records_total", &failed)
            .await
            >= 14.0
    );
}
