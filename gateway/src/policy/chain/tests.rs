//! The walks along a chain, with policies and filters made for the purpose: a real session on one
//! side, the bytes its caller sees on the other.

use bytes::Bytes;
use http::StatusCode;
use parking_lot::Mutex;
use tokio::io::{AsyncReadExt as _, DuplexStream};
use weir_telemetry::Code;

use super::*;
use crate::gateway::Gateway;
use crate::policy::{Filter, Unit, Units};
use crate::proxy::{Connection, identify, reply, respond};
use crate::testing;

type Log = Arc<Mutex<Vec<String>>>;
type Making = fn() -> Box<dyn Filter>;

/// What one policy of a test does besides writing down that it was asked.
#[derive(Clone, Copy, Default)]
struct Script {
    answers: bool,
    fails: bool,
    replaces: bool,
    request: Option<Making>,
    response: Option<Making>,
}

struct Scripted {
    name: &'static str,
    log: Log,
    script: Script,
}

#[async_trait::async_trait]
impl Policy for Scripted {
    async fn on_request(&self, _cx: &mut RequestCx<'_>) -> Result<Verdict, GatewayError> {
        self.log.lock().push(format!("{}>", self.name));
        match self.script {
            Script { answers: true, .. } => {
                Ok(Verdict::Respond(Reply::json(StatusCode::ACCEPTED, "{}")))
            }
            Script { fails: true, .. } => Err(GatewayError::new(Code::ConsumerDenied)),
            _ => Ok(Verdict::Continue),
        }
    }

    async fn on_response(&self, cx: &mut ResponseCx<'_>) -> Result<Verdict, GatewayError> {
        // A response hook may wait.
        tokio::task::yield_now().await;
        self.log.lock().push(format!("<{}", self.name));
        assert_eq!(cx.request.record.method, cx.request_head.method);
        cx.head.append_header("x-by", self.name).expect("a header");
        if self.script.replaces {
            return Ok(Verdict::Respond(Reply::json(StatusCode::CONFLICT, "{}")));
        }
        Ok(Verdict::Continue)
    }

    fn filter(&self, direction: Direction, cx: &FilterCx<'_>) -> Option<Box<dyn Filter>> {
        assert_eq!(cx.response_head.is_some(), direction == Direction::Response);
        assert_eq!(cx.request.record.method, cx.request_head.method);
        let making = match direction {
            Direction::Request => self.script.request,
            Direction::Response => self.script.response,
        };
        making.map(|make| make())
    }

    fn on_finish(&self, _request: &Request) {
        self.log.lock().push(format!("{}!", self.name));
    }
}

/// Each byte becomes a unit of its own.
struct Split;

impl Filter for Split {
    fn unit(&mut self, unit: Unit, out: &mut Units) -> Result<(), GatewayError> {
        let bytes = unit.into_bytes();
        (0..bytes.len()).for_each(|i| out.push(Unit::Bytes(bytes.slice(i..=i))));
        Ok(())
    }
}

/// Puts each unit in brackets, and tells events from bytes.
struct Bracket;

impl Filter for Bracket {
    fn unit(&mut self, unit: Unit, out: &mut Units) -> Result<(), GatewayError> {
        let (open, close) = if matches!(unit, Unit::Event(_)) {
            ("<", ">")
        } else {
            ("[", "]")
        };
        out.push(Unit::Bytes(Bytes::from_static(open.as_bytes())));
        out.push(unit);
        out.push(Unit::Bytes(Bytes::from_static(close.as_bytes())));
        Ok(())
    }
}

/// Holds everything back until the end.
#[derive(Default)]
struct Hold(Vec<u8>);

impl Filter for Hold {
    fn unit(&mut self, unit: Unit, _out: &mut Units) -> Result<(), GatewayError> {
        self.0.extend_from_slice(&unit.into_bytes());
        Ok(())
    }

    fn end(&mut self, out: &mut Units) -> Result<(), GatewayError> {
        out.push(Unit::Bytes(std::mem::take(&mut self.0).into()));
        Ok(())
    }
}

/// Refuses a body with an `!` in it.
struct Refuse;

impl Filter for Refuse {
    fn unit(&mut self, unit: Unit, out: &mut Units) -> Result<(), GatewayError> {
        let bytes = unit.into_bytes();
        if bytes.contains(&b'!') {
            return Err(GatewayError::new(Code::RequestBodyInvalid));
        }
        out.push(Unit::Bytes(bytes));
        Ok(())
    }
}

const SPLIT: Making = || Box::new(Split);
const BRACKET: Making = || Box::new(Bracket);
const HOLD: Making = || Box::new(Hold::default());
const REFUSE: Making = || Box::new(Refuse);

fn up(filter: Making) -> Script {
    Script {
        request: Some(filter),
        ..Script::default()
    }
}

fn down(filter: Making) -> Script {
    Script {
        response: Some(filter),
        ..Script::default()
    }
}

/// One request on its way, and its caller.
struct Way {
    gateway: Arc<Gateway>,
    connection: Arc<Connection>,
    log: Log,
    request: Request,
    down: Downstream,
    caller: DuplexStream,
}

