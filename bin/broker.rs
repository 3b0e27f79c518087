//! `orden-broker`: parse, run, print, exit code. Everything else is in the library.

#[path = "broker/security.rs"]
mod security;

use std::fmt::Display;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::builder::BoolishValueParser;
use clap::builder::styling::{AnsiColor, Styles};
use clap::{Args, Parser, Subcommand};
use orden::broker::{Broker, Config, Error, Storage, Sync};
use orden::core::Limits;
use orden::store;
use orden::wire::Address;
use signal_hook::consts::{SIGINT, SIGTERM, SIGUSR1};
use signal_hook::iterator::Signals;

#[path = "broker/log_command.rs"]
mod log_command;
#[path = "broker/logging.rs"]
mod logging;

use log_command::LogCommand;
use logging::Logging;

/// A message broker that gives every message one number, and every client every message, in
/// that one order, exactly once, whatever crashes.
#[derive(Debug, Parser)]
#[command(name = "orden-broker", version, styles = STYLES, after_help = AFTER_HELP)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    serve: Serve,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Look at a log: is it whole, what is in it; also while a broker writes to it
    #[command(subcommand)]
    Log(LogCommand),
    #[command(flatten)]
    Keys(security::Command),
}

#[derive(Debug, Args)]
struct Serve {
    #[command(flatten)]
    network: Network,
    #[command(flatten)]
    journal: Journal,
    #[command(flatten)]
    delivery: Delivery,
    #[command(flatten)]
    security: security::Flags,
    #[command(flatten)]
    logging: Logging,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Network")]
struct Network {
    /// Where clients connect: HOST:PORT, :PORT (localhost), *:PORT (everywhere), port 0 for any
    /// free one, or a ZeroMQ endpoint (tcp://…, ipc://…)
    #[arg(long, env = "ORDEN_ADDRESS", value_name = "ADDRESS", required = true)]
    address: Option<Address>,
    /// Also serve the original client.py over plain TCP here
    #[arg(long, env = "ORDEN_TCP_ADDRESS", value_name = "ADDRESS")]
    tcp_address: Option<Address>,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Journal")]
struct Journal {
    /// Where the log is kept
    #[arg(
        long,
        env = "ORDEN_DATA",
        value_name = "DIR",
        default_value = "./orden-data"
    )]
    data: PathBuf,
    /// Keep no log on disk: everything ends with this process
    #[arg(
        long,
        env = "ORDEN_IN_MEMORY",
        value_parser = BoolishValueParser::new(),
        conflicts_with = "sync"
    )]
    in_memory: bool,
    /// When the log is synced: before anybody sees a message, at most so many milliseconds
    /// after, or when the system likes
    #[arg(long, env = "ORDEN_SYNC", value_name = "always|MS|never", default_value = "always",
        value_parser = parse_sync)]
    sync: Sync,
    /// How large each of the log's files is, made ready ahead of its use; at least what some of
    /// the largest messages need
    #[arg(long, env = "ORDEN_SEGMENT_BYTES", value_name = "BYTES",
        default_value_t = store::DEFAULT_SEGMENT_BYTES)]
    segment_bytes: u64,
    /// Delete the oldest segments once the log has more than so many bytes (default: keep all)
    #[arg(long, env = "ORDEN_RETAIN_BYTES", value_name = "BYTES")]
    retain_bytes: Option<u64>,
    /// Delete segments whose newest message is older than so many seconds (default: keep all)
    #[arg(long, env = "ORDEN_RETAIN_AGE", value_name = "SECONDS")]
    retain_age: Option<u64>,
    /// Delete the oldest segments once the log has more than so many messages (default: keep all)
    #[arg(long, env = "ORDEN_RETAIN_MESSAGES", value_name = "COUNT")]
    retain_messages: Option<u64>,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Delivery")]
