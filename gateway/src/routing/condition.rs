//! Conditions on headers and query parameters: whether one holds, and whether one makes another
//! superfluous.
//!
//! Nothing here allocates: query parameters are decoded octet by octet while they are compared.

use http::HeaderMap;

use super::rule::{Condition, QueryCondition, Test};

impl Condition {
    pub(super) fn holds(&self, headers: &HeaderMap) -> bool {
        if self.test == Test::Absent {
            return !headers.contains_key(&self.name);
        }
        headers
            .get_all(&self.name)
            .iter()
            .any(|value| self.test.accepts(value.as_bytes().iter().copied()))
    }

    /// Whether this holds for every request for which `other` does.
    pub(super) fn follows_from(&self, other: &Self) -> bool {
        self.name == other.name && self.test.follows_from(&other.test)
    }
}

impl QueryCondition {
    pub(super) fn holds(&self, query: Option<&str>) -> bool {
        let mut values = query
            .unwrap_or_default()
            .split('&')
            .filter(|parameter| !parameter.is_empty())
            .map(|parameter| parameter.split_once('=').unwrap_or((parameter, "")))
            .filter(|(name, _)| decoded(name).eq(self.name.bytes()))
            .map(|(_, value)| value);
        if self.test == Test::Absent {
            return values.next().is_none();
        }
        values.any(|value| self.test.accepts(decoded(value)))
    }

    /// Whether this holds for every request for which `other` does.
    pub(super) fn follows_from(&self, other: &Self) -> bool {
        self.name == other.name && self.test.follows_from(&other.test)
    }
}

impl Test {
    fn accepts(&self, mut value: impl Iterator<Item = u8>) -> bool {
        match self {
            Self::Present => true,
            // A value there is cannot be absent; who asks looks for one first.
            Self::Absent => false,
            Self::Exact(text) => value.eq(text.bytes()),
            Self::Prefix(text) => text.bytes().all(|byte| value.next() == Some(byte)),
        }
    }

    /// What a value that fails lacks, as the end of a sentence. Tells what the rule says, never
    /// what the request said.
    pub(super) fn want(&self) -> String {
        match self {
            Self::Present => "is missing".to_owned(),
            Self::Absent => "is there".to_owned(),
            Self::Exact(text) => format!("is not \"{text}\""),
            Self::Prefix(text) => format!("does not begin with \"{text}\""),
        }
    }

    fn follows_from(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Absent, that) => *that == Self::Absent,
            (_, Self::Absent) => false,
            (Self::Present, _) => true,
            (Self::Exact(this), Self::Exact(that)) => this == that,
            (Self::Prefix(this), Self::Exact(that) | Self::Prefix(that)) => {
                that.starts_with(this.as_str())
            }
            (Self::Exact(_) | Self::Prefix(_), _) => false,
        }
    }
}

/// The octets of a form-encoded name or value (`application/x-www-form-urlencoded`, URL Standard
/// §5.1). A `%` that no two hexadecimal digits follow stands for itself.
fn decoded(text: &str) -> impl Iterator<Item = u8> {
    let mut rest = text.as_bytes();
    std::iter::from_fn(move || {
        let (first, tail) = rest.split_first()?;
        rest = tail;
        Some(match first {
            b'+' => b' ',
            b'%' => match escaped(tail) {
                Some(value) => {
                    rest = &tail[2..];
                    value
                }
                None => b'%',
            },
            byte => *byte,
        })
    })
}

fn escaped(digits: &[u8]) -> Option<u8> {
    let digit = |at: usize| {
        digits
            .get(at)
            .and_then(|byte| char::from(*byte).to_digit(16))
    };
    u8::try_from(digit(0)? * 16 + digit(1)?).ok()
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};

    use super::*;

    fn tests() -> [Test; 4] {
        [
            Test::Present,
            Test::Exact("abc".into()),
            Test::Prefix("ab".into()),
            Test::Prefix("abc".into()),
        ]
    }

    #[test]
    fn one_header_value_that_passes_is_enough() {
        let name = HeaderName::from_static("x-tier");
        let holds = |test: &Test, values: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(name.clone(), HeaderValue::from_static(value));
            }
            Condition {
                name: name.clone(),
                test: test.clone(),
            }
            .holds(&headers)
        };
        let [present, exact, prefix, _] = tests();
        assert!(holds(&present, &[""]));
        assert!(!holds(&present, &[]));
        assert!(holds(&exact, &["x", "abc"]));
        assert!(!holds(&exact, &["abcd"]));
        assert!(!holds(&exact, &["ABC"]));
        assert!(holds(&prefix, &["abcd"]));
        assert!(!holds(&prefix, &["a"]));
    }

    #[test]
    fn a_header_that_is_not_utf8_fails_without_harm() {
        let mut headers = HeaderMap::new();
        headers.insert("x-tier", HeaderValue::from_bytes(b"ab\xff").unwrap());
        let condition = |test| Condition {
            name: HeaderName::from_static("x-tier"),
            test,
        };
        assert!(condition(Test::Prefix("ab".into())).holds(&headers));
        assert!(!condition(Test::Exact("ab".into())).holds(&headers));
    }

    #[test]
    fn query_parameters_are_compared_decoded() {
        let holds = |query| {
            QueryCondition {
                name: "a b".into(),
                test: Test::Exact("c&d é".into()),
            }
            .holds(query)
        };
        assert!(holds(Some("a+b=c%26d+%C3%A9")));
        assert!(holds(Some("x=1&&a%20b=no&a%20b=c%26d%20%c3%a9")));
        assert!(!holds(Some("a+b=c&d+%C3%A9")));
        assert!(!holds(Some("a%2Bb=c%26d+%C3%A9")));
        assert!(!holds(Some("")));
        assert!(!holds(None));
    }

    #[test]
    fn a_parameter_without_a_value_is_present_and_empty() {
        let holds = |test, query| {
            QueryCondition {
                name: "flag".into(),
                test,
            }
            .holds(Some(query))
        };
        assert!(holds(Test::Present, "flag"));
        assert!(holds(Test::Exact(String::new()), "flag="));
        assert!(!holds(Test::Present, "flags&=flag"));
        assert!(holds(Test::Exact("50%".into()), "flag=50%"));
        assert!(holds(Test::Exact("%zz%4".into()), "flag=%zz%4"));
    }

    #[test]
    fn what_follows_from_what() {
        let [present, exact, short, long] = tests();
        for test in tests() {
            assert!(present.follows_from(&test));
            assert!(test.follows_from(&test));
        }
        assert!(
            short.follows_from(&exact) && short.follows_from(&long) && long.follows_from(&exact)
        );
        assert!(
            !long.follows_from(&short)
                && !exact.follows_from(&long)
                && !short.follows_from(&present)
        );
    }
}
