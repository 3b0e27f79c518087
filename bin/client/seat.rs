//! What a chat and a pipe have in common: joining, being told what happens, and going.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use orden::client::{Client, Error, Options};
use orden::core::participant::{Acknowledging, Event, Numbering};
use orden::wire::{ClientSequence, Name, OrderNumber};

use super::flags::{Cli, OnExit};
use super::show::Plain;

/// A place in the order.
pub(crate) struct Seat {
    pub(crate) client: Client,
    on_exit: OnExit,
    /// The last client sequence before the first line.
    before: ClientSequence,
    news: Arc<News>,
    /// The line that was read and could not be published, 0 for none.
    refused: AtomicU64,
    is_leaving: AtomicBool,
}

/// What the session's events have told.
#[derive(Debug, Default)]
struct News {
    /// The first number that is delivered.
    begin: AtomicU64,
    /// The number after the last of our own messages that is ordered.
    own_end: AtomicU64,
}

/// How it has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// All is well.
    Well,
    /// Some of what was said may be lost.
    Unconfirmed(String),
    /// Something else has failed.
    Failed(String),
}

impl Seat {
    /// Joins the order, and waits for that as long as it takes.
    pub(crate) fn take(cli: &Cli, name: Name, default: OnExit) -> Result<Self, String> {
        let mut options = Options::new(cli.network.address.clone(), name);
        options.keys = cli.network.keys().map_err(|error| error.to_string())?;
        options.settings.start = cli.session.from;
        // What is printed is acknowledged, and nothing else.
        options.settings.acknowledging = Acknowledging::ByApplication;
        if cli.input.resume {
            options.settings.numbering = Numbering::From(ClientSequence(1));
        }
        options.settings.receive = !cli.output.publish_only;
        options.patience = cli.input.patience();
        let news = Arc::new(News::default());
        let mut events = Events::new(cli, Arc::clone(&news));
        options.observer = Some(Box::new(move |event| events.hear(event)));
        let client = Client::connect(options).map_err(|error| error.to_string())?;
        Ok(Self {
            before: client.confirmed(),
            client,
            on_exit: cli.session.on_exit.unwrap_or(default),
            news,
            refused: AtomicU64::new(0),
            is_leaving: AtomicBool::new(false),
        })
    }

    /// The first number of the deliveries, which go on where those of an earlier run ended.
    pub(crate) fn begin(&self) -> OrderNumber {
        OrderNumber(self.news.begin.load(Ordering::Acquire))
    }

    /// The number after the last of our own messages that is ordered.
    pub(crate) fn own_end(&self) -> OrderNumber {
        OrderNumber(self.news.own_end.load(Ordering::Acquire))
    }

    /// Notes that a line was read that could not be published.
    pub(crate) fn note_refused(&self, line: u64) {
        self.refused.store(line, Ordering::Release);
    }

    /// Has whoever prints stop and leave, once what was begun is printed.
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
        let left = match self.on_exit {
            OnExit::Leave => self.client.leave(patience),
            OnExit::Stay => self.client.close(patience),
        };
        let cause = match left {
            Ok(()) | Err(Error::Closed | Error::Unconfirmed { .. }) => None,
            Err(error) => Some(error.to_string()),
        };
        match (self.lost_lines(), cause) {
            (None, None) => Outcome::Well,
            (None, Some(cause)) => Outcome::Failed(cause),
            (Some(lines), None) => Outcome::Unconfirmed(lines),
            (Some(lines), Some(cause)) => Outcome::Unconfirmed(format!("{lines}: {cause}")),
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
    /// Says what there is to say; returns the exit code.
    pub(crate) fn report(&self) -> u8 {
        match self {
            Self::Well => 0,
            Self::Unconfirmed(text) => {
                eprintln!("orden-client: {text}");
                eprintln!("hint: with --resume, the same input again orders each line once");
                2
            }
            Self::Failed(text) => {
                eprintln!("orden-client: {text}");
                3
            }
        }
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

/// Says what happens to the session, once each.
struct Events {
    address: String,
    news: Arc<News>,
    presence: Presence,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Presence {
    /// Not heard of yet.
    Unknown,
    /// The person was told that the broker is missed.
    Missed,
    There,
}

impl Events {
    fn new(cli: &Cli, news: Arc<News>) -> Self {
        Self {
            address: cli.network.address.to_string(),
            news,
            presence: Presence::Unknown,
        }
    }

    fn hear(&mut self, event: &Event) {
        let address = &self.address;
        match event {
            Event::Unreachable(obstacle) => {
                self.presence = Presence::Missed;
                log::warn!("{address}: {obstacle}; trying again");
            }
            Event::Away => {
                self.presence = Presence::Missed;
                log::warn!("the broker at {address} is away: trying again");
            }
            Event::Welcomed(welcome) => {
                if self.presence == Presence::Missed {
                    log::info!("the broker is there");
                }
                self.presence = Presence::There;
                log::debug!("deliveries begin with {}", welcome.begin);
                self.news.begin.store(welcome.begin.0, Ordering::Release);
            }
            Event::Confirmed(run) => {
                let end = run.order.plus(u64::from(run.count));
                self.news.own_end.fetch_max(end.0, Ordering::AcqRel);
            }
            Event::OrderedBefore { first, count } => {
                log::debug!("{count} lines from {first} on were ordered long before");
            }
            Event::Skipped { from, to } => {
                log::warn!("messages {from} to {} are no longer kept", to.0 - 1);
            }
            Event::NoSpace => log::warn!("the broker's disk is full: trying again"),
            Event::Refused { code, text } => {
                let text = Plain(text.as_bytes());
                log::warn!("the broker refuses something: {text} ({})", code.name());
            }
            Event::Undecodable(error) => log::warn!("the broker has sent nonsense: {error}"),
            Event::Ended(ending) => log::debug!("{ending}"),
        }
    }
}
