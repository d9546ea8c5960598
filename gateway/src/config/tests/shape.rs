//! Faults of shape: keys, types, kinds, formats.

use std::time::Duration;

use super::expect;
use crate::config::routes::Action;
use crate::config::routes::llm::OnDisconnect;
use crate::config::tests::{faults, good};
use crate::config::{parse_str, schema};

#[test]
fn keys_types_and_kinds_are_told_in_words() {
    expect(&[
        (
            "rutes: []",
            "rutes: there is no \"rutes\" here; did you mean \"routes\"?",
        ),
        (
            "routes: [{ name: a, hots: [a.b], respond: {} }]",
            "routes[0].hots: there is no \"hots\" here; did you mean \"hosts\"?",
        ),
        (
            "routes: [{ respond: {} }]",
            "routes[0]: \"name\" is missing; add `name:`",
        ),
        (
            "routes: [{ name: 1, respond: {} }]",
            "routes[0].name: expected text, found a number; put it in quotes",
        ),
        (
            "routes: { name: a }",
            "routes: expected a list, found settings; begin each entry with \"- \"",
        ),
        (
            "server:",
            "server: expected settings, found nothing; give a value, or leave the key out",
        ),
        (
            "server: { drain_timeout: 30 }",
            "server.drain_timeout: expected text, found a number; put it in quotes",
        ),
        (
            "server: { drain_timeout: 30x }",
            "server.drain_timeout: \"30x\" is not a duration such as 500ms, 1s, 5m, 1h or 1d, above 0 and at most 366d",
        ),
        (
            "server: { worker_threads: 0 }",
            "server.worker_threads: 0 is too small; the least is 1",
        ),
        (
            "metrics: { address: localhost:80 }",
            "metrics.address: \"localhost:80\" is not an IP address and port such as 127.0.0.1:8080 or [::]:8080",
        ),
        (
            "policies: { enforced: [{ kind: request_size, max: 10MB }] }",
            "policies.enforced[0].max: \"10MB\" is not a size such as 64KiB, 10MiB or 1024 (bytes), above 0",
        ),
    ]);
    assert_eq!(
        faults("policies: { enforced: [{ kind: request_size, maxx: 10MiB }] }"),
        [
            "policies.enforced[0]: \"max\" is missing; add `max:`",
            "policies.enforced[0].maxx: there is no \"maxx\" here; did you mean \"max\"?",
        ]
    );
}

#[test]
fn the_variant_that_was_meant_is_judged() {
    expect(&[
        (
            "policies: { enforced: [{ kind: request_sice, max: 1MiB }] }",
            "policies.enforced[0].kind: there is no \"request_sice\"; did you mean \"request_size\"?",
        ),
        (
            "policies: { enforced: [{ max: 1MiB }] }",
            "policies.enforced[0]: \"kind\" is missing; add `kind:` and one of key_auth, quota, cors, ip_restriction, request_size, headers, compression, prompt, prompt_guard, pii or external_guard",
        ),
        (
            "policies: { enforced: [{ kind: request_size, max: 1MiB, min: 1 }] }",
            "policies.enforced[0].min: there is no \"min\" here; there are kind and max",
        ),
        (
            "policies: { enforced: [cors] }",
            "policies.enforced[0]: expected settings with a `kind`, found text; write `{ kind: … }`",
        ),
        (
            "upstreams: [{ name: a, endpoints: [{ address: a:1 }], protocol: http3 }]",
            "upstreams[0].protocol: there is no \"http3\"; did you mean \"http1\"?",
        ),
        (
            "upstreams: [{ name: a, endpoints: [{ address: a:1 }], health: { active: { kind: http, interval: 1s } } }]",
            "upstreams[0].health.active: \"path\" is missing; add `path:`",
        ),
        (
            "upstreams: [{ name: a, endpoints: [] }]",
            "upstreams[0].endpoints: this list is empty; give at least one entry",
        ),
    ]);
}

#[test]
fn what_a_model_route_does_for_callers_is_judged() {
    let route = |llm: &str| {
        format!(
            "providers: [{{ name: p, dialect: openai, base_url: 'http://a/v1' }}]\n\
             models: [{{ name: m, targets: [{{ provider: p, model: m }}] }}]\n\
             routes: [{{ name: r, matches: [{{ path: {{ prefix: / }} }}], llm: {{ models: [m]{llm} }} }}]"
        )
    };
    expect(&[
        (
            &route(", keep_alive: 15s"),
            "routes[0].llm.keep_alive: expected settings with a `kind`, found text; write `{ kind: … }`",
        ),
        (
            &route(", keep_alive: { kind: none, after: 3s }"),
            "routes[0].llm.keep_alive.after: there is no \"after\" here; there is only kind",
        ),
        (
            &route(", on_disconnect: wait"),
            "routes[0].llm.on_disconnect: there is no \"wait\"; there are cancel and drain",
        ),
    ]);
    let llm = |yaml: &str| match &good(yaml).config.routes[0].action {
        Action::Llm(llm) => (llm.keep_alive, llm.on_disconnect),
        other => panic!("{other:?} is no llm route"),
    };
    let fifteen = Duration::from_secs(15);
    assert_eq!(llm(&route("")), (Some(fifteen), OnDisconnect::Cancel));
    let quiet = route(", keep_alive: { kind: none }, on_disconnect: drain");
    assert_eq!(llm(&quiet), (None, OnDisconnect::Drain));
}

