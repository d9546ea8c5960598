//! `publish` with `async`, and no broker: what 202 promises is on disk, and what cannot be there is
//! refused. What comes of it at a broker is in `real_spool.rs`.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;

use serde_json::Value;
use weir_telemetry::Code;
use weir_tests::child::Kind;
use weir_tests::gateway::Builder;
use weir_tests::wire::{self, Response};
use weir_tests::{Gateway, Upstream, cli, wait};

fn builder(broker: SocketAddr) -> Builder {
    Gateway::builder(&format!(
        r#"
version: 1
listeners: [{{ name: public, address: "127.0.0.1:0" }}]
metrics: {{ address: "127.0.0.1:0" }}
admin: {{ address: "127.0.0.1:0" }}
server: {{ worker_threads: 1, data_dir: "${{DATA_DIR}}" }}
telemetry: {{ access_log: {{ output: "${{ACCESS_LOG}}" }} }}
stores: [{{ name: ledger, kind: memory }}, {{ name: keys, kind: memory }}]
quotas:
  - {{ name: volume, store: ledger, unit: kafka_bytes, limit: {{ default: 100000000 }}, window: {{ kind: fixed, every: month }}, by: [route] }}
kafka_clusters:
  - {{ name: events, bootstrap_servers: ["{broker}"], spool: {{ max_size: 1MiB }} }}
routes:
  - name: later
    matches: [{{ path: {{ template: "/later/{{topic}}" }} }}]
    policies: [{{ kind: quota, quotas: [volume] }}]
    publish: {{ cluster: events, topic: "{{path.topic}}", key: "{{header.x-key}}", async: true }}
  - name: several
    matches: [{{ path: {{ template: "/several/{{topic}}" }} }}]
    policies: [{{ kind: quota, quotas: [volume] }}]
    publish: {{ cluster: events, topic: "{{path.topic}}", async: true, batch: {{}}, max_body: 2MiB, idempotency: {{ store: keys }} }}
  - name: alive
    matches: [{{ path: {{ exact: /alive }} }}]
    respond: {{ body: yes }}
"#
    ))
}

async fn post(gateway: &Gateway, body: impl AsRef<[u8]>) -> Response {
    let headers = ["X-Key: four", "Content-Type: text/plain"];
    let public = gateway.addr("public");
    wire::request(public, "POST", "/later/orders", &headers, body).await
}

fn id(answer: &Response) -> String {
    assert_eq!(answer.status, 202, "{}", answer.text());
    assert_eq!(answer.json()["spooled"], true);
    answer.json()["id"].as_str().unwrap().to_owned()
}

fn refused(answer: &Response, code: Code) {
    let said = answer.header("weir-error");
    assert_eq!(said, Some(code.slug()), "{}", answer.text());
    assert_eq!(answer.status, 503);
    assert_eq!(answer.header("retry-after"), Some("5"));
}

