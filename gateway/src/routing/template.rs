//! Path templates: `/events/{topic}/{*rest}` read into segments, and how two of them relate.
//!
//! Knows one template, or two; knows no tree and no rule.

use std::cmp::Reverse;
use std::sync::Arc;

use super::normal::{Refused, normalise};
use super::rule::Fault;

/// One segment of a template.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Segment {
    /// This segment in normal form; empty only at the end, for a trailing slash.
    Literal(String),
    /// `{name}`: one segment, not empty.
    Capture,
    /// `{*name}`: the rest of the path, not empty.
    CatchAll,
}

/// A template: its shape, which decides what it matches, and the names of what it captures.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Template {
    pub(super) segments: Vec<Segment>,
    /// One for each segment that is not a literal, in order.
    pub(super) names: Vec<Arc<str>>,
}

impl Template {
    /// Reads a template for matching.
    pub(super) fn parse(text: &str) -> Result<Self, Fault> {
        let template = Self::pieces(text)?;
        for (at, name) in template.names.iter().enumerate() {
            if template.names[..at].contains(name) {
                return Err(Fault::CaptureTwice(name.to_string()));
            }
        }
        let last = template.segments.len().saturating_sub(1);
        match template
            .segments
            .iter()
            .position(|segment| *segment == Segment::CatchAll)
        {
            Some(at) if at != last => {
                let captures_before = template.segments[..at]
                    .iter()
                    .filter(|segment| **segment == Segment::Capture);
                Err(Fault::CatchAllNotLast(
                    template.names[captures_before.count()].to_string(),
                ))
            }
            _ => Ok(template),
        }
    }

    /// Reads the segments alone; a rewrite may name a capture twice or in the middle.
    pub(super) fn pieces(text: &str) -> Result<Self, Fault> {
        let Some(path) = text.strip_prefix('/') else {
            return Err(Fault::Path(Refused::NotAbsolute));
        };
        let mut segments = Vec::new();
        let mut names = Vec::new();
        let mut pieces = path.split('/').peekable();
        while let Some(piece) = pieces.next() {
            if piece.is_empty() && pieces.peek().is_some() {
                continue; // a run of slashes is one slash
            }
            if !piece.contains(['{', '}']) {
                segments.push(Segment::Literal(literal(piece)?));
                continue;
            }
            let inner = piece
                .strip_prefix('{')
                .and_then(|rest| rest.strip_suffix('}'));
            let inner = inner.ok_or_else(|| Fault::PartialCapture(piece.to_owned()))?;
            if inner.contains(['{', '}']) {
                return Err(Fault::PartialCapture(piece.to_owned()));
            }
            let name = inner.strip_prefix('*').unwrap_or(inner);
            if name.is_empty()
                || !name
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
            {
                return Err(Fault::CaptureName(name.to_owned()));
            }
            segments.push(if name.len() == inner.len() {
                Segment::Capture
            } else {
                Segment::CatchAll
            });
            names.push(Arc::from(name));
        }
        Ok(Self { segments, names })
    }

    /// The shape in `matchit`'s spelling. Templates that differ only in their names have one shape.
    pub(super) fn shape(&self) -> String {
        let mut shape = String::new();
        for (at, segment) in self.segments.iter().enumerate() {
            match segment {
                Segment::Literal(text) => shape.extend(["/", text]),
                Segment::Capture => shape.push_str(&format!("/{{c{at}}}")),
                Segment::CatchAll => shape.push_str(&format!("/{{*c{at}}}")),
            }
        }
        shape
    }

    /// Sorts the more specific template first. Of two that match one path, one always sorts before
    /// the other: with as many literals, as many segments and all kinds alike, they could only both
    /// match by being the same.
    pub(super) fn rank(&self) -> impl Ord + use<> {
        let literals = self
            .segments
            .iter()
            .filter(|segment| matches!(segment, Segment::Literal(_)))
            .count();
        let catches_all = self.segments.last() == Some(&Segment::CatchAll);
        // Literals have the lowest discriminant, so a literal further left sorts first.
        (
            Reverse(literals),
            catches_all,
            Reverse(self.segments.len()),
            self.segments.iter().map(kind).collect::<Vec<_>>(),
        )
    }

