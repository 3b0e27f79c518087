//! One broker among several: what it proposes, and what it learns of the others.
//!
//! What is decided becomes a proposal in this broker's next record; it happens when that record
//! comes back in its turn. Everything that follows is worked out from the outcome, as it is for
//! a broker that is alone.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::Sequencer;
use super::among::{Among, Halt, Standing};
use super::guests::GuestNames;
use super::timers::Timer;
use crate::core::order::{Command, MemberId};
use crate::core::replica::{Append, Scribe};
use crate::core::{Mutant, Now, Time};
use crate::wire::position_mark::PositionMark;
use crate::wire::stream_record::Proposal;
use crate::wire::{Name, Position, Writer};

/// The highest level of the records' format that this version applies.
const LEVEL: u32 = 1;
/// A broker without a record for so long counts as gone, if the stream moves.
const SILENCE: Duration = Duration::from_secs(10);
/// The stream moves if a record has come within this time.
const MOVES: Duration = Duration::from_secs(3);
/// How often that is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(2);

impl Sequencer {
    /// Goes on as one of several brokers, where `mark` says: to be called before anything else.
    #[must_use]
    pub fn among(mut self, now: Now, broker: Name, mark: Option<PositionMark>) -> Self {
        let writer = draw_writer(&mut self.guests);
        let second_from = self.limits.second_append_bytes;
        self.order.share(mark);
        self.adopt_rules();
        for id in self.sessions.bound().to_vec() {
            self.sessions.unbind(now.time, id);
        }
        self.among = Some(Box::new(Among {
            broker,
            scribe: Scribe::new(self.order.log_id(), writer, now.time, second_from),
            standing: Standing::Reading,
            heard: BTreeMap::new(),
            moved: now.time,
            farewells: Vec::new(),
            early: Vec::new(),
            is_judging: false,
            held_bytes: 0,
            is_refusing: false,
            is_cut_off: false,
            asked: Vec::new(),
            halt: None,
            seen: BTreeMap::new(),
            due: None,
        }));
        let members: Vec<_> = self.order.members().map(|(id, _)| id).collect();
        for id in members {
            self.place(now, id);
        }
        self
    }

    /// Whether this broker serves: it may bind its sockets.
    #[must_use]
    pub fn is_open(&self) -> bool {
        let among = self.among.as_ref();
        among.is_none_or(|among| among.standing == Standing::Open)
    }

    /// Why it stops, if it has to.
    #[must_use]
    pub fn halt(&self) -> Option<&Halt> {
        self.among.as_ref()?.halt.as_ref()
    }

    /// The last position of the stream that was applied, and the chain up to there.
    #[must_use]
    pub fn applied(&self) -> (Position, u64) {
        self.order.applied()
    }

    /// The checksum of the record at that position.
    #[must_use]
    pub fn applied_checksum(&self) -> u32 {
        self.order.applied_checksum()
    }

    /// The names of all brokers that serve.
    pub fn brokers(&self) -> impl Iterator<Item = &Name> {
        let live = self.order.brokers().filter(|(_, broker)| !broker.gone);
        live.map(|(name, _)| name)
    }

    /// Whether so much waits for the stream that nothing more is to be taken in.
    #[must_use]
    pub fn is_congested(&self) -> bool {
        let among = self.among.as_ref();
        among.is_some_and(|among| among.scribe.is_full())
    }