fn export(gateway: &Gateway) -> Vec<Value> {
    let data = gateway.dir().join("data");
    let printed = cli::run(&["spool", "export", data.to_str().unwrap()]);
    assert_eq!(printed.code, Some(0), "{}", printed.stderr);
    let lines = printed.stdout.lines();
    lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[tokio::test]
async fn what_was_promised_is_in_the_directory_of_a_gateway_that_is_gone() {
    let nobody = Upstream::refusing();
    let gateway = builder(nobody.addr()).start().await;
    let mut promised = Vec::new();
    for n in 0..50 {
        promised.push(id(&post(&gateway, format!("value {n}")).await));
    }
    let line = gateway
        .wait_for_log(|line| line["messaging"]["message.id"] == *promised[0])
        .await;
    assert_eq!(line["messaging"]["destination.name"], "orders");
    // Key, value, the header of the trace and that of the spool, names and all.
    let volume = &line["weir.quotas"][0];
    assert_eq!(volume["used"], 4 + 7 + (11 + 55) + (13 + 24), "{volume}");
    assert_eq!(volume["provenance"], "counted");
    gateway
        .wait_for_metric("weir_spool_records", &[], |records| records == 50.0)
        .await;
    gateway.signal(Kind::SIGKILL);
    gateway.wait_exit().await;

    let exported = export(&gateway);
    let ids: Vec<&str> = exported
        .iter()
        .map(|line| line["id"].as_str().unwrap())
        .collect();
    assert_eq!(ids, promised);
    let first = &exported[0];
    assert_eq!(first["state"], "waiting");
    assert_eq!(
        (&first["cluster"], &first["topic"]),
        (&"events".into(), &"orders".into())
    );
    assert_eq!(first["key"], "Zm91cg==");
    assert_eq!(first["value"], "dmFsdWUgMA==");
    assert_eq!(first["headers"][0]["name"], "traceparent");
    let data = gateway.dir().join("data");
    let listed = cli::run(&["spool", "list", data.to_str().unwrap()]);
    let start = "events: 50 records waiting since 20";
    assert!(listed.stdout.starts_with(start), "{}", listed.stdout);
    assert!(
        listed.stdout.contains(", 0 rejected, "),
        "{}",
        listed.stdout
    );
}

#[tokio::test]
async fn a_full_spool_refuses_and_says_so() {
    let nobody = Upstream::refusing();
    let gateway = builder(nobody.addr()).start().await;
    let body = vec![b'x'; 100_000];
    let mut taken = 0;
    let refusal = loop {
        let answer = post(&gateway, &body).await;
        if answer.status != 202 {
            break answer;
        }
        taken += 1;
    };
    refused(&refusal, Code::SpoolFull);
    assert_eq!(taken, 10);
    let line = gateway
        .wait_for_log(|line| line["error.type"] == Code::SpoolFull.slug())
        .await;
    assert_eq!(
        line["weir.error.detail"],
        "the spool is at its limit of 1048576 bytes"
    );
    assert_eq!(line["weir.quotas"][0]["used"], 0);
    assert_eq!(
        wire::get(gateway.addr("public"), "/alive").await.status,
        200
    );
    // What is small still fits.
    id(&post(&gateway, "small").await);
    assert_eq!(export(&gateway).len(), taken + 1);
}

#[tokio::test]
async fn a_spool_that_cannot_be_written_refuses_until_it_can() {
    let nobody = Upstream::refusing();
    let gateway = builder(nobody.addr()).start().await;
    let spool = gateway.dir().join("data/spool/events");
    wait::until_true("the spool to be open", || spool.join("position").exists()).await;
    let aside = gateway.dir().join("aside");
    std::fs::rename(&spool, &aside).unwrap();
    std::fs::write(&spool, "no directory").unwrap();
    refused(&post(&gateway, "refused").await, Code::SpoolUnavailable);
    assert_eq!(
        wire::get(gateway.addr("public"), "/alive").await.status,
        200
    );
    std::fs::remove_file(&spool).unwrap();
    std::fs::rename(&aside, &spool).unwrap();
    let taken = id(&post(&gateway, "taken").await);
    let exported = export(&gateway);
    assert_eq!(exported.len(), 1);
    assert_eq!(exported[0]["id"], *taken);
}

/// Files of a gateway that get to 64 KiB and no further, as on a disk that is full then: what is behind
/// that is written in part.
#[tokio::test]
async fn a_write_that_is_cut_short_is_refused_and_leaves_nothing() {
    let nobody = Upstream::refusing();
    let builder = builder(nobody.addr());
    let script = builder.dir().join("weir-with-small-files");
    let weir = cli::executable().display().to_string();
    // In units of 512 bytes; who is not told of it by a signal sees that the write fails.
    let text = format!("#!/bin/sh\ntrap '' XFSZ\nulimit -f 128\nexec {weir} \"$@\"\n");
    std::fs::write(&script, text).unwrap();
    std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755)).unwrap();
    let gateway = builder.executable(&script).start().await;
    let mut promised = Vec::new();
    for n in 0..8 {
        // On a segment that was just begun and on one that has something.
        for _ in 0..2 {
            refused(&post(&gateway, vec![b'x'; 70_000]).await, Code::SpoolFull);
        }
        let answer = post(&gateway, format!("{n:010000}")).await;
        match answer.status {
            202 => promised.push(id(&answer)),
            // It did not fit behind those before it.
            _ => refused(&answer, Code::SpoolFull),
        }
    }
    assert!(promised.len() >= 6, "{promised:?}");
    let exported = export(&gateway);
    let ids: Vec<&str> = exported
        .iter()
        .map(|line| line["id"].as_str().unwrap())
        .collect();
    assert_eq!(ids, promised);
    let spool = gateway.dir().join("data/spool/events");
    let sizes = std::fs::read_dir(&spool).unwrap().map(|entry| {
        let entry = entry.unwrap();
        (entry.file_name(), entry.metadata().unwrap().len())
    });
    for (name, size) in sizes {
        let name = name.to_str().unwrap();
        assert!(!name.ends_with(".new"), "{name}");
        let whole = !name.ends_with(".log") || size > 10_000 || size == 64;
        assert!(whole, "{name} has {size} bytes");
    }
}

async fn several(gateway: &Gateway, key: Option<&str>, body: &str) -> Response {
    let key = key.map(|key| format!("Idempotency-Key: {key}"));
    let mut headers = vec!["Content-Type: application/x-ndjson"];
    headers.extend(key.as_deref());
    let public = gateway.addr("public");
    wire::request(public, "POST", "/several/orders", &headers, body).await
}

