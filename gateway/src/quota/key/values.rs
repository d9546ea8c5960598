//! What tells one key of a quota from its others, as people write it: the value in each dimension
//! of `by`, in their order, each percent-encoded, with `/` between them; `-` where a request has
//! none. The one key of a quota that tells nobody apart is `*`.
//!
//! Books are named by the same values; where they are kept is not known here.

use std::fmt;
use std::net::IpAddr;

use http::{HeaderMap, HeaderValue};
use percent_encoding::percent_decode_str;

use super::{Key, Owned, Value, escape};
use crate::quota::definition::{By, Quota, Subject, network};

/// The key of a quota without `by`.
const ONLY: &str = "*";

/// The values of one key.
#[derive(Debug, Clone)]
pub struct Values {
    values: Box<[Owned]>,
    /// Those that are header fields, as a subject has them.
    headers: HeaderMap,
}

/// Why a text names no key of a quota: a sentence for operators.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Malformed(String);

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Malformed {}

impl Values {
    /// Reads what [`Display`](fmt::Display) wrote.
    ///
    /// # Errors
    /// [`Malformed`] if it is no key of this quota.
    pub fn parse(quota: &Quota, text: &str) -> Result<Self, Malformed> {
        Self::split(quota, text, '/').ok_or_else(|| {
            let form = form(quota);
            Malformed(format!(
                "\"{text}\" is no key of the quota \"{}\"; its keys are written {form}",
                quota.name
            ))
        })
    }

    /// Those of a subject; `None` only where a header is none.
    pub fn of_subject(quota: &Quota, subject: &Subject<'_>) -> Option<Self> {
        let values = quota.by.iter().map(|by| Owned::of(subject.value(by)));
        Self::of(quota, values.collect())
    }

    fn split(quota: &Quota, text: &str, separator: char) -> Option<Self> {
        if quota.by.is_empty() {
            return (text == ONLY).then(|| Self::of(quota, Box::default()))?;
        }
        let parts: Vec<&str> = text.split(separator).collect();
        if parts.len() != quota.by.len() {
            return None;
        }
        let each = quota.by.iter().zip(parts);
        let values: Option<_> = each.map(|(by, part)| value(by, part)).collect();
        Self::of(quota, values?)
    }

    fn of(quota: &Quota, values: Box<[Owned]>) -> Option<Self> {
        let mut headers = HeaderMap::new();
        for (by, value) in quota.by.iter().zip(&values) {
            if let (By::Header(name), Owned::Text(text)) = (by, value) {
                headers.insert(name.clone(), HeaderValue::from_str(text).ok()?);
            }
        }
        Some(Self { values, headers })
    }

    /// As a subject has them, apart from what the quota does not count by.
    pub fn subject(&self, quota: &Quota) -> Subject<'_> {
        let mut subject = Subject::default();
        for (by, value) in quota.by.iter().zip(&self.values) {
            let text = match value {
                Owned::Absent => continue,
                Owned::Text(text) => Some(&**text),
                Owned::Address(address) => {
                    subject.client = Some(*address);
                    continue;
                }
            };
            match by {
                By::Organisation => subject.organisation = text,
                By::Team => subject.team = text,
                By::Consumer => subject.consumer = text,
                By::Route => subject.route = text,
                By::Model => subject.model = text,
                By::Provider => subject.provider = text,
                By::ClientAddress | By::Header(_) => {}
            }
        }
        subject.headers = (!self.headers.is_empty()).then_some(&self.headers);
        subject
    }

    pub(in crate::quota) fn iter(&self) -> impl Iterator<Item = Value<'_>> {
        self.values.iter().map(Owned::value)
    }
}

impl fmt::Display for Values {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.values.is_empty() {
            return f.write_str(ONLY);
        }
        for (index, value) in self.iter().enumerate() {
            let separator = if index > 0 { "/" } else { "" };
            write!(f, "{separator}{value}")?;
        }
        Ok(())
    }
}

/// How a quota's keys are written, in the names of its dimensions.
fn form(quota: &Quota) -> String {
    match quota.by.as_slice() {
        [] => format!("{ONLY}, for there is one"),
        by => {
            let names: Vec<String> = by.iter().map(|by| format!("{{{by}}}")).collect();
            format!("{}, each value percent-encoded", names.join("/"))
        }
    }
}

fn value(by: &By, text: &str) -> Option<Owned> {
    if text == "-" {
        return Some(Owned::Absent);
    }
    let text = percent_decode_str(text).decode_utf8().ok()?;
    Some(match by {
        By::ClientAddress => {
            let address: IpAddr = text.parse().ok()?;
            Owned::Address(network(address))
        }
        _ => Owned::Text(text.as_ref().into()),
    })
}

/// Finds a quota's books among all books by their names.
#[derive(Debug, Clone)]
pub(in crate::quota) struct Shelf {
    /// What stands between the root and the values.
    middle: String,
}

impl Shelf {
    pub(in crate::quota) fn of(quota: &Quota) -> Self {
        let Quota {
            name, unit, window, ..
        } = quota;
        Self {
            middle: format!("}}:{}:{unit}:{window}:", escape(name)),
        }
    }

    /// Whether a book of that name is here.
    pub(in crate::quota) fn holds(&self, name: &str) -> bool {
        self.rest(name).is_some()
    }

