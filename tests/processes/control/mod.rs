//! The control socket: what an operator has a running broker do, and bad input on the socket.

#![allow(clippy::unwrap_used, reason = "a test that fails may panic")]

mod commands;
mod draining;
mod hostile;
mod taken;

use std::process::Command;

use orden_kit::programs::End;
use orden_kit::programs::broker::{Broker, command, run};
use serde_json::Value;

/// A command on a running broker.
fn operate(broker: &Broker, words: &[&str]) -> Command {
    let mut operate = command();
    operate.args(words).arg("--data").arg(broker.data());
    operate
}

/// Runs a command on a running broker to its end.
pub(crate) fn operated(broker: &Broker, words: &[&str]) -> End {
    run(&mut operate(broker, words))
}

/// The same, which must succeed; what it prints.
#[track_caller]
pub(crate) fn done(broker: &Broker, words: &[&str]) -> String {
    let end = operated(broker, words);
    assert!(end.success(), "{words:?}: {}", end.complaint);
    end.lines.join("\n")
}

/// The status as JSON.
pub(crate) fn status(broker: &Broker) -> Value {
    serde_json::from_str(&done(broker, &["status", "--format", "json"])).unwrap()
}
