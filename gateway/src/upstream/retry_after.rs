//! When an upstream wants to be asked again: `Retry-After` in seconds or as a date (RFC 9110,
//! 10.2.3), or `retry-after-ms`, as OpenAI and Azure say it more exactly. Gemini says it in the body,
//! which is not read here.

use std::time::{Duration, SystemTime};

use http::header::{HeaderMap, RETRY_AFTER};
use jiff::fmt::rfc2822;

/// In milliseconds; not standard.
const RETRY_AFTER_MS: &str = "retry-after-ms";

/// How long from `now` on the answer with these fields asks to wait; `None` if it does not, or not
/// in words that mean something.
pub(crate) fn of(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let text = |name: &str| headers.get(name)?.to_str().ok().map(str::trim);
    let exactly = text(RETRY_AFTER_MS).and_then(|said| said.parse::<f64>().ok());
    let exactly = exactly.and_then(|ms| Duration::try_from_secs_f64(ms / 1000.0).ok());
    exactly.or_else(|| {
        let said = text(RETRY_AFTER.as_str())?;
        if let Ok(seconds) = said.parse() {
            return Some(Duration::from_secs(seconds));
        }
        let then = SystemTime::from(rfc2822::parse(said).ok()?.timestamp());
        // What is over already may be asked at once.
        Some(then.duration_since(now).unwrap_or_default())
    })
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;

    fn said(fields: &[(&'static str, &str)]) -> Option<Duration> {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.insert(*name, value.parse().expect("a value"));
        }
        // 1994-11-06 08:49:00 GMT
        of(&headers, UNIX_EPOCH + Duration::from_secs(784_111_740))
    }

    #[test]
    fn it_is_said_in_seconds_as_a_date_or_exactly() {
        let seconds = |seconds| Some(Duration::from_secs(seconds));
        for (fields, expected) in [
            (&[("retry-after", "7")][..], seconds(7)),
            (&[("retry-after", " 0 ")], seconds(0)),
            (
                &[("retry-after", "Sun, 06 Nov 1994 08:49:37 GMT")],
                seconds(37),
            ),
            (
                &[("retry-after", "Sun, 06 Nov 1994 08:48:37 GMT")],
                seconds(0),
            ),
            (
                &[("retry-after", "2"), ("retry-after-ms", "1250")],
                Some(Duration::from_millis(1_250)),
            ),
            (
                &[("retry-after", "3"), ("retry-after-ms", "soon")],
                seconds(3),
            ),
            (
                &[("retry-after", "3"), ("retry-after-ms", "-1")],
                seconds(3),
            ),
            (&[("retry-after", "in a while")], None),
            (&[("retry-after", "-3")], None),
            (&[("retry-after", "1.5")], None),
            (&[], None),
        ] {
            assert_eq!(said(fields), expected, "{fields:?}");
        }
    }
}
