//! A broker's process while it lives: the commit loop that a real one runs, on a real log whose
//! commits take simulated time.

use std::collections::VecDeque;
use std::time::Duration;

use orden::commit::CommitLoop;
use orden::core::{
    Chunk, Event as MachineEvent, MemberStatus, Outgoing, Ready, Route, Sequencer, Transport,
};
use orden::store::{Error, Log, LogReader, MemoryOptions};
use orden::wire::reply::{self, BrokerMessage};
use orden::wire::{Dialect, Name, OrderNumber};

use super::door::Door;
use super::operated::Operated;
use super::slow_log::SlowLog;
use super::{Arrival, Broker, Died};
use crate::checker::history::Event;
use crate::simulation::counters::Sometimes;
use crate::simulation::peers::is_hostile;
use crate::simulation::queue::Happening;
use crate::simulation::stage::Stage;

/// See the module.
pub(crate) struct Serving {
    commits: CommitLoop,
    log: SlowLog,
    reader: Box<dyn LogReader>,
    pub(super) inbox: VecDeque<Arrival>,
    door: Door,
    /// The oldest message that the log had when that was looked at last.
    oldest: OrderNumber,
    operated: Operated,
    /// What the machine had counted when it was looked at last.
    counted: orden::core::Counters,
}

impl Serving {
    pub(super) fn new(machine: Sequencer, log: Box<dyn Log>, broker: &mut Broker) -> Self {
        let reader = log.reader();
        let crash_points = broker.crash_point_per_mille;
        let log = SlowLog::new(log, broker.dice.split(), crash_points);
        Self {
            commits: CommitLoop::new(machine, Box::new(log.clone()), broker.sync),
            log,
            reader,
            inbox: VecDeque::new(),
            door: Door::default(),
            oldest: OrderNumber(0),
            operated: Operated::default(),
            counted: orden::core::Counters::default(),
        }
    }

    pub(super) fn machine(&self) -> &Sequencer {
        self.commits.machine()
    }

    /// What is to be done before anything arrives.
    pub(super) fn begin(&mut self, broker: &mut Broker, stage: &mut Stage) -> Result<(), Died> {
        self.round(broker, stage)
    }

    /// Takes some of what has arrived, looks at the time, and does what the machine says.
    pub(super) fn wake(&mut self, broker: &mut Broker, stage: &mut Stage) -> Result<(), Died> {
        let is_due = self.commits.deadline().is_some_and(|at| at <= stage.now());
        // A thread that waits for a sync takes nothing in; a log that syncs beside it would not
        // be waited for.
        let waits = self.log.is_committing() && !broker.pipelined;
        if waits || (self.inbox.is_empty() && !is_due) {
            return Ok(());
        }
        let now = broker.now(stage.now());
        for _ in 0..broker.dice.between(1, 20) {
            if self.commits.is_full() {
                break;
            }
            let Some(arrival) = self.inbox.pop_front() else {
                break;
            };
            let taken = self.take(now, &arrival, stage);
            self.log_may_die(taken)?;
        }
        self.round(broker, stage)
    }

    /// The commit has ended: everybody may know.
    pub(super) fn synced(&mut self, broker: &mut Broker, stage: &mut Stage) -> Result<(), Died> {
        let finished = self.log.finish_commit();
        self.log_may_die(finished)?;
        self.round(broker, stage)
    }

    /// Reads a stretch of the log.
    pub(super) fn read(&mut self, from: OrderNumber) -> Result<Chunk, Error> {
        self.reader.read(from)
    }

    /// Nothing goes wrong any more.
    pub(super) fn heal(&self) {
        self.log.heal();
    }

    /// Ends in good order; what it wrote can still be read.
    pub(super) fn stop(self, now: orden::core::Now) -> Box<dyn LogReader> {
        self.commits.close(now).unwrap();
        self.reader
    }

    /// The same, on a disk that may go wrong.
    pub(super) fn try_stop(self, now: orden::core::Now) -> Result<(), Died> {
        self.log.heal(); // it is killed before, or not at all
        Ok(self.commits.close(now)?)
    }

    /// Tells a place in the log where the process was killed from an error of the log.
    fn log_may_die<T>(&self, result: Result<T, Error>) -> Result<T, Died> {
        result.map_err(|error| match self.log.take_killed() {
            Some(place) => Died::Killed(place),
            None => Died::Log(error),
        })
    }

