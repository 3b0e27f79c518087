//! What the broker promises of security, tried on the real program: S1 to S18 of
//! `docs/security.md`, each by a test that begins with its number.

#![allow(clippy::unwrap_used, reason = "a test that fails may panic")]

mod curve;
mod handover;
mod limits;
pub(crate) mod stage;
mod transports;
