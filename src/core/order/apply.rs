//! Applying commands. What is refused changes nothing; nothing here can fail.

use super::command::{Command, Outcome, Rejection, Sit};
use super::publisher::Verdict;
use super::recovered::digest;
use super::{Member, MemberId, Order, Position, Runs};
use crate::wire::native::Publish;
use crate::wire::record::{Flags, Record};
use crate::wire::{ClientSequence, Name, OrderNumber, rendering};

const JOINED: &str = " has joined the net";
const LEFT: &str = " has left the net";
/// Bytes of the longest notice besides the name in it.
pub(super) const LONGEST_NOTICE: usize = JOINED.len();

impl Order {
    /// Applies a command at a time, in microseconds since 1970 (UTC).
    pub fn apply(&mut self, wall: u64, command: Command<'_>) -> Outcome {
        match command {
            Command::Sit(sit) => self.sit(wall, &sit),
            Command::Publish {
                member,
                publish,
                count,
            } => self.publish(wall, member, &publish, count),
            Command::Say { member, payload } => self.say(wall, member, payload),
            Command::Move(positions) => self.note(positions),
            Command::Away(member, position) => {
                self.note(&[(member, position)]);
                Outcome::Away(member)
            }
            Command::Leave(member) => self.leave(wall, member, false),
            Command::End(member) => self.leave(wall, member, true),
            Command::Kick(member) if self.member(member).is_some() => Outcome::Kicked { member },
            Command::Kick(_) => Outcome::Stale,
            Command::Own { member, key } => {
                self.members.give(member, Some(key));
                Outcome::Noted
            }
        }
    }

    pub(super) fn sit(&mut self, wall: u64, sit: &Sit<'_>) -> Outcome {
        let seat = sit.seat;
        let unseated = |why| Outcome::Unseated { seat, why };
        let Some(member) = self.by_name(sit.name.as_bytes()) else {
            return (self.join(wall, sit)).map_or_else(unseated, seated(sit, true));
        };
        // Nobody comes back to a connection's session, and no connection takes another's.
        let held = self.member(member).is_some_and(Member::is_transient);
        if held || sit.transient {
            return unseated(Rejection::taken());
        }
        seated(sit, false)(member)
    }

    /// Makes a member, and tells everybody in the order.
    fn join(&mut self, wall: u64, sit: &Sit<'_>) -> Result<MemberId, Rejection> {
        let longest = self.rules.name_bytes;
        if sit.name.as_bytes().len() > longest {
            let text = "the name is longer than the broker takes";
            return Err(Rejection::limit(longest as u64, text));
        }
        if self.len() >= self.rules.members {
            let text = "the broker has as many members as it takes";
            return Err(Rejection::limit(self.rules.members as u64, text));
        }
        let position = Position {
            dialect: sit.dialect,
            delimited: sit.delimited,
            floor: sit
                .start
                .unwrap_or(self.next().plus(1))
                .min(self.next().plus(1)),
            heard: wall,
            away: false,
        };
        let member = Member::new(sit.name.clone(), sit.transient, position);
        let entry = member.entry();
        let id = self
            .members
            .insert(member)
            .map_err(|_| Rejection::taken())?;
        self.notice(wall, sit.name, JOINED);
        // A name from before a crash of a peer that cannot come back is worth no entry.
        if !sit.transient || self.cluster.is_some() {
            self.journal.changed(entry);
        }
        Ok(id)
    }

    pub(super) fn leave(&mut self, wall: u64, id: MemberId, by_operator: bool) -> Outcome {
        let Some(member) = self.members.remove(id) else {
            return Outcome::Stale;
        };
        if !member.is_transient() || self.cluster.is_some() {
            self.journal.left(member.entry());
        }
        self.notice(wall, member.name(), LEFT);
        Outcome::Left {
            member: id,
            name: member.name().clone(),
            by_operator,
        }
    }

    pub(super) fn note(&mut self, positions: &[(MemberId, Position)]) -> Outcome {
        for (id, position) in positions {
            if let Some(member) = self.members.get_mut(*id) {
                member.position = *position;
                if !member.is_transient() || self.cluster.is_some() {
                    let entry = member.entry();
                    self.journal.changed(entry);
                }
            }
        }
        Outcome::Noted
    }

    pub(super) fn say(&mut self, wall: u64, id: MemberId, payload: &[u8]) -> Outcome {
        let Some(member) = self.members.get(id) else {
            return Outcome::Stale;
        };
        let most = self.rules.message_bytes;
        if payload.len() > most {
            let result = Err(Rejection::too_large(most));
            return Outcome::Said { member: id, result };
        }
        let (flags, text) = rendering::split(member.name(), payload);
        let order = self.journal.message(Record {
            order: OrderNumber(0),
            client_sequence: ClientSequence::NONE,
            time: wall,
            flags,
            sender: member.name().as_bytes(),
            payload: text,
        });
        let result = Ok(order);
        Outcome::Said { member: id, result }
    }

