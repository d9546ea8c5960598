//! Records that have everything in them.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use weir_telemetry::record::websocket::{Close, Closer, Messages, WebSocket};
use weir_telemetry::record::{
    Graphql, Kafka, Llm, PolicyRun, QuotaUse, Rpc, RpcStatus, Sampling, Target, Tokens,
};
use weir_telemetry::trace::{Context, RequestId};
use weir_telemetry::{Attempt, Code, Protocol, Record};

pub const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

pub fn started_at() -> SystemTime {
    UNIX_EPOCH + Duration::from_micros(1_700_000_000_000_001)
}

pub const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// A sampled request that went well and did not need an upstream.
pub fn plain() -> Record {
    let caller = Context::parse(PARENT, Some("vendor=1")).expect("a traceparent");
    let client = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 7));
    Record {
        started_at: started_at(),
        duration: ms(30),
        gateway_time: Duration::from_micros(85),
        protocol: Protocol::Http2,
        peer: Some(SocketAddr::new(client, 40_000)),
        method: http::Method::POST,
        path: "/v1/chat/completions".into(),
        host: "shop.example.com:8080".into(),
        user_agent: Some("curl/8.0 \"quoted\"\n".into()),
        route: Some("chat".into()),
        pattern: Some("/v1".into()),
        team: Some("shop".into()),
        consumer: Some("checkout".into()),
        action: "llm",
        status: 200,
        request_bytes: 120,
        response_bytes: 3_400,
        config_revision: 3,
        ..Record::begin(
            RequestId::from_header(b"req-1").expect("harmless"),
            caller.child(),
            "public".into(),
            client,
        )
    }
}

/// Two attempts, the second answered; a model; a Kafka record; all the rest.
pub fn full() -> Record {
    let mut refused = Attempt::begin("openai".into(), "10.0.0.1:443".into(), ms(1));
    refused.total = ms(2);
    refused.code = Some(Code::ConnectionRefused);
    refused.detail = Some("connect: refused".into());
    refused.retried = Some("connection_refused");
    let mut answered = Attempt::begin("openai".into(), "10.0.0.2:443".into(), ms(4));
    answered.connect = Some(ms(3));
    answered.first_byte = Some(ms(5));
    answered.body = Some(ms(10));
    answered.total = ms(20);
    answered.status = Some(200);
    answered.bytes_sent = 400;
    Record {
        upstream_wait: ms(22),
        attempts: vec![refused, answered],
        policies: vec![PolicyRun {
            kind: "quota",
            took: Duration::from_micros(12),
            verdict: "continue",
        }],
        quotas: vec![QuotaUse {
            quota: "team-tokens".into(),
            unit: "tokens",
            reserved: 100,
            used: 42,
            provenance: "provider",
        }],
        graphql: Some(Box::new(Graphql {
            operation_type: "query",
            operation_name: Some("Orders".into()),
            operations: 1,
            cost: 12,
        })),
        llm: Some(Box::new(llm())),
        kafka: Some(Box::new(Kafka {
            cluster: "events".into(),
            topic: "usage".into(),
            batch: None,
            span_id: weir_telemetry::trace::span_id(),
            started: ms(25),
            partition: Some(2),
            offset: Some(1_234),
            bytes: 64,
            took: ms(4),
            spooled: Some("9f86d081884c7d6500000007".into()),
        })),
        websocket: Some(Box::new(WebSocket {
            subprotocol: Some("mqtt".into()),
            compressed: true,
            from_client: Messages {
                count: 2,
                bytes: 70,
            },
            from_upstream: Messages { count: 1, bytes: 9 },
            opened: ms(6),
            close: Some(Close {
                by: Closer::Gateway,
                code: Some(1001),
                at: ms(20),
            }),
        })),
        ..plain()
    }
}

/// A stream that an Anthropic failed to give and an OpenAI gave.
fn llm() -> Llm {
    let mut llm = Llm::new("chat", "smart".into());
    llm.ask(Target {
        provider: "claude".into(),
        known: Some("anthropic"),
        model: "claude-opus-4-6".into(),
        first_attempt: 0,
    });
    llm.ask(Target {
        provider: "openai-eu".into(),
        known: Some("openai"),
        model: "gpt-4o".into(),
        first_attempt: 1,
    });
    Llm {
        stream: true,
        choices: 2,
        limit: Some(256),
        sampling: Some(Box::new(Sampling {
            temperature: Some(0.5),
            seed: Some(7),
            stop: vec!["END".into()],
            json: true,
            ..Sampling::default()
        })),
        tokens: Tokens {
            input: Some(30),
            output: Some(12),
            cache_read: Some(10),
            cache_written: Some(5),
            reasoning: Some(4),
        },
        provenance: "provider",
        cache: Some("semantic_hit"),
        similarity: Some(0.97),
        cost: Some(157_500),
        first_chunk: Some(ms(9)),
        finish_reason: Some("stop".into()),
        finish_reasons: vec!["stop", "length"],
        response_id: Some("chatcmpl-1".into()),
        response_model: Some("gpt-4o-2024-08-06".into()),
        ..llm
    }
}

/// An unsampled request that failed.
pub fn failed(code: Code) -> Arc<Record> {
    let mut record = plain();
    record.trace = Context::root();
    record.status = code.status();
    record.code = Some(code);
    Arc::new(record)
}

/// A gRPC call that its upstream ended with UNAVAILABLE.
pub fn called() -> Record {
    let status = Some(RpcStatus {
        number: 14,
        name: "UNAVAILABLE",
    });
    let mut attempt = Attempt::begin("calls".into(), "10.0.0.1:443".into(), ms(1));
    attempt.status = Some(200);
    attempt.rpc = status;
    Record {
        path: "/shop.Orders/Get".into(),
        action: "grpc",
        attempts: vec![attempt],
        rpc: Some(Rpc {
            status,
            request_messages: 1,
            response_messages: 0,
        }),
        ..plain()
    }
}
