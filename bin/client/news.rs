//! What happens to the session, said once each.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use orden::core::participant::Event;
use orden::display::Escaped;
use orden::wire::reply::Welcome;
use orden::wire::{ClientSequence, Name, OrderNumber};

use super::flags::Cli;

/// What the session's events have told.
#[derive(Debug, Default)]
pub(crate) struct News {
    /// The first number that is delivered.
    begin: AtomicU64,
    /// The number after the last of our own messages that is ordered.
    own_end: AtomicU64,
    /// The last client sequence that was ordered before this run.
    known: AtomicU64,
}

impl News {
    /// The first number that is delivered.
    pub(crate) fn begin(&self) -> OrderNumber {
        OrderNumber(self.begin.load(Ordering::Acquire))
    }

    /// The number after the last of our own messages that is ordered.
    pub(crate) fn own_end(&self) -> OrderNumber {
        OrderNumber(self.own_end.load(Ordering::Acquire))
    }

    /// What has become of an input whose last line has this client sequence.
    pub(crate) fn import(&self, last: ClientSequence) -> String {
        let known = self.known.load(Ordering::Acquire);
        let (lines, before) = (last.0, known.min(last.0));
        let noun = if lines == 1 { "line" } else { "lines" };
        let sent = lines - before;
        let number = self.own_end().0.checked_sub(1);
        let number = number.map_or(String::new(), |order| {
            format!(", last order number {order}")
        });
        let more = match known.saturating_sub(lines) {
            0 => String::new(),
            more => format!("; earlier runs had {more} lines more"),
        };
        format!("{lines} {noun}: {before} were there, {sent} sent{number}{more}")
    }
}

/// Says what happens to the session.
pub(crate) struct Events {
    address: String,
    name: Name,
    /// Whether it was asked where deliveries are to begin.
    has_from: bool,
    news: Arc<News>,
    presence: Presence,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Presence {
    /// Not heard of yet.
    Unknown,
    /// Not heard of yet, and the person was told so.
    Awaited,
    /// The person was told that the broker is missed.
    Missed,
    There,
}

impl Events {
    pub(crate) fn new(cli: &Cli, name: &Name, news: Arc<News>) -> Self {
        Self {
            address: cli.network.shown(),
            name: name.clone(),
            has_from: cli.session.from.is_some() && !cli.output.publish_only,
            news,
            presence: Presence::Unknown,
        }
    }

    /// Something has happened.
    pub(crate) fn hear(&mut self, event: &Event) {
        let address = &self.address;
        match event {
            Event::Unreachable(obstacle) => {
                self.presence = match self.presence {
                    Presence::Unknown | Presence::Awaited => Presence::Awaited,
                    Presence::Missed | Presence::There => Presence::Missed,
                };
                log::warn!("{address}: {obstacle}; trying again");
            }
            Event::Away => {
                self.presence = Presence::Missed;
                log::warn!("the broker at {address} is away: trying again");
            }
            Event::Welcomed(welcome) => self.welcomed(welcome),
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
                let text = Escaped::text(text.as_bytes());
                log::warn!("the broker refuses something: {text} ({})", code.name());
            }
            Event::Undecodable(error) => log::warn!("the broker has sent nonsense: {error}"),
            Event::Ended(ending) => log::debug!("{ending}"),
        }
    }

    fn welcomed(&mut self, welcome: &Welcome) {
        if matches!(self.presence, Presence::Missed | Presence::Awaited) {
            log::info!("the broker is there");
        }
        let is_first = matches!(self.presence, Presence::Unknown | Presence::Awaited);
        self.presence = Presence::There;
        log::debug!("deliveries begin with {}", welcome.begin);
        if is_first {
            let known = welcome.last_sequence.0;
            self.news.known.store(known, Ordering::Release);
            self.compare_with_from(welcome);
        }
        self.news.begin.store(welcome.begin.0, Ordering::Release);
    }

    /// Says where deliveries do not begin where they were asked to.
    fn compare_with_from(&self, welcome: &Welcome) {
        let (name, begin) = (&self.name, welcome.begin);
        if self.has_from && welcome.resumed {
            log::warn!(
                "--from has no effect: the broker knows {name}, and goes on with message {begin}. \
                 To begin elsewhere, leave --name out, or take another name"
            );
        }
    }
}
