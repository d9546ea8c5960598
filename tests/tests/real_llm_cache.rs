//! Answers kept in a real Redis: given by every gateway of a fleet, and missed, without an error and
//! without a wait, while the server is away.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use serde_json::json;
use weir_tests::metered::{self, Speaker, ask, quota, stream};
use weir_tests::models;
use weir_tests::openai::Provider;
use weir_tests::redis::Redis;
use weir_tests::wire::Response;
use weir_tests::{Behaviour, Gateway, Upstream, wait};

const ROUTE: &str = "llm: { models: [smart, quick] }";
const STORES: &str = "stores: [{ name: ledger, kind: memory }]";

/// A configuration whose answers are kept in Redis.
fn config(provider: &Provider, redis: &Redis, cache: &str) -> String {
    let tokens = quota("tokens", "tokens", "1000000", "");
    let config = metered::config(provider, &tokens, "tokens");
    assert!(
        config.contains(ROUTE) && config.contains(STORES),
        "{config}"
    );
    let stores = format!(
        "stores: [{{ name: ledger, kind: memory }}, {{ name: answers, kind: redis, addresses: [\"{}\"] }}]",
        redis.addr()
    );
    let route = format!(
        "llm: {{ models: [smart, quick], cache: {{ {cache}, store: {{ kind: redis, store: answers }} }} }}"
    );
    config.replace(STORES, &stores).replace(ROUTE, &route)
}

async fn post(gateway: &Gateway, consumer: &str, body: &str) -> Response {
    let answer = metered::post(gateway.addr("public"), consumer, body).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer
}

async fn cache(gateway: &Gateway, consumer: &str, body: &str) -> String {
    let answer = post(gateway, consumer, body).await;
    answer.header("weir-cache").unwrap().to_owned()
}

/// Asks until the answer is from what was kept: the server may be on its way back.
async fn hit(gateway: &Gateway, body: &str) {
    wait::until("a hit", || async {
        (cache(gateway, "ann", body).await == "hit").then_some(())
    })
    .await;
}

/// As evictors are set up, and without a file.
async fn redis() -> Redis {
    Redis::with(&["--maxmemory", "64mb", "--maxmemory-policy", "allkeys-lru"]).await
}

#[tokio::test]
async fn gateways_of_a_fleet_give_what_one_of_them_kept() {
    let provider = Speaker::new(3).start().await;
    let redis = redis().await;
    let yaml = config(&provider, &redis, "ttl: 1h");
    let (one, other) = (Gateway::start(&yaml).await, Gateway::start(&yaml).await);
    hit(&one, &ask("")).await;
    let asked = provider.requests().len();
    let there = post(&other, "ann", &ask("")).await;
    assert_eq!(there.header("weir-cache"), Some("hit"));
    assert_eq!(there.header("weir-provider"), Some("mock"));
    assert!(there.header("age").is_some());
    assert_eq!(cache(&other, "ann", &stream("")).await, "hit");
    assert_eq!(provider.requests().len(), asked);
    assert_eq!(cache(&other, "bob", &ask("")).await, "miss");
    // It lasts for its time there, and says nothing of what was asked.
    wait::until_true("both to be kept", || redis.command(&["DBSIZE"]) == "2").await;
    let keys = redis.command(&["KEYS", "*"]);
    for key in keys.lines() {
        assert!(key.starts_with("weir:answer:"), "{key}");
        let left: u64 = redis.command(&["PTTL", key]).parse().unwrap();
        assert!(left > 0 && left <= 3_600_000, "{left}");
    }
    // What counts nothing is no store of quotas.
    let ready = weir_tests::wire::get(one.addr("metrics"), "/readyz").await;
    assert_eq!(ready.json()["stores"], json!({ "ledger": "ok" }));
}

#[tokio::test]
async fn what_is_no_answer_is_a_miss() {
    let provider = Speaker::new(3).start().await;
    let redis = redis().await;
    let gateway = Gateway::start(&config(&provider, &redis, "ttl: 1h")).await;
    hit(&gateway, &ask("")).await;
    let key = redis.command(&["KEYS", "*"]);
    redis.command(&["SET", &key, "what somebody else wrote"]);
    let name = "weir_llm_cache_failures_total";
    let before = gateway.metric(name, &[("cause", "store")]).await;
    assert_eq!(cache(&gateway, "ann", &ask("")).await, "miss");
    let after = gateway.metric(name, &[("cause", "store")]).await;
    assert_eq!(after, before + 1.0);
    hit(&gateway, &ask("")).await;
}

