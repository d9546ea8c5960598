//! `stop_reason`, in both directions.

use crate::llm::Finish;

/// What a word of Anthropic's means. A word that is new is another reason.
pub(super) fn read(word: &str) -> Finish {
    match word {
        "end_turn" => Finish::Stop,
        "stop_sequence" => Finish::StopSequence,
        "max_tokens" | "model_context_window_exceeded" => Finish::Length,
        "tool_use" => Finish::ToolCalls,
        "refusal" => Finish::Refusal,
        "pause_turn" => Finish::Paused,
        _ => Finish::Other,
    }
}

/// The word for a reason. Those without one end the turn: clients know a closed set.
pub(super) const fn write(finish: Finish) -> &'static str {
    match finish {
        Finish::Stop | Finish::MalformedCall | Finish::Other => "end_turn",
        Finish::StopSequence => "stop_sequence",
        Finish::Length => "max_tokens",
        Finish::ToolCalls => "tool_use",
        Finish::Filtered | Finish::Refusal => "refusal",
        Finish::Paused => "pause_turn",
    }
}

/// The word for a reason, where the model declined in words of its own and the provider said no
/// more than that it had come to an end.
pub(super) const fn write_refused(finish: Finish, refused: bool) -> &'static str {
    match finish {
        Finish::Stop if refused => write(Finish::Refusal),
        _ => write(finish),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_a_word_survives_there_and_back() {
        for finish in [
            Finish::Stop,
            Finish::StopSequence,
            Finish::Length,
            Finish::ToolCalls,
            Finish::Refusal,
            Finish::Paused,
        ] {
            assert_eq!(read(write(finish)), finish);
        }
        assert_eq!(read("model_context_window_exceeded"), Finish::Length);
        assert_eq!(read("a_new_reason"), Finish::Other);
        assert_eq!(write(Finish::Filtered), "refusal");
        assert_eq!(write(Finish::Other), "end_turn");
        assert_eq!(write_refused(Finish::Stop, true), "refusal");
        assert_eq!(write_refused(Finish::Length, true), "max_tokens");
    }
}
