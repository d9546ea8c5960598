//! One process has the file; others that use it at the same time, as two do while one replaces the
//! other, reach it through a socket beside it.
//!
//! A frame is its length in four bytes, big-endian, and MessagePack: entries one way, answers the
//! other, one after the other.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Mutex;

use super::table::{Question, Reply, Table};
use crate::quota::book::Standing;
use crate::quota::store::wire::{
    Answered, Kept, WrittenAmend, WrittenAnswer, WrittenAsked, read, write,
};

/// The longest frame, in bytes.
const LONGEST: usize = 64 << 20;

/// A [`Question`] in writing.
#[derive(serde::Serialize, serde::Deserialize)]
enum Written {
    Enter(Vec<WrittenAsked>),
    Amend(WrittenAmend),
    Read(String),
    List(String, usize),
    MakeLast,
}

impl From<&Question> for Written {
    fn from(question: &Question) -> Self {
        match question {
            Question::Enter(asked) => Self::Enter(asked.iter().map(WrittenAsked::from).collect()),
            Question::Amend(amend) => Self::Amend(amend.into()),
            Question::Read(key) => Self::Read(key.to_string()),
            Question::List(from, most) => Self::List(from.clone(), *most),
            Question::MakeLast => Self::MakeLast,
        }
    }
}

impl Written {
    fn read(self) -> Option<Question> {
        Some(match self {
            Self::Enter(asked) => Question::Enter(
                asked
                    .into_iter()
                    .map(WrittenAsked::read)
                    .collect::<Option<_>>()?,
            ),
            Self::Amend(amend) => Question::Amend(amend.read()?),
            Self::Read(key) => Question::Read(key.into()),
            Self::List(from, most) => Question::List(from, most),
            Self::MakeLast => Question::MakeLast,
        })
    }
}

/// A [`Reply`] in writing.
#[derive(serde::Serialize, serde::Deserialize)]
enum WrittenReply {
    Entered(Vec<WrittenAnswer>),
    Amended(Result<Standing, String>),
    Read(Result<Option<Kept>, String>),
    Listed(Result<Vec<(String, Kept)>, String>),
    Lasts,
}

impl From<Reply> for WrittenReply {
    fn from(reply: Reply) -> Self {
        match reply {
            Reply::Entered(answers) => {
                Self::Entered(answers.into_iter().map(WrittenAnswer::from).collect())
            }
            Reply::Amended(amended) => Self::Amended(amended.map_err(|why| why.to_string())),
            Reply::Read(read) => Self::Read(read.map_err(|why| why.to_string())),
            Reply::Listed(listed) => Self::Listed(listed.map_err(|why| why.to_string())),
            Reply::Lasts => Self::Lasts,
        }
    }
}

impl From<WrittenReply> for Reply {
    fn from(written: WrittenReply) -> Self {
        match written {
            WrittenReply::Entered(answers) => {
                Self::Entered(answers.into_iter().map(Answered::from).collect())
            }
            WrittenReply::Amended(amended) => Self::Amended(amended.map_err(Into::into)),
            WrittenReply::Read(read) => Self::Read(read.map_err(Into::into)),
            WrittenReply::Listed(listed) => Self::Listed(listed.map_err(Into::into)),
            WrittenReply::Lasts => Self::Lasts,
        }
    }
}

/// The way to the process that has the file.
#[derive(Debug)]
pub(super) struct Peer(Mutex<UnixStream>);

impl Peer {
    pub(super) async fn connect(socket: &Path) -> std::io::Result<Self> {
        Ok(Self(Mutex::new(UnixStream::connect(socket).await?)))
    }

    /// Fails if the other process is gone; what was asked may have been entered all the same.
    pub(super) async fn ask(&self, question: &Question) -> std::io::Result<Reply> {
        // Held until the answer is here, so that it is the one to this question.
        let mut stream = self.0.lock().await;
        send(&mut stream, &write(&Written::from(question))).await?;
        let answer = receive(&mut stream).await?;
        let reply: WrittenReply =
            read(&answer).map_err(|why| std::io::Error::other(why.to_string()))?;
        Ok(reply.into())
    }
}

/// Answers other processes for as long as the table is there.
pub(super) fn serve(table: &Table, socket: &Path) -> std::io::Result<()> {
    // Whoever left it there has no lock on the file any more.
    let _ = std::fs::remove_file(socket);
    let listener = UnixListener::bind(socket)?;
    std::fs::set_permissions(socket, std::fs::Permissions::from_mode(0o600))?;
    let table = table.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(answer(stream, table.clone()));
        }
    });
    Ok(())
}

async fn answer(mut stream: UnixStream, table: Table) {
    while let Ok(frame) = receive(&mut stream).await {
        let question = read::<Written>(&frame).ok().and_then(Written::read);
        let Some(question) = question else {
            return;
        };
        let Some(reply) = table.ask(question).await else {
            return;
        };
        if send(&mut stream, &write(&WrittenReply::from(reply)))
            .await
            .is_err()
        {
            return;
        }
    }
}

async fn send(stream: &mut UnixStream, bytes: &[u8]) -> std::io::Result<()> {
    let length = u32::try_from(bytes.len()).map_err(std::io::Error::other)?;
    stream.write_all(&length.to_be_bytes()).await?;
    stream.write_all(bytes).await
}

async fn receive(stream: &mut UnixStream) -> std::io::Result<Vec<u8>> {
    let length = stream.read_u32().await? as usize;
    if length > LONGEST {
        return Err(std::io::Error::other("a frame is too long"));
    }
    let mut bytes = vec![0; length];
    stream.read_exact(&mut bytes).await?;
    Ok(bytes)
}
