//! `orden-client` as a process, and the broker's log for comparison.

use std::process::Command;

use crate::seen::{Line, number_and_text};
use crate::support::broker::{self, Broker};
use crate::support::program::Program;

/// Starts `orden-client`, with nothing in its environment that would be a flag.
pub(crate) fn client(broker: &Broker, name: &str, more: &str) -> Program {
    let mut command = Command::new(env!("CARGO_BIN_EXE_orden-client"));
    for (variable, _) in std::env::vars_os() {
        if variable.to_string_lossy().starts_with("ORDEN_") {
            command.env_remove(variable);
        }
    }
    let address = broker.address();
    command.args(["--address", address, "--name", name]);
    command.args(more.split_whitespace());
    Program::start("orden-client", &mut command)
}

/// What the broker has ordered, as it has written it down.
pub(crate) fn the_log(broker: &Broker) -> Vec<Line> {
    let mut command = broker::command();
    let end = broker::run(command.args(["log", "dump"]).arg(broker.data()));
    assert!(end.success(), "{}", end.complaint);
    end.lines.iter().map(|line| number_and_text(line)).collect()
}
