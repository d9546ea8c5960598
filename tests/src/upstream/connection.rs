//! One connection of a scripted upstream: reads requests, remembers them, plays the steps.

use std::io::{self, ErrorKind};
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::Role;

use super::behaviour::{Behaviour, Step, When};
use super::record::{Received, Record};
use crate::http1::{Framing, Head, Reader};
use crate::stream::Stream;

/// The behaviours of an upstream and how far they are used up.
#[derive(Debug)]
pub(super) struct Script(Mutex<(Vec<Behaviour>, usize)>);

impl Script {
    pub(super) fn new(behaviours: impl IntoIterator<Item = Behaviour>) -> Script {
        let script = Script(Mutex::new((Vec::new(), 0)));
        script.replace(behaviours);
        script
    }

    pub(super) fn replace(&self, behaviours: impl IntoIterator<Item = Behaviour>) {
        let behaviours: Vec<Behaviour> = behaviours.into_iter().collect();
        assert!(!behaviours.is_empty(), "an upstream needs a behaviour");
        *self.lock() = (behaviours, 0);
    }

    /// The behaviour of this turn, if `wanted` says so; only then is it used up.
    fn next(&self, wanted: impl Fn(When) -> bool) -> Option<Behaviour> {
        let (behaviours, turn) = &mut *self.lock();
        let behaviour = behaviours[(*turn).min(behaviours.len() - 1)].clone();
        wanted(behaviour.when).then(|| {
            *turn += 1;
            behaviour
        })
    }

    fn lock(&self) -> MutexGuard<'_, (Vec<Behaviour>, usize)> {
        self.0
            .lock()
            .expect("no thread panics while it holds the lock")
    }
}

/// Whether the connection goes on after a script.
enum Next {
    Request(Reader<Stream>),
    Nothing,
}

pub(super) async fn serve(stream: Stream, number: usize, script: &Script, record: &Record) {
    let mut reader = Reader::new(stream);
    if let Some(behaviour) = script.next(|when| when == When::Connected) {
        match play((behaviour.script)(&Received::default()), reader, record).await {
            Ok(Next::Request(rest)) => reader = rest,
            Ok(Next::Nothing) | Err(_) => return,
        }
    }
    // An error is the peer's way of ending the connection; what had arrived is on record.
    while let Ok(Next::Request(rest)) = turn(reader, number, script, record).await {
        reader = rest;
    }
}

async fn turn(
    mut reader: Reader<Stream>,
    number: usize,
    script: &Script,
    record: &Record,
) -> io::Result<Next> {
    let head = match reader.head().await {
        Ok(Some(head)) => head,
        Ok(None) => return Ok(Next::Nothing),
        Err(error) => {
            if error.kind() == ErrorKind::InvalidData {
                record.saw_garbage();
            }
            return Err(error);
        }
    };
    let Some(request) = received(&head, number) else {
        record.saw_garbage();
        return Ok(Next::Nothing);
    };
    let index = record.add(request.clone());
    let framing = Framing::of(&head.fields, Framing::Length(0))?;
    let behaviour = script.next(|_| true).expect("any behaviour is wanted");
    if behaviour.when == When::Whole {
        if head.fields.has_token("expect", "100-continue") {
            let interim = b"HTTP/1.1 100 Continue\r\n\r\n";
            reader.stream().write_all(interim).await?;
        }
        let request = read_body(&mut reader, framing, index, record).await?;
        return play((behaviour.script)(&request), reader, record).await;
    }
    match play((behaviour.script)(&request), reader, record).await? {
        Next::Nothing => Ok(Next::Nothing),
        Next::Request(mut reader) => {
            read_body(&mut reader, framing, index, record).await?;
            Ok(Next::Request(reader))
        }
    }
}

fn received(head: &Head, connection: usize) -> Option<Received> {
    let mut words = head.start.split(' ');
    let (method, target, version) = (words.next()?, words.next()?, words.next()?);
    if words.next().is_some() || !version.starts_with("HTTP/1.") {
        return None;
    }
    Some(Received {
        connection,
        method: method.to_owned(),
        target: target.to_owned(),
        version: version.to_owned(),
        headers: head.fields.clone(),
        raw_head: head.raw.clone(),
        ..Received::default()
    })
}

async fn read_body(
    reader: &mut Reader<Stream>,
    framing: Framing,
    index: usize,
    record: &Record,
) -> io::Result<Received> {
    let mut sink = |piece: &[u8]| record.extend(index, piece);
    let trailers = reader.body(framing, &mut sink).await.inspect_err(|error| {
        if error.kind() == ErrorKind::InvalidData {
            record.saw_garbage();
        }
    })?;
    Ok(record.update(index, |request| {
        request.trailers = trailers;
        request.complete = true;
    }))
}

async fn play(steps: Vec<Step>, mut reader: Reader<Stream>, record: &Record) -> io::Result<Next> {
    for step in steps {
        let stream = reader.stream();
        match step {
            Step::Send(bytes) => send(stream, &bytes).await?,
            Step::Pause(time) => pause(time, &mut reader).await?,
            Step::Repeat {
                piece,
                every,
                times,
            } => {
                let mut left = times;
                while left != Some(0) {
                    send(reader.stream(), &piece).await?;
                    pause(every, &mut reader).await?;
                    left = left.map(|left| left - 1);
                }
            }
            Step::Hang => {
                let mut dropped = [0; 4096];
                while stream.read(&mut dropped).await? > 0 {}
                return Ok(Next::Nothing);
            }
            Step::Deaf => std::future::pending().await,
            Step::Close => {
                stream.shutdown().await?;
                return Ok(Next::Nothing);
            }
            Step::Reset => {
                reader.into_parts().0.reset();
                return Ok(Next::Nothing);
            }
            Step::WebSocketEcho => {
                websocket(reader, record).await;
                return Ok(Next::Nothing);
            }
        }
    }
    Ok(Next::Request(reader))
}

/// Waits, and notices when the peer goes meanwhile; what it sends is kept.
async fn pause(time: Duration, reader: &mut Reader<Stream>) -> io::Result<()> {
    let over = tokio::time::sleep(time);
    tokio::pin!(over);
    loop {
        tokio::select! {
            () = &mut over => return Ok(()),
            read = reader.fill() => if read? == 0 {
                return Err(ErrorKind::UnexpectedEof.into());
            },
        }
    }
}

async fn send(stream: &mut Stream, bytes: &[u8]) -> io::Result<()> {
    stream.write_all(bytes).await?;
    stream.flush().await
}

async fn websocket(reader: Reader<Stream>, record: &Record) {
    let (stream, ahead) = reader.into_parts();
    let mut socket = WebSocketStream::from_partially_read(stream, ahead, Role::Server, None).await;
    // Pings are answered and a close is returned by the library.
    while let Some(Ok(message)) = socket.next().await {
        let echo = match message {
            Message::Text(text) => {
                record.message(text.to_string());
                Message::Text(text)
            }
            Message::Binary(bytes) => {
                record.message(String::from_utf8_lossy(&bytes).into_owned());
                Message::Binary(bytes)
            }
            _ => continue,
        };
        if socket.send(echo).await.is_err() {
            return;
        }
    }
}
