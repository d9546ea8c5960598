//! Publishers in the words of `weir.events.v1`.

use futures_util::{Stream, stream};
use serde_json::json;
use tonic::{Code as Ended, Request};
use weir_tests::kafka::Kafka;
use weir_tests::topics::events::publish_result::Result as Told;
use weir_tests::topics::events::{Header, PublishRequest, PublishResult, Written};
use weir_tests::wait;

use super::{Scene, gateway, of, said, with};

fn value(text: &str) -> PublishRequest {
    PublishRequest {
        value: Some(text.as_bytes().to_vec()),
        ..PublishRequest::default()
    }
}

fn values(count: usize) -> impl Stream<Item = PublishRequest> + use<> {
    stream::iter((0..count).map(|n| value(&n.to_string())))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_is_in_the_topic_in_its_order_when_it_is_answered() {
    const RECORDS: usize = 3_000;
    let kafka = Kafka::shared().await;
    kafka.create_topic("streamed", 1).await;
    let mut scene = Scene::of(kafka).await;
    let sent = with(
        values(RECORDS),
        &[("x-topic", "streamed"), ("x-from", "me")],
    );
    let summary = scene.events.publish(sent).await.unwrap().into_inner();
    let records = kafka.read_all("streamed").await;
    let found: Vec<String> = records.iter().map(|record| record.text()).collect();
    let expected: Vec<String> = (0..RECORDS).map(|n| n.to_string()).collect();
    assert!(found == expected, "each once, in order");
    assert_eq!(records[7].header("from").as_deref(), Some("me"));
    let line = scene
        .gateway
        .wait_for_log(|line| line["weir.route"] == "publish")
        .await;
    let context = records[7].header("traceparent").unwrap();
    assert!(
        context.contains(line["trace_id"].as_str().unwrap()),
        "{line}"
    );
    let written = Written {
        topic: "streamed".to_owned(),
        partition: 0,
        records: RECORDS as u64,
        first_offset: 0,
        last_offset: RECORDS as i64 - 1,
    };
    assert_eq!(
        (summary.records, summary.written),
        (RECORDS as u64, vec![written])
    );
    assert_eq!(line["messaging"]["batch.message_count"], RECORDS, "{line}");
    let counted = [("messaging_destination_name", "streamed")];
    let counted = scene
        .gateway
        .metric("messaging_client_sent_messages_total", &counted)
        .await;
    assert!((counted - RECORDS as f64).abs() < f64::EPSILON, "{counted}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_is_what_its_message_says() {
    let kafka = Kafka::shared().await;
    kafka.create_topic("said", 1).await;
    let mut scene = Scene::of(kafka).await;
    let header = |value: Option<&[u8]>| Header {
        name: "h".to_owned(),
        value: value.map(<[u8]>::to_vec),
    };
    let sent = [
        PublishRequest {
            key: Some(b"\xff".to_vec()),
            headers: vec![header(Some(b"\xfe")), header(None)],
            value: Some(b"\0".to_vec()),
        },
        PublishRequest {
            key: Some(b"gone".to_vec()),
            ..PublishRequest::default()
        },
    ];
    let summary = scene.events.publish(of("said", stream::iter(sent))).await;
    assert_eq!(summary.unwrap().into_inner().records, 2);
    let records = kafka.read_all("said").await;
    let own: Vec<_> = records[0]
        .headers
        .iter()
        .filter(|(name, _)| name == "h")
        .collect();
    assert_eq!(own[0].1.as_deref(), Some(&b"\xfe"[..]));
    assert_eq!(own[1].1, None);
    assert_eq!(
        (records[0].key.as_deref(), records[0].value.as_deref()),
        (Some(&b"\xff"[..]), Some(&b"\0"[..]))
    );
    assert_eq!(
        (records[1].key.as_deref(), records[1].value.as_deref()),
        (Some(&b"gone"[..]), None)
    );
    // A route's own key comes before the caller's.
    let sent = with(values(1), &[("x-topic", "said"), ("x-key", "route")]);
    scene.events.publish(sent).await.unwrap();
    let last = kafka.read_all("said").await.pop().unwrap();
    assert_eq!(last.key.as_deref(), Some(&b"route"[..]));
}

#[tokio::test(flavor = "multi_thread")]
async fn each_record_is_answered_in_its_turn() {
    let kafka = Kafka::shared().await;
    kafka.create_topic("answered", 1).await;
    let mut scene = Scene::of(kafka).await;
    let (sender, messages) = tokio::sync::mpsc::channel(1);
    let messages = tokio_stream::wrappers::ReceiverStream::new(messages);
    let answer = scene.events.publish_each(of("answered", messages)).await;
    let mut answer = answer.unwrap().into_inner();
    for offset in 0..5 {
        // Each is answered before the next is sent.
        sender.send(value(r#"{"k":"a"}"#)).await.unwrap();
        let told = wait::for_end("an answer", answer.message()).await;
        let Some(Told::Written(place)) = told.unwrap().unwrap().result else {
            panic!("it is written");
        };
        assert_eq!(
            (&*place.topic, place.partition, place.offset),
            ("answered", 0, offset)
        );
    }
    drop(sender);
    assert_eq!(answer.message().await.unwrap(), None);
    let records = kafka.read_all("answered").await;
    assert_eq!(records.len(), 5);
    assert_eq!(records[0].key.as_deref(), Some(&b"a"[..]));
}

/// What was said of each record.
async fn results(mut answer: tonic::Streaming<PublishResult>) -> Vec<Told> {
    let mut told = Vec::new();
    while let Some(result) = wait::for_end("an answer", answer.message()).await.unwrap() {
        told.push(result.result.unwrap());
    }
    told
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_is_not_written_does_not_keep_the_others_from_being() {
    let kafka = Kafka::shared().await;
    kafka.create_topic("checked", 1).await;
    let mut scene = Scene::of(kafka).await;
    let sent = [r#"{"n":1}"#, r#"{"n":"two"}"#, "{", r#"{"n":3}"#].map(value);
    let sent = with(
        stream::iter(sent),
        &[("x-topic", "checked"), ("x-checked", "yes")],
    );
    let answer = scene.events.publish_each(sent).await.unwrap();
    let told = results(answer.into_inner()).await;
    let failure = |told: &Told| match told {
        Told::Failure(failure) => {
            assert!(
                !failure.retryable && !failure.message.is_empty(),
                "{failure:?}"
            );
            Some(failure.code.clone())
        }
        Told::Written(_) => None,
    };
    let failures: Vec<_> = told.iter().map(failure).collect();
    let invalid = || Some("kafka_record_invalid".to_owned());
    assert_eq!(failures, [None, invalid(), invalid(), None]);
    let found: Vec<_> = kafka.read_all("checked").await;
    let found: Vec<String> = found.iter().map(|record| record.text()).collect();
    assert_eq!(found, [r#"{"n":1}"#, r#"{"n":3}"#]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_ends_at_the_first_that_is_not_and_says_how_many_are() {
    let kafka = Kafka::shared().await;
    kafka.create_topic("broken-off", 1).await;
    let mut scene = Scene::of(kafka).await;
    let large = PublishRequest {
        value: Some(vec![7; 2 << 20]),
        ..PublishRequest::default()
    };
    let few = (0..10).map(|n| value(&n.to_string()));
    let sent = few.chain([large]).chain((0..10).map(|_| value("after")));
    let refused = scene
        .events
        .publish(of("broken-off", stream::iter(sent)))
        .await;
    let refused = refused.unwrap_err();
    assert_eq!(
        (refused.code(), said(&refused, "weir-error")),
        (Ended::ResourceExhausted, "message_too_large")
    );
    let written: i64 = said(&refused, "weir-records-written").parse().unwrap();
    assert_eq!(said(&refused, "weir-records-unknown"), "0");
    let end = format!("Of this call, {written} records are written.");
    assert!(refused.message().ends_with(&end), "{}", refused.message());
    assert!(written <= 10);
    assert_eq!(kafka.count("broken-off").await, written);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_more_is_written_than_a_quota_has() {
    let kafka = Kafka::shared().await;
    kafka.create_topic("bounded", 1).await;
    let mut scene = Scene::of(kafka).await;
    let sent = with(values(10), &[("x-topic", "bounded"), ("x-bounded", "yes")]);
    let refused = scene.events.publish(sent).await.unwrap_err();
    assert_eq!(
        (refused.code(), said(&refused, "weir-error")),
        (Ended::ResourceExhausted, "quota_exhausted")
    );
    let records = kafka.read_all("bounded").await;
    assert_eq!(
        said(&refused, "weir-records-written"),
        records.len().to_string()
    );
    // A digit, and the trace with the names of its headers.
    let size = |record: &weir_tests::kafka::Record| {
        let headers = record.headers.iter();
        let headers = headers.map(|(name, value)| name.len() + value.as_ref().unwrap().len());
        record.value.as_ref().unwrap().len() + headers.sum::<usize>()
    };
    let taken: usize = records.iter().map(size).sum();
    let next = size(&records[0]);
    assert!(taken <= 500 && taken + next > 500, "{taken} of 500");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_said_to_be_written_that_brokers_have_not_said() {
    let kafka = Kafka::start().await;
    kafka.create_topic("silent", 1).await;
    let mut scene = Scene::with(gateway(&kafka.bootstrap(), "").await).await;
    scene.events.publish(of("silent", values(3))).await.unwrap();
    kafka.pause();
    let refused = scene.events.publish(of("silent", values(3))).await;
    let refused = refused.unwrap_err();
    let answer = scene.events.publish_each(of("silent", values(3))).await;
    let told = results(answer.unwrap().into_inner()).await;
    kafka.resume();
    let slug = said(&refused, "weir-error");
    let unknown: u64 = said(&refused, "weir-records-unknown").parse().unwrap();
    match slug {
        "kafka_outcome_unknown" => {
            assert_eq!((refused.code(), unknown), (Ended::DeadlineExceeded, 3))
        }
        "kafka_unavailable" => assert_eq!((refused.code(), unknown), (Ended::Unavailable, 0)),
        other => panic!("{other}: {}", refused.message()),
    }
    assert_eq!(said(&refused, "weir-records-written"), "0");
    assert_eq!(told.len(), 3);
    for told in told {
        let Told::Failure(failure) = told else {
            panic!("no broker said so");
        };
        let known = ["kafka_outcome_unknown", "kafka_unavailable"];
        assert!(known.contains(&&*failure.code), "{failure:?}");
    }
    // And it goes on once they answer.
    wait::until("a record is taken again", || async {
        let sent = of("silent", values(1));
        scene.events.clone().publish(sent).await.ok()
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_cannot_be_taken_says_why() {
    let kafka = Kafka::shared().await;
    let mut scene = Scene::of(kafka).await;
    let refused = scene.events.publish(values(1)).await.unwrap_err();
    assert_eq!(
        (refused.code(), said(&refused, "weir-error")),
        (Ended::InvalidArgument, "request_body_invalid"),
        "it has no topic"
    );
    let refused = scene.events.publish(of("no-such-topic", values(1))).await;
    let refused = refused.unwrap_err();
    assert_eq!(
        (refused.code(), said(&refused, "weir-error")),
        (Ended::NotFound, "kafka_topic_unknown")
    );
    let empty = scene.events.publish(of("any", values(0))).await.unwrap();
    assert_eq!(empty.into_inner().records, 0);
    let raw = weir_tests::rpc::Client::connect(scene.gateway.addr("public")).await;
    let mut garbage = Request::new(stream::iter([bytes::Bytes::from_static(b"\xff")]));
    garbage
        .metadata_mut()
        .insert("x-topic", "any".parse().unwrap());
    let refused = raw.call("/weir.events.v1.Events/Publish", garbage).await;
    let refused = refused.unwrap_err();
    assert_eq!(refused.code(), Ended::InvalidArgument);
    let text = "A message is no weir.events.v1.PublishRequest.";
    assert!(refused.message().starts_with(text), "{}", refused.message());
    let none = scene
        .gateway
        .wait_for_log(|line| line["error.type"] == "kafka_topic_unknown");
    assert_eq!(
        none.await["rpc"]["response.status_code"],
        json!("NOT_FOUND")
    );
}
