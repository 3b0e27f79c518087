//! What the broker can be told on its command line.

use std::path::{Path, PathBuf};
use std::time::Duration;

#[cfg(feature = "nats")]
use clap::builder::ArgPredicate;
use clap::builder::{BoolishValueParser, RangedU64ValueParser};
use clap::{Args, Parser, Subcommand, value_parser};
use clap_complete::Shell;
use orden::admin;
use orden::broker::{Config, Error, Storage, Sync};
use orden::core::Limits;
use orden::net::Address;
use orden::store::{self, MemoryOptions};
use rustix::process::{Resource, getrlimit};

#[cfg(feature = "nats")]
use crate::cluster;
use crate::command_line::STYLES;
use crate::commands::Operate;
#[cfg(feature = "http")]
use crate::http;
use crate::log_command::LogCommand;
use crate::logging::Logging;
use crate::security;
use crate::size::size;

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
    /// Make or check the stream that several brokers share
    #[cfg(feature = "nats")]
    #[command(subcommand)]
    Stream(cluster::Command),
    #[command(flatten)]
    Keys(security::Command),
    #[command(flatten)]
    Operate(Operate),
    /// Print what a shell needs to complete this command line
    Completions {
        /// The shell
        shell: Shell,
    },
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
    #[cfg(feature = "nats")]
    #[command(flatten)]
    pub(crate) cluster: cluster::Cluster,
    #[cfg(feature = "http")]
    #[command(flatten)]
    pub(crate) http: http::Http,
    #[command(flatten)]
    pub(crate) logging: Logging,
    /// Print what is in effect and where it comes from, and start nothing; exit code 1 says what is
    /// wrong with it
    #[arg(long)]
    pub(crate) check: bool,
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
    /// Where the control socket lies, by which status, drain and so on reach this broker
    /// (default: in --data)
    #[arg(long, env = "ORDEN_CONTROL", value_name = "PATH")]
    pub(crate) control: Option<PathBuf>,
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
    /// after, or when the system likes; with --cluster 1000 if nothing else is said, as the stream
    /// has what the journal has not synced
    #[arg(
        long,
        env = "ORDEN_SYNC",
        value_name = "always|MS|never",
        default_value = "always"
    )]
    #[cfg_attr(
        feature = "nats",
        arg(default_value_if("cluster", ArgPredicate::IsPresent, "1000"))
    )]
    pub(crate) sync: Sync,
    /// How large each of the log's files is, made ready ahead of its use; at least what some of
    /// the largest messages need
    #[arg(long, env = "ORDEN_SEGMENT_BYTES", value_name = "BYTES",
        default_value_t = store::DEFAULT_SEGMENT_BYTES,
        value_parser = at_most(SEGMENT_BYTES_MAX))]
    pub(crate) segment_bytes: u64,
    /// Delete the oldest segments once the log has more than so many bytes (default: keep all);
    /// with --in-memory, the newest messages that are kept for members who come later or were away
    /// (default: 256 MiB)
    #[arg(long, env = "ORDEN_RETAIN_BYTES", value_name = "BYTES",
        value_parser = value_parser!(u64).range(1..))]
    pub(crate) retain_bytes: Option<u64>,
    /// With --in-memory, the most bytes of messages that are kept for connected members which have
    /// not acknowledged them: one that is further behind misses the oldest, and is told so
    #[arg(long, env = "ORDEN_BEHIND_BYTES", value_name = "BYTES",
        default_value_t = MemoryOptions::default().behind_bytes,
        value_parser = value_parser!(u64).range(1..))]
    pub(crate) behind_bytes: u64,
    /// Delete segments whose newest message is older than so many seconds (default: keep all)
    #[arg(long, env = "ORDEN_RETAIN_AGE", value_name = "SECONDS",
        value_parser = value_parser!(u64).range(1..=CENTURY))]
    pub(crate) retain_age: Option<u64>,
    /// Delete the oldest segments once the log has more than so many messages (default: keep all)
    #[arg(long, env = "ORDEN_RETAIN_MESSAGES", value_name = "COUNT",
        value_parser = value_parser!(u64).range(1..))]
    pub(crate) retain_messages: Option<u64>,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Delivery")]