struct Delivery {
    /// The most bytes of one message
    #[arg(long, env = "ORDEN_MAX_MESSAGE_BYTES", value_name = "BYTES",
        default_value_t = Limits::default().message_bytes)]
    max_message_bytes: usize,
    /// Ask a native member that was silent for so many seconds whether it is there
    #[arg(long, env = "ORDEN_PING_AFTER", value_name = "SECONDS",
        default_value_t = Limits::default().ping_after.as_secs())]
    ping_after: u64,
    /// Take a native member that was silent for so many seconds for away
    #[arg(long, env = "ORDEN_AWAY_AFTER", value_name = "SECONDS",
        default_value_t = Limits::default().away_after.as_secs())]
    away_after: u64,
    /// End the session of a member that was away for so many seconds (default: never)
    #[arg(long, env = "ORDEN_SESSION_TIMEOUT", value_name = "SECONDS")]
    session_timeout: Option<u64>,
}

const STYLES: Styles = Styles::styled()
    .header(AnsiColor::Green.on_default().bold())
    .usage(AnsiColor::Green.on_default().bold())
    .literal(AnsiColor::Cyan.on_default().bold())
    .placeholder(AnsiColor::Cyan.on_default());

const AFTER_HELP: &str = "\
Every flag can also be given as an environment variable, ORDEN_… in capitals.
SIGTERM and SIGINT stop in good order, a second one at once; SIGUSR1 logs who is how far.

Exit codes: 0 stopped; 1 wrong usage; 2 the log is damaged; 3 any other failure.";

const RESTORE: &str = "restore the directory from a backup, or begin a new one with --data";

/// The most bytes of messages that are kept without a disk, if nothing else is said.
const MEMORY_BYTES: u64 = store::DEFAULT_RETAIN_BYTES;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let code = ExitCode::from(u8::from(error.use_stderr()));
            // Nobody is left to tell when stderr is closed.
            error.print().ok();
            return code;
        }
    };
    match cli.command {
        Some(Command::Log(command)) => look_at_log(&command),
        Some(Command::Keys(command)) => make_keys(command),
        None => serve_and_report(&cli.serve),
    }
}

fn look_at_log(command: &LogCommand) -> ExitCode {
    match log_command::run(command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if error.is_damage() => fail(2, &error, RESTORE),
        Err(error) => fail(3, &error, ""),
    }
}

fn make_keys(command: security::Command) -> ExitCode {
    match command.run() {
        Ok(text) => {
            println!("{text}");
            ExitCode::SUCCESS
        }
        Err(error) => fail(exit_code(&error), &error, hint(&error)),
    }
}

fn serve_and_report(options: &Serve) -> ExitCode {
    if let Some(why) = options.exposed() {
        let hint = "give --curve-key and --authorized, or say --insecure if that is what you want";
        return fail(1, &why, hint);
    }
    if let Err(error) = options.logging.start() {
        return fail(3, &error, "give --log-file a file that can be written");
    }
    match serve(options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(exit_code(&error), &error, hint(&error)),
    }
}

fn serve(cli: &Serve) -> Result<(), Error> {
    // Before anything else runs, so that no signal finds the process unprepared.
    let signals = Signals::new([SIGINT, SIGTERM, SIGUSR1])?;
    let config = config(cli)?;
    if config.security.is_some() {
        orden::broker::forbid_core_dumps()?;
    }
    warn_of_what_is_lost(&cli.journal);
    let broker = Broker::start(&config)?;
    let mut stdout = std::io::stdout();
    for endpoint in broker.endpoints() {
        writeln!(stdout, "listening on {endpoint}")?;
    }
    stdout.flush()?;
    watch_signals(signals, &broker)?;
    broker.wait()
}

/// Says once, and in words, what a weaker choice than the default costs.
fn warn_of_what_is_lost(journal: &Journal) {
    if journal.in_memory {
        let kept = journal.retain_bytes.unwrap_or(MEMORY_BYTES) >> 20;
        log::warn!(
            "in memory: when this process ends, every message and every session is gone; \
             the newest {kept} MiB of messages are kept for those who are behind"
        );
        return;
    }
    match journal.sync {
        Sync::Always => {}
        Sync::Every(period) => log::warn!(
            "synced every {} ms: a power cut may take back what was confirmed and seen \
             in that time, and give its numbers to other messages",
            period.as_millis()
        ),
        Sync::Never => log::warn!(
            "never synced: a power cut may take back half a minute of what was confirmed and \
             seen, or more, and give its numbers to other messages"
        ),
    }
}

