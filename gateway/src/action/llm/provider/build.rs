//! Providers made ready to be called from what the configuration says of them.

use std::sync::Arc;

use http::HeaderValue;
use weir_protocols::aws::sigv4;
use weir_telemetry::record::known_provider;

use super::token::Tokens;
use super::{Credential, Provider, Signer};
use crate::action::llm::api::Outbound;
use crate::action::llm::model::field;
use crate::config::providers;
use crate::runtime::Parts;

/// Builds the provider of this name.
pub(in crate::action::llm) fn provider(name: &str, parts: &Parts<'_>) -> Provider {
    let definition: &providers::Provider = parts
        .config
        .providers
        .iter()
        .find(|p| *p.name == *name)
        .expect("`check` resolved every provider");
    let api = match definition.dialect {
        providers::Dialect::Openai => Outbound::Chat,
        providers::Dialect::Anthropic => Outbound::Messages,
        providers::Dialect::Gemini => Outbound::Gemini,
        providers::Dialect::Bedrock => Outbound::Converse,
    };
    let azure = definition.azure_api_version.clone();
    let is_azure = azure.is_some();
    // Azure's first version has OpenAI's own paths, below one of its own.
    let azure_v1 = azure.as_deref() == Some("v1");
    let server = definition.server.entry();
    Provider {
        field: field(&definition.name),
        name: definition.name.clone(),
        known: known_provider(&definition.authority),
        api,
        responses: api == Outbound::Chat && server.responses && (!is_azure || azure_v1),
        profile: server.chat,
        authority: HeaderValue::from_str(&definition.authority)
            .expect("`check` parsed the provider's address"),
        base: base(definition, azure_v1),
        credential: match &definition.vertex {
            Some(vertex) => {
                let upstream = parts.upstream(&vertex.tokens.name);
                Credential::Token(Box::new(Tokens::new(vertex, upstream)))
            }
            None => credential(definition, api, is_azure),
        },
        azure: azure.filter(|_| !azure_v1),
        longest_wait: definition.longest_wait,
        upstream: parts.upstream(&definition.upstream.name),
    }
}

/// What stands before the API's own paths.
fn base(definition: &providers::Provider, azure_v1: bool) -> Arc<str> {
    let path = &definition.base_path;
    match (&definition.vertex, definition.dialect) {
        (Some(vertex), _) => {
            let (project, location) = (&vertex.project, &vertex.location);
            format!("{path}/v1/projects/{project}/locations/{location}/publishers/google").into()
        }
        (None, providers::Dialect::Gemini) => format!("{path}/v1beta").into(),
        (None, _) if azure_v1 => format!("{path}/openai/v1").into(),
        (None, _) => path.clone(),
    }
}

fn credential(definition: &providers::Provider, api: Outbound, azure: bool) -> Credential {
    if let Some(aws) = &definition.aws {
        let credentials = sigv4::Credentials {
            access_key_id: aws.access_key_id.expose().to_owned(),
            secret_access_key: aws.secret_access_key.expose().to_owned(),
            session_token: aws.session_token.as_ref().map(|t| t.expose().to_owned()),
        };
        return Credential::Signature(Signer::new(credentials, &*aws.region));
    }
    let keys = definition.api_keys.iter().map(|key| key.value.expose());
    Credential::keys(api, azure, keys)
}
