//! Stores that lost everything, and are told it again by the topic.

use weir_tests::child::Kind;
use weir_tests::metered::{Speaker, ask, post};
use weir_tests::redis::Redis;

use super::*;

/// Calls of each consumer, so many; the last of them owes.
async fn work(gateway: &Gateway, calls: usize) {
    for consumer in ["ann", "bob", "cyd"] {
        for _ in 0..calls {
            let answer = post(gateway.addr("public"), consumer, ask(r#","max_tokens":3"#)).await;
            assert_eq!(answer.status, 200, "{}", answer.text());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_gone_is_made_anew_after_a_kill() {
    let kafka = Kafka::shared().await;
    let topic = "file";
    kafka.create_topic(topic, 3).await;
    // It says more than it is told to: the rest is debt.
    let provider = Speaker::new(200).heedless().start().await;
    let bootstrap = kafka.bootstrap();
    let gateway = builder(&bootstrap, topic, &provider, "kind: local", 100)
        .start()
        .await;
    work(&gateway, 4).await;
    let expected = counted(&gateway).await;
    assert!(expected.values().any(|(_, debt)| *debt > 0), "{expected:?}");
    assert_eq!(summed(&records(kafka, topic, 12).await), expected);
    gateway.signal(Kind::SIGKILL);
    gateway.wait_exit().await;
    let data = gateway.dir().join("data");
    std::fs::remove_file(data.join("ledger-ledger.redb")).unwrap();
    std::fs::remove_dir_all(data.join("receipts-ledger")).unwrap();
    let next = gateway.successor().start().await;
    comes_to(&next, &Counters::new()).await;

    let tried = replay(&next, &["--dry-run"]);
    assert_eq!(tried["records"], 12, "{tried}");
    assert!(difference(&tried) > 0);
    comes_to(&next, &Counters::new()).await;
    let one = replay(&next, &["--quota", "calls"]);
    assert_eq!(difference(&one), 12, "{one}");
    let replayed = replay(&next, &["--from", "earliest"]);
    assert_eq!(difference(&replayed) + 12, difference(&tried), "{replayed}");
    comes_to(&next, &expected).await;
    // Once more changes nothing, and what comes after is counted beside.
    assert_eq!(difference(&replay(&next, &[])), 0);
    work(&next, 1).await;
    let told = records(kafka, topic, 15).await;
    comes_to(&next, &summed(&told)).await;
    assert_eq!(difference(&replay(&next, &[])), 0);
    comes_to(&next, &summed(&told)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn servers_that_forgot_are_told_what_only_the_topic_knows() {
    let kafka = Kafka::shared().await;
    let topic = "servers";
    kafka.create_topic(topic, 3).await;
    let redis = Redis::start().await;
    let provider = Speaker::new(5).start().await;
    let (bootstrap, place) = (kafka.bootstrap(), redis.addr());
    let store = format!("kind: redis, addresses: [\"{place}\"], lease: 2s");
    let start = || builder(&bootstrap, topic, &provider, &store, 100).start();
    let (gone, alive) = (start().await, start().await);
    work(&gone, 3).await;
    // This one has keys of its own, which it remembers.
    work(&alive, 2).await;
    let expected = summed(&records(kafka, topic, 15).await);
    comes_to(&alive, &expected).await;
    // One gateway is gone together with its directory, and the servers lose everything.
    gone.signal(Kind::SIGKILL);
    gone.wait_exit().await;
    drop(gone);
    alive.stop().await;
    std::fs::remove_dir_all(alive.dir().join("data/journal-ledger")).ok();
    std::fs::remove_file(alive.dir().join("data/journal-ledger")).ok();
    std::fs::remove_dir_all(alive.dir().join("data/receipts-ledger")).ok();
    redis.command(&["FLUSHALL"]);
    let next = alive.successor().start().await;
    work(&next, 1).await;
    let told = records(kafka, topic, 18).await;
    let lacking = counted(&next).await;
    assert_ne!(lacking, summed(&told), "the servers forgot nothing");
    assert!(difference(&replay(&next, &[])) > 0);
    comes_to(&next, &summed(&told)).await;
    assert_eq!(difference(&replay(&next, &[])), 0);
    // Beside a gateway at work nothing is counted twice.
    let other = start().await;
    work(&other, 1).await;
    assert_eq!(difference(&replay(&next, &[])), 0);
    comes_to(&next, &summed(&records(kafka, topic, 21).await)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_replayed_is_refused_in_words() {
    let provider = Speaker::new(1).start().await;
    let run = |gateway: &Gateway, arguments: &[&str]| {
        let admin = gateway.url("admin");
        let always = ["usage", "replay", "--reason", "a test", "--admin", &admin];
        let output = cli::run_with(&[&always, arguments].concat(), &[("WEIR_ADMIN_TOKEN", "")]);
        assert_eq!(output.code, Some(1), "{}", output.stdout);
        output.stderr
    };
    let yaml = yaml("127.0.0.1:1", "never", &provider, "kind: memory", 9);
    let untold = yaml.replace("usage_events: { cluster: events, topic: never }\n", "");
    let refused = run(&Gateway::start(&untold).await, &[]);
    assert!(refused.contains("`usage_events`"), "{refused}");
    let gateway = Gateway::start(&yaml).await;
    for (arguments, why) in [
        (["--quota", "none"], "tokens, calls, spend"),
        (["--from", "yesterday"], "2026-11-22T00:00:00Z"),
        (["--from", "earliest"], "nothing was changed"),
    ] {
        let refused = run(&gateway, &arguments);
        assert!(refused.contains(why), "{refused}");
    }
}
