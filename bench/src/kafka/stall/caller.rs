//! Who publishes, whatever the answer is: each sends its next record when it has its answer, and waits a
//! little when it is told to come again later.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::super::{post, record};
use crate::failure::Failure;
use crate::wire::Connection;

/// How a record is called that was written; what was not has its error's name.
pub const WRITTEN: &str = "written";
/// The size of a record.
const SIZE: usize = 1024;
/// How long who is told to come later stays away: far less than it is told.
const LATER: Duration = Duration::from_millis(100);

/// One answer.
pub struct Answer {
    /// [`WRITTEN`], or the name of the error.
    pub code: String,
    /// When it came.
    pub at: Instant,
    /// How long it took.
    pub took: Duration,
}

/// All of them, at it.
pub struct Callers {
    stop: Arc<AtomicBool>,
    tasks: JoinSet<Result<Vec<Answer>, Failure>>,
}

impl Callers {
    /// Begins to publish over so many connections.
    pub fn start(address: SocketAddr, connections: usize) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let mut tasks = JoinSet::new();
        for _ in 0..connections {
            tasks.spawn(publish(address, Arc::clone(&stop)));
        }
        Self { stop, tasks }
    }

    /// Lets each have its last answer, and gives all answers.
    pub async fn stop(mut self) -> Result<Vec<Answer>, Failure> {
        self.stop.store(true, Ordering::Relaxed);
        let mut all = Vec::new();
        while let Some(ended) = self.tasks.join_next().await {
            all.extend(ended.map_err(Failure::during("a caller broke"))??);
        }
        Ok(all)
    }
}

/// Publishes one record.
pub async fn once(address: SocketAddr) -> Result<Answer, Failure> {
    ask(&mut connect(address).await?, &request()).await
}

async fn publish(address: SocketAddr, stop: Arc<AtomicBool>) -> Result<Vec<Answer>, Failure> {
    let mut connection = connect(address).await?;
    let request = request();
    let mut answers = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        let answer = ask(&mut connection, &request).await?;
        let is_written = answer.code == WRITTEN;
        answers.push(answer);
        if !is_written {
            sleep(LATER).await;
        }
    }
    Ok(answers)
}

fn request() -> String {
    post("/events", "application/json", &record(SIZE))
}

async fn connect(address: SocketAddr) -> Result<Connection, Failure> {
    TcpStream::connect(address)
        .await
        .and_then(Connection::new)
        .map_err(Failure::during(format_args!("cannot connect to {address}")))
}

async fn ask(connection: &mut Connection, request: &str) -> Result<Answer, Failure> {
    let broken = "a connection broke before its answer was whole";
    let began = Instant::now();
    let sent = connection.send(request.as_bytes()).await;
    sent.map_err(Failure::during(broken))?;
    let head = connection.head(code).await;
    let head = head.map_err(Failure::during(broken))?;
    let (code, framing) = head.ok_or_else(|| Failure::new(broken))?;
    let body = connection.body(framing, |_| ()).await;
    body.map_err(Failure::during(broken))?;
    let at = Instant::now();
    Ok(Answer {
        code,
        at,
        took: at - began,
    })
}

/// What the head of an answer says became of the record.
fn code(head: &[u8]) -> String {
    let head = String::from_utf8_lossy(head);
    let error = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("weir-error")
            .then(|| value.trim())
    });
    match (error, head.get(9..12)) {
        (Some(error), _) => error.to_owned(),
        (None, Some("200")) => WRITTEN.to_owned(),
        (None, status) => format!("status {}", status.unwrap_or("none")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_named_by_its_error() {
        assert_eq!(code(b"HTTP/1.1 200 OK\r\n\r\n"), WRITTEN);
        let full = b"HTTP/1.1 503 Service Unavailable\r\nweir-error: kafka_queue_full\r\n\r\n";
        assert_eq!(code(full), "kafka_queue_full");
        assert_eq!(code(b"HTTP/1.1 418 I am\r\n\r\n"), "status 418");
    }
}
