//! What an operator has a running broker do: `orden-broker status`, `kick`, `drain` and so on.

use std::ffi::OsString;
use std::io::{self, Write as _};
use std::os::unix::ffi::OsStringExt as _;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum, value_parser};
use crossbeam_channel::never;
use orden::admin::report::{MembersQuery, Sort};
use orden::admin::{
    self, AskError, MEMBERS_DEFAULT, MEMBERS_MOST, PATIENCE, PATIENCE_MOST, Request,
};
use orden::display::to_json;
use orden::wire::Name;
use serde_json::Value;

use crate::shown;

/// How often it is looked whether a broker that drains has ended.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// Clears a terminal, and begins at its top.
const CLEAR: &str = "\x1b[H\x1b[J";

/// What a running broker can be asked.
#[derive(Debug, Subcommand)]
pub(crate) enum Operate {
    /// Show how a running broker is
    Status {
        #[command(flatten)]
        place: Place,
        /// How it is printed
        #[arg(long, value_enum, default_value_t = Format::Text)]
        format: Format,
        /// Show it again every so many seconds, in place
        #[arg(long, value_name = "SECONDS", num_args = 0..=1, default_missing_value = "1",
            value_parser = value_parser!(u64).range(1..=PATIENCE_MOST))]
        watch: Option<u64>,
    },
    /// List the members of a running broker, and how far each is
    Members {
        #[command(flatten)]
        place: Place,
        /// In which order; by lag, the largest comes first
        #[arg(long, value_enum, default_value_t = Order::Name)]
        sort: Order,
        /// How many at most
        #[arg(long, value_name = "COUNT", default_value_t = MEMBERS_DEFAULT,
            value_parser = value_parser!(u64).range(1..=MEMBERS_MOST))]
        limit: u64,
        /// Only those that come after this one
        #[arg(long, value_name = "NAME")]
        after: Option<OsString>,
        /// How they are printed
        #[arg(long, value_enum, default_value_t = Format::Text)]
        format: Format,
    },
    /// End a member's connection; its session stays
    Kick {
        #[command(flatten)]
        place: Place,
        /// The member
        name: OsString,
    },
    /// End a member's session; all members are told that it has left
    End {
        #[command(flatten)]
        place: Place,
        /// The member
        name: OsString,
    },
    /// Take a running broker out of service: no new members; it ends once what it has accepted is
    /// acknowledged by all who are connected
    Drain {
        #[command(flatten)]
        place: Place,
        /// When it ends at the latest
        #[arg(long, value_name = "SECONDS", default_value_t = PATIENCE,
            value_parser = value_parser!(u64).range(..=PATIENCE_MOST))]
        patience: u64,
    },
    /// Have a running broker read its access list and open its log file anew
    Reload {
        #[command(flatten)]
        place: Place,
    },
}

/// Where a running broker is found.
#[derive(Debug, Args)]
pub(crate) struct Place {
    /// The directory of the broker's log, in which its control socket lies
    #[arg(
        long,
        env = "ORDEN_DATA",
        value_name = "DIR",
        default_value = "./orden-data"
    )]
    data: PathBuf,
    /// The control socket, where it lies elsewhere
    #[arg(long, env = "ORDEN_CONTROL", value_name = "PATH")]
    control: Option<PathBuf>,
}

/// How something is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people
    Text,
    /// A line of JSON
    Json,
}

/// An order of members.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Order {
    /// By name
    Name,
    /// The largest lag first
    Lag,
}

/// Why nothing came of it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The broker, or that there is none.
    #[error(transparent)]
    Ask(#[from] AskError),
    /// What was given is no name.
    #[error("{0} is no name: {1}")]
    Name(String, orden::wire::BadName),
    /// stdout.
    #[error("cannot print: {0}")]
    Print(#[from] io::Error),
}

impl Failure {
    /// What the program ends with.
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Self::Name(..) => 1,
            Self::Ask(_) | Self::Print(_) => 3,
        }
    }

    /// What one can do.
    pub(crate) fn hint(&self) -> &'static str {
        match self {
            Self::Ask(AskError::NoBroker { why, .. })
                if why.kind() == io::ErrorKind::PermissionDenied =>
            {
                "the control socket belongs to the user that the broker runs as"
            }
            Self::Ask(AskError::NoBroker { .. }) => {
                "is a broker running? --data or --control says where its control socket lies"
            }
            Self::Ask(AskError::Refused { error, .. }) if error == "unknown_member" => {
                "`orden-broker members` lists them"
            }
            _ => "",
        }
    }
}