fn values(exported: &[Value]) -> Vec<&str> {
    let values = exported.iter();
    values.map(|line| line["value"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_batch_is_kept_at_once_and_each_record_has_its_id() {
    let nobody = Upstream::refusing();
    let gateway = builder(nobody.addr()).start().await;
    let answer = several(&gateway, None, "1\n2\n3").await;
    assert_eq!(answer.status, 202, "{}", answer.text());
    let mixed = several(&gateway, None, "4\nno\n5").await;
    assert_eq!(mixed.status, 207, "{}", mixed.text());
    let (said, mixed) = (answer.json(), mixed.json());
    assert_eq!(
        mixed["results"][1]["error"]["code"],
        Code::RequestBodyInvalid.slug()
    );
    let kept = said["results"].as_array().unwrap().iter();
    let kept = kept.chain(mixed["results"].as_array().unwrap());
    let kept: Vec<_> = kept.filter(|result| result["spooled"] == true).collect();
    assert_eq!(several(&gateway, None, "").await.status, 202);
    let line = gateway
        .wait_for_log(|line| line["messaging"]["message.id"] == said["results"][0]["id"])
        .await;
    // Each its value, the header of the trace and that of the spool, names and all.
    assert_eq!(
        line["weir.quotas"][0]["used"],
        3 * (1 + (11 + 55) + (13 + 24))
    );

    // What does not fit is not kept in part.
    let large = format!("\"{}\"\n", "x".repeat(100_000));
    let refusal = several(&gateway, None, &large.repeat(12)).await;
    refused(&refusal, Code::SpoolFull);
    assert_eq!(
        several(&gateway, None, &large.repeat(2)).await.status,
        202,
        "as many as fit are kept"
    );
    gateway.signal(Kind::SIGKILL);
    gateway.wait_exit().await;
    let exported = export(&gateway);
    assert_eq!(exported.len(), 7);
    assert_eq!(
        values(&exported)[..5],
        ["MQ==", "Mg==", "Mw==", "NA==", "NQ=="]
    );
    let ids = exported.iter().map(|line| &line["id"]);
    assert!(ids.zip(&kept).all(|(id, said)| *id == said["id"]));
}

#[tokio::test]
async fn what_is_sent_again_with_its_key_is_kept_once_and_answered_as_before() {
    let nobody = Upstream::refusing();
    let gateway = builder(nobody.addr()).start().await;
    let first = several(&gateway, Some("a"), "1\n2").await;
    assert_eq!(first.status, 202, "{}", first.text());
    assert_eq!(first.header("idempotent-replayed"), None);
    let again = several(&gateway, Some("a"), "1\n2").await;
    assert_eq!((again.status, again.text()), (202, first.text()));
    assert_eq!(again.header("idempotent-replayed"), Some("true"));
    let other = several(&gateway, Some("a"), "1\n3").await;
    assert_eq!(
        other.header("weir-error"),
        Some(Code::IdempotencyKeyReused.slug())
    );
    let many = (0..16).map(|_| several(&gateway, Some("many"), "4"));
    let many = futures_util::future::join_all(many).await;
    let said = many[0].text();
    assert!(many.iter().all(|answer| answer.text() == said), "{said}");

    // What was refused was not done: its key is free.
    let large = format!("\"{}\"\n", "x".repeat(100_000));
    let full = several(&gateway, Some("full"), &large.repeat(12)).await;
    refused(&full, Code::SpoolFull);
    let full = several(&gateway, Some("full"), &large.repeat(12)).await;
    refused(&full, Code::SpoolFull);

    // Who is gone before the answer finds it when they come again.
    let body = "5";
    let request = format!(
        "POST /several/orders HTTP/1.1\r\nHost: a\r\nContent-Type: application/x-ndjson\r\n\
         Idempotency-Key: gone\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut stream = tokio::net::TcpStream::connect(gateway.addr("public"))
        .await
        .unwrap();
    tokio::io::AsyncWriteExt::write_all(&mut stream, request.as_bytes())
        .await
        .unwrap();
    drop(stream);
    let came = several(&gateway, Some("gone"), body).await;
    assert_eq!(came.status, 202, "{}", came.text());

    gateway.signal(Kind::SIGKILL);
    gateway.wait_exit().await;
    let exported = export(&gateway);
    assert_eq!(values(&exported), ["MQ==", "Mg==", "NA==", "NQ=="]);
    // By which readers know it where the key is forgotten with the process.
    let mark = |line: &Value| {
        let headers = line["headers"].as_array().unwrap();
        let mut headers = headers.iter();
        headers.any(|header| header["name"] == "idempotency-key-id")
    };
    assert!(exported.iter().all(mark), "{exported:?}");
}
