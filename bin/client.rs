//! `orden-client`: parse, run, print, exit code. What is not about a terminal or a pipe is in the
//! library.

// Both panic when the stream is closed or full.
#![deny(clippy::print_stdout, clippy::print_stderr)]

#[path = "client/chat.rs"]
mod chat;
#[path = "command_line.rs"]
mod command_line;
#[path = "client/flags.rs"]
mod flags;
#[path = "client/logging.rs"]
mod logging;
#[path = "client/news.rs"]
mod news;
#[path = "client/pipe.rs"]
mod pipe;
#[path = "client/seat.rs"]
mod seat;
#[path = "client/show.rs"]
mod show;
#[path = "client/signals.rs"]
mod signals;
#[path = "client/streams.rs"]
mod streams;
#[path = "client/threads.rs"]
mod threads;

use std::process::ExitCode;

use flags::Cli;
use seat::Outcome;
use signals::Signals;

fn main() -> ExitCode {
    let cli: Cli = match command_line::parse() {
        Ok(cli) => cli,
        Err(code) => return code,
    };
    let code = run(&cli).unwrap_or_else(Outcome::Failed).report();
    logging::finish();
    ExitCode::from(code)
}

fn run(cli: &Cli) -> Result<Outcome, String> {
    logging::open()?;
    let signals = Signals::watch()?;
    if chat::is_possible() && !cli.session.observe {
        chat::run(cli, &signals)
    } else {
        pipe::run(cli, &signals)
    }
}
