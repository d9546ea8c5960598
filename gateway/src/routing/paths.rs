//! The paths of one host: all patterns that match a path, the most specific first.
//!
//! Knows patterns and which rule numbers stand under each; knows nothing of what else a rule asks
//! for.
//!
//! Three structures, asked in the order of precedence:
//!
//! - exact paths: a hash map;
//! - templates: `matchit`, in layers. One radix tree answers with one match and refuses templates
//!   that are ambiguous, so a template goes one layer below the last one that holds something more
//!   specific that overlaps it. Within a layer no two templates match one path, and going through
//!   the layers gives every match, in order. Templates of real interfaces seldom overlap: one layer
//!   is usual, two with a catch-all;
//! - prefixes: a tree of segments whose entries each know the next shorter one. `matchit` could
//!   hold these too, but allocates to remember where to go back to when a catch-all lies beside a
//!   literal, which is what prefixes are.

use std::collections::{BTreeMap, HashMap};
use std::ops::ControlFlow;

use matchit::Params;

use super::template::Template;

/// A path pattern as it is compared: in normal form, slashes merged, names left out.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Key {
    Exact(String),
    Template(Template),
    Prefix(Vec<String>),
}

/// Rule numbers in the order of precedence.
pub(super) type Leaf = Box<[usize]>;

#[derive(Debug, Default)]
pub(super) struct Paths {
    exact: HashMap<String, Leaf>,
    layers: Vec<matchit::Router<Leaf>>,
    prefixes: Prefixes,
}

impl Paths {
    pub(super) fn build(patterns: BTreeMap<Key, Leaf>) -> Self {
        let mut paths = Self::default();
        let (mut templates, mut prefixes) = (Vec::new(), Vec::new());
        for (key, leaf) in patterns {
            match key {
                Key::Exact(path) => _ = paths.exact.insert(path, leaf),
                Key::Template(template) => templates.push((template, leaf)),
                Key::Prefix(segments) => prefixes.push((segments, leaf)),
            }
        }
        paths.layers = layers(templates);
        paths.prefixes = Prefixes::build(prefixes);
        paths
    }

    /// Calls `each` with the rules and the raw captures of every pattern that matches `path`, which
    /// is in normal form with slashes merged, until it breaks.
    pub(super) fn visit<'r, B>(
        &'r self,
        path: &str,
        mut each: impl FnMut(&'r [usize], &Params<'_, '_>) -> ControlFlow<B>,
    ) -> ControlFlow<B> {
        if let Some(leaf) = self.exact.get(path) {
            each(leaf, &Params::new())?;
        }
        for layer in &self.layers {
            if let Ok(found) = layer.at(path) {
                each(found.value, &found.params)?;
            }
        }
        let mut next = self.prefixes.longest(path);
        while let Some(prefix) = next {
            each(&prefix.leaf, &Params::new())?;
            next = prefix
                .shorter
                .map(|shorter| &self.prefixes.entries[shorter]);
        }
        ControlFlow::Continue(())
    }
}

fn layers(mut templates: Vec<(Template, Leaf)>) -> Vec<matchit::Router<Leaf>> {
    templates.sort_by_cached_key(|(template, _)| template.rank());
    let mut layers: Vec<(matchit::Router<Leaf>, Vec<Template>)> = Vec::new();
    for (template, leaf) in templates {
        let last = layers
            .iter()
            .rposition(|(_, held)| held.iter().any(|other| other.overlaps(&template)));
        let at = last.map_or(0, |last| last + 1);
        if at == layers.len() {
            layers.push(Default::default());
        }
        let (tree, held) = &mut layers[at];
        tree.insert(template.shape(), leaf)
            .expect("matchit refuses only what is ambiguous, and no two of a layer overlap");
        held.push(template);
    }
    layers.into_iter().map(|(tree, _)| tree).collect()
}

#[derive(Debug, Default)]
struct Prefixes {
    nodes: Vec<Node>,
    entries: Vec<Prefix>,
}

#[derive(Debug, Default)]
struct Node {
    /// Sorted by segment.
    children: Vec<(String, usize)>,
    entry: Option<usize>,
}

#[derive(Debug)]
struct Prefix {
    leaf: Leaf,
    /// The entry of the longest prefix above this one.
    shorter: Option<usize>,
}

impl Prefixes {
    fn build(mut prefixes: Vec<(Vec<String>, Leaf)>) -> Self {
        // Short ones first, so that each finds those above it in place.
        prefixes.sort_by_key(|(segments, _)| segments.len());
        let mut tree = Self {
            nodes: vec![Node::default()],
            entries: Vec::new(),
        };
        for (segments, leaf) in prefixes {
            let mut node = 0;
            let mut shorter = tree.nodes[node].entry;
            for segment in segments {
                node = tree.child(node, segment);
                shorter = tree.nodes[node].entry.or(shorter);
            }
            tree.nodes[node].entry = Some(tree.entries.len());
            tree.entries.push(Prefix { leaf, shorter });
        }
        tree
    }

