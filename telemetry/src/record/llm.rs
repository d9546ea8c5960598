//! What a language model was asked and what it used, as plain data: names, numbers and reasons. No
//! prompt and no answer; those are [`Content`](crate::Content), which is kept apart.

use std::sync::Arc;
use std::time::Duration;

/// One call of a model, of whomever it was asked.
#[derive(Clone, Debug)]
pub struct Llm {
    /// OpenTelemetry's `gen_ai.operation.name` (`chat`, …).
    pub operation: &'static str,
    /// The model's name as the caller wrote it.
    pub requested_model: Arc<str>,
    /// Who was asked, one after the other; the last is who answered, if anybody did.
    pub targets: Vec<Target>,
    /// Whether the caller asked for a stream.
    pub stream: bool,
    /// How many answers were asked for.
    pub choices: u64,
    /// The most tokens of output per answer that was asked for, if anybody set a limit.
    pub limit: Option<u64>,
    /// How words are to be picked; known of sampled requests only.
    pub sampling: Option<Box<Sampling>>,
    /// What was used, in tokens.
    pub tokens: Tokens,
    /// Where the counts come from: `provider`, `counted` or `estimated`; `cached` where nothing was
    /// used, because the answer had been kept.
    pub provenance: &'static str,
    /// What came of looking for an answer that was kept (`hit`, `miss`, …), where the route keeps any.
    pub cache: Option<&'static str>,
    /// How alike the question is to the one that was answered, where only its meaning is the same.
    pub similarity: Option<f64>,
    /// What that costs, in nano-dollars, where the price is known.
    pub cost: Option<u64>,
    /// From the request's start to the first chunk of a stream.
    pub first_chunk: Option<Duration>,
    /// Why the model stopped, as the provider says it; of several answers the first.
    pub finish_reason: Option<String>,
    /// Why it stopped, of every answer; known of sampled requests only.
    pub finish_reasons: Vec<&'static str>,
    /// The answer's name at the provider; known of sampled requests only.
    pub response_id: Option<String>,
    /// The model that answered, as the provider says; known of sampled requests only.
    pub response_model: Option<String>,
}

/// A model of a provider that was asked.
#[derive(Clone, Debug)]
pub struct Target {
    /// The provider's name in the configuration.
    pub provider: Arc<str>,
    /// OpenTelemetry's word for who that is, where it has one.
    pub known: Option<&'static str>,
    /// The model, as the provider was asked for it.
    pub model: Arc<str>,
    /// The first of the record's attempts that were made at it.
    pub first_attempt: usize,
}

/// How many tokens were used. The parts are among the whole; what nobody said is `None`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tokens {
    /// Of the prompt.
    pub input: Option<u64>,
    /// Of the answer.
    pub output: Option<u64>,
    /// Those of the prompt that the provider had in its cache.
    pub cache_read: Option<u64>,
    /// Those of the prompt that it put into its cache.
    pub cache_written: Option<u64>,
    /// Those of the answer that the model spent on thinking.
    pub reasoning: Option<u64>,
}

/// How words are to be picked, as the caller wrote it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sampling {
    /// `temperature`
    pub temperature: Option<f64>,
    /// `top_p`
    pub top_p: Option<f64>,
    /// `top_k`
    pub top_k: Option<u64>,
    /// `frequency_penalty`
    pub frequency_penalty: Option<f64>,
    /// `presence_penalty`
    pub presence_penalty: Option<f64>,
    /// `seed`
    pub seed: Option<i64>,
    /// Texts at which the answer is to end; the first few, each cut short.
    pub stop: Vec<String>,
    /// Whether the answer is to be JSON.
    pub json: bool,
}

impl Llm {
    /// A call of which nobody was asked yet, for one whole answer.
    pub fn new(operation: &'static str, requested_model: Arc<str>) -> Self {
        Self {
            operation,
            requested_model,
            targets: Vec::with_capacity(1),
            stream: false,
            choices: 1,
            limit: None,
            sampling: None,
            tokens: Tokens::default(),
            provenance: "estimated",
            cache: None,
            similarity: None,
            cost: None,
            first_chunk: None,
            finish_reason: None,
            finish_reasons: Vec::new(),
            response_id: None,
            response_model: None,
        }
    }

