//! Executing what a record proposes. Whatever it says, nothing here fails or looks at anything
//! but the order: all brokers come to the same end.

use super::command::{Outcome, Rejection, Sit};
use super::seating::Seat;
use super::{Member, MemberId, Order, Position, Rules};
use crate::core::Mutant;
use crate::wire::stream_record::{Floor, Header, Proposal, Sitter};
use crate::wire::{Epoch, Name, Position as StreamPosition, PublicKey, Writer};

impl Order {
    /// Executes one proposal of a record that counts, and says what has come of it.
    ///
    /// # Panics
    /// If several brokers do not share this order.
    pub fn execute(
        &mut self,
        header: &Header,
        proposal: &Proposal<'_>,
        outcomes: &mut Vec<Outcome>,
    ) {
        let wall = header.wall;
        let seat = |number| Seat {
            writer: header.writer,
            number,
        };
        match proposal {
            Proposal::Found(founding) => {
                self.rules = Rules::of(founding);
                let cluster = self.shared_part();
                cluster.snapshots.found(founding.snapshot_bytes);
                cluster.founding = Some(founding.clone());
            }
            Proposal::Open { broker, .. } => self.open(header, broker, outcomes),
            Proposal::Gone {
                broker,
                writer,
                last,
            } => self.gone(wall, broker, *writer, *last, outcomes),
            Proposal::Sit(sitter) => {
                let outcome = self.sit_shared(header, sitter);
                outcomes.push(outcome);
            }
            Proposal::Publish { seat: at, .. }
            | Proposal::Say { seat: at, .. }
            | Proposal::Leave { seat: at }
            | Proposal::Away { seat: at }
            | Proposal::Own { seat: at, .. } => {
                if let Some(id) = self.seated(seat(*at)) {
                    outcomes.push(self.execute_for(wall, id, proposal));
                }
            }
            Proposal::Floors(floors) => self.floors(header.writer, floors, outcomes),
            Proposal::Expire { name, since } => {
                let id = self.by_name(name.as_bytes()).filter(|&id| {
                    let seating = self.members.get(id).map(Member::seating);
                    seating.is_some_and(|seating| {
                        seating.seat.is_none() && seating.away_since == *since
                    })
                });
                outcomes.extend(id.map(|id| self.leave_shared(wall, id)));
            }
            Proposal::End { name } => {
                let id = self.by_name(name.as_bytes());
                outcomes.extend(id.map(|id| self.end_shared(wall, id)));
            }
            Proposal::Kick { name } => {
                let member = self.by_name(name.as_bytes());
                outcomes.extend(member.map(|member| Outcome::Kicked { member }));
            }
            Proposal::Diverged { position, chain } => {
                outcomes.extend(self.differs(*position, *chain));
            }
            Proposal::Part(part) => {
                self.shared_part().snapshots.take(header.writer, part);
                outcomes.push(Outcome::SnapshotPart {
                    of: part.of,
                    writer: header.writer,
                    digest: part.digest,
                });
            }
            Proposal::Level(level) => {
                if let Some(founding) = &mut self.shared_part().founding {
                    founding.level = founding.level.max(*level);
                }
            }
        }
    }

    /// Another broker has this chain at a position: what this one has there, if it is another.
    fn differs(&mut self, position: StreamPosition, theirs: u64) -> Option<Outcome> {
        let cluster = self.shared_part();
        let ours = cluster.chain_at(position);
        // A position that lies ahead was one that this history has not reached.
        let is_ahead = ours.is_none() && position >= cluster.position;
        let is_other = is_ahead || ours.is_some_and(|ours| ours != theirs);
        is_other.then_some(Outcome::Diverged {
            position,
            theirs,
            ours,
        })
    }

    /// Executes what a member wants that sits where it is wanted.
    fn execute_for(&mut self, wall: u64, id: MemberId, proposal: &Proposal<'_>) -> Outcome {
        match proposal {
            Proposal::Publish { publish, .. } => self.publish(wall, id, publish, publish.count),
            Proposal::Say { payload, .. } => self.say(wall, id, payload),
            Proposal::Leave { .. } => self.leave_shared(wall, id),
            Proposal::Away { .. } => self.rise(wall, id),
            Proposal::Own { key, .. } => {
                self.own(id, *key);
                Outcome::Noted
            }
            _ => Outcome::Stale,
        }
    }

    fn shared_part(&mut self) -> &mut super::Cluster {
        self.cluster.as_mut().expect("the order is shared")
    }

    /// Who sits there.
    fn seated(&mut self, seat: Seat) -> Option<MemberId> {
        self.shared_part().seats.get(&seat).copied()
    }

    fn own(&mut self, id: MemberId, key: PublicKey) {
        self.members.give(id, Some(key));
        if let Some(member) = self.members.get(id) {
            let name = member.name().clone();
            self.shared_part().changed.insert(name);
        }
    }

    /// A broker begins to serve: from here on batches are of its epoch, and nobody sits at the
    /// process that it takes over from.
    fn open(&mut self, header: &Header, name: &Name, outcomes: &mut Vec<Outcome>) {
        let epoch = Epoch(self.epoch().0.saturating_add(1));
        self.journal.begin_epoch(epoch);
        let cluster = self.shared_part();
        if let Some(broker) = cluster.brokers.get_mut(name) {
            broker.epoch = epoch;
        }
        let current: Vec<Writer> = (cluster.brokers.values())
            .filter(|broker| !broker.gone)
            .map(|broker| broker.writer)
            .collect();
        self.empty(header.wall, |writer| !current.contains(&writer), outcomes);
        outcomes.push(Outcome::Opened {
            broker: name.clone(),
            writer: header.writer,
        });
    }

