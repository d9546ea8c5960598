//! Who is asked first: the quickest of late, or the cheapest for this call.

use std::time::Duration;

use weir_tests::metered::{Speaker, ask, post, stream};
use weir_tests::{Gateway, Upstream};

use super::{calls, config, fails, served, target, two, well};

#[tokio::test]
async fn the_quickest_is_asked_once_everybody_is_measured() {
    let slow = Speaker::new(3)
        .pause(Duration::from_millis(150))
        .behaviour();
    let first = Upstream::start(slow).await;
    let second = Upstream::start(well()).await;
    let sections = two(
        first.addr(),
        second.addr(),
        "",
        ", strategy: { kind: least_latency }",
    );
    let gateway = Gateway::start(&config(&sections, "smart", "")).await;
    for _ in 0..6 {
        let answer = post(gateway.addr("public"), "ann", stream("")).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
    assert_eq!((calls(&first), calls(&second)), (1, 5));
    let seen = target(&gateway, "first").await;
    let first_token = seen["first_token_seconds"].as_f64().unwrap();
    assert!(first_token >= 0.15, "{seen}");
    // Who fails gives way all the same.
    second.set(fails(500, &[]));
    let answer = post(gateway.addr("public"), "ann", stream("")).await;
    assert_eq!(answer.header("weir-provider"), Some("first"));
}

#[tokio::test]
async fn the_cheapest_for_this_call_is_asked_first() {
    let first = Upstream::start(well()).await;
    let second = Upstream::start(well()).await;
    let third = Upstream::start(well()).await;
    let sections = format!(
        r#"
providers:
  - {{ name: unpriced, dialect: openai, base_url: "{}" }}
  - {{ name: talker, dialect: openai, base_url: "{}" }}
  - {{ name: reader, dialect: openai, base_url: "{}" }}
models:
  - name: smart
    targets: [{{ provider: unpriced, model: x }}, {{ provider: talker, model: y }}, {{ provider: reader, model: z }}]
    strategy: {{ kind: least_cost }}
prices:
  entries:
    - {{ provider: talker, model: y, from: 2020-01-01, input: "10", output: "1" }}
    - {{ provider: reader, model: z, from: 2020-01-01, input: "1", output: "10" }}
"#,
        first.url("/v1"),
        second.url("/v1"),
        third.url("/v1"),
    );
    let gateway = Gateway::start(&config(&sections, "smart", "")).await;
    let public = gateway.addr("public");
    let long_answer = post(public, "ann", ask(r#","max_tokens":4000"#)).await;
    assert_eq!(long_answer.header("weir-provider"), Some("talker"));
    let prompt = "word ".repeat(2_000);
    let long_prompt = format!(
        r#"{{"model":"smart","max_tokens":20,"messages":[{{"role":"user","content":"{prompt}"}}]}}"#
    );
    let answer = post(public, "ann", &long_prompt).await;
    assert_eq!(answer.header("weir-provider"), Some("reader"));
    third.set(fails(500, &[]));
    let answer = post(public, "ann", &long_prompt).await;
    assert_eq!(answer.header("weir-provider"), Some("talker"));
    second.set(fails(500, &[]));
    assert_eq!(served(&gateway).await, "unpriced");
}
