//! The broker's machine: it numbers messages, keeps the sessions and decides who gets what when.
//!
//! Three verbs. [`step`](Sequencer::step) takes one thing that has happened and is total: what a
//! peer does wrong costs that peer an answer and a counter. [`ready`](Sequencer::ready), after
//! one or more steps, says what is to be done: first write, then send.
//! [`deadline`](Sequencer::deadline) says when to step with [`Input::Tick`] at the latest.
//!
//! * `admission.rs`: who is let in, where keys decide that.
//! * `hear.rs`: what peers say; who they are.
//! * `membership.rs`: joining, coming back, being superseded, leaving.
//! * `publish.rs`: ordering messages, exactly once.
//! * `deliver.rs`: feeding members, acknowledgements, resending.

mod admission;
mod deliver;
mod hear;
mod membership;
mod publish;

use std::collections::VecDeque;

use super::appends::Appends;
use super::authority::Authority;
use super::backlog::Backlog;
use super::members::{Members, SessionId};
use super::outbox::Outbox;
use super::session::Session;
use super::{Counters, Event, Input, Limits, MemberStatus, Mutant, Now, Ready};
use super::{Recovered, Route, Time, Transport, Write};
use crate::wire::reply::{Code, Refusal};
use crate::wire::{Dialect, Epoch, LogId, Name, OrderNumber};

/// The broker's machine.
#[derive(Debug)]
pub struct Sequencer {
    limits: Limits,
    members: Members,
    backlog: Backlog,
    appends: Appends,
    outbox: Outbox,
    /// Bytes that the log can take before it needs another segment.
    room: usize,
    /// The oldest message that the log keeps, as far as is known.
    oldest: OrderNumber,
    /// Sessions for which something may be sent.
    to_serve: Vec<SessionId>,
    /// Sessions whose acknowledgements are newer than the log's.
    to_save: Vec<SessionId>,
    /// Sessions that end once there is room in the log to say so.
    to_leave: Vec<SessionId>,
    /// Sessions whose status has changed since the last [`Sequencer::changed_status`].
    to_show: Vec<SessionId>,
    /// When `to_save` is to be written.
    save_at: Option<Time>,
    /// No session's deadline is earlier than this.
    wake_at: Option<Time>,
    /// The end of the order when all members were last fed.
    fed_up_to: OrderNumber,
    loads: Vec<OrderNumber>,
    closes: Vec<Route>,
    /// Connections that are told why before they end, and when that is.
    closing: VecDeque<(Time, Route)>,
    authority: Authority,
    events: Vec<Event>,
    counters: Counters,
    guests: GuestNames,
}

impl Sequencer {
    /// A machine that goes on where the log ends. `seed` makes names for peers that have none;
    /// take it from the system's randomness, so that nobody can guess them.
    #[must_use]
    pub fn new(now: Now, limits: Limits, recovered: &Recovered, seed: u64) -> Self {
        let next = recovered.next;
        let epoch = Epoch(recovered.epoch.0 + 1);
        let mut machine = Self {
            members: Members::default(),
            backlog: Backlog::new(next, &limits),
            appends: Appends::new(recovered.log_id, epoch, next),
            outbox: Outbox::default(),
            room: usize::MAX,
            oldest: recovered.oldest,
            to_serve: Vec::new(),
            to_save: Vec::new(),
            to_leave: Vec::new(),
            to_show: Vec::new(),
            save_at: None,
            wake_at: None,
            fed_up_to: next,
            loads: Vec::new(),
            closes: Vec::new(),
            closing: VecDeque::new(),
            authority: Authority::Open,
            events: Vec::new(),
            counters: Counters::default(),
            guests: GuestNames { state: seed },
            limits,
        };
        for entry in recovered.sessions() {
            machine.recover(Session::recover(entry, next, now, &machine.limits));
        }
        machine
    }

    /// Takes one thing that has happened.
    pub fn step(&mut self, now: Now, input: Input<'_>) {
        match input {
            Input::Packet(packet) => self.packet(now, packet),
            Input::Connected { id, name } => self.connected(now, id, name),
            Input::Bytes { id, bytes } => self.bytes(now, id, bytes),
            Input::Disconnected { id } => {
                if let Some(id) = self.members.by_route(Transport::Tcp, id) {
                    self.leave(now, id);
                }
            }
            Input::Undelivered { to, why } => self.undelivered(now, to, why),
            Input::Loaded { from, result } => self.loaded(from, result),
            Input::Refused(reason) => {
                self.counters.refused(reason);
                self.events.push(Event::TurnedAway(reason));
            }
            Input::Grants(grants) => self.regrant(now, grants),
            Input::Tick => self.tick(now),
        }
    }

    /// What is to be done about everything since the last time.
    pub fn ready(&mut self, now: Now) -> Ready {
        self.leave_late(now);
        if self.save_at.is_some_and(|at| at <= now.time) && !self.save() {
            self.save_at = Some(now.time + self.limits.floors_every);
        }
        self.close_batch();
        self.close_refused(now);
        self.serve(now);
        Ready {
            writes: self.appends.take(),
            sends: self.outbox.take(),
            closes: std::mem::take(&mut self.closes),
            loads: std::mem::take(&mut self.loads),
            events: std::mem::take(&mut self.events),
        }
    }

    /// When to step with [`Input::Tick`] at the latest, if nothing else happens.
    #[must_use]
    pub fn deadline(&self) -> Option<Time> {
        let closing = self.closing.front().map(|(at, _)| *at);
        let others = self.save_at.into_iter().chain(closing);
        self.wake_at.into_iter().chain(others).min()
    }

    /// Notes that everything the machine has given out to write is on disk.
    pub fn synced(&mut self) {
        self.appends.synced(self.backlog.end());
    }

