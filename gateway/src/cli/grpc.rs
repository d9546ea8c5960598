//! `weir grpc`: what can be called at the upstreams of a running gateway, and at Weir itself.

use std::fmt::Write as _;

use serde_json::Value;

use super::admin::Address;
use super::{Failure, Terminal};
use crate::grpc_events;

/// What can be asked about gRPC.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Lists the services and methods of an upstream whose server has reflection
    Methods {
        /// The upstream
        #[arg(long, value_name = "NAME")]
        upstream: String,
        #[command(flatten)]
        address: Address,
    },
    /// Prints the `.proto` of weir.events.v1, by which callers subscribe and publish
    Proto,
}

/// Prints what the gateway says, or the file.
pub(super) fn run(command: &Command, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
    let (upstream, address) = match command {
        Command::Methods { upstream, address } => (upstream, address),
        Command::Proto => return Ok(write!(terminal.out, "{}", grpc_events::SOURCE)?),
    };
    let answer = address.get(&format!("/upstreams/{upstream}/methods"))?;
    if address.json {
        writeln!(terminal.out, "{answer:#}")?;
    } else {
        write!(terminal.out, "{}", text(&answer))?;
    }
    Ok(())
}

/// As a `.proto` file would say it, each rule under its method.
fn text(answer: &Value) -> String {
    let mut out = String::new();
    for service in elements(&answer["services"]) {
        let _ = writeln!(out, "{}", said(&service["name"]));
        for method in elements(&service["methods"]) {
            let stream = |key: &str| match method[key].as_bool() {
                Some(true) => "stream ",
                _ => "",
            };
            let _ = writeln!(
                out,
                "  {}({}{}) returns ({}{})",
                said(&method["name"]),
                stream("client_streaming"),
                said(&method["request"]),
                stream("server_streaming"),
                said(&method["response"]),
            );
            for rule in elements(&method["http"]) {
                let _ = write!(out, "    {} {}", said(&rule["method"]), said(&rule["path"]));
                for key in ["body", "response_body"] {
                    if let Some(field) = rule[key].as_str() {
                        let _ = write!(out, " {key}: {field}");
                    }
                }
                out.push('\n');
            }
        }
    }
    out
}

fn elements(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn said(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    #[test]
    fn methods_are_told_with_their_rules() {
        let answer = json!({ "services": [{ "name": "shop.Books", "methods": [
            { "name": "Get", "request": "shop.Key", "response": "shop.Book", "http": [
                { "method": "GET", "path": "/v1/{name=books/*}", "body": null },
                { "method": "POST", "path": "/v1/books", "body": "*", "response_body": "title" },
            ] },
            { "name": "Watch", "request": "shop.Key", "response": "shop.Book",
              "server_streaming": true, "http": [] },
        ] }] });
        let expected = "shop.Books\n  Get(shop.Key) returns (shop.Book)\n    GET /v1/{name=books/*}\n    \
                        POST /v1/books body: * response_body: title\n  \
                        Watch(shop.Key) returns (stream shop.Book)\n";
        assert_eq!(super::text(&answer), expected);
    }
}
