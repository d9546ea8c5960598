//! Which method a request is for: all templates in one tree, literals before `*` before `**`. Does
//! not know what a method does.

use std::collections::HashMap;
use std::sync::Arc;

use super::route::{self, Route};
use super::template::{Path, Segment, Template};

/// Finds the route of a request.
#[derive(Debug, Default)]
pub struct Table {
    routes: Vec<Arc<Route>>,
    root: Node,
}

#[derive(Debug, Default)]
struct Node {
    literals: HashMap<String, Node>,
    one: Option<Box<Node>>,
    /// What a path is that ends here.
    ends: Vec<End>,
    /// What it is however it goes on.
    rest: Vec<End>,
}

#[derive(Debug)]
struct End {
    verb: Option<String>,
    route: usize,
}

/// What a request is for.
#[derive(Debug)]
pub enum Found<'t, 'p> {
    /// This.
    Route(Match<'t, 'p>),
    /// Its path is known, and for these methods only: 405, with them in `Allow`.
    OtherMethod(Vec<&'t str>),
    /// Its path is not known: 404.
    Nothing,
}

/// A route, and the path that led to it.
#[derive(Debug)]
pub struct Match<'t, 'p> {
    /// Where it leads.
    pub route: &'t Arc<Route>,
    pub(super) path: Path<'p>,
}

impl Table {
    /// A table of routes.
    ///
    /// # Errors
    /// If two of them are for the same method and paths.
    pub fn build(routes: impl IntoIterator<Item = Route>) -> Result<Self, route::Fault> {
        let mut table = Self::default();
        for route in routes {
            table.add(route)?;
        }
        Ok(table)
    }

    /// Its routes, in their order.
    pub fn routes(&self) -> &[Arc<Route>] {
        &self.routes
    }

    fn add(&mut self, route: Route) -> Result<(), route::Fault> {
        let Template { segments, verb, .. } = route.template();
        let mut node = &mut self.root;
        let mut is_open = false;
        for segment in segments {
            node = match segment {
                Segment::Literal(text) => node.literals.entry(text.clone()).or_default(),
                Segment::One => node.one.get_or_insert_default(),
                Segment::Rest => {
                    is_open = true;
                    node
                }
            };
        }
        let ends = match is_open {
            true => &mut node.rest,
            false => &mut node.ends,
        };
        let same = |end: &&End| {
            end.verb == *verb && self.routes[end.route].http_method() == route.http_method()
        };
        if let Some(end) = ends.iter().find(same) {
            return Err(route.conflict(&self.routes[end.route]));
        }
        ends.push(End {
            verb: verb.clone(),
            route: self.routes.len(),
        });
        self.routes.push(Arc::new(route));
        Ok(())
    }

    /// What a request with this method and path is for. The path is as it came, without the query.
    ///
    /// Literals are compared with what came as it stands: an escaped letter in one is another path,
    /// as it is for who guards paths before.
    pub fn find<'p>(&self, http_method: &str, path: &'p str) -> Found<'_, 'p> {
        let Some(path) = Path::split(path) else {
            return Found::Nothing;
        };
        let mut search = Search {
            routes: &self.routes,
            http_method,
            verb: None,
            allowed: Vec::new(),
        };
        if let Some((shorter, verb)) = path.without_verb() {
            search.verb = Some(verb);
            if let Some(route) = search.find(&self.root, &shorter.segments) {
                return Found::Route(Match {
                    route,
                    path: shorter,
                });
            }
            search.verb = None;
        }
        match search.find(&self.root, &path.segments) {
            Some(route) => Found::Route(Match { route, path }),
            None if search.allowed.is_empty() => Found::Nothing,
            None => {
                search.allowed.sort_unstable();
                search.allowed.dedup();
                Found::OtherMethod(search.allowed)
            }
        }
    }
}

struct Search<'t, 'm> {
    routes: &'t [Arc<Route>],
    http_method: &'m str,
    verb: Option<&'m str>,
    /// The methods of routes for this path.
    allowed: Vec<&'t str>,
}

impl<'t> Search<'t, '_> {
    /// Looks at each node at most once: what stands how deep in the tree, stands as far in the path.
    fn find(&mut self, node: &'t Node, segments: &[&str]) -> Option<&'t Arc<Route>> {
        if let [segment, after @ ..] = segments {
            if let Some(next) = node.literals.get(*segment)
                && let Some(found) = self.find(next, after)
            {
                return Some(found);
            }
            if !segment.is_empty()
                && let Some(next) = &node.one
                && let Some(found) = self.find(next, after)
            {
                return Some(found);
            }
        } else if let Some(found) = self.end(&node.ends) {
            return Some(found);
        }
        self.end(&node.rest)
    }

    fn end(&mut self, ends: &'t [End]) -> Option<&'t Arc<Route>> {
        let mut any = None;
        for end in ends.iter().filter(|end| end.verb.as_deref() == self.verb) {
            let route = &self.routes[end.route];
            match route.http_method() {
                "*" => any = Some(route),
                method if method == self.http_method => return Some(route),
                method => self.allowed.push(method),
            }
        }
        any
    }
}
