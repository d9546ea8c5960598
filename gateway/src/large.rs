//! Work that grows with a body, as reading one: where the body is large, whatever else the worker
//! has to do is given to another thread meanwhile.
//!
//! A worker that finds a single thing to do lets the others sleep while it does it, and nobody
//! looks at the sockets: callers of other routes would wait for it.

use tokio::runtime::{Handle, RuntimeFlavor};

/// Less than this, in bytes, takes less time than giving the rest away.
const LARGE: usize = 64 << 10;

/// Does the work for a body of so many bytes.
pub(crate) fn work<T>(bytes: usize, work: impl FnOnce() -> T) -> T {
    let others_wait = || {
        let runtime = Handle::try_current();
        runtime.is_ok_and(|runtime| runtime.runtime_flavor() == RuntimeFlavor::MultiThread)
    };
    match bytes >= LARGE && others_wait() {
        true => tokio::task::block_in_place(work),
        false => work(),
    }
}
