//! What a record says: which it is, and when it was written. Its length is always the same, so that who reads
//! it at the end of a line finds all at a fixed place.

/// The length of a record.
pub const SIZE: usize = 100;

const DIGITS: usize = 20;
const BEGIN: &str = r#"{"pad":"...................................","n":""#;
const MIDDLE: &str = r#"","at":""#;
const END: &str = r#""}"#;
/// What ends an event's line: the record is the last member.
const CLOSED: &[u8] = b"\"}}";

/// A record with this number, written at this moment.
pub fn write(number: u64, at: u64) -> String {
    format!("{BEGIN}{number:0DIGITS$}{MIDDLE}{at:0DIGITS$}{END}")
}

/// Number and moment of the record that a line of an event ends with; none, if it is another line.
pub fn read(line: &[u8]) -> Option<(u64, u64)> {
    let line = line.strip_prefix(b"data: ")?.strip_suffix(CLOSED)?;
    let at = line.len().checked_sub(DIGITS)?;
    let number = at.checked_sub(DIGITS + MIDDLE.len())?;
    Some((
        digits(&line[number..number + DIGITS])?,
        digits(&line[at..])?,
    ))
}

fn digits(text: &[u8]) -> Option<u64> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_from_an_event() {
        let note = write(17, 1_234_567);
        assert_eq!(note.len(), SIZE);
        let line = format!(r#"data: {{"partition":1,"offset":4,"value":{note}}}"#);
        assert_eq!(read(line.as_bytes()), Some((17, 1_234_567)));
        for other in ["", "id: AQEqBQs5", "1f4\r", "data: {}"] {
            assert_eq!(read(other.as_bytes()), None, "{other}");
        }
    }
}
