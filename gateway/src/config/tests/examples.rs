//! Every example is good, in the environment its first lines ask for.

use std::path::{Path, PathBuf};

use super::files::certificate;
use crate::config::load::load_with;

#[test]
fn every_example_is_good_and_warns_of_nothing() {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples");
    let (cert, key) = certificate("api.example.com");
    let pem = |name: &str, text: Vec<u8>| -> PathBuf {
        let path =
            std::env::temp_dir().join(format!("weir-example-{}-{name}.pem", std::process::id()));
        std::fs::write(&path, text).expect("a file");
        path
    };
    let (cert, key) = (pem("cert", cert), pem("key", key));
    let services = pem("services", super::grpc::SERVICES.to_vec());
    let environment = |name: &str| match name {
        "ORDERS" | "SHOP" | "ART" | "KAFKA" => Some("127.0.0.1:9001".to_owned()),
        "OPENAI_BASE_URL" => Some("http://127.0.0.1:9001/v1".to_owned()),
        "ANTHROPIC_BASE_URL" => Some("http://127.0.0.1:9002".to_owned()),
        "OPENAI_API_KEY" | "OPENAI_API_KEY_2" | "ANTHROPIC_API_KEY" => {
            Some("sk-example".to_owned())
        }
        "KAFKA_PASSWORD" => Some("example".to_owned()),
        "TLS_CERT" | "TLS_CA" => Some(cert.display().to_string()),
        "ORDERS_BINPB" => Some(services.display().to_string()),
        "TLS_KEY" => Some(key.display().to_string()),
        _ => None,
    };
    let mut seen = Vec::new();
    for entry in std::fs::read_dir(&examples).expect("examples") {
        let path = entry.expect("an example").path();
        let loaded = load_with(&path, &environment);
        let loaded = loaded.unwrap_or_else(|faults| panic!("{faults}"));
        assert_eq!(loaded.warnings, [], "{}", path.display());
        assert!(!loaded.config.routes.is_empty(), "{}", path.display());
        seen.push(path);
    }
    assert!(seen.len() >= 5, "{seen:?}");
    for path in [cert, key, services] {
        std::fs::remove_file(path).expect("the file is ours");
    }
}
