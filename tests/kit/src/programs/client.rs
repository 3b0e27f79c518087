//! `orden-client` as a process.

use std::fmt::Display;
use std::process::Command;

use super::Program;

/// The command, to which more can be added.
pub fn command(arguments: &[&str]) -> Command {
    let mut command = super::command("orden-client");
    command.args(arguments);
    command
}

/// Starts it with pipes.
pub fn start(address: impl Display, arguments: &[&str]) -> Program {
    let address = address.to_string();
    let arguments = [&["--address", &address], arguments].concat();
    Program::start("orden-client", &mut command(&arguments))
}
