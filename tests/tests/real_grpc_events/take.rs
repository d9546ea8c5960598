//! Subscribers in the words of `weir.events.v1`.

use std::collections::BTreeMap;

use prost::Message as _;
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::client::DefaultClientContext;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use tonic::{Code as Ended, Status, Streaming};
use weir_tests::kafka::{Kafka, Written};
use weir_tests::topics::events::event::What;
use weir_tests::topics::events::{Event, Gap, Header, Record, SubscribeRequest};
use weir_tests::{wait, wire};

use super::{Scene, said, with};

/// The next one that says more than where the subscriber is.
pub(super) async fn next(stream: &mut Streaming<Event>) -> Result<(String, What), Status> {
    loop {
        let event = wait::for_end("an event comes", stream.message()).await?;
        let event = event.expect("it does not end so");
        if let Some(what) = event.what {
            return Ok((event.cursor, what));
        }
    }
}

async fn record(stream: &mut Streaming<Event>) -> (String, Record) {
    match next(stream).await.unwrap() {
        (cursor, What::Record(record)) => (cursor, record),
        (_, other) => panic!("{other:?}"),
    }
}

fn ask(topic: &str) -> SubscribeRequest {
    SubscribeRequest {
        topic: topic.to_owned(),
        start: "earliest".to_owned(),
        ..SubscribeRequest::default()
    }
}

async fn subscribe(scene: &Scene, asked: SubscribeRequest) -> Streaming<Event> {
    let mut events = scene.events.clone();
    events.subscribe(asked).await.unwrap().into_inner()
}

#[tokio::test(flavor = "multi_thread")]
async fn records_come_as_they_are_and_any_gateway_goes_on_from_a_cursor() {
    let kafka = Kafka::shared().await;
    kafka.create_topic("calls", 1).await;
    let (one, other) = (Scene::of(kafka).await, Scene::of(kafka).await);
    let records = [
        Written {
            key: Some("7"),
            value: Some(b"\xff\0"),
            headers: &[("kind", b"a"), ("kind", b"\xfe")],
            timestamp: Some(1_763_800_000_000),
        },
        Written {
            key: Some("7"),
            ..Written::default()
        },
    ];
    kafka.write("calls", 0, &records).await;
    let mut stream = subscribe(&one, ask("calls")).await;
    let (cursor, came) = record(&mut stream).await;
    let header = |value: &[u8]| Header {
        name: "kind".to_owned(),
        value: Some(value.to_vec()),
    };
    let expected = Record {
        partition: 0,
        offset: 0,
        timestamp: Some(1_763_800_000_000),
        key: Some(b"7".to_vec()),
        headers: vec![header(b"a"), header(b"\xfe")],
        value: Some(b"\xff\0".to_vec()),
        undecodable: String::new(),
    };
    assert_eq!(came, expected);
    drop(stream);
    let asked = SubscribeRequest {
        cursor,
        ..ask("calls")
    };
    let mut stream = subscribe(&other, asked).await;
    let (_, came) = record(&mut stream).await;
    assert_eq!(
        (came.offset, came.value),
        (1, None),
        "that its key is no more"
    );
    // What is written from now on comes too.
    kafka.write("calls", 0, &records[..1]).await;
    assert_eq!(record(&mut stream).await.1.offset, 2);
    let line = wait_for_call(&one).await;
    assert_eq!(
        line["rpc"]["method"], "weir.events.v1.Events/Subscribe",
        "{line}"
    );
}

async fn wait_for_call(scene: &Scene) -> serde_json::Value {
    let of_route = |line: &serde_json::Value| line["weir.route"] == "subscribe";
    scene.gateway.wait_for_log(of_route).await
}

