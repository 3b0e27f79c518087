//! A broker's process while it lives: what arrives is stepped on, what the machine wants is
//! written, synced, and only then sent.

use std::collections::VecDeque;

use orden::core::{
    Chunk, Event as MachineEvent, Input, Limits, MemberStatus, Outgoing, Packet, Ready, Route,
    Sequencer, Transport, Write,
};
use orden::store::{Error, Log, LogReader};
use orden::wire::{Dialect, Name, OrderNumber, batch, record};

use super::door::Door;
use super::{Arrival, Broker, Died};
use crate::checker::history::Event;
use crate::simulation::counters::Sometimes;
use crate::simulation::peers::is_hostile;
use crate::simulation::plan::FRAME_BYTES;
use crate::simulation::queue::Happening;
use crate::simulation::stage::Stage;

/// Bytes that one round can add to the log: a batch, a frame more, and some entries of sessions.
fn most_in_a_round(limits: &Limits) -> usize {
    let overhead = batch::HEADER_LEN + record::HEADER_LEN + Name::MAX_LEN;
    limits.batch_bytes + limits.message_bytes + FRAME_BYTES + 4 * overhead
}

/// See the module.
pub(crate) struct Serving {
    pub(super) machine: Sequencer,
    log: Box<dyn Log>,
    reader: Box<dyn LogReader>,
    pub(super) inbox: VecDeque<Arrival>,
    /// What waits for the sync that runs.
    syncing: Option<Ready>,
    /// Whether the log has said that there is no space for another segment.
    is_full: bool,
    door: Door,
    /// What the machine had counted when it was looked at last.
    counted: orden::core::Counters,
}

impl Serving {
    pub(super) fn new(machine: Sequencer, log: Box<dyn Log>) -> Self {
        let reader = log.reader();
        Self {
            machine,
            log,
            reader,
            inbox: VecDeque::new(),
            syncing: None,
            is_full: false,
            door: Door::default(),
            counted: orden::core::Counters::default(),
        }
    }

    /// What is to be done before anything arrives.
    pub(super) fn begin(&mut self, broker: &mut Broker, stage: &mut Stage) -> Result<(), Died> {
        self.make_room(broker, stage)?;
        self.flush(broker, stage)
    }

    /// Takes some of what has arrived, looks at the time, and does what the machine says.
    pub(super) fn wake(&mut self, broker: &mut Broker, stage: &mut Stage) -> Result<(), Died> {
        let is_due = self.machine.deadline().is_some_and(|at| at <= stage.now());
        if self.syncing.is_some() || (self.inbox.is_empty() && !is_due) {
            return Ok(());
        }
        if self.is_full {
            self.make_room(broker, stage)?;
        }
        let now = broker.now(stage.now());
        let enough = self.machine.limits().batch_bytes;
        for _ in 0..broker.dice.between(1, 20) {
            if self.machine.pending_bytes() >= enough {
                break;
            }
            let Some(arrival) = self.inbox.pop_front() else {
                break;
            };
            self.take(now, &arrival, stage);
        }
        self.machine.step(now, Input::Tick);
        self.flush(broker, stage)
    }

    /// The sync has ended: everybody may know.
    pub(super) fn synced(&mut self, broker: &mut Broker, stage: &mut Stage) -> Result<(), Died> {
        let Some(ready) = self.syncing.take() else {
            return Ok(());
        };
        broker.crash_point(Sometimes::CrashBetweenWriteAndSync)?;
        self.log.sync()?;
        self.machine.synced();
        broker.crash_point(Sometimes::CrashBetweenSyncAndSend)?;
        self.finish(ready, broker, stage)
    }

    /// Reads a stretch of the log.
    pub(super) fn read(&mut self, from: OrderNumber) -> Result<Chunk, Error> {
        self.reader.read(from)
    }

    /// Ends in good order.
    pub(super) fn stop(mut self) {
        if self.syncing.is_some() {
            self.log.sync().unwrap();
        }
        let writes = self.machine.last_writes();
        for write in &writes {
            self.write(write).unwrap();
        }
        self.log.close().unwrap();
    }

    fn take(&mut self, now: orden::core::Now, arrival: &Arrival, stage: &mut Stage) {
        match arrival {
            Arrival::Packet {
                id,
                delimited,
                body,
                excess,
            } => {
                let packet = Packet {
                    id,
                    delimited: *delimited,
                    body,
                    excess: *excess,
                    proof: None,
                };
                let members = || self.machine.status().filter(|member| member.present);
                let is_present =
                    |who: &str| members().any(|member| member.name.as_bytes() == who.as_bytes());
                self.door.hears(&packet, is_present, stage);
                self.machine.step(now, Input::Packet(packet));
            }
            Arrival::Connected { id } => {
                let name = str::from_utf8(id).unwrap();
                self.machine.step(now, Input::Connected { id, name });
            }
            Arrival::Bytes { id, bytes } => {
                self.door.hears_bytes(id, bytes, stage);
                self.machine.step(now, Input::Bytes { id, bytes });
            }
            Arrival::Disconnected { id } => self.machine.step(now, Input::Disconnected { id }),
            Arrival::Undelivered { to, why } => {
                let input = Input::Undelivered { to, why: *why };
                self.machine.step(now, input);
            }
            Arrival::Loaded { from, result } => {
                let (from, result) = (*from, result.clone());
                self.machine.step(now, Input::Loaded { from, result });
            }
        }
    }