    fn child(&mut self, node: usize, segment: String) -> usize {
        let new = self.nodes.len();
        let children = &mut self.nodes[node].children;
        match children.binary_search_by(|(held, _)| held.cmp(&segment)) {
            Ok(at) => children[at].1,
            Err(at) => {
                children.insert(at, (segment, new));
                self.nodes.push(Node::default());
                new
            }
        }
    }

    fn longest(&self, path: &str) -> Option<&Prefix> {
        let mut node = self.nodes.first()?;
        let mut longest = node.entry;
        for segment in path.split('/').filter(|segment| !segment.is_empty()) {
            let Ok(at) = node
                .children
                .binary_search_by(|(held, _)| held.as_str().cmp(segment))
            else {
                break;
            };
            node = &self.nodes[node.children[at].1];
            longest = node.entry.or(longest);
        }
        longest.map(|entry| &self.entries[entry])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(patterns: &[&str]) -> Paths {
        let key = |text: &str| match text.strip_suffix("/**") {
            Some(prefix) => Key::Prefix(
                prefix
                    .split('/')
                    .filter(|s| !s.is_empty())
                    .map(str::to_owned)
                    .collect(),
            ),
            None if text.contains('{') => Key::Template(Template::parse(text).unwrap()),
            None => Key::Exact(text.to_owned()),
        };
        Paths::build(
            patterns
                .iter()
                .enumerate()
                .map(|(at, text)| (key(text), Leaf::from([at])))
                .collect(),
        )
    }

    fn all<'a>(patterns: &[&'a str], path: &str) -> Vec<&'a str> {
        let mut found = Vec::new();
        let flow = paths(patterns).visit(path, |leaf, _| {
            found.extend(leaf.iter().map(|at| patterns[*at]));
            ControlFlow::<()>::Continue(())
        });
        assert!(flow.is_continue());
        found
    }

    #[test]
    fn every_pattern_is_given_most_specific_first() {
        let patterns = [
            "/**",
            "/a/**",
            "/a/b/c/**",
            "/a/{x}/c",
            "/{x}/b/c",
            "/{*rest}",
            "/a/{*rest}",
            "/a/b/c",
        ];
        assert_eq!(
            all(&patterns, "/a/b/c"),
            [
                "/a/b/c",
                "/a/{x}/c",
                "/{x}/b/c",
                "/a/{*rest}",
                "/{*rest}",
                "/a/b/c/**",
                "/a/**",
                "/**"
            ]
        );
        assert_eq!(all(&patterns, "/a"), ["/{*rest}", "/a/**", "/**"]);
        assert_eq!(all(&patterns, "/"), ["/**"]);
    }

    #[test]
    fn prefixes_go_by_whole_segments() {
        let patterns = ["/orders/**", "/orders/eu/**"];
        assert_eq!(all(&patterns, "/orders"), ["/orders/**"]);
        assert_eq!(all(&patterns, "/orders/"), ["/orders/**"]);
        assert_eq!(all(&patterns, "/orders/europe"), ["/orders/**"]);
        assert_eq!(
            all(&patterns, "/orders/eu/7"),
            ["/orders/eu/**", "/orders/**"]
        );
        assert!(all(&patterns, "/ordersX").is_empty());
        assert!(all(&patterns, "/").is_empty());
    }

    #[test]
    fn captures_are_whole_segments_and_never_empty() {
        for path in ["/a", "/a/", "/a/b/c", "/b/b"] {
            assert!(all(&["/a/{x}"], path).is_empty(), "{path}");
        }
        assert_eq!(all(&["/a/{x}/"], "/a/b/"), ["/a/{x}/"]);
        assert!(all(&["/a/{*rest}"], "/a/").is_empty());
        assert_eq!(all(&["/a/{*rest}"], "/a/b/c/"), ["/a/{*rest}"]);
    }

    #[test]
    fn disjoint_templates_share_a_layer() {
        let layers = |patterns: &[&str]| paths(patterns).layers.len();
        assert_eq!(
            layers(&[
                "/users/{id}",
                "/users/{id}/posts/{post}",
                "/teams/{id}/{*rest}"
            ]),
            1
        );
        assert_eq!(
            layers(&["/users/{id}", "/{x}/health"]),
            2,
            "/users/health matches both"
        );
        assert_eq!(
            layers(&["/users/{id}", "/{x}/health", "/files/{*rest}"]),
            3,
            "and so does /files/health"
        );
    }
}
