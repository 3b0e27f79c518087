//! Measures a broker, or libzmq alone, and checks every message on the way.
//!
//! ```text
//!  cli ─► plan ─► run ─► outcome ─► table, JSON, plot
//!                  │
//!                  ├─ server      a child process: the broker, or the loop that `bare` measures
//!                  ├─ publishing  threads with the publishers' links
//!                  └─ subscribing threads with the subscribers' links; check, tally
//! ```
//! All publishers and subscribers are in this process, so one clock times every message. What
//! they are connected to is in another, so that it shares nothing with them but the processors.

mod bare_loop;
mod check;
mod cli;
mod clock;
mod error;
mod human;
mod link;
mod outcome;
mod plan;
mod progress;
mod publishing;
mod run;
mod serve;
mod server;
mod stamp;
mod subscribing;

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use clap::Parser;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

use cli::{Cli, Command, Format};
use error::Error;
use progress::Progress;

/// Does what the command line says.
pub(super) fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let code = ExitCode::from(u8::from(error.use_stderr()));
            // Nobody is left to tell when stderr is closed.
            error.print().ok();
            return code;
        }
    };
    let result = match &cli.command {
        Some(Command::Serve { serve }) => serve.run().map(|()| ExitCode::SUCCESS),
        None => measure(&cli),
    };
    result.unwrap_or_else(|error| {
        eprintln!("orden-bench: {error}");
        ExitCode::from(match error {
            Error::Usage(_) => 1,
            Error::Interrupted => 130,
            _ => 3,
        })
    })
}

fn measure(cli: &Cli) -> Result<ExitCode, Error> {
    let plan = cli.run.plan()?;
    let interrupted = watch_signals()?;
    let progress = Progress::new(&plan, plan.dialect.name());
    let outcome = run::run(&plan, &interrupted, &mut |delivered| {
        progress.show(delivered);
    })?;
    drop(progress);
    match cli.run.output.format {
        Format::Text => print!("{}", outcome.table()),
        Format::Json => println!("{}", outcome.json()),
    }
    Ok(ExitCode::from(if outcome.failure.is_some() {
        2
    } else {
        0
    }))
}

/// A flag that is raised when the user wants no more.
fn watch_signals() -> Result<Arc<AtomicBool>, Error> {
    let interrupted = Arc::new(AtomicBool::new(false));
    for signal in [SIGHUP, SIGINT, SIGTERM] {
        signal_hook::flag::register(signal, Arc::clone(&interrupted)).map_err(|why| {
            Error::System {
                what: "listen to signals".to_owned(),
                why,
            }
        })?;
    }
    Ok(interrupted)
}
