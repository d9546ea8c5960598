//! Figures and texts as they stand in a story.

use std::fmt::{self, Write as _};
use std::time::Duration;

/// A duration people can read: `1.234 s`, `12.3 ms`, `45 µs`.
pub(super) struct Took(pub(super) Duration);

impl fmt::Display for Took {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let micros = self.0.as_micros();
        match micros {
            0..1_000 => write!(f, "{micros} µs"),
            1_000..1_000_000 => write!(f, "{:.1} ms", micros as f64 / 1e3),
            _ => write!(f, "{:.3} s", self.0.as_secs_f64()),
        }
    }
}

/// Text that came from outside, with control characters made visible: this
/// ends up on a terminal.
pub(super) struct Quoted<'a>(pub(super) &'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars() {
            if c.is_control() {
                write!(f, "{}", c.escape_default())?;
            } else {
                f.write_char(c)?;
            }
        }
        Ok(())
    }
}
