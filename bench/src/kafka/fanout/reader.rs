//! The subscribers, all on one thread: each event's number is held against those it has had, by looking at
//! the end of its line and at nothing else.

use std::cell::RefCell;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use memchr::memchr_iter;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::{JoinSet, LocalSet};
use tokio::time::timeout;

use super::super::topics::PARTITIONS;
use super::note;
use crate::clock;
use crate::failure::Failure;
use crate::wire::find;

/// What is read at once.
const ROOM: usize = 64 * 1024;
/// Of one subscriber in so many each event is timed.
const TIMED: usize = 10;
/// How long subscribers may take until all have been told where they are.
const READY_WITHIN: Duration = Duration::from_secs(60);

/// Who listens, and to how much.
pub struct Audience {
    /// The gateway's address.
    pub gateway: SocketAddr,
    /// How many there are.
    pub subscribers: usize,
    /// Records that are not timed, at the beginning.
    pub uncounted: u64,
    /// All records, after which a subscriber has had enough.
    pub all: u64,
    /// How long all that may take.
    pub within: Duration,
}

/// What all subscribers share, because they read by turns.
struct Shared {
    room: RefCell<Vec<u8>>,
    latencies: RefCell<Vec<Duration>>,
}

impl Audience {
    /// Subscribes, says when all are there, and reads; gives latencies, ascending. Blocks its thread.
    pub fn listen(self, ready: oneshot::Sender<()>) -> Result<Vec<Duration>, Failure> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(Failure::during("cannot start the runtime"))?;
        LocalSet::new().block_on(&runtime, self.run(ready))
    }

    async fn run(self, ready: oneshot::Sender<()>) -> Result<Vec<Duration>, Failure> {
        let shared = Rc::new(Shared {
            room: RefCell::new(vec![0; ROOM]),
            latencies: RefCell::default(),
        });
        let mut subscribers = Vec::with_capacity(self.subscribers);
        let subscribe = async {
            for number in 0..self.subscribers {
                let subscriber = Subscriber::open(&self, number).await;
                subscribers.push(subscriber.map_err(Failure::during(format_args!(
                    "subscriber {number} is not let in (a gateway and its subscribers need as many open \
                     files each: `ulimit -n`)"
                )))?);
            }
            Ok(())
        };
        timeout(READY_WITHIN, subscribe)
            .await
            .map_err(Failure::during("not all could subscribe"))??;
        // Who waits for it is gone only if the run has failed.
        ready.send(()).ok();
        let mut all = JoinSet::new();
        for subscriber in subscribers {
            all.spawn_local(subscriber.read(Rc::clone(&shared), self.all));
        }
        let read = async {
            while let Some(ended) = all.join_next().await {
                ended.map_err(Failure::during("a subscriber broke"))??;
            }
            Ok(())
        };
        timeout(self.within, read)
            .await
            .map_err(Failure::during("not every subscriber got every record"))??;
        let mut latencies = shared.latencies.take();
        latencies.sort_unstable();
        Ok(latencies)
    }
}

/// One of them.
struct Subscriber {
    stream: TcpStream,
    number: usize,
    /// Of each partition, the record it gets next.
    next: Vec<u64>,
    had: u64,
    uncounted: u64,
    /// The beginning of a line whose end has not come.
    rest: Vec<u8>,
}

impl Subscriber {
    /// Subscribes, and waits until it is told where it is.
    async fn open(audience: &Audience, number: usize) -> io::Result<Self> {
        let mut stream = TcpStream::connect(audience.gateway).await?;
        let asked = "GET /feed HTTP/1.1\r\nHost: bench\r\nAccept: text/event-stream\r\n\r\n";
        stream.write_all(asked.as_bytes()).await?;
        let mut said = Vec::new();
        while find(&said, b"id: ").is_none() || !said.ends_with(b"\n\r\n") {
            stream.readable().await?;
            match stream.try_read_buf(&mut said) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Err(error) if error.kind() != ErrorKind::WouldBlock => return Err(error),
                _ => {}
            }
        }
        Ok(Self {
            stream,
            number,
            next: (0..PARTITIONS as u64).collect(),
            had: 0,
            uncounted: audience.uncounted,
            rest: Vec::new(),
        })
    }

    /// Reads until it has had `all`.
    async fn read(mut self, shared: Rc<Shared>, all: u64) -> Result<(), Failure> {
        let broken = format!("subscriber {} lost its connection", self.number);
        while self.had < all {
            let readable = self.stream.readable().await;
            readable.map_err(Failure::during(&broken))?;
            let mut room = shared.room.borrow_mut();
            let carried = self.rest.len();
            room[..carried].copy_from_slice(&self.rest);
            match self.stream.try_read(&mut room[carried..]) {
                Ok(0) => return Err(Failure::new(broken)),
                Ok(length) => {
                    let mut latencies = shared.latencies.borrow_mut();
                    self.take(&room[..carried + length], &mut latencies)?;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => return Err(Failure::during(broken)(error)),
            }
        }
        Ok(())
    }

    /// Looks at every line that is whole. The gateway writes whole events into a chunk, so that the lines
    /// of HTTP's framing are lines of their own.
    fn take(&mut self, text: &[u8], latencies: &mut Vec<Duration>) -> Result<(), Failure> {
        let now = u64::try_from(clock::nanoseconds()).unwrap_or(u64::MAX);
        let mut begin = 0;
        for end in memchr_iter(b'\n', text) {
            let line = &text[begin..end];
            begin = end + 1;
            if let Some((number, at)) = note::read(line) {
                self.count(number)?;
                if number >= self.uncounted && self.number.is_multiple_of(TIMED) {
                    latencies.push(Duration::from_nanos(now.saturating_sub(at)));
                }
            } else if line.starts_with(b"event: ") {
                let said = String::from_utf8_lossy(&text[begin..]).into_owned();
                return Err(Failure::new(format!(
                    "subscriber {} was told: {said}",
                    self.number
                )));
            }
        }
        self.rest.clear();
        self.rest.extend_from_slice(&text[begin..]);
        Ok(())
    }

    fn count(&mut self, number: u64) -> Result<(), Failure> {
        let partition = usize::try_from(number % self.next.len() as u64).unwrap_or_default();
        let next = &mut self.next[partition];
        if number != *next {
            return Err(Failure::new(format!(
                "subscriber {} was told record {number} when {next} came next",
                self.number
            )));
        }
        *next += PARTITIONS as u64;
        self.had += 1;
        Ok(())
    }
}