#[test]
fn what_proves_who_calls_a_provider_fits_its_dialect() {
    let of = |provider: &str| {
        format!(
            "secrets: [{{ name: s, value: x }}]\nproviders: [{{ name: a, base_url: 'http://a', {provider} }}]"
        )
    };
    let keys = "access_key_id: { secret: s }, secret_access_key: { secret: s }";
    for (provider, fault) in [
        (
            "dialect: bedrock".to_owned(),
            "providers[0].aws: nothing proves to Bedrock who calls; give the region and an access key, or an `api_key`",
        ),
        (
            format!("dialect: bedrock, aws: {{ region: 'eu central', {keys} }}"),
            "providers[0].aws.region: this is no region; write it as eu-central-1",
        ),
        (
            format!("dialect: openai, aws: {{ region: eu, {keys} }}"),
            "providers[0].aws: only calls of Bedrock are signed; leave it out, or set dialect bedrock",
        ),
        (
            "dialect: gemini, azure: { api_version: '1' }".to_owned(),
            "providers[0].azure: Azure OpenAI speaks OpenAI's dialect; set dialect openai, or leave `azure` out",
        ),
        (
            "dialect: openai, azure: { api_version: 'a b' }".to_owned(),
            "providers[0].azure.api_version: this is no version of an API; write it as 2024-10-21",
        ),
        (
            "dialect: gemini, server: mistral".to_owned(),
            "providers[0].server: servers differ in OpenAI's dialect only; leave it out, or set dialect openai",
        ),
        (
            "dialect: openai, server: groq, azure: { api_version: v1 }".to_owned(),
            "providers[0].server: it is Azure's; leave either `server` or `azure` out",
        ),
        (
            "dialect: openai, vertex: { project: p, location: global, credentials: { kind: metadata } }"
                .to_owned(),
            "providers[0].vertex: Vertex AI is called by Gemini's dialect; set dialect gemini, or leave `vertex` out",
        ),
        (
            "dialect: gemini, vertex: { project: 'a/b', location: global, credentials: { kind: metadata } }"
                .to_owned(),
            "providers[0].vertex.project: this is no project; write the project's id, as acme-models",
        ),
        (
            "dialect: gemini, vertex: { project: p, location: global, credentials: { kind: service_account, key: { secret: s } } }"
                .to_owned(),
            "providers[0].vertex.credentials.key.secret: the secret is no key of a service account; give the JSON file of a service account's key, as Google made it",
        ),
    ] {
        assert_eq!(faults(&of(&provider)), [fault]);
    }
}

#[test]
fn a_server_at_a_public_address_needs_no_other() {
    let loaded = good("providers: [{ name: a, dialect: openai, server: mistral }]");
    let provider = &loaded.config.providers[0];
    let at = (&*provider.authority, &*provider.base_path);
    assert_eq!(at, ("api.mistral.ai", "/v1"));
    assert!(provider.upstream.tls.is_some());
    for (location, host) in [
        ("europe-west4", "europe-west4-aiplatform.googleapis.com"),
        ("global", "aiplatform.googleapis.com"),
    ] {
        let vertex = format!("project: p, location: {location}, credentials: {{ kind: metadata }}");
        let loaded = good(&format!(
            "providers: [{{ name: a, dialect: gemini, vertex: {{ {vertex} }} }}]"
        ));
        assert_eq!(&*loaded.config.providers[0].authority, host);
    }
    let missing = "providers[0].base_url: where it is called is missing; write it as https://api.openai.com/v1";
    for provider in ["dialect: openai", "dialect: openai, server: vllm"] {
        let config = format!("providers: [{{ name: a, {provider} }}]");
        assert_eq!(faults(&config), [missing]);
    }
}

#[test]
fn what_is_no_yaml_says_where_and_quotes_nothing() {
    let faults =
        parse_str("version: 1\nsecrets: [{ name: a, value: hunter2secret").expect_err("no YAML");
    let line = faults.to_string();
    assert!(
        line.starts_with("line ") && !line.contains("hunter2"),
        "{line}"
    );
    let faults = parse_str("version: 1\nversion: 1\n").expect_err("a key twice");
    assert!(faults.to_string().contains("duplicate"), "{faults}");
    let faults = parse_str("").expect_err("nothing");
    assert_eq!(
        faults.to_string(),
        "expected sections such as `version: 1` and `routes:`; start from one of the examples"
    );
}

#[test]
fn sizes_may_be_numbers_and_defaults_hold() {
    let loaded = good(
        "policies: { enforced: [{ kind: request_size, max: 1024 }] }\nupstreams: [{ name: a, endpoints: [{ address: a:1 }] }]",
    );
    let upstream = &loaded.config.upstreams[0];
    assert_eq!(upstream.timeouts.total.as_secs(), 300);
    assert_eq!(upstream.endpoints[0].weight, 1);
    assert_eq!(loaded.config.listeners[0].limits.max_head_bytes, 65_536);
    assert_eq!(loaded.config.server.drain_timeout.as_secs(), 30);
}

#[test]
fn the_schema_refuses_unknown_keys_everywhere() {
    fn objects(path: &str, value: &serde_json::Value, open: &mut Vec<String>) {
        let Some(object) = value.as_object() else {
            return;
        };
        let closable = object
            .get("properties")
            .is_some_and(|known| known.get("type").is_none());
        if closable && object.get("additionalProperties") != Some(&false.into()) {
            open.push(path.to_owned());
        }
        for (key, value) in object {
            match value {
                serde_json::Value::Array(items) => items
                    .iter()
                    .for_each(|item| objects(&format!("{path}/{key}"), item, open)),
                value => objects(&format!("{path}/{key}"), value, open),
            }
        }
    }
    let mut open = Vec::new();
    objects("", &schema(), &mut open);
    assert_eq!(open, Vec::<String>::new());
}
