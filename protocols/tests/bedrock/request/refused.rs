//! What Converse has no words for: refused where it would change the answer, else dropped and told.

use serde_json::json;
use weir_protocols::bedrock::request::write;
use weir_protocols::llm::{Choose, Effort, Format, Json, Part, Reasoning, Request, Role, Source};

use super::{CLAUDE, LLAMA, answer, body, call, hello, image, media, png, result, say, tool};

/// A request changed so that it cannot be said, and the path at which that is told.
type Refusal = (fn(&mut Request<'static>), &'static str);

const REFUSALS: [Refusal; 24] = [
    (|r| r.choices = 2, "n"),
    (|r| r.logprobs = Some(0), "logprobs"),
    (|r| r.format = Format::Json, "response_format"),
    (|r| r.messages.clear(), "messages"),
    (
        |r| r.messages[0].parts = vec![Part::Text(" ".into())],
        "messages",
    ),
    (|r| r.messages[0].role = Role::Assistant, "messages[0]"),
    (|r| r.instructions = vec![call("1", "f", "{}")], "system[0]"),
    (|r| say(r, Part::Audio(png())), "messages[1]"),
    (
        |r| {
            r.tools = vec![tool("f")];
            say(r, call("1", "f", "{}"));
        },
        "messages[1]",
    ),
    (|r| answer(r, Part::Image(png())), "messages[1]"),
    (
        |r| {
            say(
                r,
                image(Source::Url("https://a/b.png".into()), Some("image/png")),
            )
        },
        "messages[1]",
    ),
    (
        |r| {
            say(
                r,
                image(Source::Url("s3://a/b.png".into()), Some("image/png")),
            )
        },
        "messages[1]",
    ),
    (
        |r| say(r, image(Source::File("file-1".into()), Some("image/png"))),
        "messages[1]",
    ),
    (
        |r| say(r, image(Source::Base64("Qk0=".into()), Some("image/bmp"))),
        "messages[1]",
    ),
    (
        |r| say(r, image(Source::Base64("JVBERi0x".into()), None)),
        "messages[1]",
    ),
    (
        |r| {
            say(
                r,
                Part::Document(media(Source::Url("https://a/b.pdf".into()), None, None)),
            )
        },
        "messages[1]",
    ),
    (
        |r| {
            say(
                r,
                Part::Document(media(Source::Base64("UEs=".into()), None, Some("a.zip"))),
            )
        },
        "messages[1]",
    ),
    (|r| answer(r, call("1", "f", "{}")), "tools"),
    (|r| r.choose = Some(Choose::Any), "tool_choice"),
    (
        |r| {
            r.tools = vec![tool("f")];
            r.choose = Some(Choose::None);
            answer(r, call("1", "f", "{}"));
        },
        "tool_choice",
    ),
    (
        |r| {
            r.tools = vec![tool("f")];
            r.parallel_tool_calls = Some(false);
        },
        "parallel_tool_calls",
    ),
    (|r| r.tools = vec![tool("f"), tool("a.b")], "tools[1]"),
    (
        |r| {
            r.tools = vec![tool("f")];
            answer(r, call("1", "a.b", "{}"));
        },
        "messages[1]",
    ),
    (
        |r| {
            r.tools = vec![tool("f")];
            say(r, result("1", vec![Part::Audio(png())], false));
        },
        "messages[1]",
    ),
];

#[test]
fn what_would_change_the_answer_is_refused() {
    for (number, (change, path)) in REFUSALS.into_iter().enumerate() {
        let mut request = hello(CLAUDE);
        change(&mut request);
        let refused = write(&request).expect_err("it cannot be said");
        assert_eq!(refused.path, path, "refusal {number}: {refused}");
    }
}

#[test]
fn what_only_tunes_is_dropped_and_told() {
    let mut request = hello(LLAMA);
    request.sampling.seed = Some(1);
    request.sampling.frequency_penalty = Some(0.0);
    request.sampling.presence_penalty = Some(1.0);
    request.sampling.logit_bias = Json::parse("{}");
    request.sampling.top_k = Some(1);
    request.sampling.temperature = Some(1.5);
    request.user = Some("u".into());
    request.reasoning = Some(Reasoning::Effort(Effort::Low));
    request.messages[0].name = Some("Ada".into());
    request.messages[0].parts.push(Part::CachePoint);
    let written = write(&request).expect("it can be said");
    assert_eq!(
        written.dropped,
        [
            "seed",
            "frequency_penalty",
            "presence_penalty",
            "logit_bias",
            "user",
            "reasoning",
            "top_k",
            "name",
            "cache_control",
            "temperature above 1",
        ]
    );
    assert_eq!(
        body(&written),
        json!({
            "messages": [{ "role": "user", "content": [{ "text": "Hello" }] }],
            "inferenceConfig": { "temperature": 1.0 },
        })
    );
}
