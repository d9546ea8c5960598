//! Which octets may stand where (RFC 9110 §5.6.2, RFC 9112 §3.2).
//! One table look-up per octet; knows nothing of lines.

const TOKEN: u8 = 1;
const TARGET: u8 = 2;
const HOST: u8 = 4;

const CLASSES: [u8; 256] = classes();

const fn classes() -> [u8; 256] {
    let mut table = [0; 256];
    let mut octet = 0;
    while octet < 256 {
        table[octet] = class(octet as u8);
        octet += 1;
    }
    table
}

const fn class(octet: u8) -> u8 {
    let word = octet.is_ascii_alphanumeric();
    let mut class = 0;
    if word || among(octet, b"!#$%&'*+-.^_`|~") {
        class |= TOKEN;
    }
    // Wider than the grammar of RFC 3986: real clients send `|`, `{` or `"`
    // unescaped, and these confuse nobody. `#` does: some parsers cut there.
    if octet.is_ascii_graphic() && octet != b'#' {
        class |= TARGET;
    }
    // uri-host and port, without the comma that would make a list of two.
    if word || among(octet, b"-._~%!$&'()*+;=:[]") {
        class |= HOST;
    }
    class
}

const fn among(octet: u8, set: &[u8]) -> bool {
    let mut i = 0;
    while i < set.len() {
        if set[i] == octet {
            return true;
        }
        i += 1;
    }
    false
}

/// How many octets at the start of `bytes` are token characters.
pub(super) fn token_len(bytes: &[u8]) -> usize {
    bytes
        .iter()
        .position(|&octet| CLASSES[usize::from(octet)] & TOKEN == 0)
        .unwrap_or(bytes.len())
}

/// The first octet that may not stand in a request target.
pub(super) fn first_bad_in_target(target: &[u8]) -> Option<u8> {
    target
        .iter()
        .copied()
        .find(|&octet| CLASSES[usize::from(octet)] & TARGET == 0)
}

/// Whether every octet may stand in a `Host` value.
pub(super) fn all_host(value: &[u8]) -> bool {
    value
        .iter()
        .all(|&octet| CLASSES[usize::from(octet)] & HOST != 0)
}

/// Whether a control octet other than HTAB is in a field value. Looks at all
/// octets without an early exit, which lets the compiler take many at a time.
pub(super) fn has_control(value: &[u8]) -> bool {
    value.iter().fold(false, |found, &octet| {
        found | ((octet < b' ') & (octet != b'\t')) | (octet == 0x7f)
    })
}

/// `value` without the optional whitespace (SP, HTAB) around it.
pub(super) fn trim(mut value: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] = value {
        value = rest;
    }
    while let [rest @ .., b' ' | b'\t'] = value {
        value = rest;
    }
    value
}