    /// Somebody is asked now: what an earlier one said does not count.
    pub fn ask(&mut self, target: Target) {
        self.targets.push(target);
        self.tokens = Tokens::default();
        self.provenance = "estimated";
        self.cost = None;
        self.first_chunk = None;
        self.finish_reason = None;
        self.finish_reasons.clear();
        self.response_id = None;
        self.response_model = None;
    }

    /// Who was asked last.
    pub fn target(&self) -> Option<&Target> {
        self.targets.last()
    }

    /// The number of the target at which one of the record's attempts was made.
    pub(crate) fn asked_by(&self, attempt: usize) -> Option<usize> {
        self.targets
            .iter()
            .rposition(|target| target.first_attempt <= attempt)
    }
}

impl Target {
    /// OpenTelemetry's `gen_ai.provider.name`: its own word, or the configuration's where it has
    /// none.
    pub fn provider_name(&self) -> &str {
        self.known.unwrap_or(&self.provider)
    }
}

/// OpenTelemetry's word for the provider at a host, where it has one for it. An address of one's
/// own says nothing of who answers there, whatever dialect is spoken.
pub fn known_provider(host: &str) -> Option<&'static str> {
    const EXACT: [(&str, &str); 11] = [
        ("api.openai.com", "openai"),
        ("api.anthropic.com", "anthropic"),
        ("generativelanguage.googleapis.com", "gcp.gemini"),
        ("api.groq.com", "groq"),
        ("api.mistral.ai", "mistral_ai"),
        ("api.deepseek.com", "deepseek"),
        ("api.x.ai", "x_ai"),
        ("api.perplexity.ai", "perplexity"),
        ("api.cohere.com", "cohere"),
        ("api.cohere.ai", "cohere"),
        ("api.moonshot.ai", "moonshot_ai"),
    ];
    const BEGIN_AND_END: [(&str, &str, &str); 3] = [
        ("bedrock-runtime", ".amazonaws.com", "aws.bedrock"),
        ("", ".openai.azure.com", "azure.ai.openai"),
        ("", "aiplatform.googleapis.com", "gcp.vertex_ai"),
    ];
    let (host, _) = super::split_port(host);
    let host = host.to_ascii_lowercase();
    let exact = EXACT.iter().find(|(known, _)| *known == host);
    exact.map(|(_, word)| *word).or_else(|| {
        let found = BEGIN_AND_END
            .iter()
            .find(|(begin, end, _)| host.starts_with(begin) && host.ends_with(end));
        found.map(|(.., word)| *word)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_provider_is_known_by_its_host_alone() {
        for (host, word) in [
            ("api.openai.com", Some("openai")),
            ("API.Anthropic.com:443", Some("anthropic")),
            (
                "bedrock-runtime.eu-central-1.amazonaws.com",
                Some("aws.bedrock"),
            ),
            ("acme.openai.azure.com", Some("azure.ai.openai")),
            (
                "europe-west1-aiplatform.googleapis.com",
                Some("gcp.vertex_ai"),
            ),
            ("api.openai.com.example", None),
            ("127.0.0.1:8080", None),
            ("", None),
        ] {
            assert_eq!(known_provider(host), word, "{host}");
        }
    }

    #[test]
    fn attempts_belong_to_whoever_was_asked_when_they_were_made() {
        let target = |model: &str, first_attempt| Target {
            provider: "p".into(),
            known: None,
            model: model.into(),
            first_attempt,
        };
        let mut llm = Llm::new("chat", "smart".into());
        assert_eq!(llm.asked_by(0), None);
        llm.ask(target("one", 0));
        // Nobody could be picked for the second, so that it has no attempt.
        llm.ask(target("two", 2));
        llm.ask(target("three", 2));
        let asked: Vec<_> = (0..4).map(|attempt| llm.asked_by(attempt)).collect();
        assert_eq!(asked, [Some(0), Some(0), Some(2), Some(2)]);
        assert_eq!(&*llm.target().expect("somebody").model, "three");
    }
}