    /// The values and the root that the name of one of `quota`'s books tells.
    pub(in crate::quota) fn read<'n>(
        &self,
        quota: &Quota,
        name: &'n str,
    ) -> Option<(Values, &'n str)> {
        let (root, values) = self.rest(name)?;
        let values = match quota.by.is_empty() {
            true => ONLY,
            false => values,
        };
        Some((Values::split(quota, values, ',')?, root))
    }

    fn rest<'n>(&self, name: &'n str) -> Option<(&'n str, &'n str)> {
        let name = name.strip_prefix('{')?;
        let (root, rest) = name.split_at(name.find('}')?);
        Some((root, rest.strip_prefix(self.middle.as_str())?))
    }
}

impl Key {
    /// Whether it is one of a quota's.
    pub(in crate::quota) fn is_of(&self, quota: &Quota) -> bool {
        let of = (self.store, &self.quota, self.unit, self.window);
        of == (quota.store.id(), &quota.name, quota.unit, quota.window)
            && self.parts.iter().map(|(by, _)| by).eq(&quota.by)
    }

    /// The store it is counted in, and the name of its quota.
    pub(in crate::quota) fn whose(&self) -> (u32, &str) {
        (self.store, &self.quota)
    }

    pub(in crate::quota) fn values(&self, quota: &Quota) -> Option<Values> {
        let values = self.parts.iter().map(|(_, owned)| Owned::of(owned.value()));
        Values::of(quota, values.collect())
    }

    /// The limit that holds for it.
    pub(in crate::quota) fn limit(&self, quota: &Quota) -> u64 {
        quota.limit_of(self.parts.iter().map(|(_, owned)| owned.value()))
    }
}

#[cfg(test)]
mod tests {
    use ahash::RandomState;
    use http::HeaderName;

    use super::*;
    use crate::quota::key::Sought;
    use crate::quota::window::{Period, Window};

    const HOUR: Window = Window::Fixed {
        every: Period::Hour,
    };

    fn quota(by: &[By]) -> Quota {
        Quota::clone(&crate::quota::tests::quota("q.1", 1, HOUR, by))
    }

    fn header() -> By {
        By::Header(HeaderName::from_static("x-tenant"))
    }

    #[test]
    fn what_is_written_reads_back_as_the_same_key() {
        let by = [By::Team, By::Model, By::ClientAddress, header()];
        let quota = quota(&by);
        for (text, written) in [
            ("shop/gpt-4o/192.0.2.1/acme", "shop/gpt-4o/192.0.2.1/acme"),
            ("-/-/-/-", "-/-/-/-"),
            ("%2D/a%2Fb/2001:db8::/x%20y", "%2D/a%2Fb/2001:db8::/x%20y"),
            ("a/b/2001:db8::7:1/c", "a/b/2001:db8::/c"),
            ("a,b/%C3%A9/::ffff:10.0.0.1/", "a%2Cb/%C3%A9/10.0.0.1/"),
        ] {
            let values = Values::parse(&quota, text).expect(text);
            assert_eq!(values.to_string(), written);
            let subject = values.subject(&quota);
            let hashing = RandomState::new();
            let sought = Sought::new(&quota, &subject, &hashing);
            let key = sought.to_key();
            assert!(key.is_of(&quota));
            let back = key.values(&quota).expect("values of its own quota");
            assert_eq!(back.to_string(), written);
            let (name, root) = sought.name();
            let shelf = Shelf::of(&quota);
            let (named, beside) = shelf.read(&quota, &name).expect("its own name");
            assert_eq!(named.to_string(), written, "{name}");
            assert_eq!(beside, &*root);
        }
    }

    #[test]
    fn a_quota_that_tells_nobody_apart_has_one_key() {
        let quota = quota(&[]);
        let values = Values::parse(&quota, "*").expect("its key");
        assert_eq!(values.to_string(), "*");
        let subject = values.subject(&quota);
        let hashing = RandomState::new();
        let (name, _) = Sought::new(&quota, &subject, &hashing).name();
        let (named, _) = Shelf::of(&quota).read(&quota, &name).expect("its own name");
        assert_eq!(named.to_string(), "*");
    }

    #[test]
    fn what_is_no_key_is_refused_with_its_form() {
        let two = quota(&[By::Consumer, header()]);
        for text in ["", "a", "a/b/c", "%FF/b", "a/%0A", "*"] {
            let error = Values::parse(&two, text).expect_err(text).to_string();
            assert!(error.contains("{consumer}/{header:x-tenant}"), "{error}");
        }
        let address = quota(&[By::ClientAddress]);
        let error = Values::parse(&address, "10.0.0").expect_err("no address");
        assert!(error.to_string().contains("{client_address}"), "{error}");
        let error = Values::parse(&quota(&[]), "shop").expect_err("there is one");
        assert!(error.to_string().contains("written *"), "{error}");
    }

    #[test]
    fn books_of_other_quotas_are_left_alone() {
        let quota = quota(&[By::Team]);
        let shelf = Shelf::of(&quota);
        assert!(shelf.holds("{shop}:q.1:tokens:hour:shop"));
        for name in [
            "",
            "q.1",
            "{shop",
            "{shop}:q:tokens:hour:shop",
            "{shop}:q.1:tokens:minute:shop",
            "{shop}:q.1:money:hour:shop",
        ] {
            assert!(!shelf.holds(name), "{name}");
        }
        assert!(shelf.read(&quota, "{shop}:q.1:tokens:hour:a,b").is_none());
    }
}
