//! Putting a changed configuration in force, or saying why not.
//!
//! On SIGHUP, or when a watched file changes: files are read together once they have been quiet
//! for a moment. A bad configuration leaves the old one in force, and log, metric and `/readyz`
//! say so. Reloading touches no connection.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use notify::{RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::sync::mpsc;

use crate::config;
use crate::config::listeners::Listener;
use crate::config::watched::Watched;
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
        let mut watcher = watcher(changed.clone());
        let mut seen = gateway.snapshot().loaded.watched.clone();
        loop {
            if let Some(watcher) = &mut watcher {
                follow(watcher, &seen);
            }
            // What changed before it was followed raised no event.
            if seen != seen.again() {
                let _ = changed.try_send(());
            }
            reason(&gateway, &mut changes, &seen).await;
            // Of a configuration that cannot be read: what the last good one was read from.
            let again = seen.again();
            seen = reload(&gateway, &path).await.unwrap_or(again);
        }
    });
}

/// Waits until there is a reason to reload: one of the files has changed, or somebody said so.
async fn reason(gateway: &Gateway, changes: &mut mpsc::Receiver<()>, seen: &Watched) {
    loop {
        tokio::select! {
            () = gateway.reload.notified() => return,
            _ = changes.recv() => {
                settle(changes).await;
                // Others write into the same directories: a log, an editor's draft.
                if *seen != seen.again() {
                    return;
                }
            }
        }
    }
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
fn follow(watcher: &mut RecommendedWatcher, files: &Watched) {
    for file in files.paths() {
        let directory = if file.is_dir() {
            Some(file)
        } else {
            file.parent()
        };
        // The parent of a bare name is the working directory.
        let directory = match directory {
            Some(directory) if directory.as_os_str().is_empty() => Path::new("."),
            Some(directory) => directory,
            None => continue,
        };
        // Watching twice is no error.
        if let Err(e) = watcher.watch(directory, RecursiveMode::NonRecursive) {
            log::warn!(
                "{} is not watched: {e}; SIGHUP reloads",
                directory.display()
            );
        }
    }
}

/// Reads the configuration and puts it in force; returns what it was read from.
async fn reload(gateway: &Arc<Gateway>, path: &Path) -> Option<Watched> {
    let mut watched = None;
    let result = match tokio::task::spawn_blocking({
        let path = path.to_owned();
        move || config::load(&path)
    })
    .await
    {
        Ok(Ok(loaded)) => {
            watched = Some(loaded.watched.clone());
            apply(gateway, loaded)
        }
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
    watched
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
    gateway.webhooks.apply(gateway);
    gateway.snapshot().fill_tables();
    gateway.llm_workers.apply(gateway);
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_changes_before_it_is_watched_is_seen() {
        let directory = std::env::temp_dir().join(format!("weir-reload-{}", std::process::id()));
        std::fs::create_dir_all(&directory).expect("a directory");
        let path = directory.join("weir.yaml");
        let write = |body: &str| {
            let yaml = format!(
                "{{ version: 1, listeners: [{{ name: public, address: 127.0.0.1:0 }}], \
                 telemetry: {{ access_log: {{ output: none }} }}, \
                 routes: [{{ name: all, respond: {{ body: {body} }} }}] }}"
            );
            std::fs::write(&path, yaml).expect("written");
        };
        write("one");
        let loaded = config::load(&path).unwrap_or_else(|faults| panic!("{faults}"));
        let telemetry = crate::observe::start(&loaded.config).expect("telemetry");
        let snapshot = runtime::compile(loaded, None, &telemetry.metrics).expect("a snapshot");
        let gateway = Gateway::new(
            telemetry,
            std::collections::HashMap::new(),
            Arc::new(snapshot),
        );
        let gateway = Arc::new(gateway);
        let before = gateway.snapshot().revision;

        write("three");
        watch(gateway.clone(), path);
        let changed = async {
            while gateway.snapshot().revision == before {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        let seen = tokio::time::timeout(Duration::from_secs(60), changed).await;
        assert!(seen.is_ok(), "the change was never seen");
        let _ = std::fs::remove_dir_all(&directory);
    }
}
