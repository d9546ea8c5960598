//! What is said where an answer is the echo of what was asked: short texts, each another one, so that
//! an echo of something else is noticed.

/// The length of a text, in bytes.
pub const LENGTH: usize = 100;
/// Where it is said over gRPC.
pub const METHOD: &str = "/bench.Echo/Say";
/// Where a WebSocket is opened.
pub const SOCKET: &str = "/socket";

/// What one caller says, text after text.
pub struct Words {
    text: Vec<u8>,
    turn: u64,
}

/// Digits of the number a text begins with.
const DIGITS: usize = 20;

impl Words {
    /// Those of a caller with this number.
    pub fn of(caller: usize) -> Self {
        let mut text = format!(
            "{:0DIGITS$} says caller {caller}, to whom it may concern: ",
            0
        );
        text.extend(std::iter::repeat_n('.', LENGTH - text.len()));
        Self {
            text: text.into_bytes(),
            turn: 0,
        }
    }

    /// The next text.
    pub fn next(&mut self) -> &[u8] {
        self.turn += 1;
        let number = format!("{:0DIGITS$}", self.turn);
        self.text[..DIGITS].copy_from_slice(number.as_bytes());
        &self.text
    }

    /// Says what is wrong with the answer to the last text.
    pub fn judge(&self, answer: &[u8]) -> Result<(), String> {
        if answer == self.text {
            return Ok(());
        }
        Err(format!(
            "an echo is another than what was said:\n{}\n{}",
            String::from_utf8_lossy(&self.text),
            String::from_utf8_lossy(answer)
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_texts_are_the_same() {
        let (mut one, mut other) = (Words::of(1), Words::of(127));
        let first = one.next().to_vec();
        assert_eq!(first.len(), LENGTH);
        assert_eq!(one.judge(&first), Ok(()));
        assert_ne!(other.next(), first);
        assert_ne!(one.next(), first);
        assert!(one.judge(&first).is_err());
    }
}
