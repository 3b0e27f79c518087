//! What tests with real programs and real sockets share: how to start them, hear them, end them.
//!
//! Nothing here waits by the clock: it waits for what is to happen, and fails after [`PATIENCE`].

#![allow(dead_code, reason = "each test takes what it needs")]

pub(crate) mod broker;
pub(crate) mod dealer;
pub(crate) mod monotonic;
pub(crate) mod plain;
pub(crate) mod program;
pub(crate) mod python;
pub(crate) mod random;
pub(crate) mod status;
pub(crate) mod whole_log;

use std::time::{Duration, Instant};

/// Far more than a step of a program takes on a busy machine: whoever waits so long has failed.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

/// Asks until there is an answer, each time anew, for what nobody tells when it happens.
#[expect(clippy::disallowed_methods, reason = "only to give up in time")]
#[track_caller]
pub(crate) fn poll<T>(mut ask: impl FnMut() -> Option<T>, what: &str) -> T {
    let started = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(started.elapsed() < PATIENCE, "{what} does not come");
    }
}
