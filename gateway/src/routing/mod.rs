//! The matcher: which route answers a request, and what its path captured.
//!
//! It knows hosts, paths, methods, headers and query parameters, and the *index* of a route in the
//! order written. It refuses to know what a route is for: configuration types, policies, actions
//! and Pingora are all strangers here.
//!
//! # Which rule wins
//!
//! A [`Rule`] is one combination of host, path and conditions; a route has as many as its hosts
//! times its matches. Of all the rules a request satisfies, the first in this order answers, as in
//! the Gateway API's `HTTPRoute`:
//!
//! 1. host: exact, then the longest wildcard, then any;
//! 2. path: exact, then template, then prefix. Among templates: more literal segments, then one
//!    without a catch-all, then more segments, then the one whose literal stands further left.
//!    Among prefixes: more segments;
//! 3. a rule that names methods before one that does not;
//! 4. more header conditions;
//! 5. more query conditions;
//! 6. the order of declaration.
//!
//! The order is over whole rules, so a request that the most specific path turns down (by method,
//! header, query or listener) still gets the next one, and after the last path of a host the next
//! host. Only when nothing at all answers is the outcome [`Outcome::MethodNotAllowed`], if the
//! method alone stood in the way somewhere, or [`Outcome::NotFound`].
//!
//! # What a path is
//!
//! Requests are matched by the normal form that [`normalise`] gives, and that form is also what
//! must go upstream, so that gateway and upstream cannot read one path in two ways. Runs of slashes
//! stay in the path but count as one slash when it is matched, in rules and requests alike:
//! `//admin` is under the prefix `/admin`.

mod captures;
mod compiled;
mod condition;
mod conflict;
mod hosts;
mod normal;
mod paths;
pub mod rewrite;
mod router;
mod rule;
mod template;

#[cfg(test)]
mod property;

pub use captures::Captures;
pub use conflict::Cause;
pub use normal::{Refused, normalise};
pub use rewrite::PathRewrite;
pub use router::{Outcome, Query, Router};
pub use rule::{Condition, HostPattern, PathPattern, QueryCondition, Rule, Test};
