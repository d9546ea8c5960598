//! Whether a `tracestate` is one (W3C Trace Context §3.3). Its entries belong
//! to other vendors and are never looked into.

/// The longest list passed on, in bytes; the specification asks for at least
/// 512 and lets what is longer be dropped.
const MAX_LEN: usize = 512;
const MAX_MEMBERS: usize = 32;

/// Whether the joined value can be passed on as it is.
pub(super) fn is_valid(state: &str) -> bool {
    if state.is_empty() || state.len() > MAX_LEN {
        return false;
    }
    let mut members = 0;
    for member in state.split(',') {
        // Empty members and blanks around one are allowed.
        let member = member.trim_matches([' ', '\t']);
        if member.is_empty() {
            continue;
        }
        members += 1;
        let Some((key, value)) = member.split_once('=') else {
            return false;
        };
        if !is_key(key) || !is_value(value) {
            return false;
        }
    }
    (1..=MAX_MEMBERS).contains(&members)
}

/// `simple` or `tenant@system`.
fn is_key(key: &str) -> bool {
    match key.split_once('@') {
        None => is_word(key, 256, |b| b.is_ascii_lowercase()),
        Some((tenant, system)) => {
            is_word(tenant, 241, |b| {
                b.is_ascii_lowercase() || b.is_ascii_digit()
            }) && is_word(system, 14, |b| b.is_ascii_lowercase())
        }
    }
}

fn is_word(word: &str, max: usize, first: fn(u8) -> bool) -> bool {
    word.len() <= max
        && word.bytes().next().is_some_and(first)
        && word
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"_-*/".contains(&b))
}

/// Printable ASCII without `,` and `=`; the last one not a blank, which the
/// caller has trimmed off.
fn is_value(value: &str) -> bool {
    (1..=256).contains(&value.len())
        && value
            .bytes()
            .all(|b| (0x20..=0x7e).contains(&b) && b != b',' && b != b'=')
}

#[cfg(test)]
mod tests {
    use super::is_valid;

    #[test]
    fn lists_of_the_specification_pass() {
        for good in [
            "rojo=00f067aa0ba902b7",
            "rojo=00f067aa0ba902b7,congo=t61rcWkgMzE",
            "a=1, b=2 ,\tc=3,,",
            "0tenant@system=x y",
            "a_b-c*d/e=!~",
        ] {
            assert!(is_valid(good), "{good}");
        }
    }

    #[test]
    fn anything_else_does_not() {
        let long = format!("a={}", "x".repeat(257));
        let many = "a=1,".repeat(33);
        for bad in [
            "", ",", "a", "a=", "=1", "A=1", "0a=1", "a@B=1", "a@0=1", "a=b=c", "a=\u{e9}", "a=\n",
            &long, &many,
        ] {
            assert!(!is_valid(bad), "{bad}");
        }
    }
}