    /// Whether everything that this broker has proposed is applied.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        let among = self.among.as_ref();
        among.is_none_or(|among| among.scribe.is_idle())
    }

    /// The records to append to the stream now.
    pub fn appends(&mut self, now: Now) -> Vec<Append> {
        let applied = self.order.applied();
        let Some(among) = &mut self.among else {
            return Vec::new();
        };
        if among.halt.is_some() {
            return among.scribe.flush(now.wall, applied);
        }
        if among.standing == Standing::Reading {
            return Vec::new();
        }
        self.write_part(now);
        match &mut self.among {
            Some(among) => among.scribe.appends(now.time, now.wall, applied),
            None => Vec::new(),
        }
    }

    /// The engine says that it has an own record: nothing rests on that. What is to be applied at
    /// once because of it: nothing.
    pub fn acknowledged(&mut self, now: Now, number: u64) -> Option<Arc<Vec<u8>>> {
        let among = self.among.as_mut()?;
        if Mutant::StopAtAck.lives() {
            among.scribe.applied(now.time, number);
        }
        (Mutant::BelieveAcks.lives()).then(|| among.scribe.record(number))?
    }

    /// When [`appends`](Self::appends) is due.
    pub(super) fn among_deadline(&self) -> Option<Time> {
        let among = self.among.as_ref()?;
        (among.standing != Standing::Reading && among.halt.is_none())
            .then(|| among.scribe.deadline())
    }

    /// Everything that the stream held was applied: this broker may ask to serve.
    pub(super) fn level(&mut self) {
        let is_founded = self.order.founding().is_some();
        let among = self.among.as_ref();
        if is_founded && among.is_some_and(|among| among.standing == Standing::Reading) {
            self.ask_to_serve();
        }
    }

    /// Begins to serve anew, under a new writer: what the old one has proposed does not count.
    pub(super) fn open_anew(&mut self, now: Now) {
        let writer = draw_writer(&mut self.guests);
        let log_id = self.order.log_id();
        self.sitting.clear();
        if let Some(among) = &mut self.among {
            among.scribe = Scribe::new(log_id, writer, now.time, self.limits.second_append_bytes);
            among.held_bytes = 0;
            among.farewells.clear();
            among.early.clear();
            if let Some(due) = &mut among.due {
                due.begin_anew();
            }
        }
        self.ask_to_serve();
        self.instruct_again(now);
        let all: Vec<_> = self.order.members().map(|(id, _)| id).collect();
        for id in all {
            self.place(now, id);
        }
    }

    fn ask_to_serve(&mut self) {
        let Some(among) = &mut self.among else {
            return;
        };
        let before = self.order.broker(&among.broker);
        among.standing = Standing::Opening;
        among.scribe.propose(&Proposal::Open {
            broker: among.broker.clone(),
            after: before.map_or(Writer(0), |broker| broker.writer),
            level: LEVEL,
        });
    }

    /// Tells the others that a member has lost its connection, if there are others.
    pub(super) fn tell_away(&mut self, now: Now, id: MemberId) {
        if self.among.is_some() && self.has_seat(id) {
            let position = self.sessions.get(id).position(now);
            self.propose(now, Command::Away(id, position));
        }
    }

    /// Proposes that brokers have gone which were silent for too long.
    pub(super) fn look_after_brokers(&mut self, now: Now) {
        let Some(among) = &mut self.among else {
            return;
        };
        if now.time.since(among.moved) > MOVES {
            return self.timers.set(Timer::Brokers, now.time + LOOK_EVERY);
        }
        let own = among.scribe.writer();
        let others = self.order.brokers();
        let mut gone = Vec::new();
        for (name, broker) in others.filter(|(_, other)| !other.gone && other.writer != own) {
            let heard = among.heard.entry(broker.writer).or_insert(now.time);
            if now.time.since(*heard) > SILENCE {
                *heard = now.time;
                gone.push(Proposal::Gone {
                    broker: name.clone(),
                    writer: broker.writer,
                    last: broker.last,
                });
            }
        }
        for proposal in gone {
            self.say(now, &proposal);
        }
        self.timers.set(Timer::Brokers, now.time + LOOK_EVERY);
    }

    /// How many brokers are asked before this one to end what has lasted too long.
    pub(super) fn rank(&self) -> u32 {
        let Some(among) = &self.among else {
            return 0;
        };
        let own = self.order.broker(&among.broker).map(|broker| broker.epoch);
        let before = (self.order.brokers())
            .filter(|(_, broker)| !broker.gone && Some(broker.epoch) < own)
            .count();
        u32::try_from(before).unwrap_or(u32::MAX)
    }

    /// Stops for good, and tells the others why.
    pub(super) fn stop_for(&mut self, now: Now, halt: Halt) {
        let (position, chain) = self.order.applied();
        if let Halt::Diverged(_) = halt {
            self.say(now, &Proposal::Diverged { position, chain });
        }
        if let Some(among) = &mut self.among {
            among.halt.get_or_insert(halt);
        }
    }

    pub(super) fn adopt_rules(&mut self) {
        let rules = self.order.rules();
        self.limits.message_bytes = rules.message_bytes;
        self.limits.publish_window = rules.publish_window;
        self.limits.name_bytes = rules.name_bytes;
        self.limits.members = rules.members;
    }
}

/// Draws what tells a process from all others.
fn draw_writer(guests: &mut GuestNames) -> Writer {
    Writer(guests.draw().max(1))
}
