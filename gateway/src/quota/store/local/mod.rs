//! `local`: books in a file of the data directory.
//!
//! The process that has the file's lock keeps the books; another one that finds it locked, as when
//! the binary is replaced, enters through it and takes the file over when it is gone. So the
//! ledger is handed over without a moment in which nobody keeps it for long, and whatever either
//! process holds stays its own.

mod peer;
mod table;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep, timeout_at};

use self::peer::Peer;
use self::table::{Question, Reply, Table};
use super::disk::Disk;
use super::wire::{Answered, Kept};
use crate::quota::book::Standing;
use crate::quota::leases::{Amend, Asked, Books, Wanted};

/// How long an entry may take, the change of the process that keeps the books included.
const PATIENCE: Duration = Duration::from_secs(5);

/// How many books are asked for at once.
const PAGE: usize = 1_000;

/// How often a process that waits for the file looks for it.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// The store.
#[derive(Debug)]
pub(super) struct Local {
    role: watch::Receiver<Role>,
    /// Told when the process that keeps the books does not answer any more.
    left: Arc<Notify>,
}

/// What this process is to the books.
#[derive(Debug, Clone)]
enum Role {
    /// Nothing yet, and why.
    Waiting(Arc<str>),
    /// It keeps them.
    Keeper(Table),
    /// Another one does.
    Guest(Arc<Peer>),
}

impl Local {
    /// Opens the file at `path`, or joins the process that has it.
    pub(super) fn open(path: PathBuf) -> Self {
        let waiting = Role::Waiting("the ledger's file is being opened".into());
        let (tell, role) = watch::channel(waiting);
        let left = Arc::new(Notify::new());
        // Outside of a runtime, as in a dry run, nothing is opened.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(take_part(path, tell, Arc::clone(&left)));
        }
        Self { role, left }
    }

    /// Asks whoever keeps the books; again, if that changes meanwhile: nothing is entered twice.
    async fn ask(&self, question: Question) -> Result<Reply, Arc<str>> {
        let deadline = Instant::now() + PATIENCE;
        let mut changes = self.role.clone();
        loop {
            let role = changes.borrow_and_update().clone();
            let asked = async {
                match &role {
                    Role::Waiting(_) => None,
                    Role::Keeper(table) => table.ask(question.clone()).await,
                    Role::Guest(peer) => peer.ask(&question).await.ok(),
                }
            };
            match timeout_at(deadline, asked).await {
                Ok(Some(reply)) => return Ok(reply),
                Ok(None) => {}
                Err(_) => return Err("the ledger's file is too slow".into()),
            }
            if matches!(role, Role::Guest(_)) {
                self.left.notify_one();
            }
            if timeout_at(deadline, changes.changed()).await.is_err() {
                return Err(match role {
                    Role::Waiting(why) => why,
                    Role::Keeper(_) | Role::Guest(_) => "the ledger's file is in no hands".into(),
                });
            }
        }
    }
}

fn strayed() -> Arc<str> {
    "the ledger's file was asked one thing and answered another".into()
}

#[async_trait]
impl Books for Local {
    async fn enter(&self, asked: &[Asked]) -> Vec<Answered> {
        let why = match self.ask(Question::Enter(asked.into())).await {
            Ok(Reply::Entered(answers)) => return answers,
            Ok(_) => strayed(),
            Err(why) => why,
        };
        asked.iter().map(|_| Err(Arc::clone(&why))).collect()
    }

    async fn amend(&self, amend: &Amend) -> Result<Standing, Arc<str>> {
        match self.ask(Question::Amend(amend.clone())).await? {
            Reply::Amended(amended) => amended,
            _ => Err(strayed()),
        }
    }

    async fn read(&self, key: &str) -> Result<Option<Kept>, Arc<str>> {
        match self.ask(Question::Read(key.into())).await? {
            Reply::Read(read) => read,
            _ => Err(strayed()),
        }
    }

    async fn come_up(&self) {
        let _ = self.role.clone().changed().await;
    }

    fn trouble(&self) -> Option<Arc<str>> {
        match &*self.role.borrow() {
            Role::Waiting(why) => Some(Arc::clone(why)),
            Role::Keeper(_) | Role::Guest(_) => None,
        }
    }

    async fn make_last(&self) {
        if let Err(why) = self.ask(Question::MakeLast).await {
            log::error!("{why}");
        }
    }

    fn keeps(&self) -> Option<bool> {
        Some(matches!(*self.role.borrow(), Role::Keeper(_)))
    }

    async fn list(&self, wanted: &Wanted, most: usize) -> Result<Vec<(String, Kept)>, Arc<str>> {
        let (mut found, mut from) = (Vec::new(), String::new());
        loop {
            let Reply::Listed(page) = self.ask(Question::List(from, PAGE)).await? else {
                return Err(strayed());
            };
            let page = page?;
            let last = page.last().map(|(key, _)| format!("{key}\0"));
            let whole = page.len() == PAGE;
            found.extend(page.into_iter().filter(|(key, _)| wanted(key)));
            match last {
                Some(next) if whole && found.len() < most => from = next,
                _ => break,
            }
        }
        found.truncate(most);
        Ok(found)
    }
}

/// Keeps the books, or waits beside the process that does until it is gone.
async fn take_part(path: PathBuf, tell: watch::Sender<Role>, left: Arc<Notify>) {
    let socket = path.with_extension("sock");
    loop {
        let file = path.clone();
        let opened = tokio::task::spawn_blocking(move || {
            if let Some(directory) = file.parent() {
                std::fs::create_dir_all(directory)
                    .map_err(|e| Arc::from(format!("{}: {e}", directory.display())))?;
            }
            Disk::open(&file)
        });
        match opened.await.unwrap_or_else(|e| Err(e.to_string().into())) {
            Ok(Some(disk)) => match keep(disk, &socket) {
                Ok(table) => {
                    tell.send_replace(Role::Keeper(table));
                    // Until nobody uses the store any more.
                    tell.closed().await;
                    return;
                }
                Err(why) => waiting(&tell, why.to_string().into()),
            },
            Ok(None) => match Peer::connect(&socket).await {
                Ok(peer) => {
                    tell.send_replace(Role::Guest(Arc::new(peer)));
                    left.notified().await;
                }
                Err(e) => {
                    let why = format!("another process has {}: {e}", path.display());
                    tell.send_if_modified(|role| {
                        *role = Role::Waiting(why.into());
                        false
                    });
                }
            },
            Err(why) => {
                waiting(&tell, why);
                sleep(PATIENCE / 10).await;
            }
        }
        if tell.is_closed() {
            return;
        }
        sleep(LOOK_EVERY).await;
    }
}

fn keep(disk: Disk, socket: &std::path::Path) -> std::io::Result<Table> {
    let table = Table::start(disk)?;
    peer::serve(&table, socket)?;
    Ok(table)
}

fn waiting(tell: &watch::Sender<Role>, why: Arc<str>) {
    tell.send_if_modified(|role| {
        let news = !matches!(role, Role::Waiting(known) if *known == why);
        if news {
            log::error!("{why}");
            *role = Role::Waiting(why);
        }
        news
    });
}
