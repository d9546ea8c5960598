//! Callers that come back: to any gateway, as long as the status URL is answered.

use std::time::Duration;

use serde_json::json;
use weir_tests::child::Kind;
use weir_tests::events::EventSource;
use weir_tests::kafka::{Kafka, Written};
use weir_tests::wire;

use super::responder::Responder;
use super::setup::{accepted, code, gateway, get, location, post, public, topics};

#[tokio::test(flavor = "multi_thread")]
async fn the_status_url_is_polled_waited_at_and_followed() {
    let kafka = Kafka::shared().await;
    topics(kafka, "later").await;
    let gateway = gateway(kafka, "later").await;
    let url = accepted(&gateway, &json!({ "after": 3000 })).await;
    let pending = get(&gateway, &url).await;
    assert_eq!(pending.status, 202, "{}", pending.text());
    assert!(pending.header("retry-after").is_some());
    let _responder = Responder::start(kafka, "later-requests");
    let followed = async {
        let mut events = EventSource::open(public(&gateway), &url, None).await;
        let told = events.next().await.unwrap();
        assert_eq!((&*told.name, &*told.id), ("reply", "reply"));
        assert_eq!(told.json()["status"], 200);
        assert_eq!(told.json()["value"]["asked"]["after"], 3000);
        assert!(events.next().await.is_none(), "it ends");
    };
    let target = format!("{url}?wait=20s");
    let (answer, ()) = tokio::join!(get(&gateway, &target), followed);
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.json()["asked"]["after"], 3000);
    // Again and again, and a page that comes again is told that it has it.
    assert_eq!(get(&gateway, &url).await.body, answer.body);
    let headers = ["Accept: text/event-stream", "Last-Event-ID: reply"];
    let done = wire::request(public(&gateway), "GET", &url, &headers, "").await;
    assert_eq!(done.status, 204);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_prefers_to_wait_so_long_is_answered_then() {
    let kafka = Kafka::shared().await;
    topics(kafka, "prefer").await;
    let gateway = gateway(kafka, "prefer").await;
    let _responder = Responder::start(kafka, "prefer-requests");
    let prefer = ["Prefer: respond-async, wait=15"];
    let answer = post(&gateway, "/jobs", &prefer, &json!({})).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let never = json!({ "never": true });
    let prefer = ["Prefer: respond-async, wait=1"];
    let answer = post(&gateway, "/jobs", &prefer, &never).await;
    assert_eq!(answer.status, 202, "{}", answer.text());
    assert_eq!(answer.header("preference-applied"), Some("respond-async"));
    assert_eq!(answer.json()["status_url"], location(&answer));
    let answer = post(&gateway, "/jobs", &["Prefer: wait=1"], &never).await;
    assert_eq!((answer.status, code(&answer)), (504, "kafka_reply_timeout"));
}

#[tokio::test(flavor = "multi_thread")]
async fn another_gateway_answers_after_the_first_was_killed() {
    const REQUESTS: usize = 20;
    let kafka = Kafka::shared().await;
    topics(kafka, "killed").await;
    let first = gateway(kafka, "killed").await;
    let mut urls = Vec::new();
    for n in 0..REQUESTS {
        urls.push(accepted(&first, &json!({ "n": n, "after": n * 50 })).await);
    }
    first.signal(Kind::SIGKILL);
    first.wait_exit().await;
    let responder = Responder::start(kafka, "killed-requests");
    // Some are there before the second one comes, some after.
    kafka.consume("killed-replies", REQUESTS / 2).await;
    let second = gateway(kafka, "killed").await;
    for (n, url) in urls.iter().enumerate() {
        let answer = get(&second, &format!("{url}?wait=20s")).await;
        assert_eq!(answer.status, 200, "{n}: {}", answer.text());
        assert_eq!(answer.json()["asked"]["n"], n);
    }
    drop(responder);
    // A third one finds all of them in what was written before.
    let third = gateway(kafka, "killed").await;
    for (n, url) in urls.iter().enumerate() {
        let answer = get(&third, url).await;
        assert_eq!(answer.status, 200, "{n}: {}", answer.text());
        assert_eq!(answer.json()["asked"]["n"], n);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reply_is_found_behind_more_than_is_kept_in_memory() {
    let kafka = Kafka::shared().await;
    topics(kafka, "behind").await;
    let gateway = gateway(kafka, "behind").await;
    let url = accepted(&gateway, &json!({ "after": 0 })).await;
    let responder = Responder::start(kafka, "behind-requests");
    kafka.consume("behind-replies", 1).await;
    drop(responder);
    let value = vec![b'x'; 256 << 10];
    let others = vec![
        Written {
            value: Some(&value),
            ..Written::default()
        };
        20
    ];
    // More than is kept of a topic.
    for partition in [0, 1] {
        kafka.write("behind-replies", partition, &others).await;
    }
    let answer = get(&gateway, &url).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_status_url_is_its_callers_own_and_expires() {
    let kafka = Kafka::shared().await;
    topics(kafka, "own").await;
    let gateway = gateway(kafka, "own").await;
    let _responder = Responder::start(kafka, "own-requests");
    let ours = ["X-Api-Key: key-of-checkout"];
    let answer = post(&gateway, "/mine", &ours, &json!({})).await;
    assert_eq!(answer.status, 202, "{}", answer.text());
    let url = location(&answer);
    let asked = |url: String, headers: &'static [&'static str]| {
        let address = public(&gateway);
        async move { wire::request(address, "GET", &url, headers, "").await }
    };
    let mine = asked(format!("{url}?wait=20s"), &["X-Api-Key: key-of-checkout"]).await;
    assert_eq!(mine.status, 200, "{}", mine.text());
    assert_eq!(mine.json()["who"], "checkout");
    // Of somebody else's, forged, cut off, or of a route where nobody is known.
    let token = url.rsplit('/').next().unwrap().to_owned();
    let other = asked(url.clone(), &["X-Api-Key: key-of-other"]).await;
    assert_eq!((other.status, code(&other)), (404, "status_url_invalid"));
    for bad in [
        format!("/jobs/{token}"),
        format!("/jobs/{}", &token[1..]),
        "/jobs/x".to_owned(),
    ] {
        let answer = get(&gateway, &bad).await;
        assert_eq!(
            (answer.status, code(&answer)),
            (404, "status_url_invalid"),
            "{bad}"
        );
    }
    let brief = post(&gateway, "/brief", &[], &json!({})).await;
    let url = location(&brief);
    tokio::time::sleep(Duration::from_secs(2)).await;
    let expired = get(&gateway, &url).await;
    assert_eq!((expired.status, code(&expired)), (410, "kafka_reply_gone"));
}
