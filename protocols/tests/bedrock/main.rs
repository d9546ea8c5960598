//! AWS Bedrock's Converse against transcripts written after its API reference.

mod answer;
mod checks;
mod error;
mod request;
mod stream;

use weir_protocols::bedrock::path;

#[test]
fn models_stand_encoded_in_the_path() {
    assert_eq!(
        path("anthropic.claude-3-haiku-20240307-v1:0", false),
        "/model/anthropic.claude-3-haiku-20240307-v1%3A0/converse"
    );
    assert_eq!(
        path(
            "arn:aws:bedrock:eu-west-1:1:inference-profile/eu.a_b~c d\u{e4}",
            true
        ),
        "/model/arn%3Aaws%3Abedrock%3Aeu-west-1%3A1%3Ainference-profile%2Feu.a_b~c%20d%C3%A4/converse-stream"
    );
}