    /// A broker was silent for too long, if it has not said anything meanwhile.
    fn gone(
        &mut self,
        wall: u64,
        name: &Name,
        writer: Writer,
        last: u64,
        outcomes: &mut Vec<Outcome>,
    ) {
        let Some(broker) = self.shared_part().brokers.get_mut(name) else {
            return;
        };
        let is_so = broker.last == last || Mutant::GoneAnyway.lives();
        if broker.writer != writer || broker.gone || !is_so {
            return;
        }
        broker.gone = true;
        self.empty(wall, |at| at == writer, outcomes);
        outcomes.push(Outcome::BrokerGone {
            broker: name.clone(),
            writer,
        });
    }

    /// Nobody sits there any more, in the order of their names.
    fn empty(&mut self, wall: u64, there: impl Fn(Writer) -> bool, outcomes: &mut Vec<Outcome>) {
        let mut risen: Vec<(Name, MemberId)> = (self.members.iter())
            .filter(|(_, member)| member.seating.seat.is_some_and(|seat| there(seat.writer)))
            .map(|(id, member)| (member.name().clone(), id))
            .collect();
        risen.sort();
        for (_, id) in risen {
            let outcome = self.rise(wall, id);
            outcomes.push(outcome);
        }
    }

    /// A member has lost its connection.
    fn rise(&mut self, wall: u64, id: MemberId) -> Outcome {
        let Some(member) = self.members.get_mut(id) else {
            return Outcome::Stale;
        };
        if member.is_transient() {
            return self.leave_shared(wall, id);
        }
        let seat = member.seating.seat.take();
        let name = member.name().clone();
        let cluster = self.cluster.as_mut().expect("the order is shared");
        if let Some(member) = self.members.get_mut(id) {
            member.seating.away_since = cluster.position;
        }
        cluster.leave_seat(seat);
        cluster.changed.insert(name);
        Outcome::Away(id)
    }

    fn leave_shared(&mut self, wall: u64, id: MemberId) -> Outcome {
        let seat = self.members.get(id).and_then(|member| member.seating.seat);
        self.shared_part().leave_seat(seat);
        self.leave(wall, id, false)
    }

    fn end_shared(&mut self, wall: u64, id: MemberId) -> Outcome {
        let seat = self.members.get(id).and_then(|member| member.seating.seat);
        self.shared_part().leave_seat(seat);
        self.leave(wall, id, true)
    }

    fn floors(&mut self, writer: Writer, floors: &[Floor], outcomes: &mut Vec<Outcome>) {
        let next = self.next();
        let mut positions = Vec::with_capacity(floors.len());
        for floor in floors {
            let seat = Seat {
                writer,
                number: floor.seat,
            };
            if let Some(id) = self.seated(seat) {
                let position = Position {
                    dialect: floor.dialect,
                    delimited: floor.delimited,
                    floor: floor.floor.min(next),
                    heard: floor.heard,
                    away: false,
                };
                positions.push((id, position));
            }
        }
        self.note(&positions);
        outcomes.push(Outcome::Moved(positions));
    }

    fn sit_shared(&mut self, header: &Header, sitter: &Sitter) -> Outcome {
        let seat = Seat {
            writer: header.writer,
            number: sitter.seat,
        };
        let known = self.by_name(sitter.name.as_bytes());
        if let Some(member) = known.and_then(|id| self.members.get(id)) {
            let holder = member.key();
            let seating = &member.seating;
            let is_late = seating.is_newer_than(sitter.life, sitter.attempt);
            if is_late {
                let why = Rejection::out_of_date();
                return Outcome::Unseated { seat, why };
            }
            if holder.is_some() && holder != sitter.key && !sitter.owned {
                let why = Rejection::not_its_name();
                return Outcome::Unseated { seat, why };
            }
        }
        let sit = Sit {
            seat,
            name: &sitter.name,
            dialect: sitter.dialect,
            delimited: sitter.delimited,
            start: sitter.start,
            transient: sitter.transient,
            life: sitter.life,
            attempt: sitter.attempt,
            key: sitter.key,
            owned: sitter.owned,
        };
        let outcome = self.sit(header.wall, &sit);
        if let Outcome::Seated { member, .. } = outcome {
            self.take_seat(header.writer, seat, member, sitter);
        }
        outcome
    }

    fn take_seat(&mut self, writer: Writer, seat: Seat, id: MemberId, sitter: &Sitter) {
        let cluster = self.cluster.as_mut().expect("the order is shared");
        let home = cluster.broker_of(writer).map(|(name, _)| name.clone());
        let Some(member) = self.members.get_mut(id) else {
            return;
        };
        let before = member.seating.seat.replace(seat);
        member.seating.home = home;
        member.seating.life = sitter.life;
        member.seating.attempt = sitter.attempt;
        member.position.dialect = sitter.dialect;
        member.position.delimited = sitter.delimited;
        let entry = member.entry();
        cluster.leave_seat(before);
        cluster.seats.insert(seat, id);
        cluster.changed.insert(sitter.name.clone());
        self.journal.changed(entry);
        if let Some(key) = sitter.key {
            self.members.give(id, Some(key));
        }
    }
}