impl Place {
    fn socket(&self) -> PathBuf {
        let control = self.control.clone();
        control.unwrap_or_else(|| self.data.join(admin::SOCKET))
    }

    fn ask(&self, request: &Request) -> Result<Value, Failure> {
        Ok(admin::ask(&self.socket(), request)?)
    }
}

/// Does what was asked for.
pub(crate) fn run(command: Operate) -> Result<(), Failure> {
    match carry_out(command) {
        // Whoever reads has seen enough: `members | head`.
        Err(Failure::Print(error)) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        result => result,
    }
}

fn carry_out(command: Operate) -> Result<(), Failure> {
    match command {
        Operate::Status {
            place,
            format,
            watch: None,
        } => print(&status(&place.ask(&Request::Status)?, format)),
        Operate::Status {
            place,
            format,
            watch: Some(seconds),
        } => watch(&place, format, Duration::from_secs(seconds)),
        Operate::Members {
            place,
            sort,
            limit,
            after,
            format,
        } => {
            let query = MembersQuery {
                sort: match sort {
                    Order::Name => Sort::Name,
                    Order::Lag => Sort::Lag,
                },
                limit: usize::try_from(limit).unwrap_or(usize::MAX),
                after: after.map(name).transpose()?,
            };
            let page = place.ask(&Request::Members(query))?;
            print(&match format {
                Format::Json => line(&page),
                Format::Text => shown::members(&page),
            })
        }
        Operate::Kick { place, name } => place.ask(&Request::Kick(self::name(name)?)).map(drop),
        Operate::End { place, name } => place.ask(&Request::End(self::name(name)?)).map(drop),
        Operate::Drain { place, patience } => drain(&place, patience),
        Operate::Reload { place } => {
            let answer = place.ask(&Request::Reload)?;
            print(&shown::reloaded(&answer))
        }
    }
}

/// Waits until the broker is gone, so that the next one can be started.
fn drain(place: &Place, patience: u64) -> Result<(), Failure> {
    place.ask(&Request::Drain(patience))?;
    while admin::answers(&place.socket()) {
        pause(LOOK_EVERY);
    }
    Ok(())
}

fn watch(place: &Place, format: Format, every: Duration) -> Result<(), Failure> {
    use io::IsTerminal as _;
    let in_place = io::stdout().is_terminal() && format == Format::Text;
    loop {
        let text = match place.ask(&Request::Status) {
            Ok(status) => self::status(&status, format),
            // It may come back.
            Err(Failure::Ask(error)) if in_place => format!("{error}\n"),
            Err(error) => return Err(error),
        };
        let mut stdout = io::stdout().lock();
        if in_place {
            stdout.write_all(CLEAR.as_bytes())?;
        }
        stdout.write_all(text.as_bytes())?;
        stdout.flush()?;
        drop(stdout);
        pause(every);
    }
}

/// There is nothing to wait for but time.
fn pause(time: Duration) {
    never::<()>().recv_timeout(time).ok();
}

fn status(status: &Value, format: Format) -> String {
    match format {
        Format::Json => line(status),
        Format::Text => shown::status(status),
    }
}

fn line(value: &Value) -> String {
    format!("{}\n", to_json(value))
}

fn name(text: OsString) -> Result<Name, Failure> {
    let shown = text.to_string_lossy().into_owned();
    Name::new(&text.into_vec()).map_err(|bad| Failure::Name(shown, bad))
}

fn print(text: &str) -> Result<(), Failure> {
    Ok(io::stdout().write_all(text.as_bytes())?)
}
