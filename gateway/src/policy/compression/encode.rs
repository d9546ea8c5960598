//! Bytes in, compressed bytes out, as a filter of a body.
//!
//! A filter keeps what its window and tables take and no more: at the usual levels 0.3 MiB with gzip,
//! 0.8 MiB with zstd and 1.4 MiB with brotli, at the highest offered 3.2 MiB. What it holds back goes out when nothing more is there to
//! come at once, so that a stream's pieces arrive as they would without it.

use std::io::{self, Write as _};

use brotli::CompressorWriter;
use flate2::{Compress, Compression, FlushCompress, Status};
use weir_telemetry::Code;
use zstd::stream::raw::{CParameter, InBuffer, Operation as _, OutBuffer};

use crate::config::policies::compression::{Coding, Encoder};
use crate::error::GatewayError;
use crate::policy::{Filter, Unit, Units};

/// The window of brotli and zstd, as a power of two. A larger one finds more in long answers, and
/// costs memory for each answer on its way.
const WINDOW: u32 = 17;

/// The window of gzip, 32 KiB, which is all it has.
const GZIP_WINDOW: u8 = 15;

/// Room that is made at least for what comes out, in bytes.
const ROOM: usize = 1 << 10;

enum State {
    Zstd(zstd::stream::raw::Encoder<'static>),
    Brotli(Option<Box<CompressorWriter<Vec<u8>>>>),
    Gzip(Compress),
}

impl State {
    fn new(Encoder { coding, level }: Encoder) -> io::Result<Self> {
        Ok(match coding {
            Coding::Zstd => {
                let level = i32::try_from(level).map_err(io::Error::other)?;
                let mut zstd = zstd::stream::raw::Encoder::new(level)?;
                zstd.set_parameter(CParameter::WindowLog(WINDOW))?;
                State::Zstd(zstd)
            }
            Coding::Brotli => {
                let writer = CompressorWriter::new(Vec::new(), ROOM, level, WINDOW);
                State::Brotli(Some(Box::new(writer)))
            }
            Coding::Gzip => State::Gzip(Compress::new_gzip(Compression::new(level), GZIP_WINDOW)),
        })
    }
}

/// What is asked of an encoder.
#[derive(Clone, Copy)]
enum Step<'a> {
    Write(&'a [u8]),
    Flush,
    Finish,
}

/// Compresses one body.
pub(super) struct Encode {
    encoder: Encoder,
    state: Option<Box<State>>,
}

impl Encode {
    /// An encoder that takes its memory when the first bytes come.
    pub(super) const fn new(encoder: Encoder) -> Self {
        Encode {
            encoder,
            state: None,
        }
    }

    fn step(&mut self, step: Step<'_>) -> io::Result<Vec<u8>> {
        let state = match &mut self.state {
            Some(state) => state,
            none => none.insert(Box::new(State::new(self.encoder)?)),
        };
        match &mut **state {
            State::Zstd(encoder) => zstd(encoder, step),
            State::Brotli(encoder) => brotli(encoder, step),
            State::Gzip(encoder) => gzip(encoder, step),
        }
    }

    fn put(&mut self, step: Step<'_>, out: &mut Units) -> Result<(), GatewayError> {
        let made = self
            .step(step)
            .map_err(|e| GatewayError::new(Code::InternalError).source(e))?;
        if !made.is_empty() {
            out.push(Unit::Bytes(made.into()));
        }
        Ok(())
    }
}

impl Filter for Encode {
    fn unit(&mut self, unit: Unit, out: &mut Units) -> Result<(), GatewayError> {
        self.put(Step::Write(&unit.into_bytes()), out)
    }

    fn flush(&mut self, out: &mut Units) -> Result<(), GatewayError> {
        self.put(Step::Flush, out)
    }

    fn end(&mut self, out: &mut Units) -> Result<(), GatewayError> {
        self.put(Step::Finish, out)
    }
}

fn zstd(encoder: &mut zstd::stream::raw::Encoder<'_>, step: Step<'_>) -> io::Result<Vec<u8>> {
    let mut out = Vec::new();
    let mut input = InBuffer::around(match step {
        Step::Write(bytes) => bytes,
        Step::Flush | Step::Finish => &[],
    });
    loop {
        out.reserve(ROOM);
        let written = out.len();
        let mut room = OutBuffer::around_pos(&mut out, written);
        let left = match step {
            Step::Write(bytes) => {
                encoder.run(&mut input, &mut room)?;
                bytes.len() - input.pos()
            }
            Step::Flush => encoder.flush(&mut room)?,
            Step::Finish => encoder.finish(&mut room, true)?,
        };
        if left == 0 {
            return Ok(out);
        }
    }
}

fn brotli(
    encoder: &mut Option<Box<CompressorWriter<Vec<u8>>>>,
    step: Step<'_>,
) -> io::Result<Vec<u8>> {
    match step {
        Step::Finish => Ok(encoder
            .take()
            .map(|writer| writer.into_inner())
            .unwrap_or_default()),
        Step::Write(_) | Step::Flush => {
            let writer = encoder
                .as_mut()
                .ok_or_else(|| io::Error::other("the body is over"))?;
            match step {
                Step::Write(bytes) => writer.write_all(bytes)?,
                _ => writer.flush()?,
            }
            Ok(std::mem::take(writer.get_mut()))
        }
    }
}

fn gzip(encoder: &mut Compress, step: Step<'_>) -> io::Result<Vec<u8>> {
    let (mut rest, flush) = match step {
        Step::Write(bytes) => (bytes, FlushCompress::None),
        Step::Flush => (&[][..], FlushCompress::Sync),
        Step::Finish => (&[][..], FlushCompress::Finish),
    };
    let mut out = Vec::new();
    loop {
        out.reserve(ROOM);
        let before = encoder.total_in();
        let status = encoder.compress_vec(rest, &mut out, flush)?;
        let taken = usize::try_from(encoder.total_in() - before).map_err(io::Error::other)?;
        rest = &rest[taken..];
        let over = match step {
            Step::Finish => status == Status::StreamEnd,
            // Room left over says that there was no more to write.
            Step::Write(_) | Step::Flush => rest.is_empty() && out.len() < out.capacity(),
        };
        if over {
            return Ok(out);
        }
    }
}