    /// Does what a round of the sequencer thread does.
    fn round(&mut self, broker: &mut Broker, stage: &mut Stage) -> Result<(), Died> {
        note_skips(self.commits.machine().events(), stage);
        let ready = self.commits.round(broker.now(stage.now()));
        let ready = self.log_may_die(ready)?;
        let drained = ready.drained;
        let held = u64::from(self.machine().is_pacing());
        stage.counters.add(Sometimes::ConfirmationHeld, held);
        self.carry_out(ready, broker, stage)?;
        let syncs = Duration::from_micros(broker.sync_micros.1);
        let (now, machine) = (stage.now(), self.commits.machine());
        if self.operated.judge(now, syncs, drained, machine, stage) {
            return Err(Died::Drained);
        }
        let rested = self.commits.rest();
        self.log_may_die(rested)?;
        self.judge_retention(broker);
        stage
            .counters
            .add(Sometimes::SegmentRolled, self.log.take_rolls());
        let incarnation = broker.incarnation;
        if self.log.take_begun() {
            let (least, most) = broker.sync_micros;
            let at = stage.now() + broker.dice.micros(least, most);
            stage.queue.add(at, Happening::Synced { incarnation });
        }
        let now = stage.now();
        let next = match self.commits.deadline() {
            _ if !self.inbox.is_empty() => Some(now),
            deadline => deadline,
        };
        if let Some(at) = next {
            stage.queue.add(at, Happening::BrokerWakes { incarnation });
        }
        Ok(())
    }

    /// Without a bound for members that are behind, a log in memory lets go of nothing that a
    /// connected member has not acknowledged.
    fn judge_retention(&mut self, broker: &Broker) {
        let oldest = self.commits.log().oldest();
        let before = std::mem::replace(&mut self.oldest, oldest);
        let has_no_bound = |memory: MemoryOptions| memory.behind_bytes == u64::MAX;
        if oldest == before || !broker.memory.is_some_and(has_no_bound) {
            return;
        }
        for MemberStatus { name, floor, .. } in
            (self.machine().status()).filter(|member| member.present && member.receives)
        {
            assert!(
                !(before..oldest).contains(&floor),
                "{name:?} is connected and needs {floor}, but {oldest} is the oldest"
            );
        }
    }

    fn take(
        &mut self,
        now: orden::core::Now,
        arrival: &Arrival,
        stage: &mut Stage,
    ) -> Result<(), Error> {
        match arrival {
            Arrival::Packet(packet) => {
                let machine = self.commits.machine();
                let members = || machine.status().filter(|member| member.present);
                let is_present =
                    |who: &str| members().any(|member| member.name.as_bytes() == who.as_bytes());
                let oldest = self.commits.log().oldest();
                let packet = packet.borrowed();
                self.door.hears(&packet, is_present, oldest, stage);
            }
            Arrival::Bytes { id, bytes } => self.door.hears_bytes(id, bytes, stage),
            Arrival::Operator { instruction, .. } => {
                return (self.operated).follow(now, instruction, &mut self.commits, stage);
            }
            _ => {}
        }
        self.commits.step(now, arrival.borrowed())
    }

    /// Sends what was to be sent, and asks for what is to be read.
    fn carry_out(
        &mut self,
        ready: Ready,
        broker: &mut Broker,
        stage: &mut Stage,
    ) -> Result<(), Died> {
        for outgoing in &ready.sends {
            for to in &outgoing.to {
                broker.crash_point(Sometimes::CrashAmidFanOut)?;
                self.send(to, outgoing, stage);
            }
            if is_farewell(outgoing) {
                self.judge_farewell(outgoing, broker);
                // What a goodbye stands for is seldom all that a crash could take.
                for _ in 0..30 {
                    broker.crash_point(Sometimes::CrashAfterFarewell)?;
                }
            }
        }
        for route in &ready.closes {
            let Stage { network, queue, .. } = &mut *stage;
            network.close_route(route.transport, &route.id, queue);
        }
        let incarnation = broker.incarnation;
        if ready.is_crowded {
            let at = stage.now() + broker.dice.micros(10, 20_000);
            stage.count(Sometimes::CrowdAwaited);
            stage.queue.add(at, Happening::Left { incarnation });
        }
        for from in ready.loads {
            let at = stage.now() + broker.dice.micros(10, 2_000);
            stage.count(Sometimes::ReadFromLog);
            stage.queue.add(at, Happening::Loaded { incarnation, from });
        }
        self.note_events(&ready.events, broker, stage);
        self.note_status(broker, stage);
        self.note_counters(stage);
        Ok(())
    }

    fn judge_farewell(&self, farewell: &Outgoing, broker: &Broker) {
        for who in (farewell.to.iter()).filter_map(|to| self.door.who(&to.id)) {
            let mut members = self.machine().status();
            let member = members.find(|member| member.name.as_bytes() == who.as_bytes());
            broker.judge_farewell(&who, member);
        }
    }

