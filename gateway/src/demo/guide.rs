//! What a person reads once the demo runs: commands to paste, each with what it shows.

use std::fmt::Write as _;
use std::net::SocketAddr;

use weir_telemetry::{Code, catalogue};

use super::broker;
use super::config::{KEY, STAFF_KEY};
use super::greeter::SERVICE;

/// More numbers than the demo's quota has tokens, as a shell writes them: in one word.
const MANY: &str = "$(seq -s, 9999)";

/// Writes the guide for a gateway listening on `bound`, by the names of its sockets.
pub(super) fn write(bound: &[(String, SocketAddr)], bootstrap_servers: &str) -> String {
    let at = |name: &str| {
        let found = bound.iter().find(|(socket, _)| socket == name);
        found.map_or_else(|| format!("<{name}>"), |(_, address)| address.to_string())
    };
    let (public, metrics, admin) = (at("public"), at("metrics"), at("admin"));
    let mut text = format!(
        "\nWeir is up: gateway on {public}, metrics on {metrics}, admin on {admin}.\n\
         Paste these into another terminal; here you will see the access log.\n"
    );
    for (what, command) in commands(&public, &metrics, &admin) {
        // Writing to a String cannot fail.
        let _ = write!(text, "\n# {what}\n{command}\n");
    }
    let _ = write!(
        text,
        "\n\
         Any OpenAI client works: base_url http://{public}/v1, api_key {KEY}, model demo; Anthropic's\n\
         and Google's with base_url http://{public}. There are demo-anthropic, demo-gemini and\n\
         demo-fallback too.\n\
         Any WebSocket client enters ws://{public}/rooms/lobby, and says {{\"say\":\"hello\"}}.\n\
         Any Kafka client reads topic {topic} at {bootstrap_servers}.\n\
         An error's page is named in it, as {page}, in the repository of Weir.\n\
         Ctrl-C ends the demo.\n\n",
        topic = broker::TOPIC,
        page = Code::ConnectionRefused.runbook(),
    );
    text
}

/// The commands, in the order to try them, and what each shows.
fn commands(public: &str, metrics: &str, admin: &str) -> Vec<(&'static str, String)> {
    let mut commands = models(public).to_vec();
    commands.splice(1..1, protocols(public));
    commands.extend(records(public));
    commands.extend([
        (
            "A route whose upstream refuses: the answer says so, and names the page that helps",
            format!("curl -sSi http://{public}/broken"),
        ),
        (
            "Metrics: requests by route and status, tokens by model",
            format!(
                "curl -sS http://{metrics}/metrics | grep -E '^({}_count|{})'",
                catalogue::HTTP_SERVER_REQUEST_DURATION.name,
                catalogue::LLM_TOKENS.name
            ),
        ),
        (
            "The configuration in force, without its secrets",
            format!("curl -sS http://{admin}/config"),
        ),
    ]);
    commands
}

/// Calls of gRPC, operations of GraphQL, and a WebSocket.
fn protocols(public: &str) -> Vec<(&'static str, String)> {
    let mut commands = calls(public).to_vec();
    commands.extend(operations(public));
    commands.extend([
        (
            "WebSocket: a page for a chat; open it twice in a browser, at this address",
            format!("curl -sS http://{public}/rooms"),
        ),
        (
            "WebSocket: something is said in the room, by Python; what comes back is the handshake, what was said, and the close",
            say(public),
        ),
    ]);
    commands
}

