//! What records say was spent, and by whom: who answered instead, answers that were kept, prices, and
//! what nobody said.

use serde_json::json;
use weir_tests::Behaviour;
use weir_tests::metered::{PROMPT, Speaker, WORD, ask, post, stream};
use weir_tests::openai::Reply;
use weir_tests::wire::{self, Connection};

use super::*;

const SMART: &str = "targets: [{ provider: mock, model: word-1 }]";
const ROUTE: &str = "llm: { models: [smart, quick] }";
const JSON: &str = "Content-Type: application/json";

/// The configuration with one part in the place of another.
fn with(yaml: &str, part: &str, other: &str) -> String {
    assert!(yaml.contains(part), "no {part:?} in\n{yaml}");
    yaml.replace(part, other)
}

/// What a record says of one quota, entry by entry.
fn charged<'r>(record: &'r Value, quota: &str) -> Vec<&'r Value> {
    let all = record["quotas"].as_array().unwrap().iter();
    all.filter(|entry| entry["name"] == quota).collect()
}

/// What a record says the call cost, in billionths of a dollar.
fn money(record: &Value) -> u64 {
    let amount = record["llm"]["money"]["amount"].as_str();
    amount
        .unwrap_or_else(|| panic!("{record}"))
        .parse()
        .unwrap()
}

