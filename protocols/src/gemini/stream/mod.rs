//! An answer, piece by piece: each is a `GenerateContentResponse` with the parts that came since the
//! last. There is no mark at the end; a stream is whole once each candidate said why it ended.
//!
//! | Module | Is |
//! |---|---|
//! | `reader` | what a provider sends (`alt=sse`) |
//! | `writer` | what a caller gets: events, or one JSON array |
//! | `calls` | the calls that are being put together for it |

mod calls;
mod reader;
mod writer;

pub use reader::Reader;
pub use writer::Writer;
