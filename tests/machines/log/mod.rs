//! The log: through its public face, on real directories and on a simulated disk.

#![allow(clippy::unwrap_used, reason = "a test that fails may panic")]
#![allow(
    clippy::cast_possible_truncation,
    reason = "numbers in tests are small"
)]

mod age;
pub(crate) mod batches;
mod beside;
mod crash;
mod damage;
mod directory;
mod document;
pub(crate) mod files;
mod flips;
mod outside;
mod salvage;
mod space;
