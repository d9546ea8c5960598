//! Who may ask for a model.

use serde_json::Value;
use weir_telemetry::Code;
use weir_tests::metered::post;
use weir_tests::wire;
use weir_tests::{Gateway, Upstream};

use super::{JSON, config, well};

async fn start(first: &Upstream) -> Gateway {
    let sections = format!(
        r#"
providers: [{{ name: first, dialect: openai, base_url: "{}" }}]
models:
  - {{ name: open, targets: [{{ provider: first, model: one }}] }}
  - {{ name: shops, targets: [{{ provider: first, model: one }}], allow: {{ teams: [shop] }} }}
  - {{ name: writers, targets: [{{ provider: first, model: one }}], allow: {{ teams: [shop], groups: [writers] }} }}
"#,
        first.url("/v1")
    );
    Gateway::start(&config(&sections, "open, shops, writers", "")).await
}

#[tokio::test]
async fn a_model_is_for_the_teams_and_groups_it_names() {
    let first = Upstream::start(well()).await;
    let gateway = start(&first).await;
    let public = gateway.addr("public");
    for (consumer, may) in [
        ("ann", &["open", "shops", "writers"][..]),
        ("bob", &["open", "writers"]),
        ("cyd", &["open"]),
    ] {
        let key = format!("Authorization: Bearer {consumer}");
        let list = wire::request(public, "GET", "/v1/models", &[&key], "").await;
        let listed: Vec<Value> = list.json()["data"].as_array().unwrap().clone();
        let names: Vec<_> = listed
            .iter()
            .map(|model| model["id"].as_str().unwrap())
            .collect();
        assert_eq!(names, may, "{consumer}");
        for model in ["open", "shops", "writers"] {
            let body =
                format!(r#"{{"model":"{model}","messages":[{{"role":"user","content":"Hm"}}]}}"#);
            let answer = post(public, consumer, body).await;
            let expected = if may.contains(&model) { 200 } else { 403 };
            assert_eq!(
                answer.status,
                expected,
                "{consumer} {model}: {}",
                answer.text()
            );
        }
        let body = r#"{"model":"x","messages":[{"role":"user","content":"Hm"}]}"#;
        let told = post(public, consumer, body).await.text();
        assert_eq!(told.contains("shops"), may.contains(&"shops"), "{told}");
    }
}

#[tokio::test]
async fn who_may_not_is_told_so_in_its_own_dialect() {
    let first = Upstream::start(well()).await;
    let gateway = start(&first).await;
    let public = gateway.addr("public");
    let body = r#"{"model":"shops","max_tokens":9,"messages":[{"role":"user","content":"Hm"}]}"#;
    let answer = wire::request(
        public,
        "POST",
        "/v1/messages",
        &["x-api-key: cyd", JSON],
        body,
    )
    .await;
    let bearer = ["Authorization: Bearer cyd", JSON];
    let answer = match answer.status {
        401 => wire::request(public, "POST", "/v1/messages", &bearer, body).await,
        _ => answer,
    };
    assert_eq!(answer.status, 403, "{}", answer.text());
    assert_eq!(
        answer.header("weir-error"),
        Some(Code::ModelNotAllowed.slug())
    );
    assert_eq!(answer.json()["error"]["type"], "permission_error");
    let body = r#"{"contents":[{"parts":[{"text":"Hm?"}]}]}"#;
    let path = "/v1/v1beta/models/shops:generateContent";
    let answer = wire::request(public, "POST", path, &bearer, body).await;
    assert_eq!(
        answer.json()["error"]["status"],
        "PERMISSION_DENIED",
        "{}",
        answer.text()
    );
    assert!(first.requests().is_empty());
    let line = gateway
        .wait_for_log(|line| line["error.type"] == Code::ModelNotAllowed.slug())
        .await;
    assert_eq!(line["weir.consumer"], "cyd", "{line}");
}
