//! What a provider's name for a model says about the model. Knows no tokens.

/// The name without who offers it, as brokers write it before: `openai/gpt-4o` is `gpt-4o`.
pub(super) fn unprefixed(name: &str) -> &str {
    name.rsplit_once('/').map_or(name, |(_, name)| name)
}

/// The model that a name is a version of: without who offers it, without what was tuned on it, and
/// without the day of a snapshot. `openai/gpt-4o-2024-08-06` and `ft:gpt-4o:acme::1` are `gpt-4o`.
pub(super) fn base(name: &str) -> &str {
    let name = unprefixed(name);
    let name = name
        .strip_prefix("ft:")
        .and_then(|tuned| tuned.split(':').next())
        .unwrap_or(name);
    let day = name.len().saturating_sub("-2024-08-06".len());
    match name.split_at_checked(day) {
        Some((base, day)) if is_day(day) => base,
        _ => name,
    }
}

fn is_day(text: &str) -> bool {
    let shape = |(at, byte): (usize, u8)| match at {
        0 | 5 | 8 => byte == b'-',
        _ => byte.is_ascii_digit(),
    };
    text.len() == 11 && text.bytes().enumerate().all(shape)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_traced_to_its_model() {
        for (name, is) in [
            ("gpt-4o", "gpt-4o"),
            ("gpt-4o-2024-08-06", "gpt-4o"),
            ("openai/gpt-4.1-mini-2025-04-14", "gpt-4.1-mini"),
            ("ft:gpt-4o-mini-2024-07-18:acme::Ab1", "gpt-4o-mini"),
            ("gpt-4-0613", "gpt-4-0613"),
            ("-2024-08-06", ""),
            ("llava\u{e9}-024-08-06", "llava\u{e9}-024-08-06"),
            ("", ""),
        ] {
            assert_eq!(base(name), is, "{name}");
        }
    }
}
