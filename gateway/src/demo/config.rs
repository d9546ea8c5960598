//! The demo's configuration: `demo.yaml`, with what is known only once the upstreams run.

use std::net::SocketAddr;
use std::path::Path;

use sha2::{Digest as _, Sha256};

use super::model;
use super::shop::Shop;
use crate::config::{self, Loaded, units};

/// The key callers present. It opens nothing but a demo on the loopback address, so it may be
/// known, and be the same every time: then commands can be pasted from a page.
pub(super) const KEY: &str = "demo-key";

/// The key of somebody in the group `staff`.
pub(super) const STAFF_KEY: &str = "demo-staff-key";

const YAML: &str = include_str!("demo.yaml");

/// Where the gateway listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ports {
    /// On 8080, 9901 and 9902.
    Known,
    /// On whatever is free.
    Free,
}

/// Where everything is.
pub(super) struct Parts<'p> {
    /// The echo's address.
    pub(super) echo: SocketAddr,
    /// The greeter's address.
    pub(super) greeter: SocketAddr,
    /// The file that describes the greeter.
    pub(super) descriptors: &'p Path,
    /// The shop's address.
    pub(super) shop: SocketAddr,
    /// The chat's address.
    pub(super) chat: SocketAddr,
    /// The model's address.
    pub(super) model: SocketAddr,
    /// The key the model asks for.
    pub(super) model_key: &'p str,
    /// An address that refuses.
    pub(super) broken: SocketAddr,
    /// The broker's address.
    pub(super) bootstrap_servers: &'p str,
    /// What the gateway may write to.
    pub(super) data_dir: &'p Path,
}

/// The ports the gateway listens on, unless it is told to take free ones.
const PORTS: [&str; 3] = ["127.0.0.1:8080", "127.0.0.1:9901", "127.0.0.1:9902"];

/// Checks the configuration with `parts` put in.
pub(super) fn load(parts: &Parts<'_>, ports: Ports) -> Result<Loaded, String> {
    let yaml = match ports {
        Ports::Known => YAML.to_owned(),
        Ports::Free => PORTS.iter().fold(YAML.to_owned(), |yaml, address| {
            yaml.replace(address, "127.0.0.1:0")
        }),
    };
    config::parse_str(&fill(&yaml, parts))
        .map_err(|faults| format!("the demo's configuration is refused:\n{faults}"))
}

/// Puts `parts` in by name. A name that is not known stays, and the check says so.
///
/// Not through the environment that `${VAR}` means elsewhere: it is the whole process's, and
/// a process with threads must not change it.
fn fill(yaml: &str, parts: &Parts<'_>) -> String {
    let values = [
        ("DEMO_ECHO", parts.echo.to_string()),
        ("DEMO_GREETER", parts.greeter.to_string()),
        (
            "DEMO_GREETER_DESCRIPTORS",
            quotable(&parts.descriptors.to_string_lossy()),
        ),
        ("DEMO_SHOP", parts.shop.to_string()),
        ("DEMO_SHOP_SCHEMA", quotable(&Shop::definition())),
        ("DEMO_CHAT", parts.chat.to_string()),
        ("DEMO_MODEL", parts.model.to_string()),
        ("DEMO_MODEL_KEY", parts.model_key.to_owned()),
        ("DEMO_MODEL_NAME", model::NAME.to_owned()),
        ("DEMO_BROKEN", parts.broken.to_string()),
        ("DEMO_BROKER", parts.bootstrap_servers.to_owned()),
        ("DEMO_KEY_SHA256", hash(KEY)),
        ("DEMO_STAFF_KEY_SHA256", hash(STAFF_KEY)),
        // last, as nothing is put into what it may contain
        ("DEMO_DATA_DIR", quotable(&parts.data_dir.to_string_lossy())),
    ];
    values.iter().fold(yaml.to_owned(), |text, (name, value)| {
        text.replace(&format!("${{{name}}}"), value)
    })
}

fn hash(key: &str) -> String {
    units::Sha256(Sha256::digest(key).into()).to_string()
}

