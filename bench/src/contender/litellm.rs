//! LiteLLM's proxy, one worker, with what its open edition offers without a database: a key that
//! callers must show, a limit of requests and of tokens by model, Prometheus metrics, and spans of
//! one call in a hundred exported over OTLP.

use std::ffi::OsString;
use std::fs;
use std::net::SocketAddr;

use super::{PLENTY, Site};
use crate::case;
use crate::failure::Failure;

/// Writes the configuration and says how the proxy is started with it.
pub fn command(site: &Site, address: SocketAddr) -> Result<Vec<OsString>, Failure> {
    let program = site.programs.litellm.join("bin/litellm");
    if !program.exists() {
        return Err(Failure::new(format!(
            "no LiteLLM at {}: `make deps WHAT=bench` fetches it, or leave it out with --contenders",
            program.display()
        )));
    }
    let path = site.directory.join("litellm.yaml");
    fs::write(&path, configuration(site.upstream))
        .map_err(Failure::during("cannot write LiteLLM's configuration"))?;
    let port = address.port().to_string();
    let mut command = vec![program.into(), "--config".into(), path.into()];
    for word in ["--host", "127.0.0.1", "--port", &port, "--num_workers", "1"] {
        command.push(word.into());
    }
    command.extend(["--telemetry", "False"].map(Into::into));
    Ok(command)
}

/// Variables it reads: where spans go, that it prints errors only, and that it fetches no prices.
pub fn environment(site: &Site) -> Vec<(&'static str, String)> {
    [
        ("OTEL_EXPORTER", "otlp_grpc"),
        ("OTEL_ENDPOINT", &format!("http://{}", site.sink)),
        ("OTEL_TRACES_SAMPLER", "parentbased_traceidratio"),
        ("OTEL_TRACES_SAMPLER_ARG", "0.01"),
        ("LITELLM_LOG", "ERROR"),
        ("LITELLM_LOCAL_MODEL_COST_MAP", "True"),
        ("NO_PROXY", "127.0.0.1"),
    ]
    .map(|(name, value)| (name, value.to_owned()))
    .into()
}

fn configuration(upstream: SocketAddr) -> String {
    format!(
        "model_list:
  - model_name: {}
    litellm_params: {{ model: openai/{}, api_base: \"http://{upstream}/v1\", api_key: not-a-real-provider-key, rpm: {PLENTY}, tpm: {PLENTY} }}
router_settings: {{ optional_pre_call_checks: [enforce_model_rate_limits] }}
litellm_settings: {{ callbacks: [prometheus, otel] }}
general_settings: {{ master_key: {} }}
",
        case::MODEL,
        case::PROVIDER_MODEL,
        case::KEY,
    )
}