/// Calls of the greeter: as browsers make them, as programs do, and by HTTP and JSON.
fn calls(public: &str) -> [(&'static str, String); 4] {
    let json = "-H 'content-type: application/json'";
    [
        (
            "gRPC, as browsers speak it: a frame of five bytes and a message go there, a reply and how it ended come back",
            format!(
                r"printf '\000\000\000\000\006\012\004weir' | curl -sSN http://{public}/{SERVICE}/SayHello -H 'content-type: application/grpc-web' --data-binary @- | tr -dc '[:print:]\n'"
            ),
        ),
        (
            "gRPC, as programs speak it, if grpcurl is installed: replies that come one by one",
            format!(
                r#"grpcurl -plaintext -d '{{"name":"weir"}}' {public} {SERVICE}/LotsOfReplies"#
            ),
        ),
        (
            "gRPC, for who speaks only HTTP and JSON: a message by its fields, a reply likewise",
            format!(r#"curl -sS http://{public}/{SERVICE}/SayHello {json} -d '{{"name":"weir"}}'"#),
        ),
        (
            "gRPC for the same: replies that come one by one are events",
            format!(
                r#"curl -sSN http://{public}/{SERVICE}/LotsOfReplies {json} -H 'accept: text/event-stream' -d '{{"name":"weir"}}'"#
            ),
        ),
    ]
}

/// Operations of GraphQL.
fn operations(public: &str) -> [(&'static str, String); 5] {
    let ask = format!(
        "curl -sS http://{public}/graphql -H 'content-type: application/json' -H 'x-api-key: {KEY}'"
    );
    [
        (
            "GraphQL: a query within its limits",
            format!(
                r#"{ask} -d '{{"query":"{{ products(first: 2) {{ name price related {{ name }} }} }}"}}'"#
            ),
        ),
        (
            "GraphQL: a query that goes too deep is refused before the shop sees it",
            format!(
                r#"{ask} -d '{{"query":"{{ products {{ related {{ related {{ related {{ related {{ name }} }} }} }} }} }}"}}'"#
            ),
        ),
        (
            "GraphQL: a field that only staff may see",
            format!(r#"{ask} -d '{{"query":"{{ products {{ name margin }} }}"}}'"#),
        ),
        (
            "GraphQL: the same, asked by staff",
            format!(
                r#"{} -d '{{"query":"{{ products {{ name margin }} }}"}}'"#,
                ask.replace(KEY, STAFF_KEY)
            ),
        ),
        (
            "GraphQL: a subscription, as events: products that come back on the shelf, and the end",
            format!(
                r#"{} -H 'accept: text/event-stream' -d '{{"query":"subscription {{ restocked(first: 3) {{ name price }} }}"}}'"#,
                ask.replace("-sS", "-sSN")
            ),
        ),
    ]
}

/// Says something in a room of the chat, as two frames: a text and a close. A mask of zeros is one.
fn say(public: &str) -> String {
    format!(
        r#"python3 -c '
import socket
to = socket.create_connection(("{host}", {port}), 30)
to.sendall(b"GET /rooms/lobby HTTP/1.1\r\nHost: {public}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: d2hhdCBmbG93cyBvdmVyIQ==\r\n\r\n")
text = b"{{\"from\": \"python\", \"say\": \"hello\"}}"
frame = bytes([0x81, 0x80 + len(text), 0, 0, 0, 0]) + text
to.sendall(frame)
got = b""
while b"hello" not in got: got += to.recv(4096) or exit(got)
to.sendall(bytes([0x88, 0x80, 0, 0, 0, 0]))
print((got + to.makefile("rb").read()).decode(errors="replace"))'"#,
        host = public.rsplit_once(':').map_or(public, |(host, _)| host),
        port = public.rsplit_once(':').map_or("", |(_, port)| port),
    )
}

/// What the gateway does for REST, and for models.
fn models(public: &str) -> [(&'static str, String); 8] {
    let chat = format!(
        "http://{public}/v1/chat/completions -H 'authorization: Bearer {KEY}' -H 'content-type: application/json'"
    );
    [
        (
            "REST: proxied to an echo, which shows what an upstream sees",
            format!("curl -sS 'http://{public}/echo/hello?name=weir' -d 'hi there'"),
        ),
        (
            "Chat: answered by a model, its tokens counted against a quota (see the RateLimit header)",
            format!(
                r#"curl -sSi {chat} -d '{{"model":"demo","messages":[{{"role":"user","content":"What is a weir?"}}]}}'"#
            ),
        ),
        (
            "Chat, streamed as it is written",
            format!(
                r#"curl -sSN {chat} -d '{{"model":"demo","stream":true,"messages":[{{"role":"user","content":"What is a weir?"}}]}}'"#
            ),
        ),
        (
            "Anthropic's dialect, to a provider that speaks Gemini's",
            format!(
                r#"curl -sS http://{public}/v1/messages -H 'x-api-key: {KEY}' -H 'anthropic-version: 2023-06-01' -H 'content-type: application/json' -d '{{"model":"demo-gemini","max_tokens":200,"messages":[{{"role":"user","content":"What is a weir?"}}]}}'"#
            ),
        ),
        (
            "Gemini's dialect, to a provider that speaks Anthropic's: the model calls a tool",
            format!(
                r#"curl -sS http://{public}/v1beta/models/demo-anthropic:generateContent -H 'x-goog-api-key: {KEY}' -H 'content-type: application/json' -d '{{"contents":[{{"role":"user","parts":[{{"text":"How is the weather in Paris?"}}]}}],"tools":[{{"functionDeclarations":[{{"name":"get_weather","description":"The weather of a city","parameters":{{"type":"OBJECT","properties":{{"city":{{"type":"STRING"}}}},"required":["city"]}}}}]}}]}}'"#
            ),
        ),
        (
            "A model whose first provider is down: the next answers (see Weir-Provider)",
            format!(
                r#"curl -sSi {chat} -d '{{"model":"demo-fallback","messages":[{{"role":"user","content":"Anybody there?"}}]}}'"#
            ),
        ),
        (
            "A prompt as an API: JSON in and out, both held to a schema (GET /routes on admin shows them)",
            format!(
                r#"curl -sS http://{public}/summarise -H 'x-api-key: {KEY}' -H 'content-type: application/json' -d '{{"text":"A weir measures what flows over it."}}'"#
            ),
        ),
        (
            "A prompt larger than the quota: refused before the model sees it",
            format!(
                r#"curl -sSi {chat} -d '{{"model":"demo","messages":[{{"role":"user","content":"Add up '{MANY}'"}}]}}'"#
            ),
        ),
    ]
}

/// What it does for Kafka.
fn records(public: &str) -> [(&'static str, String); 4] {
    let topic = broker::TOPIC;
    [
        (
            "Publish: a request becomes a Kafka record, answered once the broker has it",
            format!(
                r#"curl -sS http://{public}/events/{topic} -H 'x-key: customer-7' -H 'content-type: application/json' -d '{{"item":"book","count":2}}'"#
            ),
        ),
        (
            "Publish, many at once: a line becomes a record, and each is answered for",
            format!(
                r#"printf '%s\n' '{{"item":"lamp"}}' '{{"item":"desk"}}' | curl -sS http://{public}/events/{topic} -H 'x-key: customer-8' -H 'content-type: application/x-ndjson' --data-binary @-"#
            ),
        ),
        (
            "Subscribe: a page of what is in the topic, and a cursor to go on from, here or at any other gateway",
            format!("curl -sS 'http://{public}/feeds/{topic}?start=earliest'"),
        ),
        (
            "Subscribe, as a page does by new EventSource(...): events as they are written, here for three seconds",
            format!(
                "curl -sN -m 3 'http://{public}/feeds/{topic}?start=earliest' -H 'accept: text/event-stream' || true"
            ),
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_names_every_address_and_the_key() {
        let bound: Vec<(String, SocketAddr)> = [("public", 1), ("metrics", 2), ("admin", 3)]
            .map(|(name, port)| (name.to_owned(), ([127, 0, 0, 1], port).into()))
            .into();
        let text = write(&bound, "127.0.0.1:4");
        for part in [
            "127.0.0.1:1/echo",
            "127.0.0.1:1/v1",
            "127.0.0.1:2/metrics",
            "127.0.0.1:3/config",
        ] {
            assert!(text.contains(part), "{part} is missing in {text}");
        }
        assert!(text.contains("127.0.0.1:4") && text.contains(KEY));
        assert!(!text.contains('<'), "an address is missing in {text}");
    }

    #[test]
    fn every_body_is_json_and_every_quote_closes() {
        for (_, command) in commands("a:1", "a:2", "a:3") {
            assert_eq!(command.matches('\'').count() % 2, 0, "{command}");
            let command = command.replace(&format!("'{MANY}'"), "1,2,3");
            let body = command
                .split_once("-d '")
                .and_then(|(_, rest)| rest.split('\'').next());
            if let Some(body) = body.filter(|body| body.starts_with('{')) {
                serde_json::from_str::<serde_json::Value>(body)
                    .unwrap_or_else(|e| panic!("{e}: {body}"));
            }
        }
    }
}
