//! A client of server-sent events, as pages have one: it reads events one by one, and knows the id of the
//! last, by which it comes again.

use std::net::SocketAddr;

use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use weir_protocols::sse::Splitter;

use crate::wait;

/// A stream of events.
#[derive(Debug)]
pub struct EventSource {
    body: Incoming,
    splitter: Splitter,
    last_id: String,
}

/// An event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Its name; `message`, if it has none.
    pub name: String,
    /// The id that was said last.
    pub id: String,
    /// What it says.
    pub data: String,
}

impl Event {
    /// What it says, as JSON.
    ///
    /// # Panics
    /// If it is no JSON.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.data)
            .unwrap_or_else(|error| panic!("{:?} is no JSON: {error}", self.data))
    }
}

impl EventSource {
    /// Asks for a target; as one who has seen the event of that id, if there is one.
    ///
    /// # Panics
    /// If the answer is no stream of events.
    pub async fn open(address: SocketAddr, target: &str, last_id: Option<&str>) -> Self {
        match Self::try_open(address, target, last_id).await {
            Ok(source) => source,
            Err(answer) => panic!("{target} is answered {answer}"),
        }
    }

    /// The same.
    ///
    /// # Errors
    /// The answer's status and body, if it is no stream of events; or why there is none.
    pub async fn try_open(
        address: SocketAddr,
        target: &str,
        last_id: Option<&str>,
    ) -> Result<Self, String> {
        let stream = TcpStream::connect(address).await;
        let stream = TokioIo::new(stream.map_err(|error| error.to_string())?);
        let connected = hyper::client::conn::http1::handshake(stream).await;
        let (mut sender, connection) = connected.map_err(|error| error.to_string())?;
        tokio::spawn(connection);
        let mut request = http::Request::get(target)
            .header("host", "localhost")
            .header("accept", "text/event-stream");
        if let Some(last_id) = last_id {
            request = request.header("last-event-id", last_id);
        }
        let request = request.body(http_body_util::Empty::<Bytes>::new());
        let request = request.map_err(|error| error.to_string())?;
        let answer = sender.send_request(request).await;
        let answer = answer.map_err(|error| error.to_string())?;
        let status = answer.status();
        let content_type = answer.headers().get("content-type").cloned();
        if content_type.is_none_or(|is| is != "text/event-stream") {
            let frame = answer.into_body().frame().await;
            let data = frame
                .and_then(Result::ok)
                .and_then(|frame| frame.into_data().ok());
            let begins = data.unwrap_or_default();
            return Err(format!("{status}: {}", String::from_utf8_lossy(&begins)));
        }
        Ok(Self {
            body: answer.into_body(),
            splitter: Splitter::new(64 << 20),
            last_id: last_id.unwrap_or_default().to_owned(),
        })
    }

    /// The next event that pages see; none, once the stream has ended or broken off.
    pub async fn next(&mut self) -> Option<Event> {
        wait::for_end("an event", self.next_within()).await
    }

    async fn next_within(&mut self) -> Option<Event> {
        loop {
            while let Ok(Some(event)) = self.splitter.next_event() {
                let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
                if let Some(id) = event.id() {
                    self.last_id = text(id);
                }
                if event.has_data() {
                    return Some(Event {
                        name: event.name().map_or_else(|| "message".to_owned(), text),
                        id: self.last_id.clone(),
                        data: text(&event.data()),
                    });
                }
            }
            let frame = self.body.frame().await?.ok()?;
            if let Ok(data) = frame.into_data() {
                self.splitter.feed(data);
            }
        }
    }

    /// The next so many events.
    ///
    /// # Panics
    /// If so many do not come.
    pub async fn take(&mut self, count: usize) -> Vec<Event> {
        let mut events = Vec::new();
        while events.len() < count {
            let next = self.next().await;
            events.push(next.unwrap_or_else(|| panic!("it ended after {}", events.len())));
        }
        events
    }

    /// The id that was said last, by an event that pages see or by another.
    pub fn last_id(&self) -> &str {
        &self.last_id
    }

    /// Waits until some id was said.
    ///
    /// # Panics
    /// If the stream ends before.
    pub async fn first_id(&mut self) -> String {
        while self.last_id.is_empty() {
            let frame = wait::for_end("an id", self.body.frame()).await;
            let frame = frame.and_then(Result::ok).expect("the stream goes on");
            if let Ok(data) = frame.into_data() {
                self.splitter.feed(data);
            }
            while let Ok(Some(event)) = self.splitter.next_event() {
                assert!(!event.has_data(), "an event came before any id");
                if let Some(id) = event.id() {
                    self.last_id = String::from_utf8_lossy(id).into_owned();
                }
            }
        }
        self.last_id.clone()
    }
}
