//! What holds for any bytes, held on documents that are nearly right.

use proptest::prelude::*;

#[path = "../../fuzz/checks_anthropic.rs"]
mod checks;

const REQUEST: &str = r#"{"model":"m","max_tokens":2000,"stream":true,"system":[{"type":"text",
"text":"s","cache_control":{"type":"ephemeral"}}],"messages":[{"role":"user","content":"q"},
{"role":"assistant","content":[{"type":"thinking","thinking":"t","signature":"x"},{"type":
"tool_use","id":"a:b","name":"f","input":{"k":[1]}}]},{"role":"user","content":[{"type":"text",
"text":"u"},{"type":"tool_result","tool_use_id":"a:b","content":"r","is_error":true}]}],"tools":
[{"name":"f","input_schema":{},"cache_control":{"type":"ephemeral"}}],"tool_choice":{"type":
"auto","disable_parallel_tool_use":true},"thinking":{"type":"enabled","budget_tokens":1500},
"temperature":1.5,"top_p":0.5,"top_k":7,"stop_sequences":["x"],"metadata":{"user_id":"u"}}"#;

const ANSWER: &str = r#"{"id":"msg_1","model":"m","content":[{"type":"thinking","thinking":"t",
"signature":"x"},{"type":"text","text":"a"},{"type":"tool_use","id":"1","name":"f","input":{}}],
"stop_reason":"refusal","stop_details":{"explanation":"no"},"usage":{"input_tokens":1,
"output_tokens":2,"cache_read_input_tokens":18446744073709551615}}"#;

const STREAMS: [&str; 6] = [
    include_str!("../golden/anthropic/text.sse"),
    include_str!("../golden/anthropic/tools_crlf.sse"),
    include_str!("../golden/anthropic/thinking.sse"),
    include_str!("../golden/anthropic/refusal.sse"),
    include_str!("../golden/anthropic/overloaded.sse"),
    include_str!("../golden/anthropic/server_tool.sse"),
];

#[test]
fn every_prefix_of_a_document_is_read_without_harm() {
    for whole in [REQUEST, ANSWER] {
        for end in 0..=whole.len() {
            checks::anthropic(&whole.as_bytes()[..end]);
        }
    }
    for stream in STREAMS {
        checks::anthropic(stream.as_bytes());
        for end in (0..stream.len()).step_by(37) {
            checks::anthropic(&stream.as_bytes()[..end]);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn a_document_with_a_piece_of_another_in_it_is_read_without_harm(
        which in 0..8_usize,
        other in 0..8_usize,
        at in any::<prop::sample::Index>(),
        from in any::<prop::sample::Index>(),
        take in 0..40_usize,
        skip in 0..40_usize,
    ) {
        let all: Vec<&str> = [REQUEST, ANSWER].into_iter().chain(STREAMS).collect();
        let (into, piece) = (all[which].as_bytes(), all[other].as_bytes());
        let at = at.index(into.len());
        let from = from.index(piece.len());
        let piece = &piece[from..(from + take).min(piece.len())];
        let rest = &into[(at + skip).min(into.len())..];
        checks::anthropic(&[&into[..at], piece, rest].concat());
    }
}
