//! The client's machine: one participant in the order, over whatever carries its frames.
//!
//! * [`step`](Participant::step) takes one thing that has happened. For a frame with deliveries
//!   it returns which of the frame's records are new: read them with
//!   [`batch::records`](crate::wire::batch::records), from the first of these numbers on.
//! * [`next_frame`](Participant::next_frame) says what to send, one frame at a time and only
//!   when asked, so that what waits for a busy connection is packed together.
//! * [`next_event`](Participant::next_event) says what the owner should know.
//! * [`deadline`](Participant::deadline) says when to step with [`Input::Tick`], and then to
//!   ask for frames, at the latest.
//!
//! `receiver.rs` holds deliveries and their acknowledgements, `publishing.rs` what waits for
//! confirmation. Around them is the session: here its phases, in `hear.rs` what the broker says,
//! in `speak.rs` what it is told, and in `elsewhere.rs` when it goes to another broker.

mod elsewhere;
mod event;
mod hear;
mod publishing;
mod receiver;
mod retry;
mod settings;
mod speak;

pub use event::{Ending, Event, Input, NotDelivered, Obstacle, PublishError};
pub use settings::{Acknowledging, Limits, Numbering, Settings, Unknown};

use std::collections::VecDeque;
use std::ops::Range;

use self::publishing::{Fate, Publishing};
use self::receiver::Receiver;
use self::retry::Retry;
use super::Time;
use crate::wire::native::Goodbye;
use crate::wire::reply::Code;
use crate::wire::{ClientSequence, Epoch, LogId, OrderNumber};

/// One participant in the order.
#[derive(Debug)]
pub struct Participant {
    settings: Settings,
    limits: Limits,
    phase: Phase,
    /// What the first welcome has brought.
    session: Option<Session>,
    /// When the broker was last heard, or its connection made.
    heard: Time,
    /// How many connections it has had.
    connections: u32,
    /// When hello was last said.
    greeted: Option<Time>,
    /// Whether the owner was told that the broker is there.
    presence: Presence,
    /// When each obstacle was told last, since the broker was there.
    told: [Option<Time>; Obstacle::COUNT],
    /// What the broker has complained about since it last took something.
    complaint: Option<Code>,
    /// A ping of the broker's waits for its answer.
    pong: Pong,
    /// How to go, once told to.
    leaving: Option<Goodbye>,
    /// Why it goes, if nobody has told it to.
    verdict: Option<Ending>,
    events: VecDeque<Event>,
}

