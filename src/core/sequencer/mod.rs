//! The broker's machine: what one broker does for its own connections. It turns what peers say
//! into commands of the [`order`](super::order), and what comes of them into frames.
//!
//! [`step`](Sequencer::step) takes one thing that has happened and is total: what a peer does
//! wrong costs that peer an answer and a counter. [`writes`](Sequencer::writes) gives out what is
//! to be appended to the log; that it is safe is an input, [`Input::Committed`].
//! [`ready`](Sequencer::ready) says what may be sent. [`deadline`](Sequencer::deadline) says when
//! to step with [`Input::Tick`] at the latest.
//!
//! * `hear.rs`: what peers say; `admission.rs`: who is let in, where keys decide that.
//! * `membership.rs`: coming, being superseded, going; `absent.rs`: being away for too long.
//! * `publish.rs`: messages; `pace.rs`: how fast they are confirmed.
//! * `local.rs`: connections that the order does not know.
//! * `decide.rs`: where commands are applied, and what follows from them.
//! * `deliver.rs`: feeding members, acknowledgements, resending; `loading.rs`: from the log.
//! * `among.rs`, `serving.rs`, `propose.rs`, `ordered.rs`, `seats.rs`, `early.rs`: one broker among
//!   several;
//!   `snapshots.rs`: the state in their stream.
//! * `commits.rs`: what waits for the log; `operate.rs`: what an operator wants done.

mod absent;
mod admission;
mod among;
mod authority;
mod backlog;
mod closing;
mod commits;
mod cut_off;
mod decide;
mod deliver;
mod draining;
mod due;
mod early;
mod frames;
mod guests;
mod hear;
mod heard;
mod index;
mod input;
mod instruction;
mod life;
mod limits;
mod loading;
mod local;
mod marked;
mod marking;
mod membership;
mod operate;
mod ordered;
mod outbox;
mod pace;
mod propose;
mod publish;
mod reading;
mod ready;
mod route;
mod seats;
mod send_queue;
mod serving;
mod session;
mod sessions;
mod sitting;
mod snapshots;
mod status;
mod timers;
mod unannounced;
mod views;

use std::collections::VecDeque;

use self::among::Among;
use self::backlog::Backlog;
use self::closing::Closing;
use self::commits::{About, Commits};
use self::draining::Draining;
use self::guests::GuestNames;
use self::marked::Marked;
use self::outbox::{Outbox, is_crowd};
use self::pace::Pace;
use self::reading::Reading;
use self::session::Session;
use self::sessions::Sessions;
use self::sitting::Sitting;
use self::timers::{Timer, Timers};
use super::order::{MemberId, Order, Recovered, Rejection};
use super::{Now, Time};
use crate::wire::reply::{Code, Refusal};
use crate::wire::{Dialect, OrderNumber};

pub use among::Halt;
pub use authority::{Actions, Authority, Grant, Grants};
pub use guests::Seed;
pub use index::{Index, Writes};
pub use input::{Input, InputOf, LoadError, Packet, PacketOf, Proof, StreamNews, Undelivered};
pub use instruction::{Declined, Instruction, Reply};
pub use limits::Limits;
pub use ready::{Event, Frames, Outgoing, Ready};
pub use route::{Route, Transport};
pub use status::{Counters, MemberStatus};

/// The broker's machine.
#[derive(Debug)]
pub struct Sequencer {
    limits: Limits,
    order: Order,
    sessions: Sessions,
    commits: Commits,
    backlog: Backlog,
    reading: Reading,
    outbox: Outbox,
    /// Bytes that the log can take before messages have to be refused.
    room: usize,
    /// The oldest message that the log keeps, as far as is known.
    oldest: OrderNumber,
    marked: Marked,
    timers: Timers,
    /// Whether nobody is fed before what was given out has left.
    is_crowded: bool,
    pace: Pace,
    /// The end of the order when all members were last fed.
    fed_up_to: OrderNumber,
    /// Peers that have asked for a name.
    sitting: Vec<Sitting>,
    /// The number of the last seat that a connection asked for.
    last_seat: u32,
    closes: Vec<Route>,
    /// Connections that are told why before they end, and when that is.
    closing: VecDeque<Closing>,
    /// The broker goes out of service.
    draining: Option<Draining>,
    authority: Authority,
    events: Vec<Event>,
    counters: Counters,
    guests: GuestNames,
    /// What there is to do besides as one of several brokers.
    among: Option<Box<Among>>,
}