/// A text as it stands between double quotes in YAML; `$` doubled, as `${` has a meaning.
fn quotable(text: &str) -> String {
    text.replace('\\', r"\\")
        .replace('"', r#"\""#)
        .replace('\n', r"\n")
        .replace('\t', r"\t")
        .replace("${", "$${")
}

#[cfg(test)]
mod tests {
    use super::super::greeter;
    use super::super::scratch::Scratch;
    use super::*;

    fn load_in(data_dir: &str) -> Loaded {
        load_at(data_dir, Ports::Known)
    }

    fn load_at(data_dir: &str, ports: Ports) -> Loaded {
        let scratch = Scratch::new().unwrap();
        let descriptors = scratch.path().join("greeter.binpb");
        std::fs::write(&descriptors, greeter::descriptors()).unwrap();
        let parts = Parts {
            echo: ([127, 0, 0, 1], 4001).into(),
            model: ([127, 0, 0, 1], 4002).into(),
            model_key: "the-model-key",
            broken: ([127, 0, 0, 1], 4003).into(),
            greeter: ([127, 0, 0, 1], 4005).into(),
            descriptors: &descriptors,
            shop: ([127, 0, 0, 1], 4006).into(),
            chat: ([127, 0, 0, 1], 4007).into(),
            bootstrap_servers: "127.0.0.1:4004",
            data_dir: Path::new(data_dir),
        };
        load(&parts, ports).unwrap_or_else(|told| panic!("{told}"))
    }

    #[test]
    fn it_passes_the_check_with_every_part_in_its_place() {
        let config = load_in("/var/tmp/demo").config;
        let endpoint = |name: &str| {
            let upstream = config
                .upstreams
                .iter()
                .find(|one| &*one.name == name)
                .unwrap();
            format!(
                "{}:{}",
                upstream.endpoints[0].host, upstream.endpoints[0].port
            )
        };
        assert_eq!(endpoint("echo"), "127.0.0.1:4001");
        assert_eq!(endpoint("broken"), "127.0.0.1:4003");
        assert_eq!(endpoint("greeter"), "127.0.0.1:4005");
        assert_eq!(endpoint("shop"), "127.0.0.1:4006");
        assert_eq!(endpoint("chat"), "127.0.0.1:4007");
        let (model, down) = config.providers.split_at(3);
        for provider in model {
            assert_eq!(&*provider.authority, "127.0.0.1:4002");
            assert_eq!(provider.api_keys[0].value.expose(), "the-model-key");
        }
        assert_eq!(&*down[0].authority, "127.0.0.1:4003");
        assert_eq!(config.kafka_clusters[0].bootstrap_servers, "127.0.0.1:4004");
        assert_eq!(config.server.data_dir, Path::new("/var/tmp/demo"));
        let routes: Vec<&str> = config.routes.iter().map(|route| &*route.name).collect();
        assert_eq!(
            routes,
            [
                "echo",
                "chat",
                "summarise",
                "ingest",
                "feed",
                "greeter",
                "shop",
                "rooms",
                "rooms-page",
                "broken"
            ]
        );
    }

    #[test]
    fn the_addresses_are_those_the_readme_names() {
        let config = load_in("/var/tmp/demo").config;
        assert_eq!(config.listeners[0].address, ([127, 0, 0, 1], 8080).into());
        assert_eq!(config.metrics, Some(([127, 0, 0, 1], 9902).into()));
        assert_eq!(config.admin.unwrap().address, ([127, 0, 0, 1], 9901).into());
    }

    #[test]
    fn free_ports_are_asked_for_everywhere() {
        let config = load_at("/var/tmp/demo", Ports::Free).config;
        let free = ([127, 0, 0, 1], 0).into();
        assert_eq!(config.listeners[0].address, free);
        assert_eq!(config.metrics, Some(free));
        assert_eq!(config.admin.unwrap().address, free);
    }

    #[test]
    fn the_model_key_does_not_show() {
        assert!(
            !load_in("/var/tmp/demo")
                .redacted
                .to_string()
                .contains("the-model-key")
        );
    }

    #[test]
    fn any_directory_can_be_written_in() {
        for odd in [
            r#"/var/tmp/a "b""#,
            r"/var/tmp/a\b",
            "/var/tmp/${HOME}",
            "/var/tmp/a: #b",
        ] {
            assert_eq!(load_in(odd).config.server.data_dir, Path::new(odd));
        }
    }
}
