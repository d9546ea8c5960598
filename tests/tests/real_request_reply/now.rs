//! Callers that wait.

use std::collections::HashSet;

use futures_util::future::join_all;
use serde_json::json;
use weir_tests::kafka::Kafka;
use weir_tests::otlp::{Collector, Kind, Span};
use weir_tests::{Gateway, wire};

use super::responder::{Responder, TRACE};
use super::setup::{code, configuration, gateway, get, location, post, public, topics};

#[tokio::test(flavor = "multi_thread")]
async fn the_reply_is_the_answer() {
    let kafka = Kafka::shared().await;
    topics(kafka, "plain").await;
    let gateway = gateway(kafka, "plain").await;
    let _responder = Responder::start(kafka, "plain-requests");

    let answer = post(&gateway, "/sync", &[], &json!({ "n": 1 })).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.json()["asked"], json!({ "n": 1 }));
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(answer.header("x-worker"), Some("seven"));
    // What is the gateway's to say, the reply does not.
    assert_eq!(answer.header("weir-error"), None);
    assert_eq!(
        answer.header("content-length"),
        Some(&*answer.body.len().to_string())
    );

    let said = json!({ "status": "404", "text": "no such order" });
    let answer = post(&gateway, "/sync", &[], &said).await;
    assert_eq!((answer.status, &*answer.text()), (404, "no such order"));
    assert_eq!(
        answer.header("content-type"),
        Some("text/plain; charset=utf-8")
    );
    let answer = post(&gateway, "/sync", &[], &json!({ "status": "204" })).await;
    assert_eq!((answer.status, answer.body.len()), (204, 0));

    let requests = kafka.consume("plain-requests", 3).await;
    let ids: HashSet<_> = requests
        .iter()
        .map(|it| it.header("correlation-id").unwrap())
        .collect();
    assert_eq!(ids.len(), 3);
    assert_eq!(
        requests[0].header("reply-to").as_deref(),
        Some("plain-replies")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reply_that_is_no_answer_is_said_to_be_none() {
    let kafka = Kafka::shared().await;
    topics(kafka, "odd").await;
    let gateway = gateway(kafka, "odd").await;
    let _responder = Responder::start(kafka, "odd-requests");
    for status in ["100", "600", "teapot"] {
        let answer = post(&gateway, "/sync", &[], &json!({ "status": status })).await;
        assert_eq!((answer.status, code(&answer)), (502, "kafka_reply_invalid"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_callers_each_has_its_own() {
    const CALLERS: usize = 200;
    let kafka = Kafka::shared().await;
    topics(kafka, "many").await;
    let gateway = gateway(kafka, "many").await;
    let _responder = Responder::start(kafka, "many-requests");
    let calls = (0..CALLERS).map(|n| {
        let gateway = &gateway;
        async move {
            // Later ones are answered sooner; each is replied to twice.
            let body = json!({ "n": n, "after": (CALLERS - n) * 5, "times": 2 });
            let answer = post(gateway, "/sync", &[], &body).await;
            assert_eq!(answer.status, 200, "{}", answer.text());
            assert_eq!(answer.json()["asked"]["n"], n);
            assert_eq!(answer.json()["time"], 0, "the first reply counts");
        }
    });
    join_all(calls).await;
    let labels = [("weir_route", "sync"), ("outcome", "answered")];
    let answered = gateway.metric("weir_reply_requests_total", &labels).await;
    assert_eq!(answered, CALLERS as f64);
    let waiting = gateway.metric("weir_reply_waiting", &[("weir_route", "sync")]);
    assert_eq!(waiting.await, 0.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waited_in_vain_learns_where_the_request_is_and_has_the_reply_later() {
    let kafka = Kafka::shared().await;
    topics(kafka, "late").await;
    let gateway = gateway(kafka, "late").await;
    let _responder = Responder::start(kafka, "late-requests");
    let answer = post(&gateway, "/hasty", &[], &json!({ "after": 2000 })).await;
    assert_eq!((answer.status, code(&answer)), (504, "kafka_reply_timeout"));
    let place = &answer.json()["request"];
    assert_eq!(place["topic"], "late-requests");
    let request = &kafka.consume("late-requests", 1).await[0];
    assert_eq!(place["partition"], request.partition);
    assert_eq!(place["offset"], request.offset);
    assert_eq!(
        place["correlation_id"],
        request.header("correlation-id").unwrap()
    );
    let later = get(&gateway, &format!("{}?wait=20s", location(&answer))).await;
    assert_eq!(later.status, 200, "{}", later.text());
    assert_eq!(later.json()["asked"]["after"], 2000);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_more_wait_than_may_and_who_leaves_makes_room() {
    let kafka = Kafka::shared().await;
    topics(kafka, "narrow").await;
    let gateway = gateway(kafka, "narrow").await;
    let never = json!({ "never": true }).to_string();
    let mut first = wire::Connection::open(public(&gateway)).await;
    let head = format!(
        "POST /narrow HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n{never}",
        never.len()
    );
    first.send(head).await.unwrap();
    let waiting = [("weir_route", "narrow")];
    gateway
        .wait_for_metric("weir_reply_waiting", &waiting, |count| count == 1.0)
        .await;
    let refused = post(&gateway, "/narrow", &[], &json!({})).await;
    assert_eq!((refused.status, code(&refused)), (503, "connection_limit"));
    assert!(refused.header("retry-after").is_some());
    first.reset();
    gateway
        .wait_for_metric("weir_reply_waiting", &waiting, |count| count == 0.0)
        .await;
    let _responder = Responder::start(kafka, "narrow-requests");
    let answer = post(&gateway, "/narrow", &[], &json!({})).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(
        kafka.count("narrow-requests").await,
        2,
        "who is refused asks nothing"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn one_trace_goes_out_and_the_reply_is_linked_to_its_own() {
    let kafka = Kafka::shared().await;
    topics(kafka, "traced").await;
    let collector = Collector::start().await;
    let otlp = format!(
        ", otlp: {{ endpoint: \"{}\", sample_ratio: 1.0 }}",
        collector.endpoint()
    );
    let gateway = Gateway::start(&configuration(kafka, "traced", &otlp)).await;
    let _responder = Responder::start(kafka, "traced-requests");
    let answer = post(&gateway, "/sync", &[], &json!({})).await;
    assert_eq!(answer.status, 200, "{}", answer.text());

    let received = |span: &Span| span.kind == Kind::Client && span.name.starts_with("receive");
    let reply = collector.wait_for(received).await;
    assert_eq!(reply.name, "receive traced-replies");
    let (trace, span) = (TRACE[3..35].to_owned(), TRACE[36..52].to_owned());
    assert_eq!(reply.links, [(trace, span)]);
    let sent = collector.wait_for(|span| span.kind == Kind::Producer).await;
    assert_eq!(sent.trace_id, reply.trace_id);
    assert_eq!(sent.parent_span_id, reply.parent_span_id);
    let request = &kafka.consume("traced-requests", 1).await[0];
    let parent = request.header("traceparent").unwrap();
    assert_eq!(parent[36..52], sent.span_id);

    let line = gateway
        .wait_for_log(|line| line["weir.route"] == "sync")
        .await;
    assert_eq!(line["messaging"]["destination.name"], "traced-requests");
    assert_eq!(line["weir.reply"]["source.name"], "traced-replies");
}