impl Sequencer {
    /// A machine that goes on where the log ends. `seed` makes names for peers that have none.
    #[must_use]
    pub fn new(now: Now, limits: Limits, recovered: Recovered, seed: Seed) -> Self {
        let (oldest, next) = (recovered.oldest, recovered.next);
        let order = Order::resume(recovered, limits.rules());
        let mut machine = Self {
            sessions: Sessions::default(),
            commits: Commits::default(),
            backlog: Backlog::new(next, &limits),
            reading: Reading::default(),
            outbox: Outbox::default(),
            room: usize::MAX,
            oldest,
            marked: Marked::default(),
            timers: Timers::default(),
            is_crowded: false,
            pace: Pace::default(),
            fed_up_to: next,
            sitting: Vec::new(),
            last_seat: 0,
            closes: Vec::new(),
            closing: VecDeque::new(),
            draining: None,
            authority: Authority::Open,
            events: Vec::new(),
            counters: Counters::default(),
            guests: GuestNames::new(seed),
            among: None,
            order,
            limits,
        };
        let known: Vec<_> = (machine.order.members())
            .map(|(id, member)| {
                let session = Session::recover(member, next, now, &machine.limits);
                (id, session)
            })
            .collect();
        for (id, session) in known {
            machine.recover(now, id, session);
        }
        machine.note_absence_later(now);
        machine
    }

    /// Takes one thing that has happened.
    pub fn step(&mut self, now: Now, input: Input<'_>) {
        match input {
            Input::Packet(packet) => self.packet(now, packet),
            Input::Connected { id, name } => self.connected(now, id, name),
            Input::Bytes { id, bytes } => self.bytes(now, id, bytes),
            Input::Disconnected { id } => self.disconnected(now, id),
            Input::Undelivered { to, why } => self.undelivered(now, to, why),
            Input::Committed(index) => self.committed(now, index),
            Input::Loaded { from, result } => self.loaded(now, from, result),
            Input::Left => self.has_left(),
            Input::Stops => self.stops(),
            Input::Refused(reason) => {
                self.counters.refused(reason);
                self.events.push(Event::TurnedAway(reason));
            }
            Input::Grants(grants) => self.regrant(now, grants),
            Input::Operator {
                ticket,
                instruction,
            } => self.instruct(now, ticket, &instruction),
            Input::Ordered { position, record } => self.ordered(now, position, record),
            Input::Stream(news) => self.stream(now, news),
            Input::Tick => self.tick(now),
        }
    }

    /// What is to be appended to the log for everything up to now. Once it is safe, the machine
    /// wants to hear so by [`Input::Committed`] with the group's index.
    #[must_use]
    pub fn writes(&mut self, now: Now) -> Writes {
        self.leave_late(now);
        if self.timers.take_due(Timer::Away, now.time) {
            self.note_absence(now);
        }
        if self.timers.take_due(Timer::Positions, now.time) && !self.save(now) {
            self.save_later(now);
        }
        self.give_out(now)
    }

    /// The positions that the log does not have yet, to write before closing it, unless there is
    /// no room for them.
    #[must_use]
    pub fn last_writes(&mut self, now: Now) -> Writes {
        self.note_absence(now);
        // Without room, members are sent again what they have acknowledged since.
        let _saved = self.save(now);
        self.give_out(now)
    }

    /// What may be done about everything up to now.
    pub fn ready(&mut self, now: Now) -> Ready {
        self.close_refused(now);
        if !self.is_crowded {
            self.serve(now);
        }
        let mut sends = self.outbox.take();
        if self.halt().is_some() {
            // Two histories: not one message more is delivered.
            sends.clear();
        }
        let is_crowded = !self.is_crowded && is_crowd(&sends, &self.limits);
        self.is_crowded |= is_crowded;
        Ready {
            sends,
            is_crowded,
            closes: std::mem::take(&mut self.closes),
            loads: self.reading.take(),
            events: std::mem::take(&mut self.events),
            replies: self.commits.take_replies(),
            drained: self.is_drained(now),
        }
    }

    /// When to step with [`Input::Tick`] at the latest, if nothing else happens.
    #[must_use]
    pub fn deadline(&self) -> Option<Time> {
        self.timers
            .next()
            .into_iter()
            .chain(self.among_deadline())
            .min()
    }