/// A gateway whose one route answers `own` after the policies `a`, `b`, … with these scripts.
fn gateway(scripts: &[Script], log: &Log) -> Arc<Gateway> {
    let links = scripts
        .iter()
        .zip(["a", "b", "c"])
        .map(|(script, name)| Link {
            kind: name,
            policy: Arc::new(Scripted {
                name,
                log: log.clone(),
                script: *script,
            }),
        });
    testing::gateway(links.collect())
}

const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const POST: &str = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";

async fn way(scripts: &[Script], head_and_body: &str) -> Way {
    let log = Log::default();
    let gateway = gateway(scripts, &log);
    let connection = testing::connection(&gateway);
    let (mut session, caller) = testing::session(head_and_body).await;
    let mut request = identify::identify(&gateway, &connection, session.req_header_mut());
    request.route = Some(gateway.snapshot().routes[0].clone());
    Way {
        gateway,
        connection,
        log,
        request: *request,
        down: Downstream::new(session, None),
        caller,
    }
}

impl Way {
    async fn before(&mut self) -> Result<Option<Reply>, GatewayError> {
        let route = self.request.route.clone().expect("a route");
        route.chain.before(&mut self.request, &mut self.down).await
    }

    /// An upstream's answer comes, with a length that filters make wrong.
    async fn head(&mut self) -> Option<Reply> {
        let mut head = Box::new(ResponseHeader::build(200, None).expect("a head"));
        head.insert_header("content-length", "4").expect("a header");
        respond::head(&mut self.request, &mut self.down, head, false)
            .await
            .expect("sent")
    }

    /// Everything the caller saw, once the gateway's side is gone.
    async fn seen(self) -> String {
        let Way {
            mut caller, down, ..
        } = self;
        drop(down);
        let mut seen = String::new();
        caller.read_to_string(&mut seen).await.expect("text");
        seen
    }
}

fn body(seen: &str) -> &str {
    seen.split_once("\r\n\r\n").expect("a head").1
}

#[tokio::test]
async fn policies_run_in_order_and_back_in_reverse() {
    let mut way = way(&[Script::default(); 3], GET).await;
    assert!(way.before().await.expect("let through").is_none());
    assert!(way.head().await.is_none());
    way.request
        .route
        .clone()
        .expect("a route")
        .chain
        .finish(&way.request);
    assert_eq!(
        *way.log.lock(),
        ["a>", "b>", "c>", "<c", "<b", "<a", "a!", "b!", "c!"]
    );
    let runs = &way.request.record.policies;
    assert_eq!(
        runs.iter()
            .map(|run| (run.kind, run.verdict))
            .collect::<Vec<_>>(),
        [("a", "continue"), ("b", "continue"), ("c", "continue")]
    );
    let seen = way.seen().await;
    assert!(seen.contains("x-by: c\r\nx-by: b\r\nx-by: a\r\n"), "{seen}");
    // Without a filter the length stands and the body passes untouched.
    assert!(seen.contains("content-length: 4\r\n"), "{seen}");
}

#[tokio::test]
async fn a_policy_that_answers_or_fails_ends_the_way() {
    let answers = Script {
        answers: true,
        ..Script::default()
    };
    let mut answered = way(&[Script::default(), answers, Script::default()], GET).await;
    let reply = answered.before().await.expect("answered").expect("a reply");
    assert_eq!(reply.status, StatusCode::ACCEPTED);
    assert_eq!(*answered.log.lock(), ["a>", "b>"]);
    assert_eq!(answered.request.record.policies[1].verdict, "respond");

    let fails = Script {
        fails: true,
        ..Script::default()
    };
    let mut failed = way(&[fails, Script::default()], GET).await;
    let error = failed.before().await.expect_err("refused");
    assert_eq!(error.code, Code::ConsumerDenied);
    assert_eq!(*failed.log.lock(), ["a>"]);
    assert_eq!(failed.request.record.policies[0].verdict, "consumer_denied");
}

#[tokio::test]
async fn a_response_policy_may_answer_instead() {
    let replaces = Script {
        replaces: true,
        ..down(BRACKET)
    };
    let mut way = way(&[Script::default(), replaces, Script::default()], GET).await;
    let reply = way.head().await.expect("another answer");
    assert_eq!(*way.log.lock(), ["<c", "<b"]);
    reply::send(&mut way.request, &mut way.down, reply)
        .await
        .expect("sent");
    let seen = way.seen().await;
    assert!(
        seen.starts_with("HTTP/1.1 409 ") && body(&seen) == "{}",
        "{seen}"
    );
}

#[tokio::test]
async fn a_request_body_passes_the_filters_in_order() {
    let chunks = format!("{POST}2\r\nab\r\n1\r\nc\r\n0\r\n\r\n");
    let mut split_first = way(&[up(SPLIT), up(BRACKET)], &chunks).await;
    split_first.before().await.expect("let through");
    assert_eq!(
        &split_first.down.read_whole().await.expect("a body")[..],
        b"[a][b][c]"
    );
    assert!(split_first.down.request_done());
    let mut split_last = way(
        &[up(BRACKET), up(SPLIT)],
        &format!("{POST}2\r\nab\r\n0\r\n\r\n"),
    )
    .await;
    split_last.before().await.expect("let through");
    assert_eq!(
        &split_last.down.read_whole().await.expect("a body")[..],
        b"[ab]"
    );
}

