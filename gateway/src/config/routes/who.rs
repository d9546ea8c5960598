//! Whether who calls is known where a route's templates name them, or a Kafka cluster wants to know.

use super::action::Action;
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
    if authenticate(policies) {
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

/// Checks that a cluster which is spoken to for known callers only is not used for unknown ones.
pub(super) fn check_clusters(
    cx: &mut Checker<'_>,
    at: &At,
    action: &Action,
    policies: &[Attached],
) {
    if authenticate(policies) {
        return;
    }
    let used = match action {
        Action::Publish(publish) => {
            vec![(
                at.key("publish").key("cluster"),
                &publish.record.topic.cluster,
            )]
        }
        Action::Subscribe(action) => {
            vec![(at.key("subscribe").key("cluster"), &action.topic.cluster)]
        }
        Action::Table(action) => {
            vec![(at.key("table").key("cluster"), &action.topic.cluster)]
        }
        Action::RequestReply(action) => vec![(
            at.key("request_reply").key("cluster"),
            &action.record.topic.cluster,
        )],
        Action::Graphql(graphql) => {
            let feeds = graphql.feeds();
            feeds
                .map(|feed| (at.key("graphql"), &feed.cluster))
                .collect()
        }
        _ => Vec::new(),
    };
    for (at, cluster) in used {
        if cx.wants_caller(cluster) {
            let message = format!(
                "nothing on this route finds out who calls, and the Kafka cluster \"{cluster}\" is spoken \
                 to for known callers only"
            );
            cx.fault(&at, message, "add the policy key_auth");
        }
    }
}

fn authenticate(policies: &[Attached]) -> bool {
    let authenticates = |policy: &Attached| policy.config.stage() == Stage::Authenticate;
    policies.iter().any(authenticates)
}
