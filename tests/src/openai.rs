//! A scriptable provider of OpenAI's chat completions, streaming and not, good and faulty.
//!
//! It answers in that dialect and remembers what it was asked. It counts no tokens: usage is what
//! the test says.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::{Value, json};

use crate::upstream::wire_format::{LAST_CHUNK, chunk, chunked_head, response};
use crate::upstream::{Behaviour, Received, Step, Upstream, When};

/// Tokens used, as the provider reports them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usage {
    /// `prompt_tokens`.
    pub prompt: u64,
    /// `completion_tokens`.
    pub completion: u64,
}

/// What the provider answers.
#[derive(Debug, Clone)]
pub enum Reply {
    /// A completion, streamed if the request says so.
    Completion(Completion),
    /// An error object with this status.
    Error {
        /// The status code.
        status: u16,
        /// `Retry-After`, in seconds.
        retry_after: Option<u64>,
        /// The error's `code`, such as `rate_limit_exceeded`.
        code: String,
    },
    /// Nothing, ever.
    Hang,
    /// Anything else.
    Raw(Behaviour),
}

/// A completion's text and how it is sent.
#[derive(Debug, Clone)]
pub struct Completion {
    /// The pieces of the text, one event each when streamed.
    pub pieces: Vec<String>,
    /// The usage; `None` leaves it out.
    pub usage: Option<Usage>,
    /// Streams usage though `stream_options.include_usage` was not asked for.
    pub usage_unasked: bool,
    /// The pause before each streamed event.
    pub pause: Duration,
    /// Resets the connection after so many streamed events.
    pub cut_after: Option<usize>,
}

impl Reply {
    /// A completion of these pieces with this usage.
    pub fn completion(pieces: &[&str], prompt: u64, completion: u64) -> Reply {
        Reply::Completion(Completion {
            pieces: pieces.iter().map(|piece| (*piece).to_owned()).collect(),
            usage: Some(Usage { prompt, completion }),
            usage_unasked: false,
            pause: Duration::ZERO,
            cut_after: None,
        })
    }

    /// 429 with `Retry-After`.
    pub fn rate_limited(retry_after: u64) -> Reply {
        Reply::Error {
            status: 429,
            retry_after: Some(retry_after),
            code: "rate_limit_exceeded".to_owned(),
        }
    }

    /// An error of that status, without `Retry-After`.
    pub fn error(status: u16) -> Reply {
        Reply::Error {
            status,
            retry_after: None,
            code: "server_error".to_owned(),
        }
    }

    /// The same completion without usage.
    #[must_use]
    pub fn without_usage(self) -> Reply {
        self.change(|completion| completion.usage = None)
    }

    /// The same completion, streaming usage unasked.
    #[must_use]
    pub fn usage_unasked(self) -> Reply {
        self.change(|completion| completion.usage_unasked = true)
    }

    /// The same completion with a pause before each streamed event.
    #[must_use]
    pub fn pause(self, pause: Duration) -> Reply {
        self.change(|completion| completion.pause = pause)
    }

    /// The same completion, reset after so many streamed events.
    #[must_use]
    pub fn cut_after(self, events: usize) -> Reply {
        self.change(|completion| completion.cut_after = Some(events))
    }

    fn change(mut self, change: impl FnOnce(&mut Completion)) -> Reply {
        match &mut self {
            Reply::Completion(completion) => change(completion),
            other => panic!("{other:?} is no completion"),
        }
        self
    }

    fn behaviour(self) -> Behaviour {
        match self {
            Reply::Completion(completion) => {
                Behaviour::new(When::Whole, move |request| completion.steps(request))
            }
            Reply::Error {
                status,
                retry_after,
                code,
            } => error(status, retry_after, &code),
            Reply::Hang => Behaviour::hang(),
            Reply::Raw(behaviour) => behaviour,
        }
    }
}

impl Completion {
    fn steps(&self, request: &Received) -> Vec<Step> {
        let Ok(asked) = serde_json::from_slice::<Value>(&request.body) else {
            let body = error_object("invalid_json", "The body is no JSON.");
            return vec![Step::Send(response(400, &[JSON], body.as_bytes()))];
        };
        match asked["stream"] == true {
            true => self.stream(&asked),
            false => vec![Step::Send(response(
                200,
                &[JSON],
                self.whole(&asked).as_bytes(),
            ))],
        }
    }

