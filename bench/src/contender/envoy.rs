//! Envoy as someone who knows it would set it up for this job: HTTP/2 on both sides for gRPC, and
//! upgrades to WebSocket, over connections that are kept.

use std::ffi::OsString;
use std::fs;
use std::net::SocketAddr;

use super::{Kind, Site};
use crate::failure::Failure;
use crate::words;

/// Counts calls by method and status, as the gateway does.
const STATS: &str = "
          - name: envoy.filters.http.grpc_stats
            typed_config:
              \"@type\": type.googleapis.com/envoy.extensions.filters.http.grpc_stats.v3.FilterConfig
              stats_for_all_methods: true";

/// Writes the configuration and says how Envoy is started with it.
pub fn command(kind: Kind, site: &Site, address: SocketAddr) -> Result<Vec<OsString>, Failure> {
    let program = &site.programs.envoy;
    if !program.exists() {
        return Err(Failure::new(format!(
            "no Envoy at {}: `make deps WHAT=bench` fetches it, or name it with --envoy, or leave it \
             out with --contenders",
            program.display()
        )));
    }
    let path = site.directory.join(format!("{}.yaml", kind.name()));
    let filters = if kind == Kind::EnvoyStats { STATS } else { "" };
    fs::write(&path, configuration(site, address, filters))
        .map_err(Failure::during("cannot write Envoy's configuration"))?;
    let mut command = vec![program.clone().into(), "--config-path".into(), path.into()];
    for word in [
        "--concurrency",
        "1",
        "--disable-hot-restart",
        "--log-level",
        "error",
    ] {
        command.push(word.into());
    }
    Ok(command)
}

/// A WebSocket's route has no timeout, because one would end it; the rest is left as it is.
fn configuration(site: &Site, address: SocketAddr, filters: &str) -> String {
    format!(
        "static_resources:
  listeners:
  - address: {}
    filter_chains:
    - filters:
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          \"@type\": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: bench
          codec_type: AUTO
          http2_protocol_options: {{}}
          upgrade_configs: [{{ upgrade_type: websocket }}]
          route_config:
            virtual_hosts:
            - name: all
              domains: [\"*\"]
              routes:
              - match: {{ path: {} }}
                route: {{ cluster: http1, timeout: 0s }}
              - match: {{ prefix: / }}
                route: {{ cluster: http2 }}
          http_filters:{filters}
          - name: envoy.filters.http.router
            typed_config:
              \"@type\": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router
  clusters:
{}{}",
        socket(address),
        words::SOCKET,
        cluster("http1", "http_protocol_options", site.upstream),
        cluster("http2", "http2_protocol_options", site.grpc),
    )
}

fn cluster(name: &str, protocol: &str, endpoint: SocketAddr) -> String {
    format!(
        "  - name: {name}
    type: STATIC
    typed_extension_protocol_options:
      envoy.extensions.upstreams.http.v3.HttpProtocolOptions:
        \"@type\": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions
        explicit_http_config: {{ {protocol}: {{}} }}
    load_assignment:
      cluster_name: {name}
      endpoints:
      - lb_endpoints: [{{ endpoint: {{ address: {} }} }}]
",
        socket(endpoint)
    )
}

fn socket(address: SocketAddr) -> String {
    format!(
        "{{ socket_address: {{ address: {}, port_value: {} }} }}",
        address.ip(),
        address.port()
    )
}
