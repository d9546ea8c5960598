//! Questions that mean the same: compared by vectors that a provider of embeddings makes, which costs
//! what it costs; and asked of their model whenever that cannot be done.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use serde_json::{Value, json};
use weir_tests::metered::{self, PROMPT, Speaker, Streamed, quota};
use weir_tests::models;
use weir_tests::openai::Provider;
use weir_tests::wire::{self, Response};
use weir_tests::{Behaviour, Gateway, Upstream};

const JSON: &str = "Content-Type: application/json";
const KEPT: &str = "weir_llm_cache_kept_total";
const LOOKUPS: &str = "weir_llm_cache_lookups_total";
const FAILURES: &str = "weir_llm_cache_failures_total";
/// What a vector costs, in tokens.
const VECTOR: u64 = 4;

/// A provider of embeddings for which `@` and a number of degrees say what a text means.
fn compass() -> Behaviour {
    models::makes_vectors(VECTOR, |text| {
        let degrees: f64 = text.rsplit('@').next().unwrap().parse().unwrap();
        let (sin, cos) = degrees.to_radians().sin_cos();
        vec![3.0 * cos, 3.0 * sin]
    })
}

/// A gateway that keeps answers, and the providers behind it.
struct Scene {
    gateway: Gateway,
    model: Provider,
    vectors: Upstream,
}

fn config(model: &Provider, vectors: &Upstream, limit: &str, more: &str) -> String {
    let tokens = quota("tokens", "tokens", limit, "");
    let config = metered::config(model, &tokens, "tokens");
    let providers = "providers: [{ name: mock,";
    let route = "llm: { models: [smart, quick] }";
    assert!(
        config.contains(providers) && config.contains(route),
        "{config}"
    );
    let url = vectors.url("/v1");
    let with = format!(
        "providers: [{{ name: compass, dialect: openai, base_url: \"{url}\", retries: {{ max: 0 }} }}, {{ name: mock,"
    );
    let semantic = format!(
        "semantic: {{ provider: compass, model: e-1, dimensions: 2, threshold: 0.98{more} }}"
    );
    let cached = format!("llm: {{ models: [smart, quick], cache: {{ ttl: 1h, {semantic} }} }}");
    config.replace(providers, &with).replace(route, &cached)
}

async fn scene(limit: &str, more: &str) -> Scene {
    let model = Speaker::new(3).start().await;
    let vectors = Upstream::start(compass()).await;
    let gateway = Gateway::start(&config(&model, &vectors, limit, more)).await;
    Scene {
        gateway,
        model,
        vectors,
    }
}

/// A question that means so many degrees, with more members.
fn ask(degrees: u32, more: &str) -> String {
    let content = format!("Where to? @{degrees}");
    metered::ask(more).replace("Hello", &content)
}

impl Scene {
    async fn post(&self, consumer: &str, body: &str) -> Response {
        let answer = metered::post(self.gateway.addr("public"), consumer, body).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer
    }

    async fn cache(&self, consumer: &str, body: &str) -> String {
        let answer = self.post(consumer, body).await;
        answer.header("weir-cache").unwrap().to_owned()
    }

    /// Asks what is not kept yet, and waits until it is: the `count`th.
    async fn keep(&self, body: &str, count: u32) {
        assert_eq!(self.cache("ann", body).await, "miss", "{body}");
        let enough = |n| n >= f64::from(count);
        self.gateway.wait_for_metric(KEPT, &[], enough).await;
    }

    /// How often the model and the provider of vectors were asked.
    fn asked(&self) -> (usize, usize) {
        (self.model.requests().len(), self.vectors.requests().len())
    }
}

