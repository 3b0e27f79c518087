//! What a restarted broker knows: the order as the log holds it, by the functions that made it.

use std::collections::BTreeMap;

use super::Mutant;
use super::member::{Member, Position};
use super::snapshots::remember;
use crate::wire::position_mark::PositionMark;
use crate::wire::record::Record;
use crate::wire::sessions::SessionEntry;
use crate::wire::{ClientSequence, Epoch, LogId, Name, OrderNumber};

/// Where the order, the epoch and the sessions stood when the log was last written.
///
/// The log feeds it what it reads, in order: the epoch of each batch with [`enter`](Self::enter),
/// then a snapshot with [`replace`](Self::replace), session changes with
/// [`change`](Self::change), messages with [`message`](Self::message).
#[derive(Clone, Debug, Default)]
pub struct Recovered {
    /// Which log it is.
    pub log_id: LogId,
    /// Makes this log's digests unlike those of others.
    pub digest_seed: u64,
    /// The last epoch in the log; the broker that starts now takes the next one.
    pub epoch: Epoch,
    /// The oldest message that is kept.
    pub oldest: OrderNumber,
    /// The number that the next message gets.
    pub next: OrderNumber,
    members: BTreeMap<Name, Member>,
    /// What was there before entries that made or ended a session, until the notice is found
    /// that tells everybody so.
    unannounced: BTreeMap<Name, Option<Member>>,
    /// Of one of several brokers: how far it had applied their stream. Its seats are taken out.
    pub mark: Option<PositionMark>,
}

/// What a repeated publish is told from another one by, under the same client sequence. Without
/// the seed, which never leaves the log, nobody can make two payloads of one digest.
pub(super) fn digest(seed: u64, payload: &[u8]) -> u32 {
    let hash = xxhash_rust::xxh3::xxh3_64_with_seed(payload, seed);
    #[expect(clippy::cast_possible_truncation, reason = "any half of it is as good")]
    (hash as u32)
}

impl Recovered {
    /// Nothing yet: of a log without messages, members and broker's runs.
    #[must_use]
    pub fn nothing(log_id: LogId, digest_seed: u64) -> Self {
        Self {
            log_id,
            digest_seed,
            ..Self::default()
        }
    }

    /// Takes all entries of a snapshot: these sessions there are, and no others.
    pub fn replace(&mut self, entries: &[SessionEntry]) {
        let named = entries
            .iter()
            .map(|entry| (entry.name.clone(), Member::of(entry)));
        self.members = named.collect();
        self.unannounced.clear();
        if let Some(mark) = &mut self.mark {
            mark.whole.clear(); // the mark behind it has all
        }
    }

    /// Takes one entry of a session change.
    ///
    /// A change does not repeat what is remembered of a member's publishing: that follows from
    /// its messages, so what is known of it stays.
    pub fn change(&mut self, entry: &SessionEntry) {
        let known = self.members.remove(&entry.name);
        if known.is_some() != entry.member {
            let before = self.unannounced.entry(entry.name.clone());
            before.or_insert_with(|| known.clone());
        }
        if !entry.member {
            return;
        }
        let member = match known {
            Some(known) => known.changed(entry),
            None => Member::of(entry),
        };
        self.members.insert(entry.name.clone(), member);
    }

    /// Takes one message, so that no client sequence is ordered twice.
    pub fn message(&mut self, record: &Record<'_>) {
        self.next = record.order.plus(1);
        // Entries lie before the batch with their notices, and of a batch all is there or nothing.
        self.unannounced.clear();
        if record.client_sequence == ClientSequence::NONE || Mutant::ForgetPublishers.lives() {
            return;
        }
        if let Some(member) = self.members.get_mut(record.sender) {
            let digest = digest(self.digest_seed, record.payload);
            let publisher = &mut member.publisher;
            publisher.replayed(record.client_sequence, record.order, digest);
        }
    }

    /// Takes a position mark: everything before it was applied as a whole.
    pub fn mark(&mut self, mut mark: PositionMark) {
        for seat in std::mem::take(&mut mark.seats) {
            if let Some(member) = self.members.get_mut(&seat.name) {
                member.take_seat(&seat);
            }
        }
        let stream = |mark: &PositionMark| mark.founding.as_ref().map(|founding| founding.stream);
        // In another stream those of the earlier one are gone.
        let before = self.mark.take().filter(|it| stream(it) == stream(&mark));
        let mut whole = before.map(|before| before.whole).unwrap_or_default();
        for newest in std::mem::take(&mut mark.whole) {
            remember(&mut whole, newest);
        }
        mark.whole = whole;
        self.mark = Some(mark);
    }

