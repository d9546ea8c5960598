//! Who called whom: W3C Trace Context in and out, span and request ids, and
//! the sampling decision taken at the start.
//!
//! Everything here is on the way of every request: ids come from a generator
//! of the thread's own, and a `traceparent` is rendered without the heap. The
//! module knows no header map; the gateway hands it the values.

mod id;
mod state;

pub use id::{Ascii, RequestId};

use std::fmt;

/// A span's place in a trace (W3C Trace Context Level 1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Context {
    /// Shared by all spans of the trace; never all zero, but for
    /// [`unset`](Self::unset).
    pub trace_id: [u8; 16],
    /// This span; as much.
    pub span_id: [u8; 8],
    /// The span that caused this one.
    pub parent: Option<[u8; 8]>,
    /// Whether the trace is to be recorded, as decided where it began.
    pub sampled: bool,
    /// The `tracestate`, passed on as it came.
    pub state: Option<String>,
}

impl Context {
    /// Read the *caller's* context from its headers: the result is the
    /// caller's span; take [`child`](Self::child) of it for one's own.
    /// Several `tracestate` headers are to be joined by commas first.
    ///
    /// `None` if `traceparent` breaks the specification in any way; a broken
    /// `tracestate` is dropped and the rest kept, as the specification asks.
    pub fn parse(traceparent: &str, tracestate: Option<&str>) -> Option<Self> {
        let bytes = traceparent.as_bytes();
        if bytes.len() < 55 || bytes[2] != b'-' || bytes[35] != b'-' || bytes[52] != b'-' {
            return None;
        }
        let [version] = id::from_hex::<1>(&bytes[..2])?;
        // Version 00 has exactly this length. A later one may append fields,
        // after another dash. 255 is forbidden.
        let well_ended = match version {
            0 => bytes.len() == 55,
            255 => false,
            _ => bytes.len() == 55 || bytes[55] == b'-',
        };
        let trace_id = id::from_hex::<16>(&bytes[3..35])?;
        let span_id = id::from_hex::<8>(&bytes[36..52])?;
        let [flags] = id::from_hex::<1>(&bytes[53..55])?;
        if !well_ended || trace_id == [0; 16] || span_id == [0; 8] {
            return None;
        }
        Some(Self {
            trace_id,
            span_id,
            parent: None,
            sampled: flags & 1 == 1,
            state: tracestate.filter(|s| state::is_valid(s)).map(str::to_owned),
        })
    }

    /// No span at all, all zero: what is left in place of a context that was
    /// moved away. Never to be sent.
    pub const fn unset() -> Self {
        Self {
            trace_id: [0; 16],
            span_id: [0; 8],
            parent: None,
            sampled: false,
            state: None,
        }
    }

    /// The first span of a new trace, not sampled.
    pub fn root() -> Self {
        Self {
            trace_id: id::random_id(),
            span_id: id::random_id(),
            parent: None,
            sampled: false,
            state: None,
        }
    }

    /// A new span caused by this one.
    pub fn child(&self) -> Self {
        Self {
            trace_id: self.trace_id,
            span_id: id::random_id(),
            parent: Some(self.span_id),
            sampled: self.sampled,
            state: self.state.clone(),
        }
    }

    /// The `traceparent` that names this span as the parent.
    pub fn traceparent(&self) -> Ascii<55> {
        self.traceparent_of(self.span_id)
    }

    /// The `traceparent` that names another span of this trace as the parent:
    /// an attempt's CLIENT span, or a PRODUCER span.
    pub fn traceparent_of(&self, span_id: [u8; 8]) -> Ascii<55> {
        let mut out = [b'-'; 55];
        id::put_hex(&[0], &mut out[..2]);
        id::put_hex(&self.trace_id, &mut out[3..35]);
        id::put_hex(&span_id, &mut out[36..52]);
        id::put_hex(&[u8::from(self.sampled)], &mut out[53..]);
        Ascii::new(out)
    }

    /// The trace's id as 32 lowercase hexadecimal digits.
    pub fn trace_id_hex(&self) -> Ascii<32> {
        Ascii::hex_of(&self.trace_id)
    }

    /// The span's id as 16 lowercase hexadecimal digits.
    pub fn span_id_hex(&self) -> Ascii<16> {
        span_hex(self.span_id)
    }
}

/// A new span id, for an attempt or a Kafka record.
pub fn span_id() -> [u8; 8] {
    id::random_id()
}

