//! What the broker promises of security, tried on the real program: S1 to S18 of
//! `docs/security.md`, each by a test that begins with its number.

#![allow(clippy::unwrap_used, reason = "a test that fails may panic")]

#[path = "../support/mod.rs"]
mod support;

mod curve;
mod handover;
mod limits;
#[allow(dead_code, reason = "each test takes what it needs")]
mod stage;
