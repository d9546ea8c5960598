//! The gateway, configured as its documentation would have it. Its configuration is text here,
//! not types: the bench meets the gateway where its users do.

use std::ffi::OsString;
use std::fs;
use std::net::SocketAddr;

use super::{Kind, PLENTY, Site, free_address};
use crate::case;
use crate::failure::Failure;

/// Makes spans leave while they are measured: the batch of a burst goes out within the burst or
/// the pause that is counted with it, instead of seconds later at nobody's expense.
pub const EXPORT_OFTEN: (&str, &str) = ("OTEL_BSP_SCHEDULE_DELAY", "200");

/// Writes the configuration and says how the gateway is started with it.
pub fn command(kind: Kind, site: &Site, address: SocketAddr) -> Result<Vec<OsString>, Failure> {
    if !site.programs.weir.exists() {
        return Err(Failure::new(format!(
            "no gateway at {}: build it, name it with --weir, or leave it out with \
             --contenders nginx,bare",
            site.programs.weir.display()
        )));
    }
    let data = site.directory.join(format!("{}-data", kind.name()));
    fs::create_dir_all(&data)
        .map_err(Failure::during("cannot make the gateway's data directory"))?;
    let mut text = format!(
        "version: 1
listeners: [{{ name: bench, address: {address} }}]
metrics: {{ address: {} }}
admin: {{ address: {} }}
server: {{ worker_threads: 1, data_dir: {:?} }}
",
        free_address()?,
        free_address()?,
        data.display().to_string(),
    );
    text.push_str(&match kind {
        Kind::WeirPolicies => policies(site),
        Kind::WeirLlm => llm(site, QUIET, "openai"),
        Kind::WeirOpenai => llm(site, &traced(site), "openai"),
        Kind::WeirAnthropic => llm(site, &traced(site), "anthropic"),
        Kind::WeirGrpc => to(site.grpc, "http2", "grpc"),
        Kind::WeirWebsocket => to(site.upstream, "http1", "websocket"),
        _ => to(site.upstream, "http1", "forward"),
    });
    let path = site.directory.join(format!("{}.yaml", kind.name()));
    fs::write(&path, text).map_err(Failure::during("cannot write the gateway's configuration"))?;
    Ok(vec![
        site.programs.weir.clone().into(),
        "run".into(),
        "--config".into(),
        path.into(),
    ])
}

/// Metrics and nothing else.
const QUIET: &str = "telemetry: { access_log: { output: none } }\n";

/// Metrics, and spans of one request in a hundred.
fn traced(site: &Site) -> String {
    format!(
        "telemetry:
  otlp: {{ endpoint: \"http://{}\", sample_ratio: 0.01 }}
  access_log: {{ output: none }}
",
        site.sink
    )
}

/// One route with this action, to an upstream that speaks this protocol.
fn to(upstream: SocketAddr, protocol: &str, action: &str) -> String {
    format!(
        "{QUIET}upstreams:
  - {{ name: upstream, endpoints: [{{ address: {upstream} }}], protocol: {protocol} }}
routes:
  - name: all
    matches: [{{ path: {{ prefix: / }} }}]
    {action}: {{ backends: [{{ upstream: upstream }}] }}
"
    )
}

fn policies(site: &Site) -> String {
    format!(
        "{}upstreams:
  - {{ name: upstream, endpoints: [{{ address: {} }}] }}
{}routes:
  - name: all
    matches: [{{ path: {{ prefix: / }} }}]
    policies: [{{ kind: key_auth }}, {{ kind: quota, quotas: [all] }}]
    forward: {{ backends: [{{ upstream: upstream }}] }}
",
        traced(site),
        site.upstream,
        metered("requests"),
    )
}

/// An LLM route to a provider of this dialect.
fn llm(site: &Site, telemetry: &str, dialect: &str) -> String {
    // OpenAI's base URL has the version in it, Anthropic's has not.
    let version = if dialect == "openai" { "/v1" } else { "" };
    format!(
        "{telemetry}secrets:
  - {{ name: provider-key, value: not-a-real-provider-key }}
providers:
  - {{ name: provider, dialect: {dialect}, base_url: \"http://{}{version}\", api_key: {{ secret: provider-key }} }}
models:
  - {{ name: {}, targets: [{{ provider: provider, model: {} }}] }}
{}routes:
  - name: chat
    matches: [{{ path: {{ prefix: /v1 }} }}]
    policies: [{{ kind: key_auth }}, {{ kind: quota, quotas: [all] }}]
    llm: {{ models: [{}] }}
",
        site.upstream,
        case::MODEL,
        case::PROVIDER_MODEL,
        metered("tokens"),
        case::MODEL,
    )
}

/// One consumer with the clients' key, and one quota in `unit` that counts what it uses.
fn metered(unit: &str) -> String {
    format!(
        "stores: [{{ name: ledger, kind: memory }}]
consumers:
  - {{ name: caller, credentials: [{{ kind: key, id: bench, sha256: \"{}\" }}] }}
quotas:
  - {{ name: all, store: ledger, unit: {unit}, limit: {{ default: {PLENTY} }}, window: {{ kind: fixed, every: day }}, by: [consumer] }}
",
        case::KEY_SHA256
    )
}