#[tokio::test(flavor = "multi_thread")]
async fn many_are_told_alike_and_miss_nothing() {
    const RECORDS: usize = 2_000;
    let kafka = Kafka::shared().await;
    kafka.create_topic("many-calls", 3).await;
    let scene = Scene::of(kafka).await;
    let mut streams = Vec::new();
    for _ in 0..8 {
        streams.push(subscribe(&scene, ask("many-calls")).await);
    }
    let values: Vec<String> = (0..RECORDS).map(|n| n.to_string()).collect();
    let writing = async {
        for (turn, values) in values.chunks(100).enumerate() {
            let records: Vec<_> = values
                .iter()
                .map(|value| Written {
                    value: Some(value.as_bytes()),
                    ..Written::default()
                })
                .collect();
            kafka.write("many-calls", turn as i32 % 3, &records).await;
        }
    };
    let reading = streams.into_iter().map(async |mut stream| {
        let mut next: BTreeMap<i32, i64> = BTreeMap::new();
        for _ in 0..RECORDS {
            let (_, came) = record(&mut stream).await;
            let offset = next.entry(came.partition).or_default();
            assert_eq!(came.offset, *offset, "in order, each once");
            *offset += 1;
        }
        next.values().sum::<i64>()
    });
    let (read, ()) = tokio::join!(futures_util::future::join_all(reading), writing);
    assert_eq!(read, [RECORDS as i64; 8]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subscriber_asks_for_some_records() {
    let kafka = Kafka::shared().await;
    kafka.create_topic("some-calls", 1).await;
    let scene = Scene::of(kafka).await;
    let record_of = |key, kind: &'static [(&'static str, &'static [u8])], value| Written {
        key: Some(key),
        value: Some(value),
        headers: kind,
        ..Written::default()
    };
    let records = [
        record_of("a", &[("kind", b"x")], br#"{"city":"Graz"}"#),
        record_of("b", &[("kind", b"x")], br#"{"city":"Linz"}"#),
        record_of("a", &[("kind", b"y")], br#"{"city":"Linz"}"#),
        record_of("a", &[("kind", b"x")], br#"{"city":"Linz"}"#),
    ];
    kafka.write("some-calls", 0, &records).await;
    let only = |name: &str, value: &str| [(name.to_owned(), value.to_owned())].into();
    let asked = SubscribeRequest {
        key: Some("a".to_owned()),
        headers: only("kind", "x"),
        json: only("/city", "Linz"),
        ..ask("some-calls")
    };
    let (_, came) = record(&mut subscribe(&scene, asked).await).await;
    assert_eq!(came.offset, 3);
    for (asked, slug) in [
        (
            SubscribeRequest {
                start: "tomorrow".to_owned(),
                ..ask("some-calls")
            },
            "query_invalid",
        ),
        (
            SubscribeRequest {
                json: only("city", "Linz"),
                ..ask("some-calls")
            },
            "query_invalid",
        ),
        (
            SubscribeRequest {
                cursor: "none".to_owned(),
                ..ask("some-calls")
            },
            "cursor_invalid",
        ),
        (SubscribeRequest::default(), "query_invalid"),
    ] {
        let refused = scene.events.clone().subscribe(asked.clone()).await;
        let refused = refused.unwrap_err();
        assert_eq!(
            (refused.code(), said(&refused, "weir-error")),
            (Ended::InvalidArgument, slug),
            "{asked:?}"
        );
    }
}

/// Has a topic forget all before an offset.
pub(super) async fn forget(kafka: &Kafka, topic: &str, before: i64) {
    let mut config = ClientConfig::new();
    let config = config.set("bootstrap.servers", kafka.bootstrap());
    let admin: AdminClient<DefaultClientContext> = config.create().unwrap();
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(topic, 0, Offset::Offset(before))
        .unwrap();
    let forgotten = admin.delete_records(&list, &AdminOptions::new()).await;
    forgotten.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_told_what_the_topic_does_not_hold_any_more() {
    let kafka = Kafka::shared().await;
    kafka.create_topic("gone-calls", 1).await;
    let scene = Scene::of(kafka).await;
    let one = Written {
        value: Some(b"1"),
        ..Written::default()
    };
    kafka.write("gone-calls", 0, &[one; 5]).await;
    let (cursor, _) = record(&mut subscribe(&scene, ask("gone-calls")).await).await;
    forget(kafka, "gone-calls", 4).await;
    let asked = SubscribeRequest {
        cursor,
        ..ask("gone-calls")
    };
    let mut stream = subscribe(&scene, asked).await;
    let (_, what) = next(&mut stream).await.unwrap();
    let What::Gaps(gaps) = what else {
        panic!("{what:?}")
    };
    let gap = Gap {
        partition: 0,
        from: 1,
        to: 4,
    };
    assert_eq!(gaps.gaps, [gap]);
    assert_eq!(record(&mut stream).await.1.offset, 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_ends_with_the_gateway_and_says_where_it_was() {
    let kafka = Kafka::shared().await;
    kafka.create_topic("drained-calls", 1).await;
    let (scene, other) = (Scene::of(kafka).await, Scene::of(kafka).await);
    let one = Written {
        value: Some(b"1"),
        ..Written::default()
    };
    kafka.write("drained-calls", 0, &[one]).await;
    let mut stream = subscribe(&scene, ask("drained-calls")).await;
    record(&mut stream).await;
    let (ended, _) = tokio::join!(next(&mut stream), scene.gateway.stop());
    let ended = ended.unwrap_err();
    assert_eq!(
        (ended.code(), said(&ended, "weir-error")),
        (Ended::Unavailable, "draining")
    );
    kafka.write("drained-calls", 0, &[one]).await;
    let asked = SubscribeRequest {
        cursor: said(&ended, "weir-cursor").to_owned(),
        ..ask("drained-calls")
    };
    let (_, came) = record(&mut subscribe(&other, asked).await).await;
    assert_eq!(came.offset, 1, "nothing missed, nothing twice");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_lasts_as_long_as_its_caller_says() {
    let kafka = Kafka::shared().await;
    kafka.create_topic("timed-calls", 1).await;
    let scene = Scene::of(kafka).await;
    // The client's own clock would cut it off before the gateway's does.
    let asked = with(ask("timed-calls"), &[("grpc-timeout", "300m")]);
    let mut stream = scene.events.clone().subscribe(asked).await;
    let stream = stream.as_mut().unwrap().get_mut();
    let ended = next(stream).await.unwrap_err();
    assert_eq!(ended.code(), Ended::DeadlineExceeded);
    assert_eq!(said(&ended, "weir-error"), "request_deadline_exceeded");
    assert!(!said(&ended, "weir-cursor").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_calls_by_grpc_web_and_others_not_at_all() {
    let kafka = Kafka::shared().await;
    kafka.create_topic("web-calls", 1).await;
    let scene = Scene::of(kafka).await;
    let one = Written {
        value: Some(b"1"),
        ..Written::default()
    };
    kafka.write("web-calls", 0, &[one]).await;
    let asked = ask("web-calls").encode_to_vec();
    let mut body = vec![0, 0, 0, 0, u8::try_from(asked.len()).unwrap()];
    body.extend(asked);
    let path = "/weir.events.v1.Events/Subscribe";
    let request = format!(
        "POST {path} HTTP/1.1\r\nhost: a\r\ncontent-type: application/grpc-web+proto\r\n\
         grpc-timeout: 1S\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    let public = scene.gateway.addr("public");
    let answer = wire::exchange(public, [request.into_bytes(), body].concat()).await;
    assert_eq!(answer.status, 200);
    let mut rest = &answer.body[..];
    let mut offsets = Vec::new();
    while rest[0] == 0 {
        let length = u32::from_be_bytes(rest[1..5].try_into().unwrap()) as usize;
        let event = Event::decode(&rest[5..5 + length]).unwrap();
        if let Some(What::Record(record)) = event.what {
            offsets.push(record.offset);
        }
        rest = &rest[5 + length..];
    }
    assert_eq!(offsets, [0]);
    let trailers = String::from_utf8_lossy(&rest[5..]);
    assert!(trailers.contains("grpc-status: 4\r\n"), "{trailers}");
    assert!(trailers.contains("weir-cursor: "), "{trailers}");

    let plain = wire::get(public, path).await;
    assert_eq!(plain.status, 405, "{}", plain.text());
    let post = wire::request(
        public,
        "POST",
        path,
        &["content-type: application/json"],
        "{}",
    )
    .await;
    assert_eq!(post.status, 415, "{}", post.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn who_leaves_is_not_read_for() {
    let kafka = Kafka::shared().await;
    kafka.create_topic("left-calls", 1).await;
    let scene = Scene::of(kafka).await;
    let stream = subscribe(&scene, ask("left-calls")).await;
    let labels = [("weir_route", "subscribe")];
    let present = "weir_subscribers";
    let there = async |count: f64| {
        let reached = |found: f64| (found - count).abs() < f64::EPSILON;
        scene
            .gateway
            .wait_for_metric(present, &labels, reached)
            .await;
    };
    there(1.0).await;
    drop(stream);
    there(0.0).await;
}