    /// Writes what is to be written. What is to be sent waits for the sync.
    fn flush(&mut self, broker: &mut Broker, stage: &mut Stage) -> Result<(), Died> {
        let ready = self.machine.ready(broker.now(stage.now()));
        note_skips(&ready.events, stage);
        if ready.writes.is_empty() {
            return self.finish(ready, broker, stage);
        }
        broker.crash_point(Sometimes::CrashBeforeWrite)?;
        for (place, write) in ready.writes.iter().enumerate() {
            if place > 0 {
                broker.crash_point(Sometimes::CrashAmidWrites)?;
            }
            self.write(write)?;
        }
        self.syncing = Some(ready);
        let (least, most) = broker.sync_micros;
        let at = stage.now() + broker.dice.micros(least, most);
        let incarnation = broker.incarnation;
        stage.queue.add(at, Happening::Synced { incarnation });
        Ok(())
    }

    fn write(&mut self, write: &Write) -> Result<(), Error> {
        match write {
            Write::Sessions(sessions) => self.log.append_sessions(sessions),
            Write::Messages(chunk) => self.log.append(chunk),
        }
    }

    /// Sends what was to be sent, and looks when to go on.
    fn finish(&mut self, ready: Ready, broker: &mut Broker, stage: &mut Stage) -> Result<(), Died> {
        for outgoing in &ready.sends {
            for to in &outgoing.to {
                broker.crash_point(Sometimes::CrashAmidFanOut)?;
                self.send(to, outgoing, stage);
            }
        }
        for route in &ready.closes {
            let Stage { network, queue, .. } = &mut *stage;
            network.close_route(route.transport, &route.id, queue);
        }
        let incarnation = broker.incarnation;
        for from in ready.loads {
            let at = stage.now() + broker.dice.micros(10, 2_000);
            stage.count(Sometimes::ReadFromLog);
            stage.queue.add(at, Happening::Loaded { incarnation, from });
        }
        self.note_events(&ready.events, broker, stage);
        self.note_status(broker, stage);
        self.note_counters(stage);
        self.make_room(broker, stage)?;
        let now = stage.now();
        let next = match self.machine.deadline() {
            _ if !self.inbox.is_empty() => Some(now),
            deadline => deadline,
        };
        if let Some(at) = next {
            stage.queue.add(at, Happening::BrokerWakes { incarnation });
        }
        Ok(())
    }

    /// Hands frames to a socket; after one that it does not take, none.
    fn send(&mut self, to: &Route, outgoing: &Outgoing, stage: &mut Stage) {
        for index in outgoing.range.clone() {
            let frame = &outgoing.frames.bytes()[outgoing.frames.place(index)];
            self.door.serves(to, frame, stage);
            let frame = match (to.transport, to.delimited) {
                (Transport::Tcp, _) => frame.to_vec(),
                (Transport::Zmq, delimited) => [&[u8::from(delimited)], frame].concat(),
            };
            let Stage { network, queue, .. } = &mut *stage;
            if let Err(why) = network.send_down(to.transport, &to.id, frame, queue) {
                let to = to.clone();
                return self.inbox.push_back(Arrival::Undelivered { to, why });
            }
        }
    }

    fn make_room(&mut self, broker: &mut Broker, stage: &mut Stage) -> Result<(), Died> {
        if self.log.room() < most_in_a_round(self.machine.limits()) {
            match self.log.can_roll() {
                Ok(true) => {
                    broker.rare_crash_point(Sometimes::CrashAroundRoll)?;
                    self.log.roll(&self.machine.snapshot())?;
                    self.is_full = false;
                    self.machine.synced();
                    self.machine.set_oldest(self.log.oldest());
                    stage.count(Sometimes::SegmentRolled);
                    broker.rare_crash_point(Sometimes::CrashAroundRoll)?;
                }
                Ok(false) => {}
                Err(Error::NoSpace(_)) => self.is_full = true,
                Err(error) => return Err(error.into()),
            }
        }
        self.machine.set_room(self.log.room());
        Ok(())
    }

    fn note_events(&self, events: &[MachineEvent], broker: &mut Broker, stage: &mut Stage) {
        let who = |name: &Name| String::from_utf8_lossy(name.as_bytes()).into_owned();
        for event in events {
            match event {
                MachineEvent::Left(name) => {
                    let who = who(name);
                    let lasts = broker.members.remove(&who) && !who.contains(':');
                    if lasts && !self.door.asked_to_leave(&who) {
                        stage.count(Sometimes::SessionTimedOut);
                    }
                    stage.end_session(who);
                }
                MachineEvent::Away(_) => stage.count(Sometimes::MemberAway),
                MachineEvent::Superseded(_) => stage.count(Sometimes::ConnectionSuperseded),
                MachineEvent::Unreadable(why) => panic!("the log cannot be read: {why}"),
                _ => {}
            }
        }
    }

    fn note_status(&mut self, broker: &mut Broker, stage: &mut Stage) {
        let one_frame_is_one_message = self.machine.limits().window_frames;
        let end = self.machine.next_order();
        self.machine.changed_status(|_, status| {
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
        let now = self.machine.counters().clone();
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
            (Sometimes::MalformedRefused, refused("truncated")),
        ] {
            stage.counters.add(what, times);
        }
    }
}

/// Notes who goes on behind what is no longer kept. That may be written, and count from then on,
/// although the broker is killed before it can say so.
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
