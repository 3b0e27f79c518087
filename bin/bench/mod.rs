//! Measures a broker, or libzmq alone, and checks every message on the way.
//!
//! ```text
//!  cli ─► plan ─► run ─► outcome ─► table, JSON, plot        compare: many runs, in turn
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
mod compare;
mod error;
mod human;
mod keys;
mod link;
mod outcome;
mod output;
mod plan;
mod plot;
mod progress;
mod publishing;
mod reopen;
mod run;
mod serve;
mod server;
mod shared;
mod stamp;
mod subscribing;

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

use crate::command_line;
use cli::{Cli, Command};
use compare::CompareArgs;
use error::Error;
use output::Format;
use progress::Progress;
use reopen::ReopenArgs;

/// Does what the command line says.
pub(super) fn main() -> ExitCode {
    let cli: Cli = match command_line::parse() {
        Ok(cli) => cli,
        Err(code) => return code,
    };
    let result = match &cli.command {
        Some(Command::Serve { curve, serve }) => {
            serve.run(curve.as_deref()).map(|()| ExitCode::SUCCESS)
        }
        Some(Command::Compare(args)) => compare(args),
        Some(Command::Reopen(args)) => reopen(args),
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
    let output = &cli.run.output;
    if let Some(file) = &output.plot {
        plot::draw(&outcome, file)?;
    }
    match output.format {
        Format::Text => print!("{}", outcome.table()),
        Format::Json => println!("{}", outcome.json()),
    }
    let failed = outcome.failure.is_some();
    Ok(ExitCode::from(if failed { 2 } else { 0 }))
}

fn compare(args: &CompareArgs) -> Result<ExitCode, Error> {
    let interrupted = watch_signals()?;
    let Some(verdict) = compare::compare(args, &interrupted)? else {
        return Ok(ExitCode::from(2));
    };
    if let Some(file) = &args.output.plot {
        verdict.draw(file)?;
    }
    match args.output.format {
        Format::Text => print!("{}", verdict.table()),
        Format::Json => println!("{}", verdict.json()),
    }
    Ok(ExitCode::from(if verdict.all_met() { 0 } else { 4 }))
}

fn reopen(args: &ReopenArgs) -> Result<ExitCode, Error> {
    let interrupted = watch_signals()?;
    let figures = reopen::reopen(args, &interrupted)?;
    match args.format {
        Format::Text => print!("{}", figures.table()),
        Format::Json => println!("{}", figures.json()),
    }
    Ok(ExitCode::SUCCESS)
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