/// A configuration whose `smart` is a model of `first`, and if that fails one of `mock`; a quota counts by
/// provider.
fn falling_back(broker: &str, topic: &str, failing: &Provider, provider: &Provider) -> String {
    let yaml = yaml(broker, topic, provider, "kind: memory", 10);
    let first = format!(
        "providers: [{{ name: first, dialect: openai, base_url: \"{}\" }}, ",
        failing.base_url()
    );
    let shares = metered::quota("shares", "tokens", "1000000", ", by: [provider]");
    let both = "targets: [{ provider: first, model: none }, { provider: mock, model: word-1 }]";
    let yaml = with(&yaml, SMART, both);
    let yaml = with(&yaml, "providers: [", &first);
    let price =
        "    - { provider: first, model: none, from: 2020-01-01, input: \"5\", output: \"50\" }\n";
    let yaml = with(&yaml, "  entries:\n", &format!("  entries:\n{price}"));
    let yaml = with(&yaml, "quotas:\n", &format!("quotas:\n{shares}"));
    with(
        &yaml,
        "[tokens, calls, spend]",
        "[tokens, calls, spend, shares]",
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_another_provider_answered_is_one_record_with_what_each_was_charged() {
    let kafka = Kafka::shared().await;
    let topic = "instead";
    kafka.create_topic(topic, 1).await;
    let (failing, provider) = (
        Provider::start(Reply::error(503)).await,
        Speaker::new(5).start().await,
    );
    let bootstrap = kafka.bootstrap();
    let gateway = Gateway::start(&falling_back(&bootstrap, topic, &failing, &provider)).await;
    let public = gateway.addr("public");
    assert_eq!(post(public, "ann", ask("")).await.status, 200);
    // What this one answers cannot be read, and may have cost all that was reserved.
    let unreadable = Behaviour::answer(200, &["Content-Type: text/html"], "<p>Hello</p>");
    failing.set(Reply::Raw(unreadable));
    assert_eq!(post(public, "ann", ask("")).await.status, 200);
    assert_eq!(failing.requests().len(), 2);

    let told = records(kafka, topic, 2).await;
    for one in &told {
        let llm = &one["llm"];
        assert_eq!((&one["status"], &one["error"]), (&json!(200), &Value::Null));
        let who = [&llm["requested_model"], &llm["provider"], &llm["model"]];
        assert_eq!(who, ["smart", "mock", "word-1"], "{one}");
        assert_eq!(llm["tokens"]["output"], 5, "{one}");
        let [failed, answered] = charged(one, "shares")[..] else {
            panic!("not one entry for each provider: {one}");
        };
        assert_ne!(failed["key"], answered["key"], "{one}");
        assert_eq!(answered["used"], PROMPT + 5, "{one}");
        assert_eq!(answered["provenance"], "provider", "{one}");
        for quota in ["tokens", "calls", "spend"] {
            assert_eq!(charged(one, quota).len(), 1, "{quota} in {one}");
        }
        assert_eq!(charged(one, "spend")[0]["used"], money(one), "{one}");
    }
    let failed = |number: usize| charged(&told[number], "shares")[0];
    assert_eq!(failed(0)["used"], 0, "{}", told[0]);
    assert_eq!(failed(1)["provenance"], "estimated", "{}", told[1]);
    assert_eq!(failed(1)["used"], failed(1)["reserved"], "{}", told[1]);
    assert!(failed(1)["used"].as_u64().unwrap() > PROMPT, "{}", told[1]);
    let all = ["tokens", "calls", "spend", "shares"];
    assert_eq!(summed(&told), counted_of(&gateway, &all).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_was_kept_costs_nothing_and_says_whose_it_was() {
    let kafka = Kafka::shared().await;
    let topic = "kept";
    kafka.create_topic(topic, 1).await;
    let provider = Speaker::new(5).start().await;
    let yaml = yaml(&kafka.bootstrap(), topic, &provider, "kind: memory", 10);
    let keeping = "llm: { models: [smart, quick], cache: { ttl: 1h } }";
    let gateway = Gateway::start(&with(&yaml, ROUTE, keeping)).await;
    let public = gateway.addr("public");
    assert_eq!(post(public, "ann", ask("")).await.status, 200);
    gateway
        .wait_for_metric("weir_llm_cache_kept_total", &[], |kept| kept >= 1.0)
        .await;
    for body in [ask(""), stream("")] {
        assert_eq!(post(public, "ann", body).await.status, 200);
    }
    assert_eq!(provider.requests().len(), 1);

    let told = records(kafka, topic, 3).await;
    assert_eq!(told[0]["llm"]["cache"], "miss", "{}", told[0]);
    assert_eq!(money(&told[0]), charged(&told[0], "spend")[0]["used"]);
    for one in &told[1..] {
        let llm = &one["llm"];
        assert_eq!(
            (&llm["cache"], &llm["provenance"]),
            (&json!("hit"), &json!("cached"))
        );
        let who = [&llm["provider"], &llm["model"]];
        assert_eq!(who, ["mock", "word-1"], "{one}");
        let tokens = [&llm["tokens"]["input"], &llm["tokens"]["output"]];
        assert_eq!(tokens, [0, 0], "{one}");
        // Known, and zero: who sums up money need not guess.
        assert_eq!(money(one), 0, "{one}");
        for (quota, used) in [("tokens", 0), ("spend", 0), ("calls", 1)] {
            let sum: u64 = charged(one, quota)
                .iter()
                .map(|entry| entry["used"].as_u64().unwrap())
                .sum();
            assert_eq!(sum, used, "{quota} in {one}");
        }
    }
    assert_eq!(summed(&told), counted(&gateway).await);
}

/// A model that says that it used so much: of the prompt, of which cached, of the answer, of which only thought.
fn billing([input, cached, output, thought]: [u64; 4]) -> Reply {
    let choice = json!({ "index": 0, "message": { "content": "Hi" }, "finish_reason": "stop" });
    let usage = json!({
        "prompt_tokens": input,
        "completion_tokens": output,
        "total_tokens": input + output,
        "prompt_tokens_details": { "cached_tokens": cached },
        "completion_tokens_details": { "reasoning_tokens": thought },
    });
    let answer = json!({ "id": "1", "choices": [choice], "usage": usage });
    Reply::Raw(Behaviour::answer(200, &[JSON], answer.to_string()))
}

/// The price of `quick`, of input, new or cached, and of output, said or thought.
fn price([input, cached, output, thought]: [&str; 4]) -> String {
    format!(
        "model: word-2, from: 2020-01-01, input: \"{input}\", cached_input: \"{cached}\", \
         output: \"{output}\", reasoning: \"{thought}\""
    )
}

/// What that costs by prices in billionths of a dollar for each token, in the same order.
fn cost([input, cached, output, thought]: [u64; 4], by: [u64; 4]) -> u64 {
    let plain = [input - cached, cached, output - thought, thought];
    plain
        .into_iter()
        .zip(by)
        .map(|(tokens, each)| tokens * each)
        .sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn money_in_records_comes_to_what_the_quota_was_charged_whatever_the_price() {
    let kafka = Kafka::shared().await;
    let topic = "money";
    kafka.create_topic(topic, 3).await;
    let provider = Provider::start(Reply::Hang).await;
    let yaml = yaml(&kafka.bootstrap(), topic, &provider, "kind: local", 100);
    let (published, cheap) = (
        ["2.50", "1.25", "10.00", "20.00"],
        ["0.30", "0.03", "1.70", "0.90"],
    );
    let yaml = with(&yaml, &price(published), &price(cheap));
    let gateway = Gateway::start(&yaml).await;
    let public = gateway.addr("public");
    // The last one says that it used more than it was allowed: the rest is debt, and was spent as well.
    let bills = [
        [100, 40, 50, 20],
        [7, 0, 1, 0],
        [1, 1, 9, 9],
        [100, 0, 900, 400],
    ];
    let limited = ask(r#","max_tokens":60"#);
    for used in bills {
        provider.set(billing(used));
        for (consumer, model) in [("ann", "smart"), ("bob", "quick"), ("cyd", "quick")] {
            let answer = post(public, consumer, limited.replace("smart", model)).await;
            assert_eq!(answer.status, 200, "{}", answer.text());
        }
    }
    let told = records(kafka, topic, 12).await;
    let cost = |by| bills.map(|used| cost(used, by)).iter().sum();
    let (smart, quick) = ([2_500, 1_250, 10_000, 20_000], [300, 30, 1_700, 900]);
    let expected = BTreeMap::from([
        ("ann", cost(smart)),
        ("bob", cost(quick)),
        ("cyd", cost(quick)),
    ]);
    let mut spent = BTreeMap::from([("ann", 0), ("bob", 0), ("cyd", 0)]);
    for one in &told {
        *spent.get_mut(one["consumer"].as_str().unwrap()).unwrap() += money(one);
        assert_eq!(charged(one, "spend")[0]["used"], money(one), "{one}");
        let said = one["llm"]["tokens"].as_object().unwrap();
        let said =
            ["input", "cache_read", "output", "reasoning"].map(|kind| said[kind].as_u64().unwrap());
        assert!(bills.contains(&said), "{one}");
    }
    assert_eq!(spent, expected);
    let counters = counted(&gateway).await;
    assert_eq!(summed(&told), counters);
    let of = |team: &str| {
        let (used, debt) = counters[&("spend".to_owned(), team.to_owned())];
        assert!(debt > 0, "nobody owes: {counters:?}");
        used + debt
    };
    assert_eq!(
        (of("shop"), of("art")),
        (spent["ann"] + spent["bob"], spent["cyd"])
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_ended_before_anybody_said_its_usage_is_told_as_it_was_charged() {
    let kafka = Kafka::shared().await;
    let topic = "unsaid";
    kafka.create_topic(topic, 1).await;
    let words = [WORD; 4];
    let provider = Provider::start(Reply::completion(&words, PROMPT, 4).cut_after(3)).await;
    let gateway = builder(&kafka.bootstrap(), topic, &provider, "kind: local", 10)
        .start()
        .await;
    let public = gateway.addr("public");
    // The provider breaks off after two words.
    let broken = post(public, "ann", stream("")).await;
    assert!(broken.broken.is_some(), "{}", broken.text());
    // The caller leaves before an answer has come, and before it was said what that used.
    provider.set(Reply::Hang);
    let fields = ["Authorization: Bearer bob", JSON];
    let path = "/v1/chat/completions";
    let call = ask(r#","max_tokens":40"#);
    let message = wire::message(public, "POST", path, &fields, call.as_bytes());
    let mut caller = Connection::open(public).await;
    caller.send(message).await.unwrap();
    provider.upstream().wait_for_requests(2).await;
    drop(caller);

    let told = records(kafka, topic, 2).await;
    let of = |consumer: &str| told.iter().find(|one| one["consumer"] == consumer).unwrap();
    let (broken, left) = (of("ann"), of("bob"));
    assert_eq!(
        (&broken["aborted"], &broken["llm"]["provenance"]),
        (&json!(true), &json!("counted")),
        "{broken}"
    );
    assert_eq!(broken["error"], "http_response_incomplete", "{broken}");
    assert_eq!(broken["llm"]["tokens"]["output"], 2, "{broken}");
    assert_eq!(charged(broken, "tokens")[0]["used"], PROMPT + 2, "{broken}");
    assert_eq!(
        charged(broken, "spend")[0]["used"],
        money(broken),
        "{broken}"
    );

    assert_eq!(left["error"], "client_disconnected", "{left}");
    // Nobody knows what it used, so that it is charged what was reserved, and no figure is made up.
    for figure in ["money", "tokens"] {
        let unknown = match figure {
            "tokens" => &left["llm"]["tokens"]["output"],
            _ => &left["llm"][figure],
        };
        assert_eq!(unknown, &Value::Null, "{left}");
    }
    for quota in ["tokens", "spend"] {
        let charged = charged(left, quota)[0];
        assert_eq!(charged["provenance"], "estimated", "{left}");
        assert_eq!(charged["used"], charged["reserved"], "{left}");
        assert!(charged["used"].as_u64().unwrap() > PROMPT + 39, "{left}");
    }
    assert_eq!(summed(&told), counted(&gateway).await);
}
