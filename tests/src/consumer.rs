//! Consumers as a configuration has them.

/// What a configuration holds of a key: its SHA-256 in hex.
pub fn sha256(key: &str) -> String {
    let digest = openssl::sha::sha256(key.as_bytes());
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// An entry of `consumers` for one who is their own key.
pub fn entry(name: &str, team: &str) -> String {
    let hash = sha256(name);
    format!(
        "  - {{ name: {name}, team: {team}, credentials: [{{ kind: key, id: k, sha256: \"{hash}\" }}] }}\n"
    )
}
