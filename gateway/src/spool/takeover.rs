//! Becoming the one who sends what is in a spool: only one process at a time may.

use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::time::Duration;

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};

use super::format::HEADS;
use super::position::{Place, Position};
use super::survey::{self, Found};
use super::writer::Count;
use super::{Shared, directory, segment};

/// How often it is looked whether somebody else still sends.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// How long to wait after something failed.
const BREATH: Duration = Duration::from_secs(1);
/// Nobody takes as long to make a segment.
const LONG: Duration = Duration::from_secs(60);

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
                give_way(shared);
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
    sweep_drafts(directory)?;
    sweep_drafts(&directory::rejected(directory))?;
    let (position, place) = Position::open(directory)?;
    sweep_sent(shared, place)?;
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

/// Takes away what was to become a segment and did not, or did and kept its first name, too, because its
/// process was killed.
fn sweep_drafts(directory: &Path) -> io::Result<()> {
    let found = match fs::read_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        found => found?,
    };
    for entry in found {
        let entry = entry?;
        let path = entry.path();
        if path.extension().is_none_or(|extension| extension != "new") {
            continue;
        }
        let Ok(metadata) = entry.metadata() else {
            // Its process did so itself just now.
            continue;
        };
        let age = metadata.modified().ok().and_then(|at| at.elapsed().ok());
        let old = age.is_some_and(|age| age > LONG);
        // Who has written its head had locked it before.
        let left = metadata.len() >= HEADS && segment::is_done(&path)?;
        if old || left {
            match fs::remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
    }
    Ok(())
}

/// Takes away segments of which all is sent: a process that was killed may have written that down and no more.
fn sweep_sent(shared: &Shared, place: Place) -> io::Result<()> {
    let directory = &shared.settings.directory;
    for (number, size) in directory::segments(directory)? {
        let path = directory::segment(directory, number);
        if number < place.segment && segment::is_done(&path)? {
            fs::remove_file(&path)?;
            shared.free(size);
        }
    }
    Ok(())
}

/// Ends the segment that is written if there is a later one: who sends waits for its end.
fn give_way(shared: &Shared) {
    let Some(live) = shared.live.borrow().at else {
        return;
    };
    // If it cannot be seen now, it will be.
    let segments = directory::segments(&shared.settings.directory).unwrap_or_default();
    if segments
        .last()
        .is_some_and(|(last, _)| *last > live.segment)
    {
        shared.end_segment();
    }
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
