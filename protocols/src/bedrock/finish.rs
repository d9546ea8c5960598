//! Words for why an answer ended.

use crate::llm::Finish;

/// What Bedrock's `stopReason` means. Some models' own words come through as they are.
pub(super) fn read(word: &str) -> Finish {
    match word {
        "end_turn" => Finish::Stop,
        "stop_sequence" => Finish::StopSequence,
        "max_tokens" | "model_context_window_exceeded" => Finish::Length,
        "tool_use" => Finish::ToolCalls,
        "content_filtered" | "guardrail_intervened" => Finish::Filtered,
        "refusal" => Finish::Refusal,
        "pause_turn" => Finish::Paused,
        "malformed_tool_use" => Finish::MalformedCall,
        // `malformed_model_output` among them.
        _ => Finish::Other,
    }
}
