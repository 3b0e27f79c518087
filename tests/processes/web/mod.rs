//! The broker over HTTP: looks, the order as it is read and posted, and bad input.

#![allow(clippy::unwrap_used, reason = "a test that fails may panic")]

pub(crate) mod asking;
mod hostile;
mod looks;
mod metrics;
mod posting;
mod readiness;
mod reading;
mod token;

use orden_kit::programs::broker::Broker;

/// Also over HTTP, on any free port.
const HTTP: &[&str] = &["--http-address", "127.0.0.1:0"];

/// A broker with a log on disk that also speaks HTTP.
fn broker() -> Broker {
    Broker::start(HTTP)
}
