//! What makes an answer right. Whoever forwards bytes must forward all of them; whoever reads and
//! writes an answer anew may order its members as it likes, but must say the same.

use serde_json::Value;

use crate::answer;
use crate::wire::find;

/// How an answer's body is judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Right {
    /// By its length, transfer coding removed.
    Length(usize),
    /// As a chat completion: by the sentence and the tokens.
    Completion,
    /// As a streamed chat completion: by the sentence, and by its end.
    Stream,
    /// As a broker's word on one record: by its offset.
    Written,
    /// As a word that a record is on disk.
    Kept,
}

impl Right {
    /// Whether the body has to be kept for it; else its length is enough.
    pub fn reads(self) -> bool {
        !matches!(self, Self::Length(_))
    }

    /// Says what is wrong with a body of `length` bytes, which is `body` if it was kept.
    pub fn judge(self, length: usize, body: &[u8]) -> Result<(), String> {
        match self {
            Self::Length(right) if length == right => Ok(()),
            Self::Length(right) => Err(format!(
                "an answer has {length} bytes where {right} are right"
            )),
            Self::Completion if completed(body) => Ok(()),
            Self::Stream if streamed(body) => Ok(()),
            Self::Written if placed(body) => Ok(()),
            Self::Kept if find(body, b"\"spooled\":true").is_some() => Ok(()),
            Self::Written | Self::Kept => Err(format!(
                "an answer does not say what became of the record:\n{}",
                String::from_utf8_lossy(body)
            )),
            Self::Completion | Self::Stream => Err(format!(
                "an answer does not say what the model said:\n{}",
                String::from_utf8_lossy(body)
            )),
        }
    }
}

/// Whether it names an offset, which no record has that was not written.
fn placed(body: &[u8]) -> bool {
    let name = b"\"offset\":";
    let rest = find(body, name).map(|at| body[at + name.len()..].trim_ascii_start());
    rest.and_then(<[u8]>::first).is_some_and(u8::is_ascii_digit)
}

fn completed(body: &[u8]) -> bool {
    serde_json::from_slice::<Value>(body).is_ok_and(|answer| {
        answer["choices"][0]["message"]["content"] == answer::sentence()
            && answer["usage"]["total_tokens"] == answer::TOTAL_TOKENS
    })
}

fn streamed(body: &[u8]) -> bool {
    let mut said = String::new();
    let mut done = false;
    for line in body.split(|byte| *byte == b'\n') {
        let Some(data) = line.strip_prefix(b"data:") else {
            continue;
        };
        match data.trim_ascii() {
            b"[DONE]" => done = true,
            data => {
                let Ok(event) = serde_json::from_slice::<Value>(data) else {
                    return false;
                };
                said.push_str(
                    event["choices"][0]["delta"]["content"]
                        .as_str()
                        .unwrap_or_default(),
                );
            }
        }
    }
    done && said == answer::sentence()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_may_be_spaced_but_not_shortened() {
        let right = answer::completion();
        let spaced = right.replace("\":", "\" : ");
        let wrong = right.replace("weir is", "were is");
        for (body, is_right) in [(&right, true), (&spaced, true), (&wrong, false)] {
            let judged = Right::Completion.judge(body.len(), body.as_bytes());
            assert_eq!(judged.is_ok(), is_right, "{body}");
        }
        let events = answer::events(true);
        let all = events.concat();
        assert_eq!(Right::Stream.judge(all.len(), &all), Ok(()));
        for lacking in [2, events.len() - 1] {
            let mut less = events.clone();
            less.remove(lacking);
            let less = less.concat();
            assert!(Right::Stream.judge(less.len(), &less).is_err());
        }
        assert!(Right::Length(3).judge(4, b"").is_err());
    }

    #[test]
    fn a_record_is_written_that_has_an_offset() {
        let judged = |body: &str| Right::Written.judge(body.len(), body.as_bytes());
        assert_eq!(judged(r#"{"ack":"all","offset":0,"partition":2}"#), Ok(()));
        assert_eq!(
            judged(r#"{"offsets":[{"partition":0,"offset": 17}]}"#),
            Ok(())
        );
        assert!(judged(r#"{"offsets":[{"partition":-1,"offset":-1}]}"#).is_err());
        assert!(judged(r#"{"offsets":[{"error":"late"}]}"#).is_err());
        assert_eq!(
            Right::Kept.judge(0, br#"{"id":"1","spooled":true}"#),
            Ok(())
        );
    }
}