/// What there is from the first welcome on.
#[derive(Debug)]
struct Session {
    log_id: LogId,
    /// The broker's, as of its last welcome.
    epoch: Epoch,
    receiver: Receiver,
    publishing: Publishing,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// There is no connection.
    Unconnected,
    /// Hello is said until it is answered.
    Greeting(Retry),
    /// The session is open.
    Member(Liveness),
    /// Goodbye is said until it is answered; the session may be closed already.
    Departing(Goodbye, Retry),
    /// Nothing happens any more.
    Ended,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Liveness {
    /// Nothing speaks against the broker's being there.
    Heard,
    /// It has been silent, and is to be asked.
    ToAsk,
    /// It was asked.
    Asked,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Presence {
    Unknown,
    Missed,
    There,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pong {
    None,
    Due,
}

impl Participant {
    /// A participant that has no connection yet.
    #[must_use]
    pub fn new(settings: Settings, limits: Limits) -> Self {
        Self {
            settings,
            limits,
            phase: Phase::Unconnected,
            session: None,
            heard: Time::default(),
            connections: 0,
            greeted: None,
            presence: Presence::Unknown,
            told: [None; Obstacle::COUNT],
            complaint: None,
            pong: Pong::None,
            leaving: None,
            verdict: None,
            events: VecDeque::new(),
        }
    }

    /// Takes one thing that has happened; returns the numbers of the records in the frame, if it
    /// was one, that are new.
    pub fn step(&mut self, now: Time, input: Input<'_>) -> Option<Range<OrderNumber>> {
        if self.phase == Phase::Ended {
            return None;
        }
        match input {
            Input::Connected => {
                self.heard = now;
                self.connections = self.connections.saturating_add(1);
                self.phase = Phase::Greeting(Retry::new(now, self.limits.hello_retry));
            }
            Input::Disconnected => self.disconnected(now),
            Input::Unreachable(obstacle) => self.unreachable(now, obstacle),
            Input::Frame(frame) => return self.hear(now, frame),
            Input::Tick => self.tick(now),
        }
        None
    }

    /// Takes a message to be ordered; returns its client sequence.
    ///
    /// # Errors
    /// See [`PublishError`].
    pub fn publish(&mut self, payload: &[u8]) -> Result<ClientSequence, PublishError> {
        if self.phase == Phase::Ended || self.leaving.is_some() {
            return Err(PublishError::Over);
        }
        if self.settings.observe {
            return Err(PublishError::Observer);
        }
        let session = self.session.as_mut().ok_or(PublishError::NotWelcomed)?;
        let (sequence, fate) = session.publishing.publish(payload, &self.limits)?;
        if fate == Fate::OrderedBefore {
            self.note_ordered_before(sequence);
        }
        Ok(sequence)
    }

    /// The application has processed every delivery up to and including `order`.
    ///
    /// # Errors
    /// [`NotDelivered`] if it was never given that one.
    pub fn acknowledge(&mut self, now: Time, order: OrderNumber) -> Result<(), NotDelivered> {
        let session = self.session.as_mut().ok_or(NotDelivered(order))?;
        session.receiver.acknowledge(now, order, &self.limits)
    }

    /// What was processed is acknowledged at once, without waiting for more.
    pub fn flush(&mut self) {
        if let Some(session) = &mut self.session {
            session.receiver.flush();
        }
    }

    /// Goes, after a last acknowledgement. What is not confirmed by then is given up, so wait for
    /// [`is_done`](Self::is_done) before.
    pub fn leave(&mut self, goodbye: Goodbye) {
        self.leaving = Some(goodbye);
        self.flush();
        let is_away = self.phase == Phase::Unconnected && goodbye == Goodbye::Away;
        if is_away || self.session.is_none() {
            self.end(Ending::Departed);
        }
    }

    /// What the owner should know. Ask until there is nothing.
    pub fn next_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// When to step with [`Input::Tick`] and to ask for frames at the latest, if nothing else
    /// happens.
    #[must_use]
    pub fn deadline(&self) -> Option<Time> {
        let frame = match self.phase {
            Phase::Greeting(retry) | Phase::Departing(_, retry) => Some(retry.at),
            Phase::Member(Liveness::Heard) => Some(self.heard + self.ping_after()),
            Phase::Member(Liveness::ToAsk) => Some(Time::default()),
            Phase::Unconnected | Phase::Ended | Phase::Member(Liveness::Asked) => None,
        };
        let session = match self.phase {
            Phase::Member(_) => self.session.as_ref(),
            _ => None,
        };
        let halves = session.into_iter().flat_map(|session| {
            let ack = session.receiver.deadline();
            ack.into_iter().chain(session.publishing.deadline())
        });
        frame.into_iter().chain(self.stale_at()).chain(halves).min()
    }

    /// When the connection counts as dead, if nothing is heard. Only this matters while it takes
    /// no frame.
    #[must_use]
    pub fn stale_at(&self) -> Option<Time> {
        match self.phase {
            Phase::Unconnected | Phase::Ended => None,
            _ => Some(self.heard + self.stale_after()),
        }
    }

    /// Whether there is no connection, or none that answers: then its owner should make another.
    #[must_use]
    pub fn wants_connection(&self) -> bool {
        self.phase == Phase::Unconnected
    }

    /// Whether the session is open over the connection that there is.
    #[must_use]
    pub fn is_member(&self) -> bool {
        matches!(self.phase, Phase::Member(_))
    }

    /// Whether something should be sent before more is read.
    #[must_use]
    pub fn is_ack_due(&self) -> bool {
        let is_due = |session: &Session| session.receiver.is_ack_due();
        matches!(self.phase, Phase::Member(_)) && self.session.as_ref().is_some_and(is_due)
    }

    /// Whether everything that was published is confirmed.
    #[must_use]
    pub fn is_done(&self) -> bool {
        let is_done = |session: &Session| session.publishing.is_done();
        self.session.as_ref().is_none_or(is_done)
    }

    /// The client sequences that are given out and not confirmed: the first, and how many.
    #[must_use]
    pub fn unconfirmed(&self) -> Option<(ClientSequence, u64)> {
        let publishing = &self.session.as_ref()?.publishing;
        let (confirmed, last) = (publishing.confirmed_up_to(), publishing.last());
        let first = confirmed.checked_plus(1)?;
        (confirmed < last).then_some((first, last.0 - confirmed.0))
    }

    /// The last client sequence that was given out; `None` before the first welcome.
    #[must_use]
    pub fn last_sequence(&self) -> Option<ClientSequence> {
        Some(self.session.as_ref()?.publishing.last())
    }

    /// The next number to be delivered; `None` before the first welcome.
    #[must_use]
    pub fn next_order(&self) -> Option<OrderNumber> {
        Some(self.session.as_ref()?.receiver.next())
    }

    /// The log that numbers belong to; `None` before the first welcome.
    #[must_use]
    pub fn log_id(&self) -> Option<LogId> {
        Some(self.session.as_ref()?.log_id)
    }

    /// The epoch of the broker's last welcome; `None` before the first.
    #[must_use]
    pub fn epoch(&self) -> Option<Epoch> {
        Some(self.session.as_ref()?.epoch)
    }

    fn disconnected(&mut self, now: Time) {
        self.pong = Pong::None;
        let departing = match self.phase {
            Phase::Departing(goodbye, _) => Some(goodbye),
            _ => None,
        };
        self.phase = Phase::Unconnected;
        if self.presence == Presence::There {
            self.presence = Presence::Missed;
            self.told[Obstacle::NobodyThere as usize] = Some(now);
            self.events.push_back(Event::Away);
        }
        // A connection that is gone is as good as a goodbye that keeps the session; one that
        // does not keep it may have arrived, and must not be followed by another hello.
        if departing == Some(Goodbye::Leave) {
            let ending = self.verdict.take().unwrap_or(Ending::Unanswered);
            self.end(ending);
        } else if departing.is_some() || self.leaving == Some(Goodbye::Away) {
            self.end(Ending::Departed);
        }
    }

    /// The broker cannot be reached, which is told once for each reason, and rarely again:
    /// reasons may come by turns, several times a second, for ever.
    fn unreachable(&mut self, now: Time, obstacle: Obstacle) {
        if self.presence == Presence::There {
            return; // the connection has ended, or an event will say so
        }
        self.presence = Presence::Missed;
        let told = &mut self.told[obstacle as usize];
        if told.is_none_or(|at| now.since(at) >= self.limits.obstacle_again) {
            *told = Some(now);
            self.events.push_back(Event::Unreachable(obstacle));
        }
    }

    /// The other side says what no broker says: another connection may lead to one.
    fn no_broker(&mut self, now: Time) {
        self.disconnected(now);
        self.unreachable(now, Obstacle::NoBroker);
    }

    /// Looks at silence; everything else that has a deadline is looked at when frames are asked
    /// for.
    fn tick(&mut self, now: Time) {
        let silence = now.since(self.heard);
        if self.phase == Phase::Unconnected {
            return;
        }
        if silence >= self.stale_after() || self.is_better_elsewhere(now) {
            self.unreachable(now, Obstacle::NobodyThere);
            self.disconnected(now);
        } else if self.phase == Phase::Member(Liveness::Heard) && silence >= self.ping_after() {
            self.phase = Phase::Member(Liveness::ToAsk);
        }
    }

    fn end(&mut self, ending: Ending) {
        self.phase = Phase::Ended;
        self.events.push_back(Event::Ended(ending));
    }

    fn note_ordered_before(&mut self, sequence: ClientSequence) {
        if let Some(Event::OrderedBefore { first, count }) = self.events.back_mut()
            && first.checked_plus(*count) == Some(sequence)
        {
            *count += 1;
            return;
        }
        self.events.push_back(Event::OrderedBefore {
            first: sequence,
            count: 1,
        });
    }
}