    /// Whether some path matches both. Never wrongly no.
    pub(super) fn overlaps(&self, other: &Self) -> bool {
        let (mut left, mut right) = (self.segments.iter(), other.segments.iter());
        loop {
            match (left.next(), right.next()) {
                (None, None)
                | (Some(Segment::CatchAll), Some(_))
                | (Some(_), Some(Segment::CatchAll)) => return true,
                (None, Some(_)) | (Some(_), None) => return false,
                (Some(Segment::Literal(a)), Some(Segment::Literal(b))) if a != b => return false,
                (Some(_), Some(_)) => {}
            }
        }
    }
}

fn kind(segment: &Segment) -> u8 {
    match segment {
        Segment::Literal(_) => 0,
        Segment::Capture => 1,
        Segment::CatchAll => 2,
    }
}

fn literal(piece: &str) -> Result<String, Fault> {
    let path = format!("/{piece}");
    let normal = normalise(&path).map_err(|refused| match refused {
        Refused::AboveRoot => Fault::DotSegment,
        other => Fault::Path(other),
    })?;
    match normal.strip_prefix('/') {
        Some("") if !piece.is_empty() => Err(Fault::DotSegment),
        literal => Ok(literal.unwrap_or_default().to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn template(text: &str) -> Template {
        Template::parse(text).unwrap()
    }

    #[test]
    fn segments_and_names_are_read_in_order() {
        let read = template("/events//{topic}/%7ev/{*rest}");
        assert_eq!(
            read.segments,
            [
                Segment::Literal("events".into()),
                Segment::Capture,
                Segment::Literal("~v".into()),
                Segment::CatchAll
            ]
        );
        assert_eq!(read.names, ["topic".into(), "rest".into()] as [Arc<str>; 2]);
        assert_eq!(read.shape(), "/events/{c1}/~v/{*c3}");
        assert_eq!(template("/a/").shape(), "/a/");
    }

    #[test]
    fn faults_are_named() {
        let fault = |text| Template::parse(text).unwrap_err();
        assert_eq!(fault("events/{topic}"), Fault::Path(Refused::NotAbsolute));
        assert_eq!(fault("/v{major}"), Fault::PartialCapture("v{major}".into()));
        assert_eq!(fault("/{a}{b}"), Fault::PartialCapture("{a}{b}".into()));
        assert_eq!(fault("/{a"), Fault::PartialCapture("{a".into()));
        assert_eq!(fault("/{}"), Fault::CaptureName(String::new()));
        assert_eq!(fault("/{*}"), Fault::CaptureName(String::new()));
        assert_eq!(fault("/{a b}"), Fault::CaptureName("a b".into()));
        assert_eq!(fault("/{a}/{a}"), Fault::CaptureTwice("a".into()));
        assert_eq!(fault("/{x}/{*a}/b"), Fault::CatchAllNotLast("a".into()));
        assert_eq!(fault("/{*a}/"), Fault::CatchAllNotLast("a".into()));
        assert_eq!(fault("/{a}/../b"), Fault::DotSegment);
        assert_eq!(fault("/{a}/%2e"), Fault::DotSegment);
        assert_eq!(fault("/{a}/b?c"), Fault::Path(Refused::Delimiter));
    }

    #[test]
    fn the_more_specific_sorts_first() {
        let ordered = [
            "/a/b/{x}",     // two literals
            "/a/{x}/c",     // the same number, but the second stands further right
            "/{x}/b/c",     // further right still
            "/a/b/{*rest}", // two literals and a catch-all
            "/a/{x}/{y}",   // more segments than the next
            "/a/{x}",
            "/{x}/b",
            "/a/{x}/{*rest}",
            "/a/{*rest}",
            "/{x}/{y}",
            "/{x}",
            "/{*rest}",
        ];
        let mut sorted = ordered.to_vec();
        sorted.reverse();
        sorted.sort_by_key(|text| template(text).rank());
        assert_eq!(sorted, ordered);
    }

    #[test]
    fn overlap_is_whether_one_path_matches_both() {
        let overlaps = |a, b| {
            let (a, b) = (template(a), template(b));
            assert_eq!(a.overlaps(&b), b.overlaps(&a));
            a.overlaps(&b)
        };
        assert!(overlaps("/a/{x}", "/{y}/b"));
        assert!(overlaps("/a/{x}/b", "/a/{*rest}"));
        assert!(overlaps("/{*r}", "/{x}/{y}"));
        assert!(!overlaps("/a/{x}", "/b/{x}"));
        assert!(!overlaps("/a/{x}", "/a/{x}/b"));
        assert!(!overlaps("/a/{*r}", "/{x}"));
        assert!(!overlaps("/a/{x}/c", "/{y}/b/d"));
    }
}
