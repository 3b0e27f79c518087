//! Several ways of running, one after the other, round after round: what the machine does
//! besides meets all of them alike, so their ratios mean something where figures do not.

mod course;
mod disk;
mod report;
mod thresholds;

use std::path::PathBuf;
use std::sync::atomic::AtomicBool;

use clap::Args;

use super::error::Error;
use super::output::Output;
use super::progress::Progress;
use super::{run, server};
use course::{Figures, Part, courses};
use report::Series;

pub(super) use report::Verdict;

const AFTER_HELP: &str = "\
Each runs once a round, in turn, so that what else the machine does meets all alike: the
ratios mean something where figures do not. Each run is 8 subscribers, 1 publisher and 120 bytes
unless its name says otherwise. p50 and p99 are the time to deliver; of publishers that wait for
each message before the next, the time to confirm. Every flag is an environment variable, too:
ORDEN_…

  orden-bench compare                          everything, as the documents cite it
  orden-bench compare --parts latency          only the time through an idle broker
  orden-bench compare --rounds 1 --scale 0.1   a quick look
  orden-bench compare --format json            a line for scripts
  orden-bench compare --plot speed.svg         the throughputs as a picture

Exit codes: 0 everything is as it must be; 4 something is not; 2 a run has failed; 1 wrong usage;
3 any other failure; 130 interrupted.";

/// What to compare, and how thoroughly.
#[derive(Clone, Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct CompareArgs {
    /// How often each of them runs
    #[arg(long, env = "ORDEN_ROUNDS", value_name = "COUNT", default_value_t = 5)]
    rounds: usize,
    /// How long each run is: 1 takes a second or two, 0.1 shows that all is well and little more
    #[arg(
        long,
        env = "ORDEN_SCALE",
        value_name = "FACTOR",
        default_value_t = 1.0
    )]
    scale: f64,
    /// Compare only this
    #[arg(long, env = "ORDEN_PARTS", value_enum, value_delimiter = ',', value_name = "PART",
        default_values_t =
            [Part::Speed, Part::Latency, Part::Members, Part::Rates, Part::Singly])]
    parts: Vec<Part>,
    /// The most threads for subscribers, and for publishers
    #[arg(long, env = "ORDEN_THREADS", value_name = "COUNT", default_value_t = 8)]
    threads: usize,
    /// Where the logs' temporary directories are made (default: the system's, unless that is
    /// memory)
    #[arg(long, env = "ORDEN_DATA", value_name = "DIR")]
    data: Option<PathBuf>,
    #[command(flatten)]
    pub(super) output: Output,
}

/// Runs everything; `None` where a run has failed, which was said.
pub(super) fn compare(
    args: &CompareArgs,
    interrupted: &AtomicBool,
) -> Result<Option<Verdict>, Error> {
    let within = server::disk(args.data.as_deref())?;
    let mut series: Vec<_> = courses(&args.parts, &within, args.threads, args.scale)
        .into_iter()
        .map(|course| Series {
            course,
            rounds: Vec::new(),
        })
        .collect();
    let mut syncs = Vec::new();
    for round in 1..=args.rounds.max(1) {
        for one in &mut series {
            let title = format!("{round}/{} {}", args.rounds, one.course.name);
            // A run at a slow rate writes next to nothing, and what is left to write of this
            // would be in the way of its syncs.
            if one.course.plan.rate == 0 {
                disk::claim_memory(&within, args.scale.clamp(0.0, 1.0))?;
            }
            let progress = Progress::new(&one.course.plan, &title);
            let outcome = run::run(&one.course.plan, interrupted, &mut |delivered| {
                progress.show(delivered);
            })?;
            drop(progress);
            if outcome.failure.is_some() {
                eprint!("{}", outcome.table());
                return Ok(None);
            }
            one.rounds.push(Figures::of(&outcome));
        }
        syncs.push(disk::sync_time(&within)?);
    }
    Ok(Some(Verdict::new(series, &syncs, args.rounds)))
}
