//! Whether who calls is known where a route's templates name them.

use crate::config::check::{At, Checker};
use crate::config::policies::{Attached, Stage};
use crate::config::template::{Template, Variable};

/// Checks that the policies around an action find out what its templates name.
pub(super) fn check(
    cx: &mut Checker<'_>,
    templates: &[(At, &Template)],
    owned: bool,
    policies: &[Attached],
) {
    let authenticates = |policy: &Attached| policy.config.stage() == Stage::Authenticate;
    if policies.iter().any(authenticates) {
        return;
    }
    for (at, template) in templates {
        let unknown = template.variables().find(|variable| match variable {
            Variable::Consumer => true,
            // A route of a team's has that one, if nobody else.
            Variable::Team => !owned,
            _ => false,
        });
        if let Some(variable) = unknown {
            let message = format!(
                "nothing on this route finds out who calls, so that {variable} never has a value"
            );
            cx.fault(at, message, "add the policy key_auth");
        }
    }
}
