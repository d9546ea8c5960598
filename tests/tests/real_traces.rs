//! A trace of each way to and from Kafka, as an OTLP receiver gets it: a record that is written, records that
//! a subscriber is given, a request that is replied to in a topic, and a record that is sent to a webhook.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use rdkafka::ClientConfig;
use rdkafka::consumer::{Consumer as _, StreamConsumer};
use rdkafka::message::{Headers as _, Message as _, OwnedHeaders};
use rdkafka::producer::{FutureProducer, FutureRecord};
use weir_tests::conventions::assert_followed;
use weir_tests::kafka::{Kafka, Written};
use weir_tests::otlp::{Collector, Kind, Span};
use weir_tests::{Behaviour, Gateway, Upstream, wire};

const CALLER: &str = "00f067aa0ba902b7";

/// A trace of the test's own; its spans' caller is [`CALLER`].
fn traceparent(trace: &str) -> String {
    format!("traceparent: 00-{trace}-{CALLER}-01")
}

async fn gateway(kafka: &Kafka, collector: &Collector, receiver: &Upstream) -> Gateway {
    Gateway::start(&format!(
        r#"
version: 1
listeners: [{{ name: public, address: "127.0.0.1:0" }}]
metrics: {{ address: "127.0.0.1:0" }}
server: {{ worker_threads: 2, data_dir: "${{DATA_DIR}}" }}
telemetry: {{ otlp: {{ endpoint: "{}", sample_ratio: 0.0 }} }}
secrets: [{{ name: cursors, value: "{}" }}]
teams: [{{ name: shop, organisation: acme, owns: {{ topics: ["*"] }} }}]
kafka_clusters: [{{ name: events, bootstrap_servers: ["{}"], cursor_keys: [{{ secret: cursors }}] }}]
upstreams: [{{ name: receiver, endpoints: [{{ address: "{}" }}] }}]
webhooks:
  - {{ name: hook, team: shop, cluster: events, topics: [pushed], group: pushers, start: earliest, to: {{ upstream: receiver, path: /hook }} }}
routes:
  - {{ name: publish, matches: [{{ path: {{ exact: /publish }} }}], publish: {{ cluster: events, topic: written }} }}
  - {{ name: batch, matches: [{{ path: {{ exact: /batch }} }}], publish: {{ cluster: events, topic: written, batch: {{}} }} }}
  - {{ name: feed, matches: [{{ path: {{ exact: /feed }} }}], subscribe: {{ cluster: events, topic: fed, start: earliest }} }}
  - {{ name: ask, matches: [{{ path: {{ exact: /ask }} }}], request_reply: {{ cluster: events, topic: asked, reply_topic: replied }} }}
"#,
        collector.endpoint(),
        "k".repeat(32),
        kafka.bootstrap(),
        receiver.addr()
    ))
    .await
}

async fn spans(collector: &Collector, trace: &str, kinds: &[Kind]) -> Vec<Span> {
    let spans = collector.wait_for_trace(trace, kinds.len()).await;
    let found: Vec<_> = spans.iter().map(|span| span.kind).collect();
    assert_eq!(found, kinds, "{spans:#?}");
    assert_followed(&spans, CALLER);
    spans
}

/// Replies to the first request.
async fn reply(kafka: &Kafka) {
    let consumer: StreamConsumer = ClientConfig::new()
        .set("bootstrap.servers", kafka.bootstrap())
        .set("group.id", "responder")
        .set("auto.offset.reset", "earliest")
        .create()
        .unwrap();
    consumer.subscribe(&["asked"]).unwrap();
    let request = consumer.recv().await.unwrap();
    let mut headers = OwnedHeaders::new();
    for header in request.headers().unwrap().iter() {
        headers = headers.insert(header);
    }
    let producer: FutureProducer = ClientConfig::new()
        .set("bootstrap.servers", kafka.bootstrap())
        .create()
        .unwrap();
    let record = FutureRecord::<(), _>::to("replied")
        .payload("{}")
        .headers(headers);
    producer.send(record, None).await.unwrap();
}

#[tokio::test]
async fn each_way_to_and_from_a_topic() {
    let kafka = Kafka::shared().await;
    for topic in ["written", "fed", "asked", "replied", "pushed"] {
        kafka.create_topic(topic, 1).await;
    }
    let collector = Collector::start().await;
    let receiver = Upstream::start(Behaviour::echo()).await;
    let gateway = gateway(kafka, &collector, &receiver).await;
    let public = gateway.addr("public");
    let json = "Content-Type: application/json";

    // One record, and what its readers are told of where it comes from.
    let trace = "1".repeat(32);
    let headers = [json, &traceparent(&trace)];
    let answer = wire::request(public, "POST", "/publish", &headers, "{}").await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let publish = spans(&collector, &trace, &[Kind::Server, Kind::Producer]).await;
    assert_eq!(publish[1].attribute("messaging.kafka.offset"), 0);
    let told = kafka.consume("written", 1).await[0].header("traceparent");
    assert_eq!(
        told.unwrap(),
        format!("00-{trace}-{}-01", publish[1].span_id)
    );

    // Several.
    let trace = "2".repeat(32);
    let headers = ["Content-Type: application/x-ndjson", &traceparent(&trace)];
    let body = "{\"value\":1}\n{\"value\":2}\n";
    let answer = wire::request(public, "POST", "/batch", &headers, body).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let batch = spans(&collector, &trace, &[Kind::Server, Kind::Producer]).await;
    assert_eq!(batch[1].attribute("messaging.batch.message_count"), 2);

    // What a subscriber is given.
    let trace = "3".repeat(32);
    let value = Written {
        value: Some(b"{}"),
        ..Written::default()
    };
    kafka.write("fed", 0, &[value]).await;
    let headers = ["Accept: application/json", &traceparent(&trace)];
    let answer = wire::request(public, "GET", "/feed", &headers, "").await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let feed = spans(&collector, &trace, &[Kind::Server, Kind::Client]).await;
    assert_eq!(feed[1].name, "receive fed");
    assert_eq!(feed[1].attribute("messaging.batch.message_count"), 1);

    // A question and its answer.
    let trace = "4".repeat(32);
    let headers = [json, &traceparent(&trace)];
    let ask = wire::request(public, "POST", "/ask", &headers, "{}");
    let (answer, ()) = tokio::join!(ask, reply(kafka));
    assert_eq!(answer.status, 200, "{}", answer.text());
    // The reply is waited for before anything is written.
    let kinds = [Kind::Server, Kind::Client, Kind::Producer];
    let asked = spans(&collector, &trace, &kinds).await;
    let ids = (trace, asked[2].span_id.clone());
    assert_eq!(asked[1].links, [ids], "the reply came from the request");

    // A record that goes out again, in the trace of who wrote it.
    let trace = "5".repeat(32);
    let told = traceparent(&trace);
    let headers = [(
        "traceparent",
        told.trim_start_matches("traceparent: ").as_bytes(),
    )];
    let record = Written {
        value: Some(b"{}"),
        headers: &headers,
        ..Written::default()
    };
    kafka.write("pushed", 0, &[record]).await;
    receiver.wait_for_requests(1).await;
    let pushed = spans(&collector, &trace, &[Kind::Consumer, Kind::Client]).await;
    assert_eq!(pushed[0].name, "process pushed");
}
