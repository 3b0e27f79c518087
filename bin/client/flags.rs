//! What can be asked of `orden-client`.

use std::ffi::OsStr;
use std::io::IsTerminal;
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::BoolishValueParser;
use clap::{Args, Parser, ValueEnum};
use log::LevelFilter;
use orden::client::{KeyError, Keys};
use orden::net::Address;
use orden::wire::native::Start;
use orden::wire::{Name, OrderNumber};

use crate::command_line::STYLES;

/// Takes part in a total order: lines of standard input are messages, and everybody's messages
/// come out, numbered, in the one order that all see.
#[derive(Debug, Parser)]
#[command(name = "orden-client", version, styles = STYLES, after_help = AFTER_HELP)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) network: Network,
    #[command(flatten)]
    pub(crate) session: Session,
    #[command(flatten)]
    pub(crate) input: Input,
    #[command(flatten)]
    pub(crate) output: Output,
    #[command(flatten)]
    pub(crate) logging: Logging,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Network")]
pub(crate) struct Network {
    /// Where the broker is: HOST:PORT, :PORT (localhost), or a ZeroMQ endpoint (tcp://…, ipc://…).
    /// Several times, or with commas between, for brokers that share one order: the next one when
    /// one is unreachable, silent or goes down
    #[arg(
        long,
        env = "ORDEN_ADDRESS",
        value_name = "ADDRESS",
        value_parser = parse_address,
        value_delimiter = ',',
        required = true
    )]
    pub(crate) address: Vec<Address>,
    /// Our own secret key, as `orden-broker keygen` and pyzmq make it, for an encrypted connection
    #[arg(
        long,
        env = "ORDEN_CURVE_KEY",
        value_name = "FILE",
        requires = "server_key"
    )]
    curve_key: Option<PathBuf>,
    /// The broker's public key, which it has to prove to have
    #[arg(
        long,
        env = "ORDEN_SERVER_KEY",
        value_name = "FILE",
        requires = "curve_key"
    )]
    server_key: Option<PathBuf>,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Session")]
pub(crate) struct Session {
    /// This client's name; the session goes on under it next time (default: a random one)
    #[arg(long, env = "ORDEN_NAME", value_name = "NAME", value_parser = parse_name)]
    pub(crate) name: Option<Name>,
    /// Where to begin when the broker does not know the name yet: with what comes now, at the
    /// start, at a number, or with the last so many (default: now)
    #[arg(
        long,
        env = "ORDEN_FROM",
        value_name = "now|start|N|last:N",
        value_parser = parse_start
    )]
    pub(crate) from: Option<Start>,
    /// Read without joining, until --count or an interrupt ends it: no session, no notice, and
    /// standard input is not read
    #[arg(
        long,
        env = "ORDEN_OBSERVE",
        value_parser = BoolishValueParser::new(),
        conflicts_with_all = ["on_exit", "resume", "publish_only"]
    )]
    pub(crate) observe: bool,
    /// What becomes of the session at the end: it stays, and the same name goes on with it next
    /// time, or it ends and everybody is told (default: stay with --name, leave without)
    #[arg(long, env = "ORDEN_ON_EXIT", value_name = "leave|stay", value_enum)]
    pub(crate) on_exit: Option<OnExit>,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Input")]
pub(crate) struct Input {
    /// Line N of standard input is this name's message N: run again with the same input, whatever
    /// has happened, and no line is lost or ordered twice. A name that the broker does not know
    /// is refused, as nothing tells then which lines are ordered already
    #[arg(
        long,
        env = "ORDEN_RESUME",
        value_parser = BoolishValueParser::new(),
        requires = "name"
    )]
    pub(crate) resume: bool,
    /// With --resume: begin a session if the broker does not know the name, for the first run
    #[arg(
        long,
        env = "ORDEN_NEW_SESSION",
        value_parser = BoolishValueParser::new(),
        requires = "resume"
    )]
    pub(crate) new_session: bool,
    /// Go on receiving after the end of standard input
    #[arg(long, env = "ORDEN_FOLLOW", value_parser = BoolishValueParser::new())]
    pub(crate) follow: bool,
    /// Give up when the broker does not answer at the start, or does not confirm the last lines
    /// at the end, for so many seconds (default: keep trying)
    #[arg(
        long,
        env = "ORDEN_PATIENCE",
        value_name = "SECONDS",
        value_parser = clap::value_parser!(u64).range(1..)
    )]
    patience: Option<u64>,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Output")]
pub(crate) struct Output {
    /// How messages are printed
    #[arg(
        long,
        env = "ORDEN_FORMAT",
        value_name = "FORMAT",
        value_enum,
        default_value = "text"
    )]
    pub(crate) format: Format,
    /// Receive nothing: for those who only publish, or whose key allows no more
    #[arg(
        long,
        env = "ORDEN_PUBLISH_ONLY",
        value_parser = BoolishValueParser::new(),
        conflicts_with = "count"
    )]
    pub(crate) publish_only: bool,
    /// Exit after so many messages
    #[arg(
        long,
        env = "ORDEN_COUNT",
        value_name = "N",
        value_parser = clap::value_parser!(u64).range(1..)
    )]
    pub(crate) count: Option<u64>,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Logging")]
