//! Putting a changed configuration in force, or saying why not.
//!
//! On SIGHUP, or when a watched file changes: files are read together once they have been quiet
//! for a moment. A bad configuration leaves the old one in force, and log, metric and `/readyz`
//! say so. Reloading touches no connection.

use std::collections::HashMap;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use notify::{RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::sync::mpsc;

use crate::config::{self, listeners::Listener};
use crate::gateway::Gateway;
use crate::runtime;

/// Editors write a file in several steps, and a directory is several files.
const QUIET: Duration = Duration::from_millis(200);

/// A directory that is written to all the time is read all the same.
const PATIENCE: Duration = Duration::from_secs(2);

/// Reloads from `path` whenever there is reason to, for as long as the process runs.
pub(crate) fn watch(gateway: Arc<Gateway>, path: PathBuf) {
    tokio::spawn(async move {
        let (changed, mut changes) = mpsc::channel(1);
        let mut watcher = watcher(changed);
        let mut seen = look(&gateway.snapshot().loaded.watched);
        loop {
            let watched = gateway.snapshot().loaded.watched.clone();
            if let Some(watcher) = &mut watcher {
                follow(watcher, &watched);
            }
            tokio::select! {
                () = gateway.reload.notified() => {}
                _ = changes.recv() => {
                    settle(&mut changes).await;
                    // Others write into the same directories: a log, an editor's draft.
                    if look(&watched) == seen {
                        continue;
                    }
                }
            }
            // Before they are read, so that what changes meanwhile is seen to have changed.
            seen = look(&watched);
            reload(&gateway, &path).await;
            let now = &gateway.snapshot().loaded.watched;
            seen.retain(|file, _| now.contains(file));
            for file in now {
                seen.entry(file.clone()).or_insert_with(|| Look::at(file));
            }
        }
    });
}

/// Waits until nothing has happened for a moment, but not for ever.
async fn settle(changes: &mut mpsc::Receiver<()>) {
    let latest = Instant::now() + PATIENCE;
    while Instant::now() < latest {
        if tokio::time::timeout(QUIET, changes.recv()).await.is_err() {
            return;
        }
    }
}

/// What a file looks like from outside: enough to tell that nobody has touched it.
#[derive(Debug, PartialEq, Eq)]
struct Look(Option<(SystemTime, u64, u64)>);

impl Look {
    /// Symbolic links are followed: what they lead to is what is read.
    fn at(file: &Path) -> Self {
        let known = std::fs::metadata(file).ok();
        Look(known.and_then(|m| Some((m.modified().ok()?, m.len(), m.ino()))))
    }
}

fn look(files: &[PathBuf]) -> HashMap<PathBuf, Look> {
    files
        .iter()
        .map(|file| (file.clone(), Look::at(file)))
        .collect()
}

/// Without a watcher, SIGHUP still reloads.
fn watcher(changed: mpsc::Sender<()>) -> Option<RecommendedWatcher> {
    let told = move |event: notify::Result<notify::Event>| {
        if event.is_ok_and(|e| !e.kind.is_access()) {
            // Full means that a reload is due already.
            let _ = changed.try_send(());
        }
    };
    notify::recommended_watcher(told)
        .inspect_err(|e| log::warn!("files are not watched: {e}; SIGHUP reloads"))
        .ok()
}

/// Watches the directories of files: a file that is replaced is another file afterwards.
fn follow(watcher: &mut RecommendedWatcher, files: &[PathBuf]) {
    for file in files {
        let directory = if file.is_dir() {
            Some(&**file)
        } else {
            file.parent()
        };
        // The parent of a bare name is the working directory.
        let directory = match directory {
            Some(directory) if directory.as_os_str().is_empty() => Path::new("."),
            Some(directory) => directory,
            None => continue,
        };
        // Watching twice is no error, and a directory that is gone cannot be watched.
        let _ = watcher.watch(directory, RecursiveMode::NonRecursive);
    }
}

/// Reads the configuration and puts it in force.
async fn reload(gateway: &Arc<Gateway>, path: &Path) {
    let result = match tokio::task::spawn_blocking({
        let path = path.to_owned();
        move || config::load(&path)
    })
    .await
    {
        Ok(Ok(loaded)) => apply(gateway, loaded),
        Ok(Err(faults)) => Err(faults.to_string()),
        Err(_) => Err("reading the configuration panicked".to_owned()),
    };
    match &result {
        Ok(true) => log::info!("reloaded; revision {:016x}", gateway.snapshot().revision),
        Ok(false) => log::info!("reloaded; nothing has changed"),
        Err(why) => log::error!("reload refused, the old configuration stays in force:\n{why}"),
    }
    let ok = result.is_ok();
    gateway.note_reload(result.err());
    // Last: whoever sees it counted finds everything else told.
    gateway.telemetry.metrics.config_loaded(ok);
}

/// Whether anything changed.
fn apply(gateway: &Arc<Gateway>, loaded: config::Loaded) -> Result<bool, String> {
    let before = gateway.snapshot();
    if before.loaded.revision == loaded.revision {
        return Ok(false);
    }
    let mut fixed: Vec<String> = config::diff(&before.loaded, &loaded)
        .into_iter()
        .flat_map(|change| change.refused())
        .collect();
    let listeners = &loaded.config.listeners;
    let switched =
        |l: &&Arc<Listener>| l.tls.is_some() != gateway.certificates.contains_key(&l.name);
    fixed.extend(
        listeners
            .iter()
            .filter(switched)
            .map(|l| format!("listeners \"{}\": tls", l.name)),
    );
    if !fixed.is_empty() {
        return Err(format!(
            "these need a restart or an upgrade:\n{}",
            fixed.join("\n")
        ));
    }
    let snapshot = runtime::compile(loaded, Some(&before), &gateway.telemetry.metrics)?;
    for listener in &snapshot.loaded.config.listeners {
        if let (Some(tls), Some(now)) = (&listener.tls, gateway.certificates.get(&listener.name)) {
            now.replace(tls)?;
        }
    }
    before.retire(&snapshot);
    gateway.swap(Arc::new(snapshot));
    Ok(true)
}