#[tokio::test]
async fn a_server_that_is_away_is_a_miss_and_no_error() {
    let provider = Speaker::new(3).start().await;
    let mut redis = redis().await;
    let gateway = Gateway::start(&config(&provider, &redis, "ttl: 1h")).await;
    hit(&gateway, &ask("")).await;
    redis.kill().await;
    for body in [ask(""), stream("")] {
        for _ in 0..3 {
            assert_eq!(cache(&gateway, "ann", &body).await, "miss");
        }
    }
    let failures = "weir_llm_cache_failures_total";
    assert!(gateway.metric(failures, &[("cause", "store")]).await >= 6.0);
    redis.restart().await;
    hit(&gateway, &ask("")).await;
    // Frozen, it keeps its connections and says nothing.
    redis.pause();
    for _ in 0..3 {
        assert_eq!(cache(&gateway, "ann", &ask("")).await, "miss");
    }
    redis.resume();
    hit(&gateway, &ask("")).await;
}

#[tokio::test]
async fn check_connects_and_asks_for_nothing_that_counting_needs() {
    let provider = Speaker::new(3).start().await;
    let redis = redis().await;
    let yaml = config(&provider, &redis, "ttl: 1h");
    let dir = weir_tests::scratch::Scratch::new("cache-check");
    let path = dir.write("weir.yaml", yaml);
    let path = path.to_str().unwrap();
    let environment = [("ACCESS_LOG", "./access.log"), ("DATA_DIR", "data")];
    let connect = ["check", "--connect", path];
    let checked = weir_tests::cli::run_with(&connect, &environment);
    assert_eq!(checked.code, Some(0), "{}", checked.stderr);
    assert!(checked.stdout.contains("0 warnings"), "{}", checked.stdout);
    redis.kill().await;
    let checked = weir_tests::cli::run_with(&connect, &environment);
    assert_eq!(checked.code, Some(1));
    assert!(
        checked.stderr.contains("store answers: Redis at"),
        "{}",
        checked.stderr
    );
}

/// A provider of embeddings for which the number at the end of a text is what it means, of 128.
fn hours() -> Behaviour {
    models::makes_vectors(1, |text| {
        let hour: usize = text.rsplit(' ').next().unwrap().parse().unwrap();
        let mut vector = vec![0.0; 128];
        vector[hour % 128] = 1.0;
        vector
    })
}

#[tokio::test]
async fn gateways_of_a_fleet_give_what_means_the_same_too() {
    let provider = Speaker::new(3).start().await;
    let vectors = Upstream::start(hours()).await;
    let redis = redis().await;
    let semantic = "ttl: 1h, semantic: { provider: vectors, model: e-1, threshold: 0.99 }";
    let providers = format!(
        "providers: [{{ name: vectors, dialect: openai, base_url: \"{}\" }}, {{ name: mock,",
        vectors.url("/v1")
    );
    let yaml = config(&provider, &redis, semantic);
    let yaml = yaml.replace("providers: [{ name: mock,", &providers);
    let (one, other) = (Gateway::start(&yaml).await, Gateway::start(&yaml).await);
    let nth = |n: usize| ask("").replace("Hello", &format!("Hello {n}"));
    // More than are read at once.
    for n in 0..70 {
        post(&one, "ann", &nth(n)).await;
    }
    hit(&one, &nth(128 + 69)).await;
    let lists = redis.command(&["KEYS", "weir:texts:*"]);
    assert_eq!(lists.lines().count(), 1, "{lists}");
    let told = || redis.command(&["XLEN", &lists]).parse::<u32>().unwrap() >= 70;
    wait::until_true("all texts to be told", told).await;
    let left: u64 = redis.command(&["PTTL", &lists]).parse().unwrap();
    assert!(left > 0 && left <= 3_600_000, "{left}");
    let asked = provider.requests().len();
    // Not the last one: until that was known to `one`, its twin was answered and kept itself.
    for n in [0, 35, 68] {
        let there = post(&other, "ann", &nth(128 + n)).await;
        assert_eq!(there.header("weir-cache"), Some("hit"), "{n}");
        assert_eq!(there.header("weir-cache-similarity"), Some("1.0000"));
    }
    assert_eq!(provider.requests().len(), asked);
    assert_eq!(cache(&other, "ann", &nth(128 + 70)).await, "miss");
    assert_eq!(cache(&other, "bob", &nth(128 + 69)).await, "miss");
    redis.kill().await;
    assert_eq!(cache(&other, "ann", &nth(256)).await, "miss");
}
