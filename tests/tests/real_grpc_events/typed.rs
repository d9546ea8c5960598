//! Methods of somebody's own service: the values of records are its messages.

use futures_util::stream;
use prost::Message as _;
use tonic::{Code as Ended, Status, Streaming};
use weir_tests::kafka::{Kafka, Written};
use weir_tests::topics::meters::{DESCRIPTORS, Reading, Watching};
use weir_tests::{Gateway, wait};

use super::take::forget;
use super::{Scene, gateway, of, said};

fn reading(meter: &str, watts: i64) -> Reading {
    Reading {
        meter: meter.to_owned(),
        watts,
        cursor: String::new(),
    }
}

async fn watch(scene: &Scene, topic: &str, cursor: &str) -> Streaming<Reading> {
    let asked = Watching {
        cursor: cursor.to_owned(),
        ..Watching::default()
    };
    let mut meters = scene.meters.clone();
    meters.watch(of(topic, asked)).await.unwrap().into_inner()
}

async fn next(stream: &mut Streaming<Reading>) -> Result<Reading, Status> {
    let reading = wait::for_end("a reading comes", stream.message()).await?;
    Ok(reading.expect("it does not end so"))
}

async fn write(kafka: &Kafka, topic: &str, values: &[&[u8]]) {
    let records: Vec<_> = values
        .iter()
        .map(|value| Written {
            value: Some(value),
            ..Written::default()
        })
        .collect();
    kafka.write(topic, 0, &records).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn readings_go_in_and_come_out() {
    let kafka = Kafka::shared().await;
    kafka.create_topic("readings", 1).await;
    let (mut scene, other) = (Scene::of(kafka).await, Scene::of(kafka).await);
    let sent = (0..20).map(|n| reading("kitchen", n));
    let stored = scene
        .meters
        .report(of("readings", stream::iter(sent)))
        .await;
    assert_eq!(stored.unwrap().into_inner().records, 20);
    let records = kafka.read_all("readings").await;
    assert_eq!(
        records[3].key.as_deref(),
        Some(&b"kitchen"[..]),
        "by {{body./meter}}"
    );
    assert_eq!(
        records[3].value.as_deref().unwrap(),
        reading("kitchen", 3).encode_to_vec()
    );

    let mut stream = watch(&scene, "readings", "").await;
    for n in 0..10 {
        let came = next(&mut stream).await.unwrap();
        assert_eq!((&*came.meter, came.watts), ("kitchen", n));
        if n == 9 {
            let mut rest = watch(&other, "readings", &came.cursor).await;
            for n in 10..20 {
                assert_eq!(next(&mut rest).await.unwrap().watts, n);
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn values_are_json_where_the_route_says_so() {
    let kafka = Kafka::shared().await;
    kafka.create_topic("json-readings", 1).await;
    let mut scene = Scene::with(gateway(&kafka.bootstrap(), ", value: json").await).await;
    let sent = [reading("attic", 9_007_199_254_740_993)];
    let stored = scene
        .meters
        .report(of("json-readings", stream::iter(sent)))
        .await;
    stored.unwrap();
    let record = kafka.read_all("json-readings").await.remove(0);
    assert_eq!(
        record.text(),
        r#"{"meter":"attic","watts":"9007199254740993"}"#
    );
    assert_eq!(record.key.as_deref(), Some(&b"attic"[..]));
    // As others write it.
    write(kafka, "json-readings", &[br#"{"meter":"hall","watts":5}"#]).await;
    let mut stream = watch(&scene, "json-readings", "").await;
    assert_eq!(
        next(&mut stream).await.unwrap().watts,
        9_007_199_254_740_993
    );
    let came = next(&mut stream).await.unwrap();
    assert_eq!((&*came.meter, came.watts), ("hall", 5));
}

#[tokio::test(flavor = "multi_thread")]
async fn each_is_answered_with_its_place() {
    let kafka = Kafka::shared().await;
    kafka.create_topic("placed", 1).await;
    let mut scene = Scene::of(kafka).await;
    let sent = stream::iter((0..3).map(|n| reading("a", n)));
    let answer = scene.meters.report_each(of("placed", sent)).await;
    let mut answer = answer.unwrap().into_inner();
    for offset in 0..3 {
        let place = answer.message().await.unwrap().unwrap();
        assert_eq!(
            (&*place.topic, place.partition, place.offset),
            ("placed", 0, offset)
        );
    }
    assert_eq!(answer.message().await.unwrap(), None);
    let place = scene.meters.report_one(of("placed", reading("a", 3))).await;
    assert_eq!(place.unwrap().into_inner().offset, 3);

    // There are no words for a failure but the call's own.
    let sent = stream::iter((0..3).map(|n| reading("a", n)));
    let answer = scene.meters.report_each(of("not-there", sent)).await;
    let ended = answer.unwrap().into_inner().message().await.unwrap_err();
    assert_eq!(
        (ended.code(), said(&ended, "weir-error")),
        (Ended::NotFound, "kafka_topic_unknown")
    );
    assert_eq!(said(&ended, "weir-records-written"), "0");
    let refused = scene
        .meters
        .report_one(of("not-there", reading("a", 1)))
        .await;
    assert_eq!(refused.unwrap_err().code(), Ended::NotFound);
    let raw = weir_tests::rpc::Client::connect(scene.gateway.addr("public")).await;
    let garbage = of("placed", stream::iter([bytes::Bytes::from_static(b"\xff")]));
    let refused = raw
        .call("/meters.v1.Meters/Report", garbage)
        .await
        .unwrap_err();
    assert_eq!(refused.code(), Ended::InvalidArgument);
    let wrong = raw.call(
        "/meters.v1.Meters/ReportEach/x",
        of("placed", stream::iter([])),
    );
    assert_eq!(wrong.await.unwrap_err().code(), Ended::Unimplemented);
    assert_eq!(kafka.count("placed").await, 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_reading_ends_a_call_and_the_next_goes_on_after_it() {
    let kafka = Kafka::shared().await;
    kafka.create_topic("odd-readings", 1).await;
    let scene = Scene::of(kafka).await;
    let good = [
        reading("a", 1).encode_to_vec(),
        reading("a", 2).encode_to_vec(),
    ];
    write(kafka, "odd-readings", &[&good[0], b"\xff no", &good[1]]).await;
    // That a key is no more is no reading, and no failure.
    let gone = Written {
        key: Some("a"),
        ..Written::default()
    };
    kafka.write("odd-readings", 0, &[gone]).await;
    write(kafka, "odd-readings", &[&good[0]]).await;
    let mut stream = watch(&scene, "odd-readings", "").await;
    assert_eq!(next(&mut stream).await.unwrap().watts, 1);
    let ended = next(&mut stream).await.unwrap_err();
    assert_eq!(
        (ended.code(), said(&ended, "weir-error")),
        (Ended::DataLoss, "kafka_record_undecodable")
    );
    assert!(
        ended.message().contains("record 0/1"),
        "{}",
        ended.message()
    );
    let mut stream = watch(&scene, "odd-readings", said(&ended, "weir-cursor")).await;
    for watts in [2, 1] {
        assert_eq!(next(&mut stream).await.unwrap().watts, watts);
    }
    // It is told so to each of those who are told alike, too.
    let mut others = [watch(&scene, "odd-readings", "").await, stream];
    let _ = next(&mut others[0]).await;
    let after = next(&mut others[0]).await.unwrap_err();
    others[0] = watch(&scene, "odd-readings", said(&after, "weir-cursor")).await;
    for watts in [2, 1] {
        assert_eq!(next(&mut others[0]).await.unwrap().watts, watts);
    }
    write(kafka, "odd-readings", &[b"\xff again", &good[1]]).await;
    for stream in &mut others {
        let ended = next(stream).await.unwrap_err();
        assert_eq!(said(&ended, "weir-error"), "kafka_record_undecodable");
        *stream = watch(&scene, "odd-readings", said(&ended, "weir-cursor")).await;
        assert_eq!(next(stream).await.unwrap().watts, 2);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_gone_ends_a_call_and_the_next_goes_on_after_it() {
    let kafka = Kafka::shared().await;
    kafka.create_topic("gone-readings", 1).await;
    let scene = Scene::of(kafka).await;
    let some: Vec<_> = (0..5).map(|n| reading("a", n).encode_to_vec()).collect();
    let some: Vec<&[u8]> = some.iter().map(|value| &value[..]).collect();
    write(kafka, "gone-readings", &some).await;
    let first = next(&mut watch(&scene, "gone-readings", "").await).await;
    forget(kafka, "gone-readings", 4).await;
    let mut stream = watch(&scene, "gone-readings", &first.unwrap().cursor).await;
    let ended = next(&mut stream).await.unwrap_err();
    assert_eq!(
        (ended.code(), said(&ended, "weir-error")),
        (Ended::DataLoss, "kafka_records_expired")
    );
    let mut stream = watch(&scene, "gone-readings", said(&ended, "weir-cursor")).await;
    assert_eq!(next(&mut stream).await.unwrap().watts, 4);
}

#[tokio::test]
async fn a_method_without_words_for_its_answer_is_refused() {
    let yaml = r#"
version: 1
listeners: [{ name: public, address: "127.0.0.1:0" }]
metrics: { address: "127.0.0.1:0" }
server: { data_dir: "${DATA_DIR}" }
kafka_clusters: [{ name: events, bootstrap_servers: ["127.0.0.1:1"] }]
routes:
  - name: marked
    matches: [{ rpc: { service: meters.v1.Meters, method: ReportMarked } }]
    publish: { cluster: events, topic: t, grpc: { method: meters.v1.Meters/ReportMarked, descriptors: ../meters.binpb } }
  - name: watched
    matches: [{ rpc: { service: meters.v1.Meters, method: Watch } }]
    subscribe: { cluster: events, topic: t, grpc: { method: meters.v1.Meters/Watch, descriptors: ../meters.binpb, cursor: watts } }
"#;
    let gateway = Gateway::builder(yaml).file("meters.binpb", DESCRIPTORS);
    let failed = gateway.try_start().await.unwrap_err().log.join("\n");
    for fault in [
        "routes[0].publish.grpc.method: meters.v1.Mark cannot say what was written",
        "routes[1].subscribe.grpc.cursor: neither meters.v1.Watching nor meters.v1.Reading has a field of text called \"watts\"",
    ] {
        assert!(failed.contains(fault), "{failed}");
    }
}