/// Stops the broker at the first signal, and the process at the second.
fn watch_signals(mut signals: Signals, broker: &Broker) -> Result<(), Error> {
    let (stopper, ack_map) = (broker.stopper(), broker.ack_map().clone());
    std::thread::Builder::new()
        .name("signals".into())
        .spawn(move || {
            let mut stopping = false;
            for signal in signals.forever() {
                match signal {
                    SIGUSR1 => log_status(&ack_map.status()),
                    _ if stopping => std::process::exit(3),
                    _ => {
                        log::info!("stopping: finishing what was accepted");
                        stopping = true;
                        stopper.stop();
                    }
                }
            }
        })?;
    Ok(())
}

fn log_status(status: &orden::broker::Status) {
    log::info!(
        "next order number {}, {} members",
        status.next,
        status.members.len()
    );
    for member in &status.members {
        let presence = if member.present { "present" } else { "away" };
        let name = &member.name;
        log::info!(
            "{name} ({:?}, {presence}) expects {}",
            member.dialect,
            member.floor
        );
    }
    log::info!("{:?}", status.counters);
}

fn config(cli: &Serve) -> Result<Config, Error> {
    let journal = &cli.journal;
    let storage = if journal.in_memory {
        Storage::Memory {
            retain_bytes: journal.retain_bytes.unwrap_or(MEMORY_BYTES),
        }
    } else {
        let mut options = store::Options::new(&journal.data);
        options.segment_bytes = journal.segment_bytes.max(least_segment(cli));
        options.retain_bytes = journal.retain_bytes;
        options.retain_age = journal.retain_age.map(Duration::from_secs);
        options.retain_messages = journal.retain_messages;
        Storage::Files(options)
    };
    Ok(Config {
        endpoint: cli.address().to_bind(),
        tcp_endpoint: cli.network.tcp_address.as_ref().map(Address::to_bind),
        storage,
        sync: journal.sync,
        limits: cli.security.limits(&Limits {
            message_bytes: cli.delivery.max_message_bytes,
            ping_after: Duration::from_secs(cli.delivery.ping_after),
            away_after: Duration::from_secs(cli.delivery.away_after),
            session_timeout: cli.delivery.session_timeout.map(Duration::from_secs),
            ..Limits::default()
        }),
        door: cli.security.door(),
        security: cli.security.security()?,
    })
}

impl Serve {
    /// Where clients connect; `Option` only because a subcommand needs no address.
    fn address(&self) -> &Address {
        let address = self.network.address.as_ref();
        address.expect("clap asks for it")
    }

    /// Why what was asked for would open more than was said in words.
    fn exposed(&self) -> Option<String> {
        let flags = &self.security;
        let zmq = flags.refuses(self.address(), flags.encrypts());
        let tcp = self.network.tcp_address.as_ref();
        zmq.or_else(|| flags.refuses(tcp?, false))
    }
}

/// A file that could not take what one round brings would be left for the next at once, which
/// could not either.
fn least_segment(cli: &Serve) -> u64 {
    let batches = 2 * Limits::default().batch_bytes;
    4 * (batches.saturating_add(cli.delivery.max_message_bytes)) as u64
}

fn parse_sync(text: &str) -> Result<Sync, String> {
    match text {
        "always" => Ok(Sync::Always),
        "never" => Ok(Sync::Never),
        _ => text
            .parse()
            .map(|ms| Sync::Every(Duration::from_millis(ms)))
            .map_err(|_| "expected always, a number of milliseconds, or never".to_owned()),
    }
}

fn exit_code(error: &Error) -> u8 {
    match error {
        Error::Store(error) if error.is_damage() => 2,
        Error::Keys(..) => 1,
        _ => 3,
    }
}

fn hint(error: &Error) -> &'static str {
    match error {
        Error::Bind { .. } => "is another program using this address? port 0 takes any free one",
        Error::Store(error) if error.is_damage() => RESTORE,
        Error::Store(_) => "see --data for where the log is kept",
        Error::Keys(..) => "orden-broker keygen DIR makes key files, as pyzmq's zmq.auth does",
        _ => "",
    }
}

/// Says what went wrong in one line, and what one can do in a second.
fn fail(code: u8, error: &dyn Display, hint: &str) -> ExitCode {
    eprintln!("orden-broker: {error}");
    if !hint.is_empty() {
        eprintln!("hint: {hint}");
    }
    ExitCode::from(code)
}
