//! What a message costs, counted and not timed, so that no other program on the machine changes
//! the result: allocations on the machine's and the log's way, writes of the log, wake-ups.
//!
//! `docs/performance.md` says how fast that is.

#![allow(clippy::unwrap_used, reason = "a test that fails may panic")]

mod allocations;
mod remembered;
mod stage;
mod wakeups;
mod window;