pub(crate) struct Delivery {
    /// The most bytes of one message
    #[arg(long, env = "ORDEN_MAX_MESSAGE_BYTES", value_name = "BYTES",
        default_value_t = Limits::default().message_bytes,
        value_parser = size(1..=MESSAGE_BYTES_MAX))]
    pub(crate) max_message_bytes: usize,
    /// Ask a native member that was silent for so many seconds whether it is there
    #[arg(long, env = "ORDEN_PING_AFTER", value_name = "SECONDS",
        default_value_t = Limits::default().ping_after.as_secs(),
        value_parser = value_parser!(u64).range(1..=CENTURY))]
    pub(crate) ping_after: u64,
    /// Take a native member that was silent for so many seconds for away
    #[arg(long, env = "ORDEN_AWAY_AFTER", value_name = "SECONDS",
        default_value_t = Limits::default().away_after.as_secs(),
        value_parser = value_parser!(u64).range(1..=CENTURY))]
    pub(crate) away_after: u64,
    /// End the session of a member that was away for so many seconds (default: never)
    #[arg(long, env = "ORDEN_SESSION_TIMEOUT", value_name = "SECONDS",
        value_parser = value_parser!(u64).range(1..=CENTURY))]
    pub(crate) session_timeout: Option<u64>,
}

/// 100 years, in seconds: nobody waits longer, and a clock cannot count much further.
const CENTURY: u64 = 100 * 365 * 86_400;
/// The largest message: the broker holds some of them at a time in memory.
const MESSAGE_BYTES_MAX: u64 = 256 << 20;
/// The largest file of the log: it is filled with zeros before it is used.
const SEGMENT_BYTES_MAX: u64 = 64 << 30;

const AFTER_HELP: &str = "\
Every flag can also be given as an environment variable, ORDEN_… in capitals.
SIGTERM and SIGINT stop in good order, a second one at once; SIGHUP does what `reload` does, SIGUSR2
what `drain` does; SIGUSR1 logs who is how far.

Exit codes: 0 stopped; 1 wrong usage; 2 the log is damaged, or brokers have different histories; \
3 any other failure.";

impl Journal {
    /// What is kept without a disk.
    pub(crate) fn in_memory(&self) -> MemoryOptions {
        let MemoryOptions { retain_bytes, .. } = MemoryOptions::default();
        MemoryOptions {
            retain_bytes: self.retain_bytes.unwrap_or(retain_bytes),
            behind_bytes: self.behind_bytes,
        }
    }
}

