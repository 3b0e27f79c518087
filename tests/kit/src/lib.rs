//! What the tests of orden share, each thing once: programs and peers that are real, disks,
//! networks and worlds that are simulated, scripts that read like stories, and the judge.
//!
//! Nothing here waits by the clock: it waits for what is to happen, and fails after [`PATIENCE`].
//! `docs/internals/testing.md` says what lies where.

#![allow(
    missing_docs,
    reason = "for tests only; what a name does not say is said"
)]
#![allow(
    clippy::missing_panics_doc,
    clippy::unwrap_used,
    reason = "a test that cannot go on panics, and says where"
)]
#![allow(
    clippy::return_self_not_must_use,
    clippy::should_implement_trait,
    reason = "the next message and the next number are no iterator's"
)]

pub mod alone;
pub mod checker;
pub mod clock;
pub mod cluster;
pub mod crew;
pub mod deadline;
pub mod dealer;
pub mod disk_faults;
pub mod network;
pub mod plain;
pub mod programs;
pub mod proxy;
pub mod random;
pub mod scripts;
pub mod several;
pub mod simulated_disk;
pub mod simulation;
pub mod whole_log;
pub mod words;
pub mod zmtp;

use std::path::Path;
use std::time::{Duration, Instant};

/// Far more than a step of a program takes on a busy machine: whoever waits so long has failed.
pub const PATIENCE: Duration = Duration::from_mins(1);

/// Asks until there is an answer, each time anew, for what nobody tells when it happens.
#[expect(clippy::disallowed_methods, reason = "only to give up in time")]
#[track_caller]
pub fn poll<T>(mut ask: impl FnMut() -> Option<T>, what: &str) -> T {
    deadline::set();
    let started = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(started.elapsed() < PATIENCE, "{what} does not come");
        clock::pause(Duration::from_millis(1));
    }
}

/// The project's directory.
pub fn root() -> &'static Path {
    let kit = Path::new(env!("CARGO_MANIFEST_DIR"));
    kit.ancestors().nth(2).expect("the kit lies in tests/kit")
}
