//! Names that GraphQL takes (2.1.9), made of names that it does not.

/// Whether it is a name, and not one of those kept for introspection.
pub(super) fn is_name(text: &str) -> bool {
    let mut bytes = text.bytes();
    let first = bytes
        .next()
        .is_some_and(|b| b.is_ascii_alphabetic() || b == b'_');
    first && bytes.all(|b| b.is_ascii_alphanumeric() || b == b'_') && !text.starts_with("__")
}

/// Whether an enumeration may have a value of this name.
pub(super) fn is_value(text: &str) -> bool {
    is_name(text) && !matches!(text, "true" | "false" | "null")
}

/// The name nearest to a text: what may not stand in names becomes `_`.
pub(super) fn nearest(text: &str) -> String {
    let kept = text.chars().map(|c| match c {
        c if c.is_ascii_alphanumeric() => c,
        _ => '_',
    });
    let name: String = kept.collect();
    let bare = name.trim_start_matches('_');
    let name = match bare {
        "" => "unnamed".to_owned(),
        _ if name.starts_with("__") => format!("_{bare}"),
        _ => name,
    };
    match name.starts_with(|c: char| c.is_ascii_digit()) {
        true => format!("_{name}"),
        false => name,
    }
}

/// `orderLines` as `OrderLines`.
pub(super) fn upper_first(text: &str) -> String {
    let mut chars = text.chars();
    let first = chars.next().map(|c| c.to_ascii_uppercase());
    first.into_iter().chain(chars).collect()
}

/// `OrderLines` as `orderLines`.
pub(super) fn lower_first(text: &str) -> String {
    let mut chars = text.chars();
    let first = chars.next().map(|c| c.to_ascii_lowercase());
    first.into_iter().chain(chars).collect()
}

/// What an operation without an `operationId` is called: `get /orders/{id}` as `getOrdersById`.
pub(super) fn of_operation(method: &str, path: &str) -> String {
    let mut name = method.to_ascii_lowercase();
    for segment in path.split('/').filter(|segment| !segment.is_empty()) {
        match segment.strip_prefix('{').and_then(|s| s.strip_suffix('}')) {
            Some(parameter) => {
                name.push_str("By");
                name.push_str(&upper_first(&nearest(parameter)));
            }
            None => name.push_str(&upper_first(&nearest(segment))),
        }
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_graphql_does_not_take_gets_a_name_that_it_does() {
        for (text, name) in [
            ("order-lines", "order_lines"),
            ("2nd", "_2nd"),
            ("__typename", "_typename"),
            ("ü", "unnamed"),
            ("ok", "ok"),
            ("_id", "_id"),
        ] {
            assert_eq!(nearest(text), name);
            assert!(is_name(&nearest(text)), "{text}");
        }
        assert_eq!(
            of_operation("GET", "/orders/{order-id}/lines"),
            "getOrdersByOrder_idLines"
        );
        assert!(!is_name("__x") && !is_name("") && !is_name("1"));
    }
}