#[tokio::test]
async fn what_means_the_same_is_answered_as_before_and_what_does_not_is_asked() {
    let scene = scene("100000", "").await;
    scene.keep(&ask(0, ""), 1).await;
    let first = &scene.vectors.requests()[0];
    assert_eq!(first.target, "/v1/embeddings");
    let body = json!({ "model": "e-1", "input": "Where to? @0", "dimensions": 2 });
    assert_eq!(first.json(), body);
    assert_eq!(first.header("authorization"), None);

    let near = scene.post("ann", &ask(10, "")).await;
    assert_eq!(near.header("weir-cache"), Some("hit"));
    assert_eq!(near.header("weir-cache-similarity"), Some("0.9848"));
    assert_eq!(near.header("weir-provider"), Some("mock"));
    assert_eq!(
        near.json()["choices"][0]["message"]["content"],
        " word word word"
    );
    let streamed = ask(10, r#","stream":true"#);
    assert_eq!(
        Streamed::read(&scene.post("ann", &streamed).await).words(),
        3
    );
    assert_eq!(scene.asked(), (1, 3));
    // The same call needs no vector.
    let same = scene.post("ann", &ask(0, "")).await;
    assert_eq!(same.header("weir-cache"), Some("hit"));
    assert_eq!(same.header("weir-cache-similarity"), None);
    assert_eq!(scene.asked(), (1, 3));

    scene.keep(&ask(20, ""), 2).await;
    // Nearer to the second.
    let near = scene.post("ann", &ask(19, "")).await;
    assert_eq!(near.header("weir-cache-similarity"), Some("0.9998"));
    for (result, count) in [("hit", 1.0), ("semantic_hit", 3.0), ("miss", 2.0)] {
        let counted = scene.gateway.metric(LOOKUPS, &[("result", result)]).await;
        assert_eq!(counted, count, "{result}");
    }
    let of = |line: &Value| line["gen_ai"]["cache"] == "semantic_hit";
    let line = scene.gateway.wait_for_log(of).await;
    assert_eq!(line["gen_ai"]["cache.similarity"], 0.9848, "{line}");
    assert_eq!(line["gen_ai"]["weir.provider"], "mock", "{line}");
    assert_eq!(
        line["weir.attempts"][0]["upstream"], "provider/compass",
        "{line}"
    );
}

#[tokio::test]
async fn all_but_the_last_text_has_to_be_the_same() {
    let scene = scene("100000", "").await;
    scene.keep(&ask(0, ""), 1).await;
    let turn = |role: &str, text: &str| format!(r#"{{"role":"{role}","content":"{text}"}}"#);
    let with =
        |before: String| ask(1, "").replace("\"messages\":[", &format!("\"messages\":[{before},"));
    let others = [
        with(turn("system", "Be brief.")),
        with(turn("user", "Hi @0")),
        ask(1, r#","temperature":0"#),
        ask(
            1,
            r#","tools":[{"type":"function","function":{"name":"f"}}]"#,
        ),
        ask(1, "").replace("smart", "quick"),
    ];
    for body in &others {
        assert_eq!(scene.cache("ann", body).await, "miss", "{body}");
    }
    assert_eq!(scene.cache("bob", &ask(1, "")).await, "miss");
    assert_eq!(scene.cache("ann", &ask(1, "")).await, "hit");
    let asked = scene.asked();
    // What is not one text of the caller's is compared with nothing.
    let parts = r#"[{"type":"text","text":"@0"},{"type":"image_url","image_url":{"url":"https://example.com/a.png"}}]"#;
    let image = metered::ask("").replace("\"Hello\"", parts);
    assert_eq!(scene.cache("ann", &image).await, "miss");
    let anew = "Cache-Control: no-cache";
    let fields = ["Authorization: Bearer ann", JSON, anew];
    let (public, path) = (scene.gateway.addr("public"), "/v1/chat/completions");
    let answer = wire::request(public, "POST", path, &fields, ask(1, "")).await;
    assert_eq!(answer.header("weir-cache"), Some("miss"));
    assert_eq!(scene.asked(), (asked.0 + 2, asked.1));
}

#[tokio::test]
async fn a_vector_costs_what_it_costs_and_nothing_else_does() {
    let scene = scene("100000", "").await;
    scene.keep(&ask(0, ""), 1).await;
    assert_eq!(scene.cache("ann", &ask(10, "")).await, "hit");
    let charged = metered::charged(&scene.gateway, 2).await;
    let used = |n: usize| -> Vec<(u64, &str)> {
        let entries = charged[n].iter();
        let of = |e: &'_ Value| e["used"].as_u64().unwrap();
        entries
            .map(|e| (of(e), e["provenance"].as_str().unwrap()))
            .collect()
    };
    let prompt = used(0)[1].0 - 3;
    assert!(prompt >= PROMPT, "{prompt}");
    assert_eq!(used(0)[0], (VECTOR, "provider"));
    assert_eq!(used(1), [(VECTOR, "provider"), (0, "counted")]);
    let of = |operation| {
        [
            ("gen_ai_operation_name", operation),
            ("gen_ai_token_type", "input"),
        ]
    };
    let tokens = "weir_llm_tokens_total";
    let vectors = scene.gateway.metric(tokens, &of("embeddings")).await;
    assert_eq!(vectors, 2.0 * VECTOR as f64);
    assert_eq!(
        scene.gateway.metric(tokens, &of("chat")).await,
        prompt as f64
    );
    let tries = "gen_ai_client_operation_duration_seconds_count";
    let of = [
        ("gen_ai_operation_name", "embeddings"),
        ("weir_provider", "compass"),
    ];
    assert_eq!(scene.gateway.metric(tries, &of).await, 2.0);
}

#[tokio::test]
async fn who_has_no_tokens_left_has_nothing_compared() {
    let scene = scene("40", "").await;
    scene.keep(&ask(0, r#","max_tokens":3"#), 1).await;
    let large = ask(10, r#","max_tokens":3"#).replace("Where", &"where ".repeat(60));
    let refused = metered::post(scene.gateway.addr("public"), "ann", &large).await;
    assert_eq!(refused.header("weir-error"), Some("quota_exhausted"));
    assert_eq!(
        scene.gateway.metric(FAILURES, &[("cause", "quota")]).await,
        1.0
    );
    assert_eq!(scene.asked(), (1, 1));
    // The same call is answered all the same.
    let again = ask(0, r#","max_tokens":3"#);
    assert_eq!(scene.cache("ann", &again).await, "hit");
}

#[tokio::test]
async fn where_no_vector_is_made_the_model_is_asked() {
    let scene = scene("100000", ", timeout: 200ms").await;
    scene.keep(&ask(0, ""), 1).await;
    let faults = [
        Behaviour::answer(500, &[JSON], "{}"),
        Behaviour::answer(401, &[JSON], "{}"),
        Behaviour::answer(200, &[JSON], "{}"),
        Behaviour::answer(200, &[JSON], r#"{"data":[{"embedding":[0,0]}]}"#),
        Behaviour::reset_before_head(),
        Behaviour::hang(),
        Behaviour::slow_body(&["{", "}"], Duration::from_secs(30)),
    ];
    let count = faults.len();
    for (n, fault) in faults.into_iter().enumerate() {
        scene.vectors.set(fault);
        let answer = scene.post("ann", &ask(n as u32 + 1, "")).await;
        assert_eq!(answer.header("weir-cache"), Some("miss"), "{n}");
    }
    let failed = scene
        .gateway
        .metric(FAILURES, &[("cause", "embeddings")])
        .await;
    assert_eq!(failed, count as f64);
    assert_eq!(scene.model.requests().len(), 1 + count);
    scene.vectors.set(compass());
    assert_eq!(scene.cache("ann", &ask(9, "")).await, "hit");
}

#[tokio::test]
async fn what_texts_mean_outlives_reloads_and_another_threshold_begins_anew() {
    let scene = scene("100000", "").await;
    scene.keep(&ask(0, ""), 1).await;
    let yaml = config(&scene.model, &scene.vectors, "100001", "");
    assert_eq!(scene.gateway.reload(&yaml).await, "ok");
    assert_eq!(scene.cache("ann", &ask(10, "")).await, "hit");
    let closer = yaml.replace("threshold: 0.98", "threshold: 0.99");
    assert_eq!(scene.gateway.reload(&closer).await, "ok");
    assert_eq!(scene.cache("ann", &ask(0, "")).await, "miss");
    assert_eq!(scene.cache("ann", &ask(10, "")).await, "miss");
}

#[tokio::test]
async fn gemini_makes_vectors_too_and_they_are_counted() {
    let model = Speaker::new(3).start().await;
    let vector = r#"{"embeddings":[{"values":[0.25,2]}]}"#;
    let vectors = Upstream::start(Behaviour::answer(200, &[JSON], vector)).await;
    let yaml = config(&model, &vectors, "100000", "");
    let compass = format!(
        "dialect: openai, base_url: \"{}\", retries",
        vectors.url("/v1")
    );
    let gemini = format!(
        "dialect: gemini, base_url: \"{}\", retries",
        vectors.url("")
    );
    assert!(yaml.contains(&compass), "{yaml}");
    let gateway = Gateway::start(&yaml.replace(&compass, &gemini)).await;
    let scene = Scene {
        gateway,
        model,
        vectors,
    };
    scene.keep(&ask(0, ""), 1).await;
    assert_eq!(scene.cache("ann", &ask(80, "")).await, "hit");
    let asked = &scene.vectors.requests()[0];
    assert_eq!(asked.target, "/v1beta/models/e-1:batchEmbedContents");
    let charged = metered::charged(&scene.gateway, 2).await;
    assert_eq!(charged[1][0]["provenance"], "counted");
    assert!(charged[1][0]["used"].as_u64().unwrap() > 0);
}