    /// Notes how many bytes of batches the log can take; messages beyond are refused.
    pub fn set_room(&mut self, bytes: usize) {
        self.room = bytes;
    }

    /// Notes the oldest message that the log keeps.
    pub fn set_oldest(&mut self, order: OrderNumber) {
        self.oldest = order;
    }

    /// Bytes that the next [`ready`](Self::ready) will write; beyond
    /// [`Limits::batch_bytes`] it should be called.
    #[must_use]
    pub fn pending_bytes(&self) -> usize {
        self.appends.len()
    }

    /// An encoded snapshot of all sessions that can come back, for the head of a segment.
    ///
    /// # Panics
    /// If it is not called between a [`ready`](Self::ready) and the next step.
    #[must_use]
    pub fn snapshot(&mut self) -> Vec<u8> {
        self.saved();
        let lasting = self
            .members
            .iter()
            .filter(|(_, session)| !session.transient);
        let whole = !Mutant::ForgetInSnapshot.lives();
        let entries: Vec<_> = lasting.map(|(_, session)| session.entry(whole)).collect();
        self.appends.snapshot(&entries)
    }

    /// The acknowledgements that the log does not have yet, to write before closing it, unless
    /// there is no room for them.
    pub fn last_writes(&mut self) -> Vec<Write> {
        self.save();
        self.close_batch();
        self.appends.take()
    }

    /// Which log the order numbers belong to.
    #[must_use]
    pub fn log_id(&self) -> LogId {
        self.appends.log_id()
    }

    /// The epoch of this machine.
    #[must_use]
    pub fn epoch(&self) -> Epoch {
        self.appends.epoch()
    }

    /// The number that the next message gets.
    #[must_use]
    pub fn next_order(&self) -> OrderNumber {
        self.appends.next()
    }

    /// What was done and refused so far.
    #[must_use]
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// The bounds it keeps.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Calls `show` for each session whose status has changed since the last time, `None` for
    /// one that has ended.
    pub fn changed_status(&mut self, mut show: impl FnMut(SessionId, Option<MemberStatus>)) {
        for id in std::mem::take(&mut self.to_show) {
            let session = self.members.find_mut(id);
            show(
                id,
                session.map(|session| {
                    session.marks.to_show = false;
                    MemberStatus::of(session)
                }),
            );
        }
    }

    /// The status of every member, in no particular order.
    pub fn status(&self) -> impl Iterator<Item = MemberStatus> {
        self.members
            .iter()
            .map(|(_, session)| MemberStatus::of(session))
    }

    /// Closes the batch that is being filled, so that members can be fed from it.
    fn close_batch(&mut self) {
        if let Some(chunk) = self.appends.close() {
            self.backlog.push(chunk);
        }
    }

    /// Puts the acknowledgements that have changed into the log; says whether there was room.
    fn save(&mut self) -> bool {
        let changed = self.to_save.iter().filter_map(|&id| self.members.find(id));
        let lasting = changed.filter(|session| session.marks.to_save && !session.transient);
        let entries: Vec<_> = lasting.map(|session| session.entry(false)).collect();
        if !entries.is_empty() && !self.fits(Appends::cost_of_entries(&entries)) {
            return false;
        }
        self.saved();
        for entry in entries {
            self.appends.changed(entry);
        }
        true
    }

    /// Notes that the log has every acknowledgement.
    fn saved(&mut self) {
        self.save_at = None;
        for id in self.to_save.drain(..) {
            if let Some(session) = self.members.find_mut(id) {
                session.marks.to_save = false;
            }
        }
    }

    /// Whether the log has room for so many bytes more.
    fn fits(&self, bytes: usize) -> bool {
        self.appends.len() + bytes <= self.room
    }

    fn mark_to_serve(&mut self, id: SessionId) {
        let session = self.members.get_mut(id);
        if !std::mem::replace(&mut session.marks.to_serve, true) {
            self.to_serve.push(id);
        }
        self.mark_to_show(id);
    }

    fn mark_to_save(&mut self, now: Now, id: SessionId) {
        let session = self.members.get_mut(id);
        if !std::mem::replace(&mut session.marks.to_save, true) {
            self.to_save.push(id);
            self.save_at
                .get_or_insert(now.time + self.limits.floors_every);
        }
    }

    fn mark_to_show(&mut self, id: SessionId) {
        let session = self.members.get_mut(id);
        if !std::mem::replace(&mut session.marks.to_show, true) {
            self.to_show.push(id);
        }
    }

    /// Makes sure that the session's deadline is not missed.
    fn watch(&mut self, id: SessionId) {
        let deadline = self.members.get(id).deadline(&self.limits);
        self.wake_at = self.wake_at.into_iter().chain(deadline).min();
    }

    /// Tells a native peer why it does not get what it wants; peers of the fixed dialects have
    /// no word for it. Counted either way.
    fn refuse(&mut self, to: &Route, dialect: Dialect, code: Code, detail: u64, text: &str) {
        self.counters.refused(code.name());
        let known = self.members.by_route(to.transport, &to.id);
        let name = known.map(|id| self.members.get(id).name.clone());
        self.events.push(Event::Refused(name, code));
        if dialect == Dialect::Native {
            self.outbox
                .reply(to, Refusal { code, detail, text }.encode());
        }
    }
}

/// Names for peers that have none: splitmix64 (Steele, Lea, Flood, OOPSLA 2014) from a seed.
#[derive(Debug)]
struct GuestNames {
    state: u64,
}

impl GuestNames {
    fn next(&mut self) -> Name {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^= mixed >> 31;
        let name = format!("guest-{mixed:016x}");
        Name::new(name.as_bytes()).expect("it is as names have to be")
    }
}