    fn whole(&self, asked: &Value) -> String {
        let message = json!({ "role": "assistant", "content": self.pieces.concat() });
        let mut answer = json!({
            "id": "chatcmpl-test",
            "object": "chat.completion",
            "created": CREATED,
            "model": asked["model"],
            "choices": [{ "index": 0, "message": message, "finish_reason": "stop" }],
        });
        if let Some(usage) = self.usage {
            answer["usage"] = usage.json();
        }
        answer.to_string()
    }

    fn stream(&self, asked: &Value) -> Vec<Step> {
        let wants_usage = asked["stream_options"]["include_usage"] == true;
        let usage = self.usage.filter(|_| wants_usage || self.usage_unasked);
        let mut events = vec![event(
            asked,
            &json!({ "role": "assistant", "content": "" }),
            None,
        )];
        let text = |piece: &String| event(asked, &json!({ "content": piece }), None);
        events.extend(self.pieces.iter().map(text));
        events.push(event(asked, &json!({}), Some("stop")));
        if let Some(usage) = usage {
            let mut last = event(asked, &Value::Null, None);
            last["choices"] = json!([]);
            last["usage"] = usage.json();
            events.push(last);
        }
        let mut lines: Vec<String> = events.iter().map(Value::to_string).collect();
        lines.push("[DONE]".to_owned());

        let cut = self.cut_after.filter(|events| *events < lines.len());
        lines.truncate(cut.unwrap_or(lines.len()));
        let mut steps = vec![Step::Send(chunked_head(&[
            "Content-Type: text/event-stream",
        ]))];
        for line in lines {
            steps.push(Step::Pause(self.pause));
            steps.push(Step::Send(chunk(format!("data: {line}\n\n").as_bytes())));
        }
        steps.extend(match cut {
            // The peer shall see the events: a reset discards what it has not read.
            Some(_) => vec![Step::Pause(Duration::from_millis(50)), Step::Reset],
            None => vec![Step::Send(LAST_CHUNK.to_vec())],
        });
        steps
    }
}

impl Usage {
    fn json(self) -> Value {
        json!({
            "prompt_tokens": self.prompt,
            "completion_tokens": self.completion,
            "total_tokens": self.prompt + self.completion,
        })
    }
}

/// A running provider; gone when dropped.
#[derive(Debug)]
pub struct Provider(Upstream);

impl Provider {
    /// Starts one that always answers like this.
    pub async fn start(reply: Reply) -> Provider {
        Provider::sequence([reply]).await
    }

    /// Starts one that answers like the first at first, and so on; the last repeats.
    ///
    /// # Panics
    /// If there is no reply.
    pub async fn sequence(replies: impl IntoIterator<Item = Reply>) -> Provider {
        Provider(Upstream::sequence(replies.into_iter().map(Reply::behaviour)).await)
    }

    /// The base URL for a configuration, with `/v1`.
    pub fn base_url(&self) -> String {
        self.0.url("/v1")
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.0.addr()
    }

    /// Answers like this from the next request on.
    pub fn set(&self, reply: Reply) {
        self.0.set(reply.behaviour());
    }

    /// What it was asked: the `Authorization` header is in [`Received::header`], the request in
    /// [`Received::json`].
    pub fn requests(&self) -> Vec<Received> {
        self.0.requests()
    }

    /// The upstream underneath.
    pub fn upstream(&self) -> &Upstream {
        &self.0
    }
}

const JSON: &str = "Content-Type: application/json";
const CREATED: u64 = 1_700_000_000;

fn event(asked: &Value, delta: &Value, finish_reason: Option<&str>) -> Value {
    json!({
        "id": "chatcmpl-test",
        "object": "chat.completion.chunk",
        "created": CREATED,
        "model": asked["model"],
        "choices": [{ "index": 0, "delta": delta, "finish_reason": finish_reason }],
    })
}

fn error(status: u16, retry_after: Option<u64>, code: &str) -> Behaviour {
    let mut headers = vec![JSON.to_owned()];
    headers.extend(retry_after.map(|seconds| format!("Retry-After: {seconds}")));
    let headers: Vec<&str> = headers.iter().map(String::as_str).collect();
    Behaviour::answer(status, &headers, error_object(code, "The test said so."))
}

fn error_object(code: &str, message: &str) -> String {
    json!({ "error": { "message": message, "type": code, "param": null, "code": code } })
        .to_string()
}
