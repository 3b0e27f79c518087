//! What the broker can be told on its command line.

use std::path::PathBuf;
use std::time::Duration;

use clap::builder::BoolishValueParser;
use clap::{Args, Parser, Subcommand};
use orden::broker::{Config, Error, Storage, Sync};
use orden::core::Limits;
use orden::net::Address;
use orden::store;

use crate::command_line::STYLES;
#[cfg(feature = "http")]
use crate::http;
use crate::log_command::LogCommand;
use crate::logging::Logging;
use crate::security;

/// A message broker that gives every message one number, and every client every message, in
/// that one order, exactly once, whatever crashes.
#[derive(Debug, Parser)]
#[command(name = "orden-broker", version, styles = STYLES, after_help = AFTER_HELP)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    #[command(flatten)]
    pub(crate) serve: Serve,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Look at a log: is it whole, what is in it; also while a broker writes to it
    #[command(subcommand)]
    Log(LogCommand),
    #[command(flatten)]
    Keys(security::Command),
}

#[derive(Debug, Args)]
pub(crate) struct Serve {
    #[command(flatten)]
    pub(crate) network: Network,
    #[command(flatten)]
    pub(crate) journal: Journal,
    #[command(flatten)]
    pub(crate) delivery: Delivery,
    #[command(flatten)]
    pub(crate) security: security::Flags,
    #[cfg(feature = "http")]
    #[command(flatten)]
    pub(crate) http: http::Http,
    #[command(flatten)]
    pub(crate) logging: Logging,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Network")]
pub(crate) struct Network {
    /// Where clients connect: HOST:PORT, :PORT (localhost), *:PORT (everywhere), port 0 for any
    /// free one, or a ZeroMQ endpoint (tcp://…, ipc://…)
    #[arg(long, env = "ORDEN_ADDRESS", value_name = "ADDRESS", required = true)]
    pub(crate) address: Option<Address>,
    /// Also serve the original client.py over plain TCP here
    #[arg(long, env = "ORDEN_TCP_ADDRESS", value_name = "ADDRESS")]
    pub(crate) tcp_address: Option<Address>,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Journal")]
pub(crate) struct Journal {
    /// Where the log is kept
    #[arg(
        long,
        env = "ORDEN_DATA",
        value_name = "DIR",
        default_value = "./orden-data"
    )]
    pub(crate) data: PathBuf,
    /// Keep no log on disk: everything ends with this process
    #[arg(
        long,
        env = "ORDEN_IN_MEMORY",
        value_parser = BoolishValueParser::new(),
        conflicts_with = "sync"
    )]
    pub(crate) in_memory: bool,
    /// When the log is synced: before anybody sees a message, at most so many milliseconds
    /// after, or when the system likes
    #[arg(
        long,
        env = "ORDEN_SYNC",
        value_name = "always|MS|never",
        default_value = "always"
    )]
    pub(crate) sync: Sync,
    /// How large each of the log's files is, made ready ahead of its use; at least what some of
    /// the largest messages need
    #[arg(long, env = "ORDEN_SEGMENT_BYTES", value_name = "BYTES",
        default_value_t = store::DEFAULT_SEGMENT_BYTES)]
    pub(crate) segment_bytes: u64,
    /// Delete the oldest segments once the log has more than so many bytes (default: keep all)
    #[arg(long, env = "ORDEN_RETAIN_BYTES", value_name = "BYTES")]
    pub(crate) retain_bytes: Option<u64>,
    /// Delete segments whose newest message is older than so many seconds (default: keep all)
    #[arg(long, env = "ORDEN_RETAIN_AGE", value_name = "SECONDS")]
    pub(crate) retain_age: Option<u64>,
    /// Delete the oldest segments once the log has more than so many messages (default: keep all)
    #[arg(long, env = "ORDEN_RETAIN_MESSAGES", value_name = "COUNT")]
    pub(crate) retain_messages: Option<u64>,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Delivery")]
pub(crate) struct Delivery {
    /// The most bytes of one message
    #[arg(long, env = "ORDEN_MAX_MESSAGE_BYTES", value_name = "BYTES",
        default_value_t = Limits::default().message_bytes)]
    pub(crate) max_message_bytes: usize,
    /// Ask a native member that was silent for so many seconds whether it is there
    #[arg(long, env = "ORDEN_PING_AFTER", value_name = "SECONDS",
        default_value_t = Limits::default().ping_after.as_secs())]
    pub(crate) ping_after: u64,
    /// Take a native member that was silent for so many seconds for away
    #[arg(long, env = "ORDEN_AWAY_AFTER", value_name = "SECONDS",
        default_value_t = Limits::default().away_after.as_secs())]
    pub(crate) away_after: u64,
    /// End the session of a member that was away for so many seconds (default: never)
    #[arg(long, env = "ORDEN_SESSION_TIMEOUT", value_name = "SECONDS")]
    pub(crate) session_timeout: Option<u64>,
}

const AFTER_HELP: &str = "\
Every flag can also be given as an environment variable, ORDEN_… in capitals.
SIGTERM and SIGINT stop in good order, a second one at once; SIGUSR1 logs who is how far.

Exit codes: 0 stopped; 1 wrong usage; 2 the log is damaged; 3 any other failure.";

/// The most bytes of messages that are kept without a disk, if nothing else is said.
pub(crate) const MEMORY_BYTES: u64 = store::DEFAULT_RETAIN_BYTES;

impl Serve {
    /// All that this comes to.
    pub(crate) fn config(&self) -> Result<Config, Error> {
        let journal = &self.journal;
        let storage = if journal.in_memory {
            Storage::Memory {
                retain_bytes: journal.retain_bytes.unwrap_or(MEMORY_BYTES),
            }
        } else {
            let mut options = store::Options::new(&journal.data);
            options.segment_bytes = journal.segment_bytes.max(self.least_segment());
            options.retain_bytes = journal.retain_bytes;
            options.retain_age = journal.retain_age.map(Duration::from_secs);
            options.retain_messages = journal.retain_messages;
            Storage::Files(options)
        };
        Ok(Config {
            endpoint: self.address().to_bind(),
            tcp_endpoint: self.network.tcp_address.as_ref().map(Address::to_bind),
            storage,
            sync: journal.sync,
            limits: self.security.limits(&Limits {
                message_bytes: self.delivery.max_message_bytes,
                ping_after: Duration::from_secs(self.delivery.ping_after),
                away_after: Duration::from_secs(self.delivery.away_after),
                session_timeout: self.delivery.session_timeout.map(Duration::from_secs),
                ..Limits::default()
            }),
            connections: self.security.connection_limits(),
            security: self.security.security()?,
        })
    }

    /// Where clients connect; `Option` only because a subcommand needs no address.
    fn address(&self) -> &Address {
        let address = self.network.address.as_ref();
        address.expect("clap asks for it")
    }

    /// Why what was asked for would open more than was said in words.
    pub(crate) fn exposed(&self) -> Option<String> {
        let flags = &self.security;
        let zmq = flags.refuses(self.address(), flags.encrypts());
        let tcp = self.network.tcp_address.as_ref();
        zmq.or_else(|| flags.refuses(tcp?, false))
    }

    /// A file that could not take what one round brings would be left for the next at once, which
    /// could not either.
    fn least_segment(&self) -> u64 {
        let batches = 2 * Limits::default().batch_bytes;
        4 * (batches.saturating_add(self.delivery.max_message_bytes)) as u64
    }
}
