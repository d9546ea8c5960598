//! Becoming the one who sends what is in a spool: only one process at a time may.

use std::fs::File;
use std::io;
use std::path::Path;
use std::time::Duration;

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};

use super::position::{Place, Position};
use super::survey::{self, Found};
use super::writer::Count;
use super::{Shared, directory};

/// How often it is looked whether somebody else still sends.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// How long to wait after something failed.
const BREATH: Duration = Duration::from_secs(1);

/// What who sends has, and nobody else.
pub(super) struct Held {
    /// Freed with this.
    _lock: Flock<File>,
    pub(super) position: Position,
    pub(super) place: Place,
    /// The last segment there was by then: of what is in later ones, nobody else has sent anything.
    pub(super) until: u64,
    /// How many entries wait that this process did not add.
    pub(super) waiting: i64,
}

/// Waits until nobody else sends, and looks at what there is to send.
pub(super) async fn take_over(shared: &Shared) -> Held {
    let (mut failing, mut said) = (false, false);
    let directory = &shared.settings.directory;
    loop {
        match hold(shared).await {
            Ok(Some(held)) => return held,
            Ok(None) => {
                failing = false;
                if !std::mem::replace(&mut said, true) {
                    ::log::info!(
                        "the spool {}: another process sends what is in it, until it ends",
                        directory.display()
                    );
                }
            }
            Err(error) => {
                if !std::mem::replace(&mut failing, true) {
                    ::log::error!("the spool {} is not sent: {error}", directory.display());
                }
            }
        }
        tokio::time::sleep(if failing { BREATH } else { LOOK_EVERY }).await;
    }
}

async fn hold(shared: &Shared) -> io::Result<Option<Held>> {
    let directory = &shared.settings.directory;
    directory::make(directory)?;
    let Some(lock) = lock(directory)? else {
        return Ok(None);
    };
    directory::sweep(directory)?;
    let (position, place) = Position::open(directory)?;
    // What this process adds from here on is in none of the segments that are looked at.
    let Count { appended, until } = shared.count().await?;
    let found = survey::survey_waiting(directory, until, |_| Ok::<_, io::Error>(()))?;
    say(directory, &found);
    let signed = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
    Ok(Some(Held {
        _lock: lock,
        position,
        place,
        until,
        waiting: signed(found.waiting) - signed(appended),
    }))
}

fn lock(directory: &Path) -> io::Result<Option<Flock<File>>> {
    let file = File::create(directory.join("drain.lock"))?;
    match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
        Ok(lock) => Ok(Some(lock)),
        Err((_, Errno::EWOULDBLOCK)) => Ok(None),
        Err((_, errno)) => Err(errno.into()),
    }
}

fn say(directory: &Path, found: &Found) {
    if found.waiting > 0 {
        ::log::info!(
            "the spool {}: {} records wait to be sent",
            directory.display(),
            found.waiting,
        );
    }
}
