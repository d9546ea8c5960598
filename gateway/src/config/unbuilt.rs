//! What the design names and this version does not build: refused by name.

/// Keys, with `[]` for any index; and what to do instead.
const KEYS: &[(&str, &str)] = &[
    ("routes[].grpc", "use forward, which passes gRPC through"),
    (
        "routes[].graphql",
        "use forward, which passes GraphQL through",
    ),
    ("routes[].subscribe", "leave the route out"),
];

/// Words at a path; and what to do instead.
const WORDS: &[(&str, &str, &str)] = &[("quotas[].unit", "graphql_cost", "use unit requests")];

/// What to do instead, if the key at `path` is not built yet.
pub(super) fn key(path: &str) -> Option<&'static str> {
    let path = without_indices(path);
    KEYS.iter()
        .find(|(key, _)| *key == path)
        .map(|(_, instead)| *instead)
}

/// What to do instead, if `word` at `path` is not built yet.
pub(super) fn word(path: &str, word: &str) -> Option<&'static str> {
    let path = without_indices(path);
    WORDS
        .iter()
        .find(|(at, unbuilt, _)| *at == path && *unbuilt == word)
        .map(|(.., instead)| *instead)
}

/// `routes[3].grpc` as `routes[].grpc`.
fn without_indices(path: &str) -> String {
    let mut inside = false;
    path.chars()
        .filter(|&c| {
            match c {
                '[' => inside = true,
                ']' => inside = false,
                _ => return !inside,
            }
            true
        })
        .collect()
}
