//! Commands as proposals: what one of several brokers puts into its next record.

use super::Sequencer;
use crate::core::Now;
use crate::core::order::{Command, Member, MemberId, Position, Seat, Seating};
use crate::wire::Writer;
use crate::wire::native::Publish;
use crate::wire::stream_record::{Floor, Proposal, Sitter};

/// The most floors of one proposal.
const FLOORS: usize = 4096;

impl Sequencer {
    /// Puts a command into this broker's next record.
    pub(super) fn propose(&mut self, now: Now, command: Command<'_>) {
        match command {
            Command::Sit(sit) => self.say(
                now,
                &Proposal::Sit(Sitter {
                    seat: sit.seat.number,
                    life: sit.life,
                    attempt: sit.attempt,
                    name: sit.name.clone(),
                    dialect: sit.dialect,
                    delimited: sit.delimited,
                    transient: sit.transient,
                    owned: sit.owned,
                    start: sit.start,
                    key: sit.key,
                }),
            ),
            Command::Publish {
                member, publish, ..
            } => self.propose_publish(now, member, publish),
            Command::Say { member, payload } => {
                if let Some(seat) = self.seat_of(member) {
                    self.say(now, &Proposal::Say { seat, payload });
                }
            }
            Command::Move(positions) => self.propose_floors(now, positions),
            Command::Away(member, position) => {
                self.propose_floors(now, &[(member, position)]);
                if let Some(seat) = self.seat_of(member) {
                    self.say(now, &Proposal::Away { seat });
                    if let Some(session) = self.sessions.find_mut(member) {
                        session.rises = true;
                    }
                }
            }
            Command::Leave(id) => {
                let seating = self.order.member(id).map(Member::seating);
                let away = seating.filter(|seating| seating.seat().is_none());
                let since = away.map(Seating::away_since);
                let name = self.order.member(id).map(|member| member.name().clone());
                if let Some(seat) = self.seat_of(id) {
                    self.say(now, &Proposal::Leave { seat });
                } else if let (Some(since), Some(name)) = (since, name) {
                    self.say(now, &Proposal::Expire { name, since });
                }
            }
            Command::Kick(id) | Command::End(id) => {
                let Some(name) = self.order.member(id).map(|member| member.name().clone()) else {
                    return;
                };
                let proposal = match command {
                    Command::Kick(_) => Proposal::Kick { name },
                    _ => Proposal::End { name },
                };
                self.say(now, &proposal);
            }
            Command::Own { member, key } => {
                if let Some(seat) = self.seat_of(member) {
                    self.say(now, &Proposal::Own { seat, key });
                }
            }
        }
    }

    /// Proposes what is no command of a connection's.
    pub(super) fn say(&mut self, now: Now, proposal: &Proposal<'_>) {
        let applied = self.order.applied();
        if let Some(among) = &mut self.among {
            among.scribe.propose_fitting(proposal, now.wall, applied);
        }
    }

    fn propose_publish(&mut self, now: Now, member: MemberId, publish: Publish<'_>) {
        let applied = self.order.applied();
        let (Some(seat), Some(among)) = (self.seat_of(member), &mut self.among) else {
            return;
        };
        let mut rest = Some(publish);
        while let Some(publish) = rest {
            let room = among.scribe.room();
            let (head, after) = publish.split(room);
            if head.bytes() > room && !among.scribe.is_open_empty() {
                among.scribe.seal(now.wall, applied);
                continue;
            }
            rest = after;
            let publish = head;
            among.scribe.propose(&Proposal::Publish { seat, publish });
            among.scribe.seal_if_full(now.wall, applied);
        }
    }

    fn propose_floors(&mut self, now: Now, positions: &[(MemberId, Position)]) {
        let seated = positions
            .iter()
            .filter_map(|(id, position)| Some((self.seat_of(*id)?, position)));
        let floors: Vec<_> = seated
            .map(|(seat, position)| Floor {
                seat,
                dialect: position.dialect,
                delimited: position.delimited,
                floor: position.floor,
                heard: position.heard,
            })
            .collect();
        // Those of a crowd would be more than a server takes at once.
        for floors in floors.chunks(FLOORS) {
            self.say(now, &Proposal::Floors(floors.to_vec()));
        }
    }

    /// The writer of this broker's seats; 0 for one that is alone.
    pub(super) fn writer(&self) -> Writer {
        let among = self.among.as_ref();
        among.map_or(Writer(0), |among| among.scribe.writer())
    }

    /// The seat of a member that sits at this broker's process.
    pub(super) fn seat_of(&self, id: MemberId) -> Option<u32> {
        let Seat { writer, number } = self.order.member(id)?.seating().seat()?;
        let among = self.among.as_ref()?;
        (writer == among.scribe.writer()).then_some(number)
    }

    /// Whether what a member says over its connection would count.
    pub(super) fn has_seat(&self, id: MemberId) -> bool {
        let rises = self.sessions.find(id).is_some_and(|session| session.rises);
        self.among.is_none() || (self.seat_of(id).is_some() && !rises)
    }
}