    /// What follows was written in this epoch. If it is a new one, then a broker was started here:
    /// it has found the log as it is up to here, and has judged it as [`finish`](Self::finish)
    /// does. What it took for undone must not come back because messages of its own follow.
    pub fn enter(&mut self, epoch: Epoch) {
        if epoch > self.epoch {
            self.finish();
            self.epoch = epoch;
        }
    }

    /// Ends the feeding: what entries count beyond the last message was lost with the power.
    ///
    /// Entries are written before the messages that they already count. If the messages are
    /// torn off, their sender was told of none of them and will send them again: then they must
    /// not be taken for duplicates. Likewise nobody was told of who joined or left in them, nor
    /// were they themselves: it has not happened.
    pub fn finish(&mut self) {
        for (name, before) in std::mem::take(&mut self.unannounced) {
            if Mutant::CountTornEntries.lives() {
                continue;
            }
            match before {
                Some(member) => self.members.insert(name, member),
                None => self.members.remove(&name),
            };
        }
        for member in self.members.values_mut() {
            let Position { floor, .. } = &mut member.position;
            *floor = (*floor).min(self.next);
            member.publisher.cut(self.next);
        }
    }

    /// How many sessions there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.members.len()
    }

    /// Whether there is no session.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// The sessions, by name, with all that is remembered of their publishing.
    pub fn sessions(&self) -> impl Iterator<Item = SessionEntry> {
        self.members.values().map(Member::whole_entry)
    }

    /// The members, by name.
    pub(super) fn into_members(self) -> impl Iterator<Item = Member> {
        self.members.into_values()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Dialect;
    use crate::wire::record::Flags;
    use crate::wire::sessions::SequenceRun;

    fn entry(last: u64, runs: &[(u64, u64, u32)]) -> SessionEntry {
        let runs: Vec<_> = runs
            .iter()
            .map(|&(sequence, order, count)| SequenceRun {
                sequence: ClientSequence(sequence),
                order: OrderNumber(order),
                count,
            })
            .collect();
        SessionEntry {
            name: Name::new(b"ann").unwrap(),
            member: true,
            dialect: Dialect::Native,
            delimited: false,
            floor: OrderNumber(90),
            heard: 0,
            away: false,
            last_sequence: ClientSequence(last),
            digests: runs.iter().flat_map(|run| 0..run.count).collect(),
            runs,
        }
    }

    fn recovered(entry: &SessionEntry, next: u64) -> SessionEntry {
        let mut recovered = Recovered {
            next: OrderNumber(next),
            ..Recovered::default()
        };
        recovered.replace(std::slice::from_ref(entry));
        recovered.finish();
        recovered.sessions().next().unwrap()
    }

    #[test]
    fn messages_that_were_torn_off_are_no_duplicates() {
        // The entry counts 1 to 10, of which 4 to 10 were to be messages 100 to 106.
        let counts = entry(10, &[(1, 50, 3), (4, 100, 7)]);
        assert_eq!(recovered(&counts, 107), counts);
        let cut = recovered(&counts, 102);
        assert_eq!(cut, entry(5, &[(1, 50, 3), (4, 100, 2)]));
        assert_eq!(recovered(&counts, 100), entry(3, &[(1, 50, 3)]));
        // All that it remembers is lost, but not that earlier ones were ordered.
        assert_eq!(recovered(&entry(9, &[(8, 120, 2)]), 100), entry(7, &[]));
        assert_eq!(recovered(&entry(2, &[(1, 120, 2)]), 100), entry(0, &[]));
    }

    #[test]
    fn a_floor_never_lies_beyond_the_order() {
        assert_eq!(recovered(&entry(0, &[]), 80).floor, OrderNumber(80));
    }

    #[test]
    fn messages_behind_a_newer_entry_are_counted_once() {
        let mut recovered = Recovered::default();
        recovered.replace(&[entry(2, &[(1, 5, 2)])]);
        for (sequence, order) in [(1, 5), (2, 6), (3, 7), (4, 9)] {
            recovered.message(&Record {
                order: OrderNumber(order),
                client_sequence: ClientSequence(sequence),
                time: 0,
                flags: Flags::default(),
                sender: b"ann",
                payload: b"text",
            });
        }
        let found = recovered.sessions().next().unwrap();
        assert_eq!(found.last_sequence, ClientSequence(4));
        let counts: Vec<_> = found.runs.iter().map(|run| run.count).collect();
        assert_eq!(counts, [3, 1]);
        assert_eq!(found.digests.len(), 4);
    }
}