impl Serve {
    /// All that this comes to.
    pub(crate) fn config(&self) -> Result<Config, Error> {
        let journal = &self.journal;
        let storage = if journal.in_memory {
            Storage::Memory(journal.in_memory())
        } else {
            let mut options = store::Options::new(&journal.data);
            options.segment_bytes = self.segment_bytes();
            if options.segment_bytes > journal.segment_bytes {
                log::warn!(
                    "--segment-bytes {} is too small for messages of up to {} bytes: {} are taken",
                    journal.segment_bytes,
                    self.delivery.max_message_bytes,
                    options.segment_bytes
                );
            }
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

    /// Whether the order is shared with other brokers.
    pub(crate) fn is_shared(&self) -> bool {
        #[cfg(feature = "nats")]
        return self.cluster.is_wanted();
        #[cfg(not(feature = "nats"))]
        false
    }

    /// Where the log lies, if it lies on a disk.
    pub(crate) fn data(&self) -> Option<&Path> {
        (!self.journal.in_memory).then_some(self.journal.data.as_path())
    }

    /// Where the control socket is to lie; without a disk only where it was said to.
    pub(crate) fn control(&self) -> Option<PathBuf> {
        let given = self.network.control.clone();
        given.or_else(|| Some(self.data()?.join(admin::SOCKET)))
    }

    /// Where clients connect; `Option` only because a subcommand needs no address.
    fn address(&self) -> &Address {
        let address = self.network.address.as_ref();
        address.expect("clap asks for it")
    }

    /// What is wrong with what was asked for, and what to do about it.
    pub(crate) fn mistake(&self) -> Option<(String, &'static str)> {
        let hint = "give --curve-key and --authorized, or say --insecure if that is what you want";
        let exposed = self.exposed().map(|why| (why, hint));
        exposed.or_else(|| self.contradiction())
    }

    /// What follows from it together with this machine, a line each.
    pub(crate) fn consequences(&self) -> String {
        let mut lines = Vec::new();
        let control = self.control();
        lines.extend(control.map(|path| format!("control socket: {}", path.display())));
        if !self.journal.in_memory {
            lines.push(format!("bytes of a segment: {}", self.segment_bytes()));
            let room = capacity(&self.journal.data);
            lines.extend(room.map(|bytes| format!("bytes of its file system: {bytes}")));
        }
        let most = getrlimit(Resource::Nofile).current;
        lines.extend(most.map(|most| format!("files and connections at a time: {most}")));
        lines.join("\n") + "\n"
    }

    /// Why what was asked for would open more than was said in words.
    fn exposed(&self) -> Option<String> {
        let flags = &self.security;
        let zmq = flags.refuses(self.address(), flags.encrypts());
        let tcp = self.network.tcp_address.as_ref();
        zmq.or_else(|| flags.refuses(tcp?, false))
    }

    /// Which settings do not go together, and what to do about it.
    fn contradiction(&self) -> Option<(String, &'static str)> {
        let Delivery {
            ping_after,
            away_after,
            ..
        } = self.delivery;
        if away_after < ping_after {
            let why = format!(
                "--away-after {away_after} is below --ping-after {ping_after}: a member would be \
                 away before it is asked"
            );
            return Some((why, "give --away-after more than --ping-after"));
        }
        let journal = &self.journal;
        let (segment, room) = (self.segment_bytes(), capacity(&journal.data)?);
        let files = files_wanted(&journal.data);
        (!journal.in_memory && segment.saturating_mul(files) > room).then(|| {
            let why = format!(
                "{files} files of {segment} bytes do not fit where {} is, which has {room} in all",
                journal.data.display()
            );
            let hint = "give --segment-bytes less, or --data a place that is larger";
            (why, hint)
        })
    }

    fn segment_bytes(&self) -> u64 {
        self.journal.segment_bytes.max(self.least_segment())
    }

    /// A file that could not take what one round brings would be left for the next at once, which
    /// could not either.
    fn least_segment(&self) -> u64 {
        let batches = 2 * Limits::default().batch_bytes;
        4 * (batches.saturating_add(self.delivery.max_message_bytes)) as u64
    }
}

/// The bytes of the file system on which a directory is, or is going to be; `None` if it does not
/// say.
fn capacity(directory: &Path) -> Option<u64> {
    let mut there = directory.ancestors();
    let system = there.find_map(|place| {
        let place = if place.as_os_str().is_empty() {
            Path::new(".")
        } else {
            place
        };
        rustix::fs::statvfs(place).ok()
    })?;
    // Some virtual ones have no size.
    let bytes = system.f_blocks.saturating_mul(system.f_frsize);
    (bytes > 0).then_some(bytes)
}

/// How many files of a segment's size there has to be room for, full of zeros: the next one is made
/// while one is in use. A log that is there already is served where no next one fits, as on any
/// full disk.
fn files_wanted(directory: &Path) -> u64 {
    let mut files = directory.read_dir().into_iter().flatten().flatten();
    let has_log = files.any(|file| file.path().extension().is_some_and(|it| it == "segment"));
    if has_log { 1 } else { 2 }
}

fn at_most(bound: u64) -> RangedU64ValueParser<u64> {
    RangedU64ValueParser::new().range(..=bound)
}
