//! Counts of the corpus, held against those that OpenAI's own tiktoken gave, and what is not
//! published.
//!
//! `tests/corpus/counts.json` holds them; the test `real_tiktoken` runs tiktoken to see that it
//! still says the same.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::encoding::Encoding;
use weir_protocols::openai::chat;

use super::*;

#[derive(Deserialize)]
struct Counts {
    texts: BTreeMap<String, OfText>,
    chats: BTreeMap<String, u64>,
}

#[derive(Deserialize)]
struct OfText {
    o200k_base: u64,
    cl100k_base: u64,
}

fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/corpus")
}

fn counts() -> Counts {
    let json = fs::read(corpus().join("counts.json")).expect("it is committed");
    serde_json::from_slice(&json).expect("it is as the test wrote it")
}

fn files(directory: &str) -> usize {
    let listed = fs::read_dir(corpus().join(directory)).expect("it is committed");
    listed.count()
}

async fn exactly(body: &str, model: &str) -> u64 {
    let chat = chat::Request::parse(body.as_bytes()).expect("a request");
    exact(&chat, model).await
}

#[test]
fn texts_are_counted_as_by_tiktoken() {
    let counts = counts().texts;
    assert_eq!(counts.len(), files("texts"));
    for (name, expected) in counts {
        let text = fs::read_to_string(corpus().join("texts").join(&name)).expect("it is text");
        for (encoding, expected) in [
            (Encoding::O200k, expected.o200k_base),
            (Encoding::Cl100k, expected.cl100k_base),
        ] {
            let mut counter = encoding.counter().expect("it is built in");
            let tokens = counter.count(&text, &|| true);
            assert_eq!(tokens, Some(expected), "{name} in {encoding:?}");
        }
    }
}

#[tokio::test]
async fn chats_are_counted_as_published() {
    let counts = counts().chats;
    assert_eq!(counts.len(), files("chats"));
    for (name, expected) in counts {
        let body = fs::read(corpus().join("chats").join(&name)).expect("it is there");
        let chat = chat::Request::parse(&body).expect("a request");
        assert_eq!(exact(&chat, &chat.model).await, expected, "{name}");
        assert!(bound(&chat, &chat.model) >= expected, "{name}");
    }
}

#[tokio::test]
async fn what_is_not_published_counts_by_its_bytes() {
    let with = |schema: &str| {
        format!(
            r#"{{"model":"m","messages":[{{"role":"user","content":"hi"}}],"tools":[{{"type":"function","function":
            {{"name":"f","description":"Does it","parameters":{{"type":"object","properties":{{"a":{schema}}}}}}}}}]}}"#
        )
    };
    let flat = exactly(&with(r#"{"type":"array","description":"b"}"#), "gpt-4o").await;
    let items = r#""items":{"type":"string","maxLength":30}"#;
    let nested = with(&format!(r#"{{"type":"array","description":"b",{items}}}"#));
    let extra = exactly(&nested, "gpt-4o").await - flat;
    let bytes = items.len() as u64;
    assert!((bytes..bytes + 4).contains(&extra), "{extra} for {bytes}");
    // A key that stands twice is not hidden by the second.
    let twice = with(&format!(
        r#"{{"type":"array","type":"{}"}}"#,
        "x".repeat(90)
    ));
    assert!(exactly(&twice, "gpt-4o").await > flat + 80);
}

#[tokio::test]
async fn definitions_cost_other_models_no_less_than_their_text() {
    let padding = ",".repeat(40);
    let odd = format!(
        r#"{{"model":"m","messages":[{{"role":"user"}}],"tools":[{{"type":"function","function":{{"name":"f","parameters":{{"type":"object","properties":{{"a":{{"type":"string","description":"{padding}"}}}},"required":["a"]}}}}}}]}}"#
    );
    let published = exactly(&odd, "gpt-4o").await;
    let unpublished = exactly(&odd, "gpt-4.1").await;
    assert!(unpublished >= published + 3, "{unpublished} {published}");
    let chat = chat::Request::parse(odd.as_bytes()).expect("a request");
    assert!(unpublished <= bound(&chat, "gpt-4.1"));
}

#[tokio::test]
async fn calls_formats_and_older_functions_count() {
    let with = |more: &str| {
        format!(r#"{{"model":"m","messages":[{{"role":"assistant","content":"hi"{more}}}]}}"#)
    };
    let plain = exactly(&with(""), "gpt-4o").await;
    assert_eq!(plain, 3 + 3 + 1 + 1);
    let call =
        r#","tool_calls":[{"id":"c","type":"function","function":{"name":"f","arguments":"{}"}}]"#;
    assert_eq!(exactly(&with(call), "gpt-4o").await, plain + 16 + 2);
    let format = r#"{"type":"json_object"}"#;
    let body = with("").replacen('{', &format!(r#"{{"response_format":{format},"#), 1);
    assert_eq!(exactly(&body, "gpt-4o").await, plain + format.len() as u64);
    let functions = r#"[{"name":"f","description":"Does it."}]"#;
    let body = with("").replacen('{', &format!(r#"{{"functions":{functions},"#), 1);
    // "f", ":" and "Does it" as one line.
    assert_eq!(exactly(&body, "gpt-4o").await, plain + 12 + 7 + 4);
}

#[tokio::test]
async fn hostile_definitions_are_bounded_and_never_panic() {
    let deep = format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000));
    for tools in [
        deep.as_str(),
        "[]",
        "[1,null,\"x\",[],{}]",
        r#"[{"type":"function","function":[]}]"#,
        r#"[{"function":{"name":1,"parameters":{"properties":[],"required":1}}}]"#,
        r#"[{"function":{"parameters":{"properties":{"a":1,"b":{"enum":[]},"c":{"enum":[1]}}}}}]"#,
    ] {
        let body = format!(r#"{{"model":"m","messages":[{{"role":"user"}}],"tools":{tools}}}"#);
        let chat = chat::Request::parse(body.as_bytes()).expect("a request");
        for model in ["gpt-4o", "gpt-5"] {
            let tokens = exact(&chat, model).await;
            assert!((7..=bound(&chat, model)).contains(&tokens));
        }
    }
}

#[tokio::test]
async fn a_prompt_too_long_to_count_is_bounded() {
    let body = format!(
        r#"{{"model":"m","messages":[{{"role":"user","content":"{}"}}]}}"#,
        "word ".repeat(LONGEST_PROMPT / 5)
    );
    let chat = chat::Request::parse(body.as_bytes()).expect("a request");
    assert_eq!(exact(&chat, "gpt-4o").await, body.len() as u64);
}

#[tokio::test]
async fn an_attachment_costs_a_flat_sum_and_not_its_bytes() {
    let body = format!(
        r#"{{"model":"m","messages":[{{"role":"user","content":[
            {{"type":"input_audio","input_audio":{{"data":"{}","format":"wav"}}}}]}}]}}"#,
        "A".repeat(100_000)
    );
    let tokens = exactly(&body, "gpt-4o").await;
    assert_eq!(tokens, 3 + 3 + 1 + ATTACHMENT);
    let chat = chat::Request::parse(body.as_bytes()).expect("a request");
    assert!((tokens..tokens + 1000).contains(&bound(&chat, "gpt-4o")));
}
