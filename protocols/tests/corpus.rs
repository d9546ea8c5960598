//! The seed corpus of the fuzz targets, and whatever is added to it after a
//! finding, held against the same checks as when fuzzing; every prefix too.

use std::{fs, path::Path};

#[path = "../fuzz/checks.rs"]
mod checks;

fn replay(target: &str, check: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fuzz/corpus")
        .join(target);
    let mut seeds = 0;
    for entry in fs::read_dir(&folder).expect("the corpus is committed") {
        let seed = fs::read(entry.expect("listed").path()).expect("readable");
        for end in 0..=seed.len() {
            check(&seed[..end]);
        }
        seeds += 1;
    }
    assert!(seeds > 0, "no seeds for {target}");
}

#[test]
fn heads() {
    replay("head", checks::head);
}

#[test]
fn event_streams() {
    replay("sse", checks::sse);
}

#[test]
fn chat_requests() {
    replay("chat", checks::chat);
}

#[test]
fn usage_reports() {
    replay("usage", checks::usage);
}

#[test]
fn images() {
    replay("image", checks::image);
}

#[test]
fn completions() {
    replay("completion", checks::completion);
}

#[test]
fn anthropics_messages() {
    replay("anthropic", checks::anthropic);
}

#[test]
fn geminis_contents() {
    replay("gemini", checks::gemini);
}

#[test]
fn bedrocks_converse() {
    replay("bedrock", checks::bedrock);
}

#[test]
fn grpcs_frames() {
    replay("grpc", checks::grpc);
}

#[test]
fn openais_responses() {
    replay("responses", checks::responses);
}

#[test]
fn embeddings() {
    replay("embeddings", checks::embeddings);
}

#[test]
fn texts_of_calls() {
    replay("texts", checks::texts);
}

#[test]
fn events_of_one_shape() {
    replay("mould", checks::mould);
}

#[test]
fn frames() {
    replay("websocket", checks::websocket);
}

#[test]
fn graphqls_requests() {
    replay("graphql", checks::graphql);
}

#[test]
fn templates_of_paths() {
    replay("template", checks::template);
}

#[test]
fn transcoded_requests_and_answers() {
    replay("transcode", checks::transcode);
}

#[test]
fn cloud_events() {
    replay("cloudevents", checks::cloudevents);
}
