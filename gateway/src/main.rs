//! The `weir` binary.

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // What operators read on stderr; requests have the access log.
    let level = env_logger::Env::default().default_filter_or("warn,weir=info");
    env_logger::Builder::from_env(level).init();
    weir::cli::main()
}
