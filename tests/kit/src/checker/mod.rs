//! Decides whether a history keeps the promises of `docs/reliability.md`.
//!
//! One pass, event by event. It knows nothing of machines, sockets or files, and so serves for
//! simulations and for real processes alike. `tests/machines/checker` feeds it histories that are
//! wrong.

mod deliveries;
mod door;
pub mod file;
pub mod history;
mod journal;
mod messages;
pub mod outcome;

use std::collections::VecDeque;
use std::fmt;

use self::deliveries::Deliveries;
use self::door::Doors;
use self::history::{Event, Moment};
use self::journal::Journal;
use self::messages::Messages;

/// A promise, by its number in `docs/reliability.md`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Property {
    /// P1: nothing is delivered or ordered that nobody sent.
    NoCreation,
    /// P2: no application is given a message twice.
    NoDuplication,
    /// P3: one number, one message, for everybody.
    TotalOrder,
    /// P4: each application is given messages without a gap.
    NoGap,
    /// P5: numbers are given out without a hole.
    Density,
    /// P6: a number that was seen is never given to another message.
    NoReuse,
    /// P7: what was confirmed stays.
    Durability,
    /// P8 and P9: what anybody was given, and what is pending, reaches everybody in the end.
    Liveness,
    /// P10: a sender's messages are ordered as it sent them.
    SenderOrder,
    /// P11: what was seen before a message was sent comes before it.
    Causality,
    /// P12: a message is ordered once, however often it is sent.
    ExactlyOnce,
    /// P13: a cursor follows its member's acknowledgements, and nothing else.
    AckSoundness,
    /// P14: one connection of a member's is served at a time.
    Fencing,
    /// P15: a member is never further ahead of its acknowledgements than its window.
    Bounds,
    /// Joining and leaving are told once each, in turn.
    Notices,
}

/// A promise that was broken, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    pub property: Property,
    pub what: String,
    /// The last event of the history that it shows in.
    pub index: usize,
    /// What the history says of those concerned, up to there.
    pub context: Vec<String>,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:?}: {}", self.property, self.what)?;
        for line in &self.context {
            writeln!(f, "  {line}")?;
        }
        Ok(())
    }
}

/// A broken promise, before anybody has looked up where.
pub struct Broken {
    property: Property,
    what: String,
}

type Verdict = Result<(), Broken>;

fn broken(property: Property, what: impl Into<String>) -> Verdict {
    let what = what.into();
    Err(Broken { property, what })
}

/// How many events of a history a violation shows.
const CONTEXT: usize = 30;
/// Among how many of the newest events it looks for those, if the history is not kept.
const RECENT: usize = 10_000;

/// What is known at one point of a history.
#[derive(Default)]
struct Checker {
    messages: Messages,
    deliveries: Deliveries,
    doors: Doors,
    journal: Journal,
}

impl Checker {
    fn take(&mut self, event: &Event) -> Verdict {
        match event {
            Event::Settled { who, receives } => {
                let end = self.journal.next();
                return self.deliveries.settled(who, *receives, end);
            }
            Event::LogEnd { oldest, next } => {
                self.messages.all_below(*next)?;
                self.deliveries.skips_below(*oldest)?;
            }
            _ => {}
        }
        self.messages.take(event)?;
        self.deliveries.take(event)?;
        self.doors.take(event)?;
        self.journal.take(event, &self.messages)
    }
}

/// Looks for the first broken promise in a history.
pub fn check(history: &[Moment]) -> Result<(), Box<Violation>> {
    let mut checker = Checker::default();
    for (index, moment) in history.iter().enumerate() {
        if let Err(Broken { property, what }) = checker.take(&moment.event) {
            let context = context(&history[..=index]);
            return Err(Box::new(Violation {
                property,
                what,
                index,
                context,
            }));
        }
    }
    Ok(())
}

/// The same for a history that is too long to be held at once.
pub fn check_stream(history: impl Iterator<Item = Moment>) -> Result<(), Box<Violation>> {
    let mut checker = Checker::default();
    let mut recent = VecDeque::new();
    for (index, moment) in history.enumerate() {
        let verdict = checker.take(&moment.event);
        if recent.len() == RECENT {
            recent.pop_front();
        }
        recent.push_back(moment);
        if let Err(Broken { property, what }) = verdict {
            let context = context(recent.make_contiguous());
            return Err(Box::new(Violation {
                property,
                what,
                index,
                context,
            }));
        }
    }
    Ok(())
}

/// The newest events that have to do with the last one.
fn context(history: &[Moment]) -> Vec<String> {
    let Some(last) = history.last() else {
        return Vec::new();
    };
    let concerns = |event: &Event| {
        event.is_brokers()
            || event.who().is_some() && event.who() == last.event.who()
            || event.order().is_some() && event.order() == last.event.order()
    };
    let newest = history
        .iter()
        .rev()
        .filter(|moment| concerns(&moment.event));
    let mut lines: Vec<_> = newest
        .take(CONTEXT)
        .map(|moment| format!("{:>10} {:?}", moment.at, moment.event))
        .collect();
    lines.reverse();
    lines
}
