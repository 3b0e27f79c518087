//! `orden-client`: parse, run, print, exit code. What is not about a terminal or a pipe is in the
//! library.

#[path = "client/chat.rs"]
mod chat;
#[path = "command_line.rs"]
mod command_line;
#[path = "client/flags.rs"]
mod flags;
#[path = "client/pipe.rs"]
mod pipe;
#[path = "client/seat.rs"]
mod seat;
#[path = "client/show.rs"]
mod show;

use std::io::IsTerminal;
use std::process::ExitCode;

use flags::Cli;
use seat::Outcome;

fn main() -> ExitCode {
    let cli: Cli = match command_line::parse() {
        Ok(cli) => cli,
        Err(code) => return code,
    };
    let outcome = if std::io::stdin().is_terminal() && std::io::stdout().is_terminal() {
        chat::run(&cli)
    } else {
        pipe::run(&cli)
    };
    ExitCode::from(outcome.unwrap_or_else(Outcome::Failed).report())
}
