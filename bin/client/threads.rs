//! Threads of the program beside its first.

use std::thread::Builder;

/// Starts a thread that ends by itself, or with the process.
pub(crate) fn spawn(name: &str, run: impl FnOnce() + Send + 'static) -> Result<(), String> {
    let thread = Builder::new().name(name.to_owned()).spawn(run);
    thread
        .map(|_runs_by_itself| ())
        .map_err(|error| format!("cannot start a thread: {error}"))
}