    /// Hands frames to a socket; after one that it does not take, none.
    fn send(&mut self, to: &Route, outgoing: &Outgoing, stage: &mut Stage) {
        for index in outgoing.range.clone() {
            let frame = &outgoing.frames.bytes()[outgoing.frames.place(index)];
            let message_bytes = self.door.serves(to, frame, stage).then_some(frame.len());
            let frame = match (to.transport, to.delimited) {
                (Transport::Tcp, _) => frame.to_vec(),
                (Transport::Zmq, delimited) => [&[u8::from(delimited)], frame].concat(),
            };
            let Stage { network, queue, .. } = &mut *stage;
            let sent = network.send_down(to.transport, &to.id, frame, message_bytes, queue);
            if let Err(why) = sent {
                let to = to.clone();
                return self.inbox.push_back(Arrival::Undelivered { to, why });
            }
        }
    }

    fn note_events(&mut self, events: &[MachineEvent], broker: &mut Broker, stage: &mut Stage) {
        let who = |name: &Name| String::from_utf8_lossy(name.as_bytes()).into_owned();
        for event in events {
            match event {
                MachineEvent::Left(name) => {
                    let who = who(name);
                    let lasts = broker.members.remove(&who) && !who.contains(':');
                    if self.operated.has_ended(&who) {
                        stage.count(Sometimes::EndedByOperator);
                    } else if lasts && !self.door.asked_to_leave(&who) {
                        stage.count(Sometimes::SessionTimedOut);
                    }
                    stage.end_session(who);
                }
                MachineEvent::Away(_) => stage.count(Sometimes::MemberAway),
                MachineEvent::Superseded(_) => stage.count(Sometimes::ConnectionSuperseded),
                MachineEvent::Unreadable(_) if broker.read_may_fail => {}
                MachineEvent::Unreadable(why) => panic!("the log cannot be read: {why}"),
                _ => {}
            }
        }
    }

    fn note_status(&mut self, broker: &mut Broker, stage: &mut Stage) {
        let one_frame_is_one_message = self.machine().limits().window_frames;
        let end = self.machine().next_order();
        self.commits.machine_mut().changed_status(|_, status| {
            let Some(MemberStatus {
                name,
                dialect,
                floor,
                next,
                ..
            }) = status
            else {
                return;
            };
            let who = String::from_utf8_lossy(name.as_bytes()).into_owned();
            assert!(
                floor <= next && next <= end,
                "{who} is at {floor}, before {next}"
            );
            if who.starts_with("guest-") || is_hostile(&who) {
                // Nobody at the door can say whether that is right.
                return;
            }
            broker.members.insert(who.clone());
            let window = match dialect {
                Dialect::Native => None,
                Dialect::Raw => Some(1),
                Dialect::Binary | Dialect::Json => Some(one_frame_is_one_message),
            };
            stage.note(Event::Cursor {
                who,
                floor: floor.0,
                next: next.0,
                window,
            });
        });
    }

    fn note_counters(&mut self, stage: &mut Stage) {
        let now = self.machine().counters().clone();
        let before = std::mem::replace(&mut self.counted, now.clone());
        let refused = |reason: &str| {
            let of = |counters: &orden::core::Counters| counters.refused.get(reason).copied();
            of(&now).unwrap_or_default() - of(&before).unwrap_or_default()
        };
        for (what, times) in [
            (
                Sometimes::PublishKnownAndConfirmedAgain,
                now.repeated - before.repeated,
            ),
            (Sometimes::SentAgain, now.resent - before.resent),
            (Sometimes::AckAheadRefused, refused("ack_ahead")),
            (Sometimes::PeerFull, refused("peer_full")),
            (Sometimes::PeerGone, refused("peer_gone")),
            (Sometimes::SpokeWithoutSession, refused("no_session")),
            (Sometimes::SequenceGapRefused, refused("sequence_gap")),
            (Sometimes::SequenceReuseRefused, refused("sequence_reused")),
            (Sometimes::JoinRefusedByDrain, refused("closing")),
            (Sometimes::MalformedRefused, refused("truncated")),
        ] {
            stage.counters.add(what, times);
        }
    }
}

/// Whether a peer's goodbye is answered.
fn is_farewell(outgoing: &Outgoing) -> bool {
    reply::decode(outgoing.frames.bytes()) == Ok(BrokerMessage::Goodbye)
}

/// Notes which members go on behind what is no longer kept. That may be written, and count from
/// then on, although the broker is killed before it can say so.
fn note_skips(events: &[MachineEvent], stage: &mut Stage) {
    for event in events {
        if let MachineEvent::Skipped(name, to) = event {
            stage.count(Sometimes::Trimmed);
            let who = String::from_utf8_lossy(name.as_bytes()).into_owned();
            stage.left_behind.push(who.clone());
            stage.note(Event::Trims { who, to: to.0 });
        }
    }
}
