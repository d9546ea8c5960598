//! Portkey's open gateway on one Node. It has no keys of its own, no quotas, no metrics and no
//! spans: it is asked for the model's other name and the provider's key, and that is all.

use std::ffi::OsString;
use std::net::SocketAddr;

use super::Site;
use crate::case;
use crate::failure::Failure;

/// Says how the gateway is started.
pub fn command(site: &Site, address: SocketAddr) -> Result<Vec<OsString>, Failure> {
    let modules = site.programs.portkey.join("node_modules");
    let program = modules.join("@portkey-ai/gateway/build/start-server.js");
    if !program.exists() {
        return Err(Failure::new(format!(
            "no Portkey at {}: `make deps WHAT=bench` fetches it, or leave it out with --contenders",
            program.display()
        )));
    }
    Ok(vec![
        modules.join(".bin/node").into(),
        program.into(),
        "--headless".into(),
        format!("--port={}", address.port()).into(),
    ])
}

/// Variables it reads: no console.
pub fn environment() -> Vec<(&'static str, String)> {
    vec![("NODE_ENV", "production".to_owned())]
}

/// The line of a request's head that says what to do with it: Portkey is configured by callers.
pub fn header(upstream: SocketAddr) -> String {
    format!(
        "x-portkey-config: {{\"provider\":\"openai\",\"api_key\":\"not-a-real-provider-key\",\
         \"custom_host\":\"http://{upstream}/v1\",\
         \"override_params\":{{\"model\":\"{}\"}}}}\r\n",
        case::PROVIDER_MODEL
    )
}
