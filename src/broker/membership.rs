//! One broker among several: joining the order before anything is served.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::event_log::EventLog;
use super::founding;
use super::{Config, Error};
use crate::commit::CommitLoop;
use crate::core::replica::State;
use crate::core::{Halt, Now, Ready, Recovered};
use crate::net::Clock;
use crate::stream::{Stream, StreamEvent};
use crate::wire::position_mark::PositionMark;
use crate::wire::stream_record::Founding;
use crate::wire::{Name, OrderNumber};

/// How often the caller's wish to give up is looked at.
const LOOK: Duration = Duration::from_millis(100);
/// How often a broker that catches up says how far it is.
const SAY_AGAIN: Duration = Duration::from_secs(10);
/// How long the others' record of why this broker stops is waited for.
const FAREWELL: Duration = Duration::from_secs(1);
/// Events that are taken at a time.
const EVENTS: usize = 256;

/// What makes a broker one of several.
pub struct Membership {
    /// Its name among them.
    pub name: Name,
    /// The stream that they share.
    pub stream: Box<dyn Stream>,
    /// Keep at least so many bytes of records in the stream; `None`: all.
    pub keep_bytes: Option<u64>,
    /// Set when the broker is not wanted any more while it still joins.
    pub give_up: Arc<AtomicBool>,
}

impl fmt::Debug for Membership {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Membership")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// A membership whose stream's founding is known.
pub(super) struct Joining {
    membership: Membership,
    pub(super) founding: Founding,
    /// Where it begins if it has no journal, unless that is the first record.
    pub(super) state: Option<State>,
    heard: Vec<StreamEvent>,
}

impl Joining {
    /// Reads what the stream was founded with.
    pub(super) fn begin(mut membership: Membership) -> Result<Self, Error> {
        let found = founding::read(&mut *membership.stream, &membership.give_up)?;
        Ok(Self {
            membership,
            founding: found.founding,
            state: found.state,
            heard: found.heard,
        })
    }

    pub(super) fn name(&self) -> Name {
        self.membership.name.clone()
    }

    /// Catches up with the stream and asks to serve, until this broker does; what is to be done
    /// then.
    pub(super) fn join(self, commits: CommitLoop, clock: &Clock) -> Result<Joined, Error> {
        let Membership {
            stream,
            give_up,
            keep_bytes,
            ..
        } = self.membership;
        let mut commits = commits.with_stream(stream).keeping(keep_bytes);
        let mut events = EventLog::default();
        for event in self.heard {
            commits.heard(clock.now_with_wall(), event)?;
        }
        let mut said = clock.now();
        loop {
            let now = clock.now_with_wall();
            let mut ready = commits.round(now)?;
            commits.rest()?;
            stop_if_halted(&mut commits, clock)?;
            if commits.machine().is_open() {
                return Ok(Joined {
                    commits,
                    ready: Some(ready),
                });
            }
            events.write(now.time, std::mem::take(&mut ready.events));
            if give_up.load(Ordering::Relaxed) {
                return Err(Error::GivenUp);
            }
            if now.time.since(said) >= SAY_AGAIN {
                said = now.time;
                let what = if commits.is_stream_up() {
                    "catching up"
                } else {
                    "waiting for the stream"
                };
                log::info!("{what}: {} records to apply", commits.behind());
            }
            wait(&mut commits, clock, LOOK)?;
        }
    }
}

/// A broker that may serve.
pub(super) struct Joined {
    pub(super) commits: CommitLoop,
    /// What it has to do first, of the round in which it began to serve.
    pub(super) ready: Option<Ready>,
}

impl Joined {
    /// One that asks no other.
    pub(super) fn alone(commits: CommitLoop) -> Self {
        Self {
            commits,
            ready: None,
        }
    }
}

/// Fails if a broker must not go on with a journal, among others or on its own.
pub(super) fn check(
    recovered: &Recovered,
    config: &Config,
    founding: Option<&Founding>,
) -> Result<(), Error> {
    let Some(founding) = founding else {
        let is_alone = recovered.mark.is_none();
        return is_alone.then_some(()).ok_or(Error::OneOfSeveral);
    };
    if recovered.log_id != founding.log_id {
        return Err(Error::OtherOrder {
            journal: recovered.log_id,
            stream: founding.log_id,
        });
    }
    let is_other = |mark: &PositionMark| {
        let founded = mark.founding.as_ref();
        founded.is_some_and(|founded| founded.stream != founding.stream)
    };
    match &recovered.mark {
        Some(mark) if is_other(mark) => {
            return Err(Error::EarlierStream(founding.log_id));
        }
        None if recovered.next > OrderNumber(0) => {
            return Err(Error::NotToMove(
                "the log of a broker that was alone: move it with `orden-broker stream create --from`",
            ));
        }
        _ => {}
    }
    let (founded, given) = (founding.message_bytes, config.limits.message_bytes);
    if u64::try_from(given) != Ok(founded) {
        return Err(Error::OtherRules { founded, given });
    }
    Ok(())
}

/// Waits for the stream, or until a round is due, or for so long.
pub(super) fn wait(commits: &mut CommitLoop, clock: &Clock, most: Duration) -> Result<(), Error> {
    let due = commits.deadline().map(|time| clock.until(time));
    let patience = due.map_or(most, |due| due.min(most));
    let Some(events) = commits.stream_events() else {
        return Ok(());
    };
    if let Ok(event) = events.recv_timeout(patience) {
        let now = clock.now_with_wall();
        commits.heard(now, event)?;
        take_events(commits, now)?;
    }
    Ok(())
}

/// Takes what has happened at the stream, as far as one round goes.
pub(super) fn take_events(commits: &mut CommitLoop, now: Now) -> Result<(), Error> {
    for _ in 0..EVENTS {
        let Some(event) = commits
            .stream_events()
            .and_then(|events| events.try_recv().ok())
        else {
            break;
        };
        commits.heard(now, event)?;
    }
    Ok(())
}

/// Fails if this broker has to stop for good, once the others can read why.
pub(super) fn stop_if_halted(commits: &mut CommitLoop, clock: &Clock) -> Result<(), Error> {
    let Some(halt) = commits.halt().cloned() else {
        return Ok(());
    };
    let end = clock.now() + FAREWELL;
    // The record is on its way since the last round; the engine says when it is there.
    while let Halt::Diverged(_) = halt
        && let Some(events) = commits.stream_events()
        && let Ok(event) = events.recv_timeout(clock.until(end))
    {
        if let StreamEvent::Appended { .. } = event {
            break;
        }
        commits.heard(clock.now_with_wall(), event)?;
    }
    Err(match halt {
        Halt::Diverged(what) => Error::Diverged(what),
        Halt::Newer => Error::NewerNeeded,
        Halt::TakenOver(name) => Error::TakenOver(name),
        Halt::LeftBehind { applied, first } => Error::LeftBehind { applied, first },
    })
}