/// A span's id as 16 lowercase hexadecimal digits.
pub fn span_hex(span_id: [u8; 8]) -> Ascii<16> {
    Ascii::hex_of(&span_id)
}

/// Decides at a request's start whether its trace is recorded: as the caller
/// decided, and by the trace id where there is no caller. (The gateway's own
/// spans of failed and slow requests are exported whatever this says.)
#[derive(Clone, Copy, Debug)]
pub struct Sampler {
    /// Of the 56 random bits of a trace id, those below this are sampled.
    bound: u64,
}

/// A ratio outside 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RatioError(f64);

impl fmt::Display for RatioError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a sample ratio is a number from 0 to 1, not {}", self.0)
    }
}

impl std::error::Error for RatioError {}

const RANDOM_BITS: u64 = 1 << 56;

impl Sampler {
    /// Sample this share of the traces that begin here, from 0 to 1.
    pub fn new(ratio: f64) -> Result<Self, RatioError> {
        if !(0.0..=1.0).contains(&ratio) {
            return Err(RatioError(ratio));
        }
        // A float's `as` saturates; 2^56 is exact in an f64.
        let bound = (ratio * RANDOM_BITS as f64) as u64;
        Ok(Self { bound })
    }

    /// The SERVER span of a request that came with this context, or with none.
    pub fn begin(&self, caller: Option<&Context>) -> Context {
        match caller {
            Some(caller) => caller.child(),
            None => {
                let mut root = Context::root();
                root.sampled = self.picks(&root.trace_id);
                root
            }
        }
    }

    /// By the rightmost seven bytes, which Level 2 of the specification wants
    /// random: every gateway of a fleet decides alike.
    pub(crate) fn picks(&self, trace_id: &[u8; 16]) -> bool {
        let random = trace_id[9..]
            .iter()
            .fold(0_u64, |sum, byte| sum << 8 | u64::from(*byte));
        random < self.bound
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn what_is_read_is_what_is_written() {
        let caller = Context::parse(GOOD, Some("congo=t61rcWkgMzE")).expect("valid");
        assert_eq!(caller.traceparent().as_str(), GOOD);
        assert_eq!(caller.trace_id_hex().as_str(), &GOOD[3..35]);
        assert_eq!(caller.span_id_hex().as_str(), &GOOD[36..52]);
        assert!(caller.sampled);
        let own = caller.child();
        assert_eq!(own.parent, Some(caller.span_id));
        assert_eq!(own.trace_id, caller.trace_id);
        assert_ne!(own.span_id, caller.span_id);
        assert_eq!(own.state.as_deref(), Some("congo=t61rcWkgMzE"));
    }

    #[test]
    fn whatever_breaks_the_specification_is_refused() {
        for bad in [
            "",
            "00",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0g",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-x",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01 ",
            "00_4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01.x",
            "00-4bf92f3577b34da6a3ce929d0e0e473é-00f067aa0ba902b7-01",
        ] {
            assert_eq!(Context::parse(bad, None), None, "{bad}");
        }
    }

    #[test]
    fn a_later_version_may_say_more() {
        let later = "cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-03-more";
        let caller = Context::parse(later, None).expect("valid");
        assert!(caller.sampled);
        assert_eq!(caller.traceparent().as_str(), GOOD);
    }

    #[test]
    fn a_broken_tracestate_is_dropped_alone() {
        let caller = Context::parse(GOOD, Some("no equals sign")).expect("valid");
        assert_eq!(caller.state, None);
    }

    #[test]
    fn the_caller_decides_before_the_ratio() {
        let never = Sampler::new(0.0).expect("a ratio");
        let always = Sampler::new(1.0).expect("a ratio");
        let mut caller = Context::root();
        assert!(!always.begin(Some(&caller)).sampled);
        caller.sampled = true;
        assert!(never.begin(Some(&caller)).sampled);
        for _ in 0..1000 {
            assert!(always.begin(None).sampled);
            assert!(!never.begin(None).sampled);
        }
    }

    #[test]
    fn the_ratio_is_kept_roughly() {
        let tenth = Sampler::new(0.1).expect("a ratio");
        let picked = (0..20_000).filter(|_| tenth.begin(None).sampled).count();
        // Eight standard deviations either way.
        assert!((1_660..=2_340).contains(&picked), "{picked} of 20000");
    }

    #[test]
    fn a_ratio_outside_its_range_is_refused() {
        for bad in [-0.1, 1.1, f64::NAN, f64::INFINITY] {
            assert!(Sampler::new(bad).is_err(), "{bad}");
        }
    }
}
