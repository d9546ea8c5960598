//! One record, as its receiver sees it.

use openssl::hash::MessageDigest;
use openssl::pkey::PKey;
use openssl::sign::Signer;
use weir_tests::kafka::{Kafka, Written};
use weir_tests::otlp::{Collector, Kind};
use weir_tests::{Upstream, wire};

use super::setup::{SECRET, Setup, no_content, write_numbered};

const JSON: [&str; 1] = ["Content-Type: application/json"];
const REASON: &str = r#"{"reason": "a test"}"#;

#[tokio::test]
async fn a_record_is_sent_signed_and_its_trace_goes_on() {
    let kafka = Kafka::shared().await;
    let receiver = Upstream::start(no_content()).await;
    let collector = Collector::start().await;
    let setup = Setup::new(kafka, &receiver, "signed", 1).await;
    let gateway = setup
        .otlp(&collector.endpoint())
        .start("sign: { secrets: [{ secret: key }] }")
        .await;
    let trace_id = "0af7651916cd43dd8448eb211c80319c";
    let parent = format!("00-{trace_id}-b7ad6b7169203331-01");
    let record = Written {
        key: Some("k"),
        value: Some(b"{\"paid\":true}"),
        headers: &[("traceparent", parent.as_bytes())],
        timestamp: Some(1_700_000_000_000),
    };
    kafka.write("signed", 0, &[record]).await;

    let sent = receiver.wait_for_requests(1).await.remove(0);
    assert_eq!((&*sent.method, &*sent.target), ("POST", "/hook?x=1"));
    assert_eq!(sent.header("x-own"), Some("yes"));
    let said = sent.json();
    assert_eq!(said["topic"], "signed");
    assert_eq!(said["offset"], 0);
    assert_eq!(said["key"], "k");
    assert_eq!(said["value"]["paid"], true);
    // As Standard Webhooks say it is verified.
    let id = sent.header("webhook-id").unwrap();
    assert!(id.ends_with("/signed/0/0") && !id.contains('.'), "{id}");
    let timestamp = sent.header("webhook-timestamp").unwrap();
    let key = openssl::base64::decode_block(SECRET.strip_prefix("whsec_").unwrap()).unwrap();
    let key = PKey::hmac(&key).unwrap();
    let mut signer = Signer::new(MessageDigest::sha256(), &key).unwrap();
    let signed = format!("{id}.{timestamp}.{}", sent.text());
    signer.update(signed.as_bytes()).unwrap();
    let expected = openssl::base64::encode_block(&signer.sign_to_vec().unwrap());
    assert_eq!(
        sent.header("webhook-signature"),
        Some(&*format!("v1,{expected}"))
    );

    let consumer = collector.wait_for(|span| span.kind == Kind::Consumer).await;
    assert_eq!(consumer.trace_id, trace_id);
    assert_eq!(consumer.parent_span_id, "b7ad6b7169203331");
    assert_eq!(consumer.name, "process signed");
    let client = collector.wait_for(|span| span.kind == Kind::Client).await;
    assert_eq!(client.parent_span_id, consumer.span_id);
    let passed = format!("00-{trace_id}-{}-01", client.span_id);
    assert_eq!(sent.header("traceparent"), Some(&*passed));
    let line = gateway
        .wait_for_log(|line| line["weir.action"] == "webhook")
        .await;
    assert_eq!(line["weir.delivery"]["outcome"], "delivered");
    let labels = [("weir_webhook", "hook"), ("outcome", "delivered")];
    gateway
        .wait_for_metric("weir_webhook_records_total", &labels, |n| n >= 1.0)
        .await;
    let lag = [("weir_webhook", "hook")];
    gateway
        .wait_for_metric("weir_webhook_lag_records", &lag, |n| n == 0.0)
        .await;
}

#[tokio::test]
async fn a_reload_changes_where_records_go_and_keeps_what_is_done() {
    let kafka = Kafka::shared().await;
    let (first, second) = (
        Upstream::start(no_content()).await,
        Upstream::start(no_content()).await,
    );
    let setup = Setup::new(kafka, &first, "moved", 1).await;
    let gateway = setup.start("").await;
    write_numbered(kafka, "moved", 1, 1, 2).await;
    first.wait_for_requests(2).await;
    // Another receiver: the member stays. Another ordering: it joins anew.
    let other = setup.to(&second);
    gateway.reload(&other.yaml("")).await;
    write_numbered(kafka, "moved", 1, 1, 2).await;
    second.wait_for_requests(2).await;
    gateway.reload(&other.yaml("ordering: partition")).await;
    write_numbered(kafka, "moved", 1, 1, 2).await;
    second.wait_for_requests(4).await;
    // Paused by hand, nothing is sent until somebody says otherwise.
    let turn = async |what: &str| {
        let path = format!("/webhooks/hook/{what}");
        let answer = wire::request(gateway.addr("admin"), "POST", &path, &JSON, REASON).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
    };
    turn("pause").await;
    write_numbered(kafka, "moved", 1, 1, 2).await;
    let by_hand = [("weir_webhook", "hook"), ("reason", "by_hand")];
    gateway
        .wait_for_metric("weir_webhook_paused", &by_hand, |n| n == 1.0)
        .await;
    let lag = [("weir_webhook", "hook")];
    gateway
        .wait_for_metric("weir_webhook_lag_records", &lag, |n| n == 2.0)
        .await;
    assert_eq!(second.requests().len(), 4);
    turn("resume").await;
    second.wait_for_requests(6).await;
    gateway.reload(&other.yaml_without()).await;
    let shown = gateway.admin("/webhooks").await.json();
    assert_eq!(shown, serde_json::json!([]));
    assert_eq!((first.requests().len(), second.requests().len()), (2, 6));
}
