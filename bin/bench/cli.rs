//! What one types: flags, their `ORDEN_*` twins, and what they come to.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use orden::broker::Sync;
use orden::net::Address;

use crate::command_line::STYLES;

use super::compare::CompareArgs;
use super::error::Error;
use super::output::Output;
use super::plan::{Dialect, Plan, Target};
use super::reopen::ReopenArgs;
use super::serve::Serve;
use super::server::{self, Storage};

/// Publishers and subscribers that measure a broker and check every message.
#[derive(Debug, Parser)]
#[command(name = "orden-bench", version, styles = STYLES, after_help = AFTER_HELP)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct Cli {
    #[command(subcommand)]
    pub(super) command: Option<Command>,
    #[command(flatten)]
    pub(super) run: RunArgs,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Run orden and libzmq alone in turn; print medians, ratios, and what those must be
    Compare(CompareArgs),
    /// Fill a log, kill the broker, and time how soon another serves it and how fast it is read
    Reopen(ReopenArgs),
    /// The child process of a run.
    #[command(hide = true)]
    Serve {
        /// Where the keys are, if there is to be encryption.
        #[arg(long)]
        curve: Option<PathBuf>,
        #[command(subcommand)]
        serve: Serve,
    },
}

#[derive(Clone, Debug, Args)]
pub(super) struct RunArgs {
    #[command(flatten)]
    load: Load,
    #[command(flatten)]
    broker: BrokerArgs,
    #[command(flatten)]
    limits: RunLimits,
    #[command(flatten)]
    pub(super) output: Output,
}

#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Load")]
struct Load {
    /// How many subscribers; each of them checks every message
    #[arg(
        long,
        env = "ORDEN_SUBSCRIBERS",
        value_name = "COUNT",
        default_value_t = 8
    )]
    subscribers: usize,
    /// How many publishers
    #[arg(
        long,
        env = "ORDEN_PUBLISHERS",
        value_name = "COUNT",
        default_value_t = 1
    )]
    publishers: usize,
    /// Messages over all publishers
    #[arg(
        long,
        env = "ORDEN_MESSAGES",
        value_name = "COUNT",
        default_value_t = 200_000
    )]
    messages: u64,
    /// Bytes of a message
    #[arg(long, env = "ORDEN_SIZE", value_name = "BYTES", default_value_t = 120)]
    size: usize,
    /// Messages a second over all publishers; 0: as fast as they are confirmed
    #[arg(long, env = "ORDEN_RATE", value_name = "RATE", default_value_t = 0)]
    rate: u64,
    /// The most messages of a publisher that are not confirmed; 1: it waits for each before the
    /// next; 0: as many as its dialect takes
    #[arg(
        long,
        env = "ORDEN_UNCONFIRMED",
        value_name = "COUNT",
        default_value_t = 0
    )]
    unconfirmed: u64,
    /// What the peers speak
    #[arg(long, env = "ORDEN_DIALECT", value_enum, default_value_t = Dialect::Native)]
    dialect: Dialect,
    /// With bare: messages in a frame
    #[arg(long, env = "ORDEN_BATCH", value_name = "COUNT", default_value_t = 1)]
    batch: usize,
    /// Further members that join and then never read
    #[arg(long, env = "ORDEN_STALLED", value_name = "COUNT", default_value_t = 0)]
    stalled: usize,
}

#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Broker")]
struct BrokerArgs {
    /// A broker that runs already; without this, one is started in a process of its own. Several
    /// times, or with commas between, for brokers that share one order: the subscribers, and the
    /// publishers, are spread over them
    #[arg(long, env = "ORDEN_ADDRESS", value_name = "ADDRESS", value_delimiter = ',',
        conflicts_with_all = ["data", "in_memory", "sync"])]
    address: Vec<Address>,
    /// Where the log's temporary directory is made (default: the system's, unless that is memory)
    #[arg(long, env = "ORDEN_DATA", value_name = "DIR")]
    data: Option<PathBuf>,
    /// Encrypt all connections, with keys that are made for the run
    #[arg(long, env = "ORDEN_CURVE", conflicts_with = "address")]
    curve: bool,
    /// The broker keeps no log on disk
    #[arg(long, env = "ORDEN_IN_MEMORY", conflicts_with_all = ["data", "sync"])]
    in_memory: bool,
    /// When the broker's log is synced: before any client sees a message, at most so many
    /// milliseconds after, or when the system likes [default: always]
    #[arg(long, env = "ORDEN_SYNC", value_name = "always|MS|never")]
    sync: Option<Sync>,
}

#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Run")]
struct RunLimits {
    /// The most threads for subscribers, and for publishers; each has libzmq's own thread beside
    /// it, as a client's process would
    #[arg(long, env = "ORDEN_THREADS", value_name = "COUNT", default_value_t = 8)]
    threads: usize,
    /// Fail if nothing is delivered for so many seconds
    #[arg(
        long,
        env = "ORDEN_PATIENCE",
        value_name = "SECONDS",
        default_value_t = 20
    )]
    patience: u64,
    /// Fail if the run takes longer than so many seconds
    #[arg(
        long,
        env = "ORDEN_DEADLINE",
        value_name = "SECONDS",
        default_value_t = 600
    )]
    deadline: u64,
}

const AFTER_HELP: &str = "\
Every flag can also be given as an environment variable, ORDEN_… in capitals.
Time runs from the first publish to the last delivery at the last subscriber; latency from the
publish call, at a rate from the time at which it was due, to the delivery at each subscriber.

Exit codes: 0 done, every message checked; 1 wrong usage; 2 the run has failed: something was
lost, came twice, in different orders or not in time; 3 any other failure; 4 a ratio of compare
is not what it must be; 130 interrupted.";

impl RunArgs {
    /// The run that was asked for.
    pub(super) fn plan(&self) -> Result<Plan, Error> {
        let target = match (&self.broker.address[..], self.load.dialect) {
            (addresses @ [_, ..], _) => Target::Running(addresses.to_vec()),
            ([], Dialect::Bare) => Target::Child(Storage::Bare),
            ([], _) if self.broker.in_memory => Target::Child(Storage::Memory),
            ([], _) => Target::Child(Storage::Disk {
                within: server::disk(self.broker.data.as_deref())?,
                sync: self.broker.sync.unwrap_or(Sync::Always),
            }),
        };
        let plan = Plan {
            dialect: self.load.dialect,
            target,
            subscribers: self.load.subscribers,
            publishers: self.load.publishers,
            stalled: self.load.stalled,
            curve: self.broker.curve,
            messages: self.load.messages,
            size: self.load.size,
            rate: self.load.rate,
            unconfirmed: self.load.unconfirmed,
            batch: self.load.batch,
            threads: self.limits.threads,
            patience: Duration::from_secs(self.limits.patience),
            deadline: Duration::from_secs(self.limits.deadline),
        };
        plan.check().map_err(Error::Usage)?;
        Ok(plan)
    }
}
