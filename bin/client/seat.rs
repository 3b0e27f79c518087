//! What a chat and a pipe have in common: joining, being told what happens, and going.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use log::LevelFilter;
use orden::client::{Client, Error, Options};
use orden::core::participant::{Acknowledging, Ending, Numbering, Unknown};
use orden::wire::{ClientSequence, Name, OrderNumber};

use super::flags::{Cli, OnExit};
use super::logging;
use super::news::{Events, News};

/// What one types on a terminal to end the session.
pub(crate) const LEAVE: &str = "/leave";

/// A place in the order.
pub(crate) struct Seat {
    pub(crate) client: Client,
    name: Name,
    ends_session: AtomicBool,
    /// Whether line N is client sequence N, whatever has happened before.
    resumes: bool,
    /// Whether what has become of the session is said at the end.
    is_told: bool,
    /// The last client sequence before the first line.
    before: ClientSequence,
    news: Arc<News>,
    /// The line that was read and could not be published, 0 for none.
    refused: AtomicU64,
    is_leaving: AtomicBool,
}

/// How it has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// All is well; perhaps there is something to say about it.
    Well(Option<String>),
    /// Some of what was said may be lost.
    Unconfirmed {
        /// What, and why.
        text: String,
        /// What to do about it.
        hint: &'static str,
    },
    /// Something else has failed.
    Failed(String),
}

impl Seat {
    /// Joins the order, and waits for that as long as it takes.
    pub(crate) fn take(cli: &Cli, name: Name) -> Result<Self, String> {
        let network = &cli.network;
        let mut options = Options::new(network.address[0].clone(), name.clone());
        options.addresses.clone_from(&network.address);
        options.keys = network.keys().map_err(|error| error.to_string())?;
        options.settings.start = cli.session.start();
        // What is printed is acknowledged, and nothing else.
        options.settings.acknowledging = Acknowledging::ByApplication;
        if cli.input.resume {
            options.settings.numbering = Numbering::From(ClientSequence(1));
            if !cli.input.new_session {
                options.settings.unknown = Unknown::Refuse;
            }
        }
        options.settings.receive = !cli.output.publish_only;
        options.settings.observe = cli.session.observe;
        options.patience = cli.input.patience();
        let news = Arc::new(News::default());
        let mut events = Events::new(cli, &name, Arc::clone(&news));
        options.observer = Some(Box::new(move |event| events.hear(event)));
        let client = Client::connect(options).map_err(|error| why_not(&error, cli))?;
        let observes = cli.session.observe;
        let on_exit = cli.session.on_exit.unwrap_or(match cli.session.name {
            Some(_) => OnExit::Stay,
            // An observer has no session; and no other run will have a name that was drawn.
            None if observes => OnExit::Stay,
            None => OnExit::Leave,
        });
        Ok(Self {
            before: client.confirmed(),
            client,
            name,
            ends_session: AtomicBool::new(on_exit == OnExit::Leave),
            resumes: cli.input.resume,
            is_told: cli.session.name.is_some()
                && !observes
                && cli.logging.log_level >= LevelFilter::Info,
            news,
            refused: AtomicU64::new(0),
            is_leaving: AtomicBool::new(false),
        })
    }

    /// The first number of the deliveries, which go on where those of an earlier run ended.
    pub(crate) fn begin(&self) -> OrderNumber {
        self.news.begin()
    }

    /// The number after the last of our own messages that is ordered.
    pub(crate) fn own_end(&self) -> OrderNumber {
        self.news.own_end()
    }

    /// Notes that a line was read that could not be published.
    pub(crate) fn note_refused(&self, line: u64) {
        self.refused.store(line, Ordering::Release);
    }

    /// Has the session end when we leave.
    pub(crate) fn end_session(&self) {
        self.ends_session.store(true, Ordering::Release);
    }

    /// Has printing stop and leave, once what was begun is printed.
    pub(crate) fn ask_to_leave(&self) {
        self.is_leaving.store(true, Ordering::Release);
        self.client.interrupt();
    }

    /// Whether somebody has asked to leave.
    pub(crate) fn is_leaving(&self) -> bool {
        self.is_leaving.load(Ordering::Acquire)
    }

