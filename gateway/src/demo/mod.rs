//! `weir demo`: the gateway with everything it calls, in one process.
//!
//! The upstreams are small but honest: an HTTP echo, a gRPC greeter, a shop that speaks GraphQL, a
//! chat over WebSocket, a model that speaks as three providers do, a Kafka broker, and an address
//! where nobody listens. The gateway in front of them is the one
//! `weir run` serves, and does not know that they live next door.

mod broker;
mod chat;
mod config;
mod echo;
mod greeter;
mod guide;
mod model;
mod scratch;
mod serve;
mod shop;
mod socket;
mod upstreams;

use std::fs;
use std::io::{self, Write as _};
use std::net::{SocketAddr, TcpListener};

use broker::Broker;
use config::Parts;
pub(crate) use config::Ports;
use scratch::Scratch;
use upstreams::Upstreams;

use crate::server::run::{self as server, Start};

/// Serves the demonstration until it is interrupted.
///
/// # Errors
/// One line for a person: what could not be started, and how to mend it.
pub(crate) fn run(ports: Ports) -> Result<(), String> {
    // Dropped in reverse: the upstreams outlive the gateway, and the directory outlives both.
    let scratch = Scratch::new().map_err(|e| format!("cannot make a temporary directory: {e}"))?;
    let upstreams = Upstreams::start().map_err(|e| format!("cannot start the upstreams: {e}"))?;
    let broker = Broker::start().map_err(|e| format!("cannot start the Kafka broker: {e}"))?;
    let bootstrap_servers = broker.bootstrap_servers();
    let descriptors = scratch.path().join("greeter.binpb");
    fs::write(&descriptors, greeter::descriptors())
        .map_err(|e| format!("cannot write {}: {e}", descriptors.display()))?;
    let parts = Parts {
        echo: upstreams.echo,
        greeter: upstreams.greeter,
        descriptors: &descriptors,
        shop: upstreams.shop,
        chat: upstreams.chat,
        model: upstreams.model,
        model_key: &upstreams.model_key,
        broken: upstreams.broken,
        bootstrap_servers: &bootstrap_servers,
        data_dir: scratch.path(),
    };
    let loaded = config::load(&parts, ports)?;
    for (name, address) in addresses(&loaded.config) {
        vacant(&name, address)?;
    }
    server::run(
        Start {
            loaded,
            path: None,
            upgrade: false,
        },
        |bound| {
            let guide = guide::write(bound, &bootstrap_servers);
            // whether anybody reads along does not matter to those who are served
            let _ = io::stdout().lock().write_all(guide.as_bytes());
        },
    )
}

/// Every address the gateway listens on, and what it is called.
fn addresses(config: &crate::config::Config) -> Vec<(String, SocketAddr)> {
    let listeners = config
        .listeners
        .iter()
        .map(|one| (one.name.to_string(), one.address));
    listeners
        .chain(crate::admin::addresses(config).map(|(name, at)| (name.to_owned(), at)))
        .collect()
}

/// Whether the gateway will be able to listen on `address`; asked first, for a better answer than
/// the operating system's.
fn vacant(name: &str, address: SocketAddr) -> Result<(), String> {
    match TcpListener::bind(address) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => Err(format!(
            "{address}, the demo's {name} address, is taken by another program, perhaps another demo; \
             `ss -ltnp 'sport = :{port}'` shows which: stop it and start again, or `weir demo --free-ports`",
            port = address.port()
        )),
        Err(error) => Err(format!(
            "cannot listen on {address}, the demo's {name} address: {error}"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_port_is_named_with_what_to_do() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = taken.local_addr().unwrap();
        let told = vacant("metrics", address).unwrap_err();
        assert!(told.contains(&address.to_string()), "{told}");
        assert!(told.contains("metrics"), "{told}");
        assert!(told.contains("stop it"), "{told}");
        vacant("metrics", ([127, 0, 0, 1], 0).into()).unwrap();
    }
}
