//! Threads of their own for those who count prompts: a few, and of low priority, so that whoever
//! serves calls on the same cores goes first.

use std::sync::LazyLock;

use tokio::runtime::{Builder, Runtime};

/// Steps below the others, of nineteen: a tenth of a core that others want whole, and all of one
/// that nobody wants.
const NICE: i32 = 10;

/// How many there are: half as many as cores.
pub(super) static COUNT: LazyLock<usize> = LazyLock::new(|| {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    (cores / 2).max(1)
});

/// Nothing runs on it but what blocks.
static THREADS: LazyLock<Option<Runtime>> = LazyLock::new(|| {
    Builder::new_current_thread()
        .max_blocking_threads(*COUNT)
        .thread_name("weir-count")
        .on_thread_start(|| {
            // On Linux the priority is that of the calling thread. It may always be lowered.
            let _ = rustix::process::setpriority_process(None, NICE);
        })
        .build()
        .map_err(|e| log::error!("no threads to count on: {e}"))
        .ok()
});

/// Begins a job on one of them that nobody waits for.
pub(super) fn begin(job: impl FnOnce() + Send + 'static) {
    if let Some(threads) = THREADS.as_ref() {
        threads.spawn_blocking(job);
    }
}

/// Runs a job on one of them. `None` if it came to no end.
pub(super) async fn run<T: Send + 'static>(job: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    THREADS.as_ref()?.spawn_blocking(job).await.ok()
}