    /// Notes how many bytes of writes the log can take; messages beyond are refused.
    pub fn set_room(&mut self, bytes: usize) {
        self.room = bytes;
    }

    /// Notes the oldest message that the log keeps.
    pub fn set_oldest(&mut self, order: OrderNumber) {
        self.oldest = order;
    }

    /// Bytes that the next [`writes`](Self::writes) will give out; beyond
    /// [`Limits::batch_bytes`] it should be called.
    #[must_use]
    pub fn pending_bytes(&self) -> usize {
        self.order.pending_bytes()
    }

    /// An encoded snapshot of all sessions that can come back, for a checkpoint of the log.
    ///
    /// # Panics
    /// If it is not called between [`writes`](Self::writes) and the next step.
    #[must_use]
    pub fn snapshot(&self) -> Vec<u8> {
        self.order.snapshot()
    }

    /// The first message that a connected member has not acknowledged; the end of what is visible
    /// if there is none. It looks at all members.
    #[must_use]
    pub fn needed_from(&self) -> OrderNumber {
        let bound = self.sessions.bound().iter();
        let sessions = bound.map(|&id| self.sessions.get(id));
        let connected = sessions.filter(|session| session.is_served() && session.is_present());
        let floors = connected.map(|session| session.floor);
        floors.min().unwrap_or(self.backlog.end())
    }

    /// What a person may want to know since the last [`ready`](Self::ready).
    #[must_use]
    pub fn events(&self) -> &[Event] {
        &self.events
    }

    /// Gives out what was applied; what rests on it waits.
    fn give_out(&mut self, now: Now) -> Writes {
        let writes = self.order.take_writes();
        let writes = self.commits.give_out(writes);
        self.confirm_all(now.time);
        writes
    }

    /// Writes are safe: what rests on them may be known.
    fn committed(&mut self, now: Now, index: Index) {
        let mut welcomed = Vec::new();
        let welcome = |id| welcomed.push(id);
        for chunk in self.commits.commit(index, &mut self.outbox, welcome) {
            let (end, bytes) = (chunk.end(), chunk.bytes().len());
            self.pace.ordered(now.time, end, bytes, &self.limits);
            self.backlog.push(chunk);
        }
        for id in welcomed {
            if self.sessions.find(id).is_some() {
                self.mark_to_serve(id);
            }
        }
    }

    /// Whether the log has room for so many bytes more.
    fn fits(&self, bytes: usize) -> bool {
        if let Some(among) = &self.among {
            // Room is judged where it is proposed; what is applied is written when there is room.
            return !among.is_refusing;
        }
        self.order.pending_bytes() + bytes <= self.room
    }

    /// Makes sure that the session's deadline is not missed.
    fn watch(&mut self, id: MemberId) {
        if let Some(deadline) = self.sessions.get(id).deadline(&self.limits) {
            self.timers.set(Timer::Sessions, deadline);
        }
    }

    /// Answers a connection once everything that the answer rests on is committed: all that was
    /// said so far, if it tells of that, otherwise what its session was told before.
    fn answer(&mut self, to: &Route, frame: Vec<u8>, about: About) {
        let rests_on_writes = about != About::Other;
        let known = self.sessions.by_route(to.transport, &to.id);
        let session = known.map(|id| self.sessions.get_mut(id));
        let index = if rests_on_writes {
            self.commits.latest(self.order.has_pending())
        } else {
            session
                .as_ref()
                .map_or_else(Index::default, |session| session.hears_after)
        };
        if let Some(session) = session {
            session.hears_after = index;
        }
        let outbox = &mut self.outbox;
        self.commits.answer(outbox, index, to, frame, about);
    }

    /// Tells a native peer why it does not get what it wants; peers of the fixed dialects have
    /// no word for it. Counted either way.
    fn refuse(&mut self, to: &Route, dialect: Dialect, why: Rejection) {
        let Rejection { code, detail, text } = why;
        self.counters.refused(code.name());
        let known = self.sessions.by_route(to.transport, &to.id);
        let name = known.map(|id| self.sessions.get(id).name.clone());
        self.events.push(Event::Refused(name, code));
        if dialect == Dialect::Native {
            let refusal = Refusal { code, detail, text };
            self.answer(to, refusal.encode(), About::Other);
        }
    }
}

/// A reason of this broker's own.
const fn rejection(code: Code, detail: u64, text: &'static str) -> Rejection {
    Rejection { code, detail, text }
}
