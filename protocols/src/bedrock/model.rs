//! What a model's id tells of it: who made it, and how it is told to think. Converse passes both
//! sampling and thinking to models in their makers' own words.
//!
//! An id may come with a region before it (`us.anthropic.…`), in an ARN, or be the opaque id of an
//! application's inference profile, which tells nothing: then only what all models share is said.

/// A model, as far as its id tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Model {
    /// Anthropic's Claude.
    Claude(Thinking),
    /// Amazon's Nova; of the second generation, which thinks, if so.
    Nova {
        /// Whether it thinks.
        thinks: bool,
    },
    /// OpenAI's open-weight models.
    GptOss,
    /// Any other.
    Other,
}

/// How a Claude is told to think, and what it takes beside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Thinking {
    /// Not at all (up to 3.5).
    Never,
    /// Up to a budget, if asked (3.7 to 4.5).
    Budget,
    /// As much as it finds right, if asked (4.6).
    Adaptive,
    /// The same; and its sampling is fixed (later ones of 4).
    AdaptiveFixed,
    /// As much as it finds right, unless told not to; its sampling is fixed (from 5).
    ByDefault,
}

impl Model {
    pub(super) fn of(id: &str) -> Self {
        let has = |part: &str| id.contains(part);
        if has("anthropic.") || has("claude") {
            Self::Claude(Thinking::of(id))
        } else if has("amazon.nova-") {
            Self::Nova {
                thinks: has("amazon.nova-2"),
            }
        } else if has("openai.gpt-oss") {
            Self::GptOss
        } else {
            Self::Other
        }
    }

    /// Whether it keeps prompts, up to marks in them, for later calls.
    pub(super) const fn caches(self) -> bool {
        matches!(self, Self::Claude(_) | Self::Nova { .. })
    }

    /// Whether how its words are picked can be said.
    pub(super) const fn samples(self) -> bool {
        !matches!(
            self,
            Self::Claude(Thinking::AdaptiveFixed | Thinking::ByDefault)
        )
    }
}

impl Thinking {
    /// Those named here are of the past and their list is closed; an id it does not know is newer.
    fn of(id: &str) -> Self {
        const NEVER: [&str; 3] = ["claude-v2", "claude-instant", "claude-3-"];
        const BUDGET: [&str; 4] = ["claude-3-7-", "-4-2025", "-4-1-", "-4-5-"];
        let is_one = |parts: &[&str]| parts.iter().any(|part| id.contains(part));
        if is_one(&BUDGET) {
            Self::Budget
        } else if is_one(&NEVER) {
            Self::Never
        } else if id.contains("-4-6") {
            Self::Adaptive
        } else if id.contains("-4-") {
            Self::AdaptiveFixed
        } else {
            Self::ByDefault
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_tell_who_made_a_model_and_how_it_thinks() {
        for (id, model) in [
            (
                "anthropic.claude-3-5-sonnet-20240620-v1:0",
                Model::Claude(Thinking::Never),
            ),
            (
                "us.anthropic.claude-3-7-sonnet-20250219-v1:0",
                Model::Claude(Thinking::Budget),
            ),
            (
                "us.anthropic.claude-sonnet-4-20250514-v1:0",
                Model::Claude(Thinking::Budget),
            ),
            (
                "arn:aws:bedrock:us-east-1:1:inference-profile/us.anthropic.claude-opus-4-5-20251101-v1:0",
                Model::Claude(Thinking::Budget),
            ),
            (
                "anthropic.claude-opus-4-6-v1",
                Model::Claude(Thinking::Adaptive),
            ),
            (
                "anthropic.claude-opus-4-7",
                Model::Claude(Thinking::AdaptiveFixed),
            ),
            (
                "global.anthropic.claude-sonnet-5",
                Model::Claude(Thinking::ByDefault),
            ),
            ("amazon.nova-pro-v1:0", Model::Nova { thinks: false }),
            ("us.amazon.nova-2-lite-v1:0", Model::Nova { thinks: true }),
            ("openai.gpt-oss-120b-1:0", Model::GptOss),
            ("meta.llama3-1-70b-instruct-v1:0", Model::Other),
            (
                "arn:aws:bedrock:eu-west-1:1:application-inference-profile/ab12",
                Model::Other,
            ),
        ] {
            assert_eq!(Model::of(id), model, "{id}");
        }
    }
}