#[tokio::test]
async fn what_a_request_filter_holds_back_comes_at_the_end_past_those_after_it() {
    let mut way = way(
        &[up(HOLD), up(BRACKET)],
        &format!("{POST}2\r\nab\r\n1\r\nc\r\n0\r\n\r\n"),
    )
    .await;
    way.before().await.expect("let through");
    assert_eq!(
        way.down.read().await.expect("held back"),
        Some(Bytes::new())
    );
    assert!(!way.down.request_done());
    assert_eq!(&way.down.read_whole().await.expect("a body")[..], b"[abc]");
}

#[tokio::test]
async fn a_filter_may_add_to_an_empty_body() {
    let mut way = way(&[up(HOLD), up(BRACKET)], GET).await;
    way.before().await.expect("let through");
    assert!(
        !way.down.request_done(),
        "what the filters say at the end is not known yet"
    );
    assert_eq!(&way.down.read_whole().await.expect("a body")[..], b"[]");
}

#[tokio::test]
async fn a_request_filter_may_refuse_the_body() {
    let mut way = way(
        &[up(REFUSE)],
        &format!("{POST}2\r\nok\r\n3\r\nno!\r\n0\r\n\r\n"),
    )
    .await;
    way.before().await.expect("let through");
    assert_eq!(
        way.down.read().await.expect("fine"),
        Some(Bytes::from_static(b"ok"))
    );
    let error = way.down.read().await.expect_err("refused");
    reply::fail(&mut way.request, &mut way.down, error).await;
    assert!(way.seen().await.starts_with("HTTP/1.1 400 "));
}

#[tokio::test]
async fn an_answer_passes_the_filters_in_reverse_and_loses_its_length() {
    let mut way = way(&[down(BRACKET), down(SPLIT)], GET).await;
    way.head().await;
    way.down
        .write_chunk(Bytes::from_static(b"ab"))
        .await
        .expect("sent");
    way.down
        .write_event(Bytes::from_static(b"e"))
        .await
        .expect("sent");
    way.down.write_end(None).await.expect("sent");
    let seen = way.seen().await;
    assert!(!seen.contains("content-length"), "{seen}");
    assert_eq!(body(&seen), "6\r\n[a][b]\r\n3\r\n[e]\r\n0\r\n\r\n");
}

#[tokio::test]
async fn an_event_reaches_a_filter_as_one() {
    let mut way = way(&[down(BRACKET)], GET).await;
    way.head().await;
    way.down
        .write_event(Bytes::from_static(b"data:\n\n"))
        .await
        .expect("sent");
    way.down.write_end(None).await.expect("sent");
    assert_eq!(body(&way.seen().await), "9\r\n<data:\n\n>\r\n0\r\n\r\n");
}

#[tokio::test]
async fn what_is_held_back_of_an_answer_comes_before_its_end_and_nothing_ends_it_early() {
    let mut way = way(&[down(BRACKET), down(HOLD)], GET).await;
    way.head().await;
    // An empty chunk would be the end of the body.
    way.down
        .write_chunk(Bytes::from_static(b"ab"))
        .await
        .expect("held back");
    way.down
        .write_chunk(Bytes::from_static(b"c"))
        .await
        .expect("held back");
    way.down.write_end(None).await.expect("sent");
    assert_eq!(body(&way.seen().await), "5\r\n[abc]\r\n0\r\n\r\n");
}

#[tokio::test]
async fn an_answer_a_filter_refuses_amid_the_body_never_ends_cleanly() {
    let mut way = way(&[down(REFUSE)], GET).await;
    way.head().await;
    way.down
        .write_chunk(Bytes::from_static(b"ok"))
        .await
        .expect("sent");
    let error = way
        .down
        .write_chunk(Bytes::from_static(b"no!"))
        .await
        .expect_err("refused");
    reply::fail(&mut way.request, &mut way.down, error).await;
    assert!(way.request.record.aborted);
    assert_eq!(way.request.record.code, Some(Code::RequestBodyInvalid));
    assert_eq!(body(&way.seen().await), "2\r\nok\r\n");
}

#[tokio::test]
async fn an_answer_of_the_gateways_own_passes_the_hooks_and_not_the_filters() {
    let Way {
        gateway,
        connection,
        log,
        request,
        down,
        caller: first,
    } = way(&[down(BRACKET)], GET).await;
    drop((request, down, first));
    let (session, mut caller) = testing::session(GET).await;
    let kept = crate::proxy::serve(&gateway, &connection, session).await;
    assert!(kept.is_some(), "the connection can carry another request");
    drop(kept);
    let mut seen = String::new();
    caller.read_to_string(&mut seen).await.expect("text");
    assert!(
        seen.contains("x-by: a\r\n") && body(&seen) == "own",
        "{seen}"
    );
    assert_eq!(*log.lock(), ["a>", "<a", "a!"]);
}
