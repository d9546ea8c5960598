//! Putting a changed configuration in force, or saying why not.
//!
//! On SIGHUP, or when a watched file changes: files are read together once they have been quiet
//! for a moment. A bad configuration leaves the old one in force, and log, metric and `/readyz`
//! say so. Reloading touches no connection.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use notify::{RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::sync::mpsc;

use crate::config;
use crate::gateway::Gateway;
use crate::runtime;

/// Editors write a file in several steps, and a directory is several files.
const QUIET: Duration = Duration::from_millis(200);

/// Reloads from `path` whenever there is reason to, for as long as the process runs.
pub(crate) fn watch(gateway: Arc<Gateway>, path: PathBuf) {
    tokio::spawn(async move {
        let (changed, mut changes) = mpsc::channel(1);
        let mut watcher = watcher(changed);
        loop {
            if let Some(watcher) = &mut watcher {
                follow(watcher, &gateway.snapshot().loaded.watched);
            }
            tokio::select! {
                () = gateway.reload.notified() => {}
                _ = changes.recv() => {
                    while tokio::time::timeout(QUIET, changes.recv()).await.is_ok() {}
                }
            }
            reload(&gateway, &path).await;
        }
    });
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
        let directory = if file.is_dir() { Some(&**file) } else { file.parent() };
        if let Some(directory) = directory {
            // Watching twice is no error, and a directory that is gone cannot be watched.
            let _ = watcher.watch(directory, RecursiveMode::NonRecursive);
        }
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
    gateway.telemetry.metrics.config_loaded(result.is_ok());
    match &result {
        Ok(true) => log::info!("reloaded; revision {:016x}", gateway.snapshot().revision),
        Ok(false) => log::info!("reloaded; nothing has changed"),
        Err(why) => log::error!("reload refused, the old configuration stays in force:\n{why}"),
    }
    gateway.note_reload(result.err());
}

/// Whether anything changed.
fn apply(gateway: &Arc<Gateway>, loaded: config::Loaded) -> Result<bool, String> {
    let before = gateway.snapshot();
    if before.loaded.revision == loaded.revision {
        return Ok(false);
    }
    let fixed: Vec<String> = config::diff(&before.loaded, &loaded)
        .into_iter()
        .flat_map(|change| change.refused())
        .collect();
    if !fixed.is_empty() {
        return Err(format!("these need a restart or an upgrade:\n{}", fixed.join("\n")));
    }
    let snapshot = runtime::compile(loaded, Some(&before), &gateway.telemetry.metrics)?;
    gateway.swap(Arc::new(snapshot));
    Ok(true)
}
