//! Prompts meant to hurt whoever counts their tokens, on one worker thread, while others call.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use weir_telemetry::Code;
use weir_tests::metered::quota;
use weir_tests::openai::{Provider, Reply};
use weir_tests::{Gateway, metered, wire};

const JSON: &str = "Content-Type: application/json";
const MIB: usize = 1 << 20;

async fn gateway(provider: &Provider) -> Gateway {
    Gateway::start(&format!(
        r#"
version: 1
listeners: [{{ name: public, address: "127.0.0.1:0" }}]
metrics: {{ address: "127.0.0.1:0" }}
admin: {{ address: "127.0.0.1:0" }}
server: {{ worker_threads: 1, data_dir: "${{DATA_DIR}}" }}
telemetry: {{ access_log: {{ output: "${{ACCESS_LOG}}" }} }}
stores: [{{ name: ledger, kind: memory }}]
providers: [{{ name: mock, dialect: openai, base_url: "{}" }}]
models: [{{ name: smart, targets: [{{ provider: mock, model: smart }}] }}]
quotas:
  - {{ name: small, store: ledger, unit: tokens, limit: {{ default: 5000 }}, window: {{ kind: fixed, every: month }}, by: [route] }}
  - {{ name: large, store: ledger, unit: tokens, limit: {{ default: 500000000 }}, window: {{ kind: fixed, every: month }}, by: [route] }}
routes:
  - name: hostile
    matches: [{{ path: {{ prefix: /hostile }} }}]
    policies: [{{ kind: quota, quotas: [small] }}]
    llm: {{ models: [smart] }}
  - name: good
    matches: [{{ path: {{ prefix: /good }} }}]
    policies: [{{ kind: quota, quotas: [large] }}]
    llm: {{ models: [smart] }}
"#,
        provider.base_url()
    ))
    .await
}

fn ask(content: &str) -> Vec<u8> {
    format!(r#"{{"model":"smart","messages":[{{"role":"user","content":{content}}}]}}"#)
        .into_bytes()
}

fn text(piece: &str, bytes: usize) -> Vec<u8> {
    ask(&format!("\"{}\"", piece.repeat(bytes / piece.len())))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hostile_prompts_are_survived_and_disturb_nobody() {
    let provider = Provider::start(Reply::completion(&["Hi"], 1, 1)).await;
    let gateway = gateway(&provider).await;
    let public = gateway.addr("public");
    let over = Arc::new(AtomicBool::new(false));
    let stop = over.clone();
    let good = tokio::spawn(async move {
        let mut served = 0_usize;
        while !stop.load(Ordering::Relaxed) || served < 10 {
            let answer = wire::request(
                public,
                "POST",
                "/good/chat/completions",
                &[JSON],
                ask("\"Hello\""),
            )
            .await;
            assert_eq!(answer.status, 200, "{}", answer.text());
            served += 1;
        }
        served
    });

    let deep = format!("{}{}", "[".repeat(MIB / 2), "]".repeat(MIB / 2));
    let unknown =
        format!(r#"{{"model":"smart","x":{deep},"messages":[{{"role":"user","content":"x"}}]}}"#);
    let refused = [
        text(" ", MIB),
        text("a", MIB),
        text("é", MIB),
        text("a\u{300}", MIB),
        text("!\u{1f600}", MIB),
        text("\\u0000", MIB),
        text("\\ud800", MIB),
        text("[", MIB),
        text("word ", 3 * MIB),
    ];
    for body in refused {
        let answer =
            wire::request(public, "POST", "/hostile/chat/completions", &[JSON], &body).await;
        let error = answer.json()["error"].clone();
        assert_eq!(
            error["code"],
            Code::QuotaExhausted.slug(),
            "{}: {error}",
            answer.status
        );
    }
    let invalid = [ask(&deep), ask("\"a\0b\""), ask("\"\u{7}\"")];
    for body in invalid {
        let answer =
            wire::request(public, "POST", "/hostile/chat/completions", &[JSON], &body).await;
        let code = Code::RequestBodyInvalid.slug();
        assert_eq!(answer.json()["error"]["code"], code, "{}", answer.text());
    }
    // What nobody here reads passes, byte for byte.
    let answer = wire::request(
        public,
        "POST",
        "/hostile/chat/completions",
        &[JSON],
        &unknown,
    )
    .await;
    assert_eq!(answer.header("weir-error"), None, "{}", answer.text());
    assert!(
        provider
            .requests()
            .iter()
            .any(|request| request.text().contains(&deep))
    );
    let odd = ask(r#""\ud800 \u0000 \uFFFF""#);
    let answer = wire::request(public, "POST", "/hostile/chat/completions", &[JSON], &odd).await;
    assert_eq!(answer.header("weir-error"), None, "{}", answer.text());
    let requests = provider.requests();
    assert!(
        requests
            .iter()
            .any(|request| request.text().contains(r"\ud800 \u0000 \uFFFF"))
    );

    over.store(true, Ordering::Relaxed);
    assert!(good.await.unwrap() >= 10);
}

#[tokio::test]
async fn sums_of_absurd_limits_stay_numbers() {
    let provider = Provider::start(Reply::Hang).await;
    let quotas = quota("watched", "tokens", "10", ", enforce: false");
    let gateway = metered::gateway(&provider, &quotas, "watched").await;
    let public = gateway.addr("public");
    let most = u64::MAX / 10;
    let body = metered::ask(&format!(r#","max_tokens":{most},"n":{most}"#));
    let calls: Vec<_> = (0..3)
        .map(|_| {
            let body = body.clone();
            tokio::spawn(async move { metered::post(public, "ann", body).await })
        })
        .collect();
    // All are let in and held open together.
    provider.upstream().wait_for_requests(3).await;
    provider.set(Reply::completion(&["Hi"], 1, 1));
    let answer = metered::post(public, "bob", metered::ask("")).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    calls.iter().for_each(tokio::task::JoinHandle::abort);
}