pub(crate) struct Logging {
    /// How much to say on stderr: off, error, warn, info, debug or trace
    #[arg(
        long,
        env = "ORDEN_LOG_LEVEL",
        value_name = "LEVEL",
        default_value = "info"
    )]
    pub(crate) log_level: LevelFilter,
}

/// What becomes of the session at the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum OnExit {
    /// It ends, and everybody is told.
    Leave,
    /// It waits for this name to come back.
    Stay,
}

/// How messages are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// `17 ana: hola`, with control characters escaped
    Text,
    /// `{"order":17,"from":"ana","message":"hola","time":"…","kind":"message"}`; names and
    /// messages that are not UTF-8 in base64
    Json,
}

impl Session {
    /// Where deliveries of a new name begin.
    pub(crate) fn start(&self) -> Start {
        self.from.unwrap_or(Start::Now)
    }
}

impl Network {
    /// The addresses, as somebody reads them.
    pub(crate) fn shown(&self) -> String {
        let shown: Vec<_> = self.address.iter().map(Address::to_string).collect();
        shown.join(" or ")
    }

    /// The keys, if the connection is to be encrypted.
    pub(crate) fn keys(&self) -> Result<Option<Keys>, KeyError> {
        match (&self.curve_key, &self.server_key) {
            (Some(own), Some(server)) => Keys::read(own, server).map(Some),
            _ => Ok(None),
        }
    }
}

impl Input {
    /// How long an answer and the last confirmations are waited for; `None`: for ever.
    pub(crate) fn patience(&self) -> Option<Duration> {
        self.patience.map(Duration::from_secs)
    }
}

const AFTER_HELP: &str = "\
Every flag can also be given as an environment variable, ORDEN_… in capitals; an empty one
counts as not set.
On a terminal, ^D and ^C go, and the session stays unless --on-exit says otherwise; /leave ends
it. Otherwise the end of standard input goes, once every line is confirmed, unless --follow or
--count keeps it; SIGTERM and SIGINT do not wait for long.

Exit codes: 0 all is well; 1 wrong usage; 2 lines that were not confirmed, and stderr says
which; 3 any other failure.";

/// Whether the terminal is of those that say of themselves that their cursor cannot be moved.
pub(crate) fn is_plain_terminal() -> bool {
    let kind = std::env::var_os("TERM").unwrap_or_default();
    let plain = ["", "dumb", "emacs", "none", "unknown", "cons25"];
    plain.iter().any(|plain| kind == OsStr::new(plain))
}

/// Colours are for people: not for a pipe, and not for those who said that they want none.
pub(crate) fn use_colour(stream: &impl IsTerminal) -> bool {
    let unwanted = std::env::var_os("NO_COLOR").is_some_and(|value| value != OsStr::new(""));
    stream.is_terminal() && !is_plain_terminal() && !unwanted
}

fn parse_address(text: &str) -> Result<Address, String> {
    let address: Address = text.parse().map_err(|error| format!("{error}"))?;
    match address.to_connect() {
        Ok(_) => Ok(address),
        Err(error) => Err(error.to_string()),
    }
}

fn parse_name(text: &str) -> Result<Name, String> {
    Name::new(text.as_bytes()).map_err(|error| error.to_string())
}

fn parse_start(text: &str) -> Result<Start, String> {
    let number = |digits: &str| {
        let expected = "expected now, start, an order number, or last: and a count";
        digits.parse().map_err(|_| expected.to_owned())
    };
    match (text, text.strip_prefix("last:")) {
        ("now", _) => Ok(Start::Now),
        ("start", _) => Ok(Start::Beginning),
        (_, Some(count)) => number(count).map(Start::Last),
        _ => number(text).map(OrderNumber).map(Start::At),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(arguments: &[&str]) -> String {
        let command = ["orden-client"].iter().chain(arguments);
        Cli::try_parse_from(command).unwrap_err().to_string()
    }

    #[test]
    fn where_to_begin() {
        assert_eq!(parse_start("now"), Ok(Start::Now));
        assert_eq!(parse_start("start"), Ok(Start::Beginning));
        assert_eq!(parse_start("17"), Ok(Start::At(OrderNumber(17))));
        assert_eq!(parse_start("last:5"), Ok(Start::Last(5)));
        for nonsense in ["", "last", "last:", "-1", "then", "18446744073709551616"] {
            assert!(parse_start(nonsense).is_err(), "{nonsense}");
        }
    }

    #[test]
    fn nonsense_is_refused_in_words() {
        let address = ["--address", ":1"];
        let with = |more: &[&'static str]| refused(&[&address[..], more].concat());
        assert!(refused(&["--address", "*:1"]).contains("name the one to connect to"));
        assert!(refused(&["--address", "inproc://x"]).contains("is not served"));
        assert!(with(&["--name", ""]).contains("a name cannot be empty"));
        assert!(with(&["--name", "Server"]).contains("belongs to the broker"));
        assert!(with(&["--count", "0"]).contains("0 is not in 1.."));
        assert!(with(&["--patience", "0"]).contains("0 is not in 1.."));
        assert!(with(&["--new-session", "--name", "ana"]).contains("--resume"));
        assert!(with(&["--resume"]).contains("--name"));
        assert!(with(&["--observe", "--publish-only"]).contains("cannot be used with"));
        assert!(with(&["--from", "then"]).contains("expected now"));
    }
}