    /// Orders what is new of a frame, and finds the numbers of what is known, up to the first
    /// message that cannot have one: what follows that could not be ordered either.
    pub(super) fn publish(
        &mut self,
        wall: u64,
        id: MemberId,
        publish: &Publish<'_>,
        count: u32,
    ) -> Outcome {
        let mut published = Published::default();
        let oversized = self.oversized(publish);
        let Some(member) = self.members.get_mut(id) else {
            return Outcome::Stale;
        };
        if oversized.is_some() {
            return published.outcome(id, oversized);
        }
        let name = member.name().clone();
        let sequences = (publish.first.0..).map(ClientSequence);
        for (sequence, payload) in sequences.zip(publish.payloads()).take(count as usize) {
            let digest = digest(self.digest_seed, payload);
            let order = match member.publisher.judge(sequence, digest) {
                Verdict::New => {
                    let order = self.journal.message(Record {
                        order: OrderNumber(0),
                        client_sequence: sequence,
                        time: wall,
                        flags: Flags::default(),
                        sender: name.as_bytes(),
                        payload,
                    });
                    let remember = self.rules.publish_window;
                    member.publisher.ordered(order, digest, remember);
                    published.ordered += 1;
                    order
                }
                Verdict::Known(order) => {
                    published.repeated += 1;
                    order
                }
                Verdict::Reused => {
                    return published.outcome(id, Some(Rejection::reused(sequence)));
                }
                Verdict::Forgotten => {
                    return published.outcome(id, Some(Rejection::forgotten(sequence)));
                }
                Verdict::Gap { expected } => {
                    return published.outcome(id, Some(Rejection::gap(expected)));
                }
            };
            published.runs.push(sequence, order);
        }
        published.outcome(id, None)
    }

    /// Why a frame is refused as a whole.
    fn oversized(&self, publish: &Publish<'_>) -> Option<Rejection> {
        let window = self.rules.publish_window;
        if publish.count > window {
            let text = "more messages in a frame than may be unconfirmed";
            return Some(Rejection::limit(u64::from(window), text));
        }
        let most = self.rules.message_bytes;
        let mut payloads = publish.payloads();
        let is_too_large = payloads.any(|payload| payload.len() > most);
        is_too_large.then(|| Rejection::too_large(most))
    }

    /// What the notice says that a member has left.
    #[must_use]
    pub fn notice_of_leaving(name: &Name) -> Vec<u8> {
        [name.as_bytes(), LEFT.as_bytes()].concat()
    }

    /// Orders a notice of the broker's own.
    fn notice(&mut self, wall: u64, name: &Name, what: &str) {
        let text = [name.as_bytes(), what.as_bytes()].concat();
        self.journal.message(Record {
            order: OrderNumber(0),
            client_sequence: ClientSequence::NONE,
            time: wall,
            flags: Flags::NOTICE,
            sender: Name::server().as_bytes(),
            payload: &text,
        });
    }
}

fn seated(sit: &Sit<'_>, is_new: bool) -> impl FnOnce(MemberId) -> Outcome {
    let seat = sit.seat;
    move |member| Outcome::Seated {
        seat,
        member,
        is_new,
    }
}

/// How far a publish frame has come.
#[derive(Default)]
struct Published {
    runs: Runs,
    ordered: u64,
    repeated: u64,
}

impl Published {
    fn outcome(self, member: MemberId, stopped: Option<Rejection>) -> Outcome {
        Outcome::Published {
            member,
            runs: self.runs,
            ordered: self.ordered,
            repeated: self.repeated,
            stopped,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::order::{Recovered, Rules, Seat};
    use crate::wire::{Dialect, LogId};

    #[test]
    fn a_name_and_a_message_may_be_as_long_as_the_rules_say() {
        let rules = Rules {
            message_bytes: 5,
            publish_window: 10,
            name_bytes: 3,
            members: 2,
        };
        let mut order = Order::resume(Recovered::nothing(LogId(1), 1), rules);
        let sit = |order: &mut Order, name: &str| {
            let sit = Sit {
                seat: Seat::default(),
                name: &Name::new(name.as_bytes()).unwrap(),
                dialect: Dialect::Binary,
                delimited: false,
                start: None,
                transient: false,
                life: 0,
                attempt: 0,
                key: None,
                owned: false,
            };
            match order.apply(0, Command::Sit(sit)) {
                Outcome::Seated { member, .. } => Some(member),
                _ => None,
            }
        };
        assert_eq!(sit(&mut order, "anna"), None);
        let ana = sit(&mut order, "ana").unwrap();
        let mut say = |payload| {
            let said = order.apply(
                0,
                Command::Say {
                    member: ana,
                    payload,
                },
            );
            matches!(said, Outcome::Said { result: Ok(_), .. })
        };
        assert!(say(b"12345"));
        assert!(!say(b"123456"));
        assert!(sit(&mut order, "bob").is_some());
        assert!(sit(&mut order, "eva").is_none(), "two members at most");
    }
}
