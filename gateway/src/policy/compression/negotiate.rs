//! What a caller accepts (RFC 9110, 12.5.3), and what it gets of that.

use http::header::{ACCEPT_ENCODING, HeaderMap};

use crate::config::policies::compression::{Coding, Encoder};

/// The weight of a coding, in thousandths.
type Weight = u16;

/// What the fields say of codings, in order. What cannot be read says nothing.
fn accepted(headers: &HeaderMap) -> impl Iterator<Item = (&str, Weight)> {
    let values = headers.get_all(ACCEPT_ENCODING).into_iter();
    values
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|element| {
            let mut parts = element.split(';').map(str::trim);
            let coding = parts.next().filter(|coding| !coding.is_empty())?;
            let weight = match parts.next() {
                None => 1000,
                Some(parameter) => weight(parameter)?,
            };
            parts.next().is_none().then_some((coding, weight))
        })
}

/// RFC 9110, 12.4.2: from 0 to 1, with three digits at most.
fn weight(parameter: &str) -> Option<Weight> {
    let (name, value) = parameter.split_once('=')?;
    if !name.trim_end().eq_ignore_ascii_case("q") {
        return None;
    }
    let (whole, digits) = value
        .trim_start()
        .split_once('.')
        .unwrap_or((value.trim_start(), ""));
    if digits.len() > 3 || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let fraction: Weight = format!("{digits:0<3}").parse().ok()?;
    match whole {
        "0" => Some(fraction),
        "1" if fraction == 0 => Some(1000),
        _ => None,
    }
}

fn is(coding: Coding, token: &str) -> bool {
    token.eq_ignore_ascii_case(coding.token())
        // RFC 9110, 8.4.1.3: the old name of gzip.
        || (coding == Coding::Gzip && token.eq_ignore_ascii_case("x-gzip"))
}

/// The encoder whose coding the caller likes best, the first of those it likes alike; `None` where
/// it wants none. Who says nothing of codings is not known to understand any.
pub(super) fn pick(headers: &HeaderMap, encoders: &[Encoder]) -> Option<Encoder> {
    let said = |name: &dyn Fn(&str) -> bool| {
        accepted(headers)
            .find(|(token, _)| name(token))
            .map(|(_, weight)| weight)
    };
    let any = said(&|token| token == "*");
    let mut best: Option<(Encoder, Weight)> = None;
    for encoder in encoders {
        let weight = said(&|token| is(encoder.coding, token))
            .or(any)
            .unwrap_or(0);
        if weight > best.map_or(0, |(_, weight)| weight) {
            best = Some((*encoder, weight));
        }
    }
    let (encoder, weight) = best?;
    // A caller may like it plain better.
    let plain = said(&|token| token.eq_ignore_ascii_case("identity"));
    plain.is_none_or(|plain| plain <= weight).then_some(encoder)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn picked(accept: &[&str]) -> &'static str {
        let mut headers = HeaderMap::new();
        for value in accept {
            let value = HeaderValue::from_str(value).expect("a value");
            headers.append(ACCEPT_ENCODING, value);
        }
        let all =
            [Coding::Zstd, Coding::Brotli, Coding::Gzip].map(|coding| Encoder { coding, level: 1 });
        pick(&headers, &all).map_or("-", |encoder| encoder.coding.token())
    }

    #[test]
    fn the_caller_chooses_and_the_gateway_breaks_ties() {
        for (accept, coding) in [
            ("gzip", "gzip"),
            ("GZIP", "gzip"),
            ("x-gzip", "gzip"),
            ("gzip, deflate, br, zstd", "zstd"),
            ("gzip, br", "br"),
            ("gzip;q=1.0, br;q=0.9", "gzip"),
            ("br ; q=0.5 , gzip ; Q=0.500", "br"),
            ("zstd;q=0, *", "br"),
            ("*", "zstd"),
            ("*;q=0.1, gzip;q=0.001", "zstd"),
            ("identity;q=0, gzip;q=0.001", "gzip"),
            ("identity;q=0.5, gzip;q=0.5", "gzip"),
            ("gzip, *;q=0", "gzip"),
            ("deflate, gzip;q=2, br", "br"),
            ("gzip;q=x, br;q=0.1", "br"),
        ] {
            assert_eq!(picked(&[accept]), coding, "{accept}");
        }
        assert_eq!(picked(&["deflate", "gzip"]), "gzip");
    }

    #[test]
    fn nothing_is_encoded_for_who_does_not_ask_for_it() {
        for accept in [
            "",
            "identity",
            "deflate, compress",
            "gzip;q=0",
            "gzip;q=0.000",
            "*;q=0",
            "identity;q=1, *;q=0",
            "identity, gzip;q=0.5",
            "gzip;q=0.1234",
            "gzip;q=1.001",
            "gzip;level=3",
            "gzip;q=1;x=y",
            ",,;q=1",
        ] {
            assert_eq!(picked(&[accept]), "-", "{accept}");
        }
        assert_eq!(picked(&[]), "-");
    }
}
