//! What the design names and this version does not build: refused by name.

/// Keys, with `[]` for any index; and what to do instead.
const KEYS: &[(&str, &str)] = &[("routes[].subscribe", "leave the route out")];

/// What to do instead, if the key at `path` is not built yet.
pub(super) fn key(path: &str) -> Option<&'static str> {
    let path = without_indices(path);
    KEYS.iter()
        .find(|(key, _)| *key == path)
        .map(|(_, instead)| *instead)
}

/// `routes[3].subscribe` as `routes[].subscribe`.
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
