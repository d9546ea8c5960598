//! The access log: one JSON line per finished request (its fields are those of
//! the flight recorder's entries, see `json`), written by a thread of its own.
//!
//! A request hands over a pointer and goes on. The line is made on the
//! writer's thread; when the queue is full, because the disk or the pipe does
//! not keep up, the line is dropped and counted in
//! `weir_telemetry_dropped_total{signal="access_log"}`.

mod choice;

pub use crate::json::FIELDS;
pub use choice::{Choice, Exclusion, Fields};

use crate::metrics::{Metrics, Tally};
use crate::record::Record;
use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::FileTypeExt as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, SyncSender, TryRecvError, TrySendError};
use std::time::{Duration, Instant};

/// How many finished requests may wait for the writer.
pub const QUEUE: usize = 8_192;

/// Where lines go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Standard output.
    Stdout,
    /// A file, appended to; [`AccessLog::reopen`] after it was moved away.
    Path(PathBuf),
}

/// A running access log. Dropping it lets the writer finish what is queued.
pub struct AccessLog {
    queue: SyncSender<Message>,
    reopen: Arc<AtomicBool>,
    dropped: Tally,
}

enum Message {
    Record(Arc<Record>),
    /// Look at `reopen`.
    Wake,
    /// Everything before is to be written out; then answer.
    Flush(SyncSender<()>),
}

impl AccessLog {
    /// Open the output and start the writer. `Err` if a file cannot be opened
    /// for appending or no thread can be started.
    pub fn start(output: Output, choice: &Arc<Choice>, metrics: &Metrics) -> io::Result<Self> {
        let (sink, path): (Box<dyn Write + Send>, _) = match output {
            Output::Stdout => (Box::new(io::stdout()), None),
            Output::Path(path) => (Box::new(open(&path)?), Some(path)),
        };
        Self::run((sink, path), choice, QUEUE, metrics)
    }

    /// Write to anything else, with room for `queue` lines.
    pub fn to_writer(
        sink: Box<dyn Write + Send>,
        queue: usize,
        metrics: &Metrics,
    ) -> io::Result<Self> {
        Self::run((sink, None), &Arc::default(), queue, metrics)
    }

    fn run(
        (sink, path): (Box<dyn Write + Send>, Option<PathBuf>),
        choice: &Arc<Choice>,
        queue: usize,
        metrics: &Metrics,
    ) -> io::Result<Self> {
        let (sender, receiver) = mpsc::sync_channel(queue.max(1));
        let reopen = Arc::new(AtomicBool::new(false));
        let dropped = metrics.dropped("access_log");
        let writer = Writer {
            choice: Arc::clone(choice),
            sink: BufWriter::with_capacity(64 * 1024, sink),
            path,
            reopen: Arc::clone(&reopen),
            line: Vec::with_capacity(1024),
            unflushed: 0,
            dropped: dropped.clone(),
        };
        std::thread::Builder::new()
            .name("access-log".into())
            .spawn(move || writer.run(&receiver))?;
        Ok(Self {
            queue: sender,
            reopen,
            dropped,
        })
    }

    /// Queue a line, or drop and count it. Never blocks.
    pub fn write(&self, record: &Arc<Record>) {
        if self
            .queue
            .try_send(Message::Record(Arc::clone(record)))
            .is_err()
        {
            self.dropped.add(1);
        }
    }

    /// Open the path anew before the next line, because the file was moved
    /// away (`SIGUSR1`). Nothing to do for other outputs.
    pub fn reopen(&self) {
        self.reopen.store(true, Ordering::Release);
        // A full queue means the writer is awake and looks by itself.
        drop(self.queue.try_send(Message::Wake));
    }

    /// Have everything queued so far written out; `false` if that took longer
    /// than `within`. Blocks.
    pub fn flush(&self, within: Duration) -> bool {
        let deadline = Instant::now() + within;
        let (answer, answered) = mpsc::sync_channel(1);
        let mut message = Message::Flush(answer);
        loop {
            match self.queue.try_send(message) {
                Ok(()) => break,
                Err(TrySendError::Disconnected(_)) => return false,
                Err(TrySendError::Full(back)) if Instant::now() < deadline => {
                    message = back;
                    std::thread::sleep(Duration::from_millis(2));
                }
                Err(TrySendError::Full(_)) => return false,
            }
        }
        let left = deadline.saturating_duration_since(Instant::now());
        answered.recv_timeout(left).is_ok()
    }
}

fn open(path: &PathBuf) -> io::Result<File> {
    let is_pipe = std::fs::metadata(path).is_ok_and(|found| found.file_type().is_fifo());
    if is_pipe {
        // Only with both its ends in hand is a pipe opened without waiting for a reader, and kept when
        // one goes away.
        return OpenOptions::new().read(true).write(true).open(path);
    }
    OpenOptions::new().create(true).append(true).open(path)
}

struct Writer {
    choice: Arc<Choice>,
    sink: BufWriter<Box<dyn Write + Send>>,
    path: Option<PathBuf>,
    reopen: Arc<AtomicBool>,
    line: Vec<u8>,
    /// Lines given to the buffer that may not have reached the output.
    unflushed: u64,
    dropped: Tally,
}

impl Writer {
    fn run(mut self, queue: &Receiver<Message>) {
        loop {
            let message = match queue.try_recv() {
                Ok(message) => message,
                Err(TryRecvError::Disconnected) => break,
                // Idle: let people see the last lines, then sleep.
                Err(TryRecvError::Empty) => {
                    self.flush();
                    match queue.recv() {
                        Ok(message) => message,
                        Err(_) => break,
                    }
                }
            };
            self.reopen_if_asked();
            match message {
                Message::Record(record) => self.write(&record),
                Message::Wake => {}
                Message::Flush(answer) => {
                    self.flush();
                    // Whoever asked may have given up waiting.
                    let _gone = answer.try_send(());
                }
            }
        }
        self.flush();
    }

    fn reopen_if_asked(&mut self) {
        if !self.reopen.swap(false, Ordering::AcqRel) {
            return;
        }
        self.flush();
        let Some(path) = &self.path else { return };
        match open(path) {
            Ok(file) => self.sink = BufWriter::with_capacity(64 * 1024, Box::new(file)),
            // The old file is better than none.
            Err(error) => log::error!(
                "the access log cannot be opened anew at {}: {error}; it goes on where it was",
                path.display()
            ),
        }
    }

    fn write(&mut self, record: &Record) {
        self.line.clear();
        let made = self.choice.write(record, &mut self.line);
        self.line.push(b'\n');
        self.unflushed += 1;
        if made.is_err() || self.sink.write_all(&self.line).is_err() {
            self.lost();
        }
    }

    fn flush(&mut self) {
        if self.unflushed > 0 && self.sink.flush().is_err() {
            self.lost();
        }
        self.unflushed = 0;
    }

    /// The output is broken (a full disk, a closed pipe): count what was on
    /// its way and go on with an empty buffer, so that a half-written batch
    /// is not tried for ever.
    fn lost(&mut self) {
        self.dropped.add(self.unflushed);
        self.unflushed = 0;
        let broken = std::mem::replace(
            &mut self.sink,
            BufWriter::new(Box::new(io::sink()) as Box<dyn Write + Send>),
        );
        let (sink, _unwritten) = broken.into_parts();
        self.sink = BufWriter::with_capacity(64 * 1024, sink);
    }
}
