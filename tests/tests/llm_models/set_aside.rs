//! A target that keeps failing is asked last for a while, and then one call tries it.

use std::time::Duration;

use weir_tests::{Gateway, Upstream, wait};

use super::{call, calls, config, fails, served, target, two, well};

const HEALTH: &str = ", health: { failures: 2, set_aside: 3s }";

#[tokio::test]
async fn who_keeps_failing_is_asked_last_until_a_call_finds_it_well() {
    let first = Upstream::start(fails(500, &[])).await;
    let second = Upstream::start(well()).await;
    let sections = two(first.addr(), second.addr(), "", HEALTH);
    let yaml = config(&sections, "smart", "");
    let gateway = Gateway::start(&yaml).await;
    for _ in 0..4 {
        assert_eq!(served(&gateway).await, "second");
    }
    assert_eq!(calls(&first), 2, "two failures in a row, and no more calls");
    let seen = target(&gateway, "first").await;
    assert_eq!(
        (&seen["set_aside"], &seen["failures_in_a_row"]),
        (&true.into(), &2.into())
    );
    let labels = [("weir_provider", "first"), ("gen_ai_request_model", "one")];
    gateway
        .wait_for_metric("weir_llm_target_set_aside", &labels, |value| value == 1.0)
        .await;

    // It outlives a reload that leaves it as it is.
    let reloaded = yaml.replace("{ name: art }", "{ name: art }, { name: more }");
    assert_eq!(Box::pin(gateway.reload(&reloaded)).await, "ok");
    assert_eq!(served(&gateway).await, "second");
    assert_eq!(calls(&first), 2);

    // The probe fails, and it is set aside anew.
    wait::until("a probe", || async {
        assert_eq!(Box::pin(served(&gateway)).await, "second");
        (calls(&first) == 3).then_some(())
    })
    .await;
    for _ in 0..3 {
        assert_eq!(served(&gateway).await, "second");
    }
    assert_eq!(calls(&first), 3);

    first.set(well());
    wait::until("the first to serve again", || async {
        (Box::pin(served(&gateway)).await == "first").then_some(())
    })
    .await;
    for _ in 0..3 {
        assert_eq!(served(&gateway).await, "first");
    }
    let seen = target(&gateway, "first").await;
    assert_eq!(
        (&seen["set_aside"], &seen["failures_in_a_row"]),
        (&false.into(), &0.into())
    );
    gateway
        .wait_for_metric("weir_llm_target_set_aside", &labels, |value| value == 0.0)
        .await;
}

#[tokio::test]
async fn while_one_call_probes_the_others_still_avoid_it() {
    let first = Upstream::start(fails(500, &[])).await;
    let second = Upstream::start(well()).await;
    let sections = two(
        first.addr(),
        second.addr(),
        "",
        ", health: { failures: 1, set_aside: 500ms }",
    );
    let gateway = Gateway::start(&config(&sections, "smart", "")).await;
    assert_eq!(served(&gateway).await, "second");
    first.set(weir_tests::Behaviour::hang());
    tokio::time::sleep(Duration::from_millis(600)).await;
    let probe = call(&gateway);
    let others = async {
        first.wait_for_requests(2).await;
        for _ in 0..5 {
            assert_eq!(served(&gateway).await, "second");
        }
    };
    tokio::select! {
        answer = probe => panic!("nobody answers the probe: {}", answer.text()),
        () = others => {}
    }
    assert_eq!(calls(&first), 2);
}

#[tokio::test]
async fn who_is_set_aside_is_asked_all_the_same_where_nobody_else_is_left() {
    let first = Upstream::start(fails(500, &[])).await;
    let second = Upstream::start(fails(500, &[])).await;
    let more = ", retries: { max: 0 }";
    let sections = two(
        first.addr(),
        second.addr(),
        more,
        ", health: { failures: 1, set_aside: 1h }",
    );
    let gateway = Gateway::start(&config(&sections, "smart", "")).await;
    assert_eq!(call(&gateway).await.status, 502);
    assert_eq!(call(&gateway).await.status, 502);
    assert_eq!((calls(&first), calls(&second)), (2, 2));
    // Who is found well that way is in use again.
    second.set(well());
    assert_eq!(served(&gateway).await, "second");
    assert_eq!(served(&gateway).await, "second");
    assert_eq!((calls(&first), calls(&second)), (3, 4));
}
