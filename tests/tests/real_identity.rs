//! Who the gateway is to a real Kafka when it acts for a caller: the caller's own principal by each
//! mechanism, whose ACLs the broker holds; or itself, by the gateway's own.

use weir_telemetry::Code;
use weir_tests::kafka::secured::{Operation, PASSWORD, Secured};
use weir_tests::kafka::{Kafka, Written};
use weir_tests::upstream::{Behaviour, Upstream};
use weir_tests::wire::{self, Connection, Response};
use weir_tests::{Gateway, consumer, wait};

/// Who is known, and whom no cluster has heard of.
const CONSUMERS: [&str; 7] = [
    "plain",
    "second",
    "scram256",
    "scram512",
    "bearer",
    "certified",
    "stranger",
];

/// A gateway with such clusters, and for each of `names` a way to publish to its topics and to read them.
fn configuration(clusters: &str, names: &[&str]) -> String {
    let consumers = CONSUMERS.map(|name| consumer::entry(name, "shop"));
    let routes = names.iter().map(|name| {
        format!(
            "  - {{ name: {name}-write, matches: [{{ path: {{ template: \"/{name}/{{topic}}\" }}, methods: [POST] }}], policies: [{{ kind: key_auth }}], publish: {{ cluster: {name}, topic: \"{{path.topic}}\", timeout: 20s }} }}\n\
             \x20 - {{ name: {name}-read, matches: [{{ path: {{ template: \"/{name}/{{topic}}\" }}, methods: [GET] }}], policies: [{{ kind: key_auth }}], subscribe: {{ cluster: {name}, topic: \"{{path.topic}}\", start: earliest }} }}\n"
        )
    });
    format!(
        "version: 1
listeners: [{{ name: public, address: \"127.0.0.1:0\" }}]
metrics: {{ address: \"127.0.0.1:0\" }}
server: {{ worker_threads: 2, data_dir: \"${{DATA_DIR}}\", drain_timeout: 1s }}
telemetry: {{ access_log: {{ output: \"${{ACCESS_LOG}}\" }} }}
secrets: [{{ name: right, value: {PASSWORD} }}, {{ name: wrong, value: battery-staple }}]
teams: [{{ name: shop, owns: {{ topics: [\"*\"] }} }}]
consumers:
{}kafka_clusters:
{clusters}routes:
{}",
        consumers.concat(),
        routes.collect::<String>()
    )
}

/// The cluster `sasl`, with these principals.
fn sasl(secured: &Secured, identity: &str) -> String {
    format!(
        "  - {{ name: sasl, bootstrap_servers: [\"{}\"], properties: {{ security.protocol: sasl_plaintext }}, identity: {{ kind: principals, {identity} }} }}\n",
        secured.sasl()
    )
}

/// The credentials of one consumer, by name and password.
fn password(name: &str, mechanism: &str, secret: &str) -> String {
    format!(
        "{{ consumers: [{name}], properties: {{ sasl.mechanism: {mechanism}, sasl.username: {name}, sasl.password: {{ secret: {secret} }} }} }}"
    )
}

async fn post(gateway: &Gateway, path: &str, who: &str) -> Response {
    let headers = [&*format!("X-Api-Key: {who}")];
    let body = format!("\"{who}\"");
    wire::request(gateway.addr("public"), "POST", path, &headers, body).await
}

async fn poll(gateway: &Gateway, path: &str, who: &str) -> Response {
    let headers = [&*format!("X-Api-Key: {who}")];
    let path = format!("{path}?wait=20s&limit=1");
    wire::request(gateway.addr("public"), "GET", &path, &headers, "").await
}

/// Asserts that an answer is that failure.
fn refused(answer: &Response, code: Code) {
    let found = answer.header("weir-error").unwrap_or("none");
    let expected = (code.status(), code.slug());
    assert_eq!((answer.status, found), expected, "{}", answer.text());
}

/// Asserts that a record was acknowledged.
fn accepted(answer: &Response) {
    assert_eq!(answer.status, 200, "{}", answer.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn each_mechanism_speaks_as_the_callers_own_principal() {
    let secured = Secured::shared().await;
    let both = [Operation::Read, Operation::Write];
    let all = ["plain", "scram256", "scram512", "bearer", "certified"];
    for name in all {
        let topic = format!("of-{name}");
        secured.kafka().create_topic(&topic, 1).await;
        secured.allow(name, &both, &topic).await;
    }
    let (certificate, key) = secured.certificate();
    let identity = format!(
        "principals: [{}, {}, {}, {{ consumers: [bearer], properties: {{ sasl.mechanism: OAUTHBEARER }}, token_file: {} }}]",
        password("plain", "PLAIN", "right"),
        password("scram256", "SCRAM-SHA-256", "right"),
        password("scram512", "SCRAM-SHA-512", "right"),
        secured.token("bearer").display()
    );
    let tls = format!(
        "  - {{ name: tls, bootstrap_servers: [\"{}\"], properties: {{ security.protocol: ssl, ssl.ca.location: {} }}, identity: {{ kind: principals, principals: [{{ consumers: [certified], properties: {{ ssl.certificate.location: {}, ssl.key.location: {} }} }}] }} }}\n",
        secured.tls(),
        secured.authority().display(),
        certificate.display(),
        key.display()
    );
    let clusters = [sasl(secured, &identity), tls].concat();
    let gateway = Gateway::start(&configuration(&clusters, &["sasl", "tls"])).await;
    for name in all {
        let cluster = if name == "certified" { "tls" } else { "sasl" };
        let own = format!("/{cluster}/of-{name}");
        accepted(&post(&gateway, &own, name).await);
        let read = poll(&gateway, &own, name).await;
        assert_eq!(read.status, 200, "{name}: {}", read.text());
        assert_eq!(read.json()["records"][0]["value"], name, "{}", read.text());
        // Of another's topic it learns as much as of one that there is not.
        let other = if name == "plain" {
            "of-bearer"
        } else {
            "of-plain"
        };
        for topic in [other, "of-nobody"] {
            let path = format!("/{cluster}/{topic}");
            refused(&post(&gateway, &path, name).await, Code::KafkaTopicDenied);
            refused(&poll(&gateway, &path, name).await, Code::KafkaTopicDenied);
        }
    }
    let principals = |cluster| [("weir_kafka_cluster", cluster)];
    assert_eq!(
        gateway
            .metric("weir_kafka_principals", &principals("sasl"))
            .await,
        4.0
    );
    assert_eq!(
        gateway
            .metric("weir_kafka_principals", &principals("tls"))
            .await,
        1.0
    );

    // Who has no principal is refused, and nothing is sent.
    let stranger = post(&gateway, "/sasl/of-plain", "stranger").await;
    refused(&stranger, Code::KafkaIdentityMissing);
    refused(
        &poll(&gateway, "/sasl/of-plain", "stranger").await,
        Code::KafkaIdentityMissing,
    );
    assert_eq!(secured.kafka().count("of-plain").await, 1);
    assert!(
        !gateway.log().concat().contains(PASSWORD),
        "a secret in the log"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_team_has_credentials_for_those_of_its_consumers_that_have_none() {
    let secured = Secured::shared().await;
    secured.kafka().create_topic("of-the-team", 1).await;
    secured
        .allow("second", &[Operation::Write], "of-the-team")
        .await;
    let team = password("second", "PLAIN", "right").replace("consumers: [second]", "teams: [shop]");
    let own = password("plain", "PLAIN", "right");
    let clusters = sasl(secured, &format!("principals: [{team}, {own}]"));
    let gateway = Gateway::start(&configuration(&clusters, &["sasl"])).await;
    accepted(&post(&gateway, "/sasl/of-the-team", "stranger").await);
    let denied = post(&gateway, "/sasl/of-the-team", "plain").await;
    refused(&denied, Code::KafkaTopicDenied);
    // It may write, not read.
    let denied = poll(&gateway, "/sasl/of-the-team", "stranger").await;
    refused(&denied, Code::KafkaTopicDenied);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_more_principals_are_connected_than_may_be() {
    let secured = Secured::shared().await;
    let both = [Operation::Read, Operation::Write];
    secured.kafka().create_topic("bounded", 1).await;
    for name in ["plain", "second"] {
        secured.allow(name, &both, "bounded").await;
    }
    let principals = [("plain", "right"), ("second", "right")];
    let principals = principals
        .map(|(name, secret)| password(name, "PLAIN", secret))
        .join(", ");
    let clusters = sasl(
        secured,
        &format!("max: 1, idle: 2s, principals: [{principals}]"),
    );
    let gateway = Gateway::start(&configuration(&clusters, &["sasl"])).await;
    let mut subscriber = Connection::open(gateway.addr("public")).await;
    let head = "GET /sasl/bounded HTTP/1.1\r\nHost: x\r\nX-Api-Key: plain\r\nAccept: text/event-stream\r\n\r\n";
    subscriber.send(head).await.unwrap();
    let answer = subscriber.head().await.unwrap();
    assert!(answer.start.contains(" 200 "), "{}", answer.start);
    let full = post(&gateway, "/sasl/bounded", "second").await;
    refused(&full, Code::KafkaPrincipalsExhausted);
    accepted(&post(&gateway, "/sasl/bounded", "plain").await);
    // One that nobody uses makes room.
    drop(subscriber);
    gateway
        .wait_for_log(|line| line["weir.route"] == "sasl-read")
        .await;
    accepted(&post(&gateway, "/sasl/bounded", "second").await);
    let labels = [("weir_kafka_cluster", "sasl")];
    assert_eq!(gateway.metric("weir_kafka_principals", &labels).await, 1.0);
    // And is closed after a while.
    gateway
        .wait_for_metric("weir_kafka_principals", &labels, |count| count == 0.0)
        .await;
    accepted(&post(&gateway, "/sasl/bounded", "second").await);
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_are_replaced_by_a_reload_and_others_stay_connected() {
    let secured = Secured::shared().await;
    let both = [Operation::Read, Operation::Write];
    secured.kafka().create_topic("rotated", 1).await;
    for name in ["plain", "second"] {
        secured.allow(name, &both, "rotated").await;
    }
    let with = |secret| {
        let principals = [
            password("plain", "PLAIN", "right"),
            password("second", "PLAIN", secret),
        ];
        let clusters = sasl(secured, &format!("principals: [{}]", principals.join(", ")));
        configuration(&clusters, &["sasl"])
    };
    let gateway = Gateway::start(&with("wrong")).await;
    refused(
        &post(&gateway, "/sasl/rotated", "second").await,
        Code::KafkaAccessRefused,
    );
    refused(
        &poll(&gateway, "/sasl/rotated", "second").await,
        Code::KafkaAccessRefused,
    );
    accepted(&post(&gateway, "/sasl/rotated", "plain").await);
    assert_eq!(gateway.reload(&with("right")).await, "ok");
    let labels = [("weir_kafka_cluster", "sasl")];
    // That of `plain` is one of them: it is the same as before.
    assert_eq!(gateway.metric("weir_kafka_principals", &labels).await, 2.0);
    accepted(&post(&gateway, "/sasl/rotated", "second").await);
    accepted(&post(&gateway, "/sasl/rotated", "plain").await);
    assert_eq!(gateway.metric("weir_kafka_principals", &labels).await, 3.0);
    assert_eq!(secured.kafka().count("rotated").await, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_principal_that_may_write_nothing_can_write_as_soon_as_it_may() {
    let secured = Secured::shared().await;
    secured.kafka().create_topic("read-only", 1).await;
    secured
        .allow("reader", &[Operation::Read], "read-only")
        .await;
    let identity = format!(
        "principals: [{{ consumers: [stranger], properties: {{ sasl.mechanism: OAUTHBEARER }}, token_file: {} }}]",
        secured.token("reader").display()
    );
    let clusters = sasl(secured, &identity);
    let gateway = Gateway::start(&configuration(&clusters, &["sasl"])).await;
    let denied = post(&gateway, "/sasl/read-only", "stranger").await;
    refused(&denied, Code::KafkaTopicDenied);
    secured
        .allow("reader", &[Operation::Write], "read-only")
        .await;
    wait::until("the topic is writable", || async {
        let answer = post(&gateway, "/sasl/read-only", "stranger").await;
        (answer.status == 200).then_some(())
    })
    .await;
    let read = poll(&gateway, "/sasl/read-only", "stranger").await;
    assert_eq!(read.json()["records"][0]["value"], "stranger");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_of_the_gateways_own_is_what_it_publishes_reads_and_joins_groups_by() {
    let secured = Secured::shared().await;
    secured.kafka().create_topic("by-token", 1).await;
    let receiver = Upstream::start(Behaviour::echo()).await;
    let clusters = format!(
        "  - {{ name: sasl, bootstrap_servers: [\"{}\"], properties: {{ security.protocol: sasl_plaintext, sasl.mechanism: OAUTHBEARER }}, token_file: {} }}\n",
        secured.sasl(),
        secured.token("gateway").display()
    );
    let yaml = format!(
        "{}upstreams: [{{ name: receiver, endpoints: [{{ address: \"{}\" }}] }}]
webhooks: [{{ name: hook, cluster: sasl, topics: [by-token], start: earliest, to: {{ upstream: receiver, path: /hook }} }}]
",
        configuration(&clusters, &["sasl"]),
        receiver.addr()
    );
    let gateway = Gateway::start(&yaml).await;
    accepted(&post(&gateway, "/sasl/by-token", "stranger").await);
    let read = poll(&gateway, "/sasl/by-token", "stranger").await;
    assert_eq!(read.json()["records"][0]["value"], "stranger");
    wait::until("the webhook is called", || async {
        receiver.requests().first().map(drop)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_gateway_itself_may_not_is_not_the_callers_fault() {
    let secured = Secured::shared().await;
    secured.kafka().create_topic("not-ours", 1).await;
    let clusters = format!(
        "  - {{ name: sasl, bootstrap_servers: [\"{}\"], properties: {{ security.protocol: sasl_plaintext, sasl.mechanism: PLAIN, sasl.username: plain, sasl.password: {{ secret: right }} }} }}\n",
        secured.sasl()
    );
    let gateway = Gateway::start(&configuration(&clusters, &["sasl"])).await;
    refused(
        &post(&gateway, "/sasl/not-ours", "stranger").await,
        Code::KafkaAccessRefused,
    );
    refused(
        &poll(&gateway, "/sasl/not-ours", "stranger").await,
        Code::KafkaAccessRefused,
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_gateways_own_rules_say_who_may_use_which_topics() {
    let kafka = Kafka::shared().await;
    for topic in ["orders.eu", "invoices"] {
        kafka.create_topic(topic, 1).await;
    }
    let record = Written {
        value: Some(b"\"first\""),
        ..Written::default()
    };
    kafka.write("orders.eu", 0, &[record]).await;
    let clusters = format!(
        "  - {{ name: events, bootstrap_servers: [\"{}\"], identity: {{ kind: acls, rules: [{{ consumers: [plain], topics: [\"orders.*\"], operations: [read, write] }}, {{ consumers: [second], topics: [invoices, orders.eu], operations: [read] }}] }} }}\n",
        kafka.bootstrap()
    );
    let gateway = Gateway::start(&configuration(&clusters, &["events"])).await;
    accepted(&post(&gateway, "/events/orders.eu", "plain").await);
    for (path, who) in [
        ("/events/invoices", "plain"),
        ("/events/orders.eu", "second"),
        ("/events/orders.no-such", "second"),
    ] {
        refused(&post(&gateway, path, who).await, Code::KafkaTopicDenied);
    }
    let read = poll(&gateway, "/events/orders.eu", "second").await;
    assert_eq!(
        read.json()["records"][0]["value"],
        "first",
        "{}",
        read.text()
    );
    refused(
        &poll(&gateway, "/events/invoices", "plain").await,
        Code::KafkaTopicDenied,
    );
    refused(
        &post(&gateway, "/events/orders.eu", "stranger").await,
        Code::KafkaIdentityMissing,
    );
    assert_eq!(
        (
            kafka.count("orders.eu").await,
            kafka.count("invoices").await
        ),
        (2, 0)
    );
    // What is taken away by a reload is refused from then on.
    let fewer = clusters.replace("[read, write]", "[read]");
    assert_eq!(
        gateway.reload(&configuration(&fewer, &["events"])).await,
        "ok"
    );
    refused(
        &post(&gateway, "/events/orders.eu", "plain").await,
        Code::KafkaTopicDenied,
    );
}
