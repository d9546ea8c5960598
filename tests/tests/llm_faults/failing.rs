//! Providers that fail, each in the way that a row of `docs/faults.md` names. All speak OpenAI's
//! dialect.

use std::collections::HashMap;
use std::time::Duration;

use serde_json::json;
use weir_tests::tls::{Authority, Validity};
use weir_tests::upstream::{Refusing, Step, When};
use weir_tests::{Behaviour, Upstream};

/// What a provider says before it fails, if it does say something.
pub(crate) const WORD: &str = "Half";

/// Where providers fail: one that is scripted by the model it is asked for, one that refuses, and one
/// that nobody trusts.
pub(crate) struct Failing {
    scripted: Upstream,
    refusing: Refusing,
    untrusted: Upstream,
}

impl Failing {
    /// Starts them; each name is a model, and what becomes of it: how it fails, and whether amid a
    /// stream.
    pub(crate) async fn start(scripts: HashMap<String, (String, bool)>) -> Failing {
        let behaviour = Behaviour::new(When::Whole, move |request| {
            let model = request.json()["model"].as_str().unwrap().to_owned();
            let (failure, stream) = &scripts[&model];
            steps(failure, *stream)
        });
        let certificate = Authority::new().issue(&["127.0.0.1"], Validity::Current);
        Failing {
            scripted: Upstream::start(behaviour).await,
            refusing: Upstream::refusing(),
            untrusted: Upstream::tls(&certificate, [Behaviour::hang()]).await,
        }
    }

    /// The members of an entry of `providers` that fails like this.
    pub(crate) fn provider(&self, failure: &str) -> String {
        let base = match failure {
            "refuses the connection" => format!("http://{}/v1", self.refusing.addr()),
            "has a certificate that nobody trusts" => self.untrusted.url("/v1"),
            _ => self.scripted.url("/v1"),
        };
        // Only who is to be late has little time.
        let timeouts = match failure {
            "says nothing at all" => "first_byte: 500ms",
            _ if failure.starts_with("falls silent") => "stream_idle: 500ms",
            _ => "first_byte: 30s",
        };
        format!(
            "dialect: openai, base_url: \"{base}\", timeouts: {{ {timeouts} }}, retries: {{ max: 0 }}"
        )
    }
}

fn steps(failure: &str, stream: bool) -> Vec<Step> {
    let status = failure.strip_prefix("answers ").map(|rest| &rest[..3]);
    match (failure, status) {
        ("says nothing at all", _) => vec![Step::Hang],
        ("answers 200 and nothing more", _) => vec![answer("200 OK", kind(stream), "")],
        ("answers 429 with Retry-After: 120", _) => {
            let fields = format!("{}\r\nRetry-After: 120", kind(false));
            vec![answer("429 Too Many Requests", &fields, &refusal())]
        }
        (_, Some(status)) => vec![answer(&format!("{status} No"), kind(false), &refusal())],
        _ if stream => amid_stream(failure),
        _ => amid_answer(failure),
    }
}

fn kind(stream: bool) -> &'static str {
    match stream {
        true => "Content-Type: text/event-stream",
        false => "Content-Type: application/json",
    }
}

fn refusal() -> String {
    json!({ "error": { "message": "No.", "type": "invalid_request_error", "code": "no" } })
        .to_string()
}

fn answer(status: &str, fields: &str, body: &str) -> Step {
    let length = body.len();
    let head = format!("HTTP/1.1 {status}\r\n{fields}\r\nContent-Length: {length}\r\n\r\n");
    Step::Send([head, body.to_owned()].concat().into_bytes())
}

/// A whole answer whose head is good.
fn amid_answer(failure: &str) -> Vec<Step> {
    let half = format!(r#"{{"choices":[{{"index":0,"message":{{"content":"{WORD}"#);
    let head = format!(
        "HTTP/1.1 200 OK\r\n{}\r\nContent-Length: 500\r\n\r\n",
        kind(false)
    );
    let begun = Step::Send([head, half.clone()].concat().into_bytes());
    match failure {
        "falls silent amid the answer" => vec![begun, Step::Hang],
        "breaks off amid the answer" => vec![begun, Step::Close],
        "garbles the answer" => vec![answer("200 OK", kind(false), &half)],
        _ => panic!("no whole answer {failure:?}"),
    }
}

/// A stream that begins well.
fn amid_stream(failure: &str) -> Vec<Step> {
    let event = |data: &str| {
        let event = format!("data: {data}\n\n");
        format!("{:x}\r\n{event}\r\n", event.len()).into_bytes()
    };
    let piece = |delta: serde_json::Value| {
        let choice = json!({ "index": 0, "delta": delta, "finish_reason": null });
        event(
            &json!({ "id": "c", "object": "chat.completion.chunk", "choices": [choice] })
                .to_string(),
        )
    };
    let fails = |kind: &str| json!({ "error": { "message": "No.", "type": kind } }).to_string();
    let head = format!(
        "HTTP/1.1 200 OK\r\n{}\r\nTransfer-Encoding: chunked\r\n\r\n",
        kind(true)
    );
    let mut begun = head.into_bytes();
    begun.extend(piece(json!({ "role": "assistant", "content": "" })));
    let how = match failure.strip_suffix(" after a word") {
        Some(how) => {
            begun.extend(piece(json!({ "content": WORD })));
            how
        }
        None => failure.strip_suffix(" before a word").unwrap(),
    };
    let mut steps = vec![Step::Send(begun), Step::Pause(Duration::from_millis(20))];
    steps.extend(match how {
        "falls silent" => [Step::Hang, Step::Close],
        "breaks off" => [Step::Close, Step::Close],
        "garbles an event" => [Step::Send(event("{\"choices\":[")), Step::Hang],
        "is overloaded" => [Step::Send(event(&fails("overloaded_error"))), Step::Hang],
        "is rate limited" => [Step::Send(event(&fails("rate_limit_exceeded"))), Step::Hang],
        _ => panic!("no stream {failure:?}"),
    });
    steps
}
