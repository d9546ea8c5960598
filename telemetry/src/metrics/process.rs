//! The process's own figures (CPU, memory, descriptors), on Linux.

use prometheus::Registry;

#[cfg(target_os = "linux")]
pub(super) fn register(registry: &Registry) {
    use prometheus::process_collector::ProcessCollector;
    let registered = registry.register(Box::new(ProcessCollector::for_self()));
    // A fresh registry refuses only a double registration.
    debug_assert!(registered.is_ok(), "{registered:?}");
}

#[cfg(not(target_os = "linux"))]
pub(super) fn register(_registry: &Registry) {}
