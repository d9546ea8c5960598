//! Why a candidate ended: `Candidate.FinishReason`, both ways.

use crate::llm::Finish;

/// What `word` says of a candidate that calls tools or does not. `None` if it says that the
/// candidate goes on.
pub(super) fn read(word: &str, calls: bool) -> Option<Finish> {
    Some(match word {
        "" | "FINISH_REASON_UNSPECIFIED" => return None,
        "STOP" if calls => Finish::ToolCalls,
        "STOP" => Finish::Stop,
        "MAX_TOKENS" => Finish::Length,
        "SAFETY"
        | "RECITATION"
        | "BLOCKLIST"
        | "PROHIBITED_CONTENT"
        | "SPII"
        | "MODEL_ARMOR"
        | "IMAGE_SAFETY"
        | "IMAGE_PROHIBITED_CONTENT"
        | "IMAGE_RECITATION" => Finish::Filtered,
        "MALFORMED_FUNCTION_CALL" | "UNEXPECTED_TOOL_CALL" => Finish::MalformedCall,
        _ => Finish::Other,
    })
}

/// The word for it. The dialect has none for calls of tools and for texts to end at, both of which
/// are `STOP`, nor for a model that declines, which comes nearest to `SAFETY`.
pub(super) const fn word(finish: Finish) -> &'static str {
    match finish {
        Finish::Stop | Finish::StopSequence | Finish::ToolCalls => "STOP",
        Finish::Length => "MAX_TOKENS",
        Finish::Filtered | Finish::Refusal => "SAFETY",
        Finish::MalformedCall => "MALFORMED_FUNCTION_CALL",
        Finish::Paused | Finish::Other => "OTHER",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_written_is_read_as_what_it_stands_for() {
        for (finish, back) in [
            (Finish::Stop, Finish::Stop),
            (Finish::StopSequence, Finish::Stop),
            (Finish::Length, Finish::Length),
            (Finish::Filtered, Finish::Filtered),
            (Finish::Refusal, Finish::Filtered),
            (Finish::Paused, Finish::Other),
            (Finish::MalformedCall, Finish::MalformedCall),
            (Finish::Other, Finish::Other),
        ] {
            assert_eq!(read(word(finish), false), Some(back), "{finish:?}");
        }
        assert_eq!(read(word(Finish::ToolCalls), true), Some(Finish::ToolCalls));
        assert_eq!(read("FINISH_REASON_UNSPECIFIED", true), None);
        assert_eq!(read("LANGUAGE", true), Some(Finish::Other));
    }
}