    /// Goes, once everything is confirmed or `patience` has run out; says how it has ended.
    pub(crate) fn leave(&self, patience: Duration) -> Outcome {
        let ends = self.ends_session.load(Ordering::Acquire);
        let left = if ends {
            self.client.leave(patience)
        } else {
            self.client.close(patience)
        };
        let cause = match left {
            Ok(()) | Err(Error::Closed | Error::Unconfirmed { .. }) => None,
            Err(error) => Some(self.explained(&error)),
        };
        match (self.lost_lines(), cause) {
            (None, None) => Outcome::Well(self.farewell(ends)),
            (None, Some(cause)) => Outcome::Failed(cause),
            (Some(text), None) => Outcome::Unconfirmed {
                text,
                hint: self.hint(),
            },
            (Some(lines), Some(cause)) => Outcome::Unconfirmed {
                text: format!("{lines}: {cause}"),
                hint: self.hint(),
            },
        }
    }

    /// What to say when all is well.
    fn farewell(&self, ends: bool) -> Option<String> {
        if self.resumes {
            return Some(self.news.import(self.client.confirmed()));
        }
        let name = &self.name;
        match ends {
            _ if !self.is_told => None,
            true => Some(format!(
                "the session of {name} has ended, and everybody was told"
            )),
            false => None,
        }
    }

    /// An error in the words of somebody who knows lines, and no client sequences.
    fn explained(&self, error: &Error) -> String {
        match error {
            Error::Ended(Ending::SequenceReused(sequence)) if self.resumes => {
                let (line, name) = (sequence.0, &self.name);
                format!("line {line} differs from what {name} published before as line {line}")
            }
            _ => error.to_string(),
        }
    }

    fn hint(&self) -> &'static str {
        if self.resumes {
            "the same input again, with --resume, orders each line once"
        } else {
            "with --resume from the first run on, the same input again orders each line once"
        }
    }

    /// Which lines were read and may not be ordered.
    fn lost_lines(&self) -> Option<String> {
        let refused = self.refused.load(Ordering::Acquire);
        let (first, last) = match self.client.unconfirmed() {
            Some((first, count)) => {
                let first = first.0 - self.before.0;
                (first, refused.max(first + count - 1))
            }
            None => (refused, refused),
        };
        match last {
            0 => None,
            _ if first == last => Some(format!("line {first} was not confirmed")),
            _ => Some(format!("lines {first} to {last} were not confirmed")),
        }
    }
}

impl Outcome {
    /// The same, when something else has failed before.
    pub(crate) fn but(self, cause: String) -> Self {
        match self {
            Self::Well(_) => Self::Failed(cause),
            Self::Failed(then) => Self::Failed(format!("{cause}; then {then}")),
            Self::Unconfirmed { text, hint } => Self::Unconfirmed {
                text: format!("{text}: {cause}"),
                hint,
            },
        }
    }

    /// Says what there is to say; returns the exit code.
    pub(crate) fn report(&self) -> u8 {
        match self {
            Self::Well(None) => 0,
            Self::Well(Some(text)) => {
                logging::say(&format!("orden-client: {text}"));
                0
            }
            Self::Unconfirmed { text, hint } => {
                logging::say(&format!("orden-client: {text}"));
                logging::say(&format!("hint: {hint}"));
                2
            }
            Self::Failed(text) => {
                logging::say(&format!("orden-client: {text}"));
                3
            }
        }
    }
}

/// Why there is no session.
fn why_not(error: &Error, cli: &Cli) -> String {
    match error {
        Error::Ended(Ending::UnknownName) if cli.input.resume => format!(
            "{error}, so nothing of this input is known to be ordered\n\
             hint: for the first run of an input, add --new-session; if an earlier run has \
             ordered some of it, that session has ended, and its lines would be ordered again"
        ),
        _ => error.to_string(),
    }
}

/// The name that was given, or a random one, which nobody is likely to have.
pub(crate) fn name(cli: &Cli) -> Result<Name, String> {
    if let Some(name) = &cli.session.name {
        return Ok(name.clone());
    }
    let number = getrandom::u64().map_err(|error| format!("no randomness: {error}"))?;
    let name = format!("client-{number:016x}");
    Name::new(name.as_bytes()).map_err(|error| error.to_string())
}
