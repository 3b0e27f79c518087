//! What a restarted broker knows: rebuilt from the log, handed to the machine.

use std::collections::BTreeMap;

use super::Mutant;
use crate::wire::record::Record;
use crate::wire::sessions::{SequenceRun, SessionEntry};
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
    /// The last epoch in the log; the broker that starts now takes the next one.
    pub epoch: Epoch,
    /// The oldest message that is kept.
    pub oldest: OrderNumber,
    /// The number that the next message gets.
    pub next: OrderNumber,
    sessions: BTreeMap<Name, SessionEntry>,
    /// What was there before entries that made or ended a session, until the notice is found
    /// that tells everybody so.
    unannounced: BTreeMap<Name, Option<SessionEntry>>,
}

impl Recovered {
    /// Nothing yet: of a log without messages, members and broker's runs.
    #[must_use]
    pub fn nothing(log_id: LogId) -> Self {
        Self {
            log_id,
            ..Self::default()
        }
    }

    /// Takes all entries of a snapshot: these sessions there are, and no others.
    pub fn replace(&mut self, entries: Vec<SessionEntry>) {
        let named = entries.into_iter().map(|entry| (entry.name.clone(), entry));
        self.sessions = named.collect();
        self.unannounced.clear();
    }

    /// Takes one entry of a session change.
    ///
    /// A change does not repeat what is remembered of a member's publishing: that follows from
    /// its messages, so what is known of it stays.
    pub fn change(&mut self, mut entry: SessionEntry) {
        let known = self.sessions.remove(&entry.name);
        if known.is_some() != entry.member {
            let before = self.unannounced.entry(entry.name.clone());
            before.or_insert_with(|| known.clone());
        }
        if !entry.member {
            return;
        }
        if let Some(known) = known
            && entry.digests.is_empty()
        {
            entry.last_sequence = known.last_sequence;
            entry.runs = known.runs;
            entry.digests = known.digests;
        }
        self.sessions.insert(entry.name.clone(), entry);
    }

    /// Takes one message, so that no client sequence is ordered twice.
    pub fn message(&mut self, record: &Record<'_>) {
        self.next = record.order.plus(1);
        // Entries lie before the batch with their notices, and of a batch all is there or nothing.
        self.unannounced.clear();
        if record.client_sequence == ClientSequence::NONE || Mutant::ForgetPublishers.lives() {
            return;
        }
        let Some(entry) = self.sessions.get_mut(record.sender) else {
            return;
        };
        if record.client_sequence <= entry.last_sequence {
            return;
        }
        entry.last_sequence = record.client_sequence;
        entry.digests.push(crc32fast::hash(record.payload));
        match entry.runs.last_mut() {
            Some(run) if continues(run, record) => run.count += 1,
            _ => entry.runs.push(SequenceRun {
                sequence: record.client_sequence,
                order: record.order,
                count: 1,
            }),
        }
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
                Some(entry) => self.sessions.insert(name, entry),
                None => self.sessions.remove(&name),
            };
        }
        for entry in self.sessions.values_mut() {
            entry.floor = entry.floor.min(self.next);
            cut(entry, self.next);
        }
    }

    /// The sessions, by name.
    pub fn sessions(&self) -> impl Iterator<Item = &SessionEntry> {
        self.sessions.values()
    }
}

fn continues(run: &SequenceRun, record: &Record<'_>) -> bool {
    let count = u64::from(run.count);
    run.sequence.0 + count == record.client_sequence.0 && run.order.plus(count) == record.order
}

/// Takes out of an entry what it says of messages from `next` on.
fn cut(entry: &mut SessionEntry, next: OrderNumber) {
    let Some(at) = entry
        .runs
        .iter()
        .position(|run| run.order.plus(u64::from(run.count)) > next)
    else {
        return;
    };
    // Client sequences have no gaps: what came before the first lost one was ordered.
    let run = &mut entry.runs[at];
    let kept = u32::try_from(next.since(run.order)).unwrap_or(run.count);
    entry.last_sequence = ClientSequence(run.sequence.0 + u64::from(kept) - 1);
    run.count = kept;
    entry.runs.truncate(at + usize::from(kept > 0));
    let kept: usize = entry.runs.iter().map(|run| run.count as usize).sum();
    entry.digests.truncate(kept);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Dialect;
    use crate::wire::record::Flags;

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
            last_sequence: ClientSequence(last),
            digests: runs.iter().flat_map(|run| 0..run.count).collect(),
            runs,
        }
    }

    fn recovered(entry: SessionEntry, next: u64) -> SessionEntry {
        let mut recovered = Recovered {
            next: OrderNumber(next),
            ..Recovered::default()
        };
        recovered.replace(vec![entry]);
        recovered.finish();
        recovered.sessions().next().unwrap().clone()
    }

    #[test]
    fn messages_that_were_torn_off_are_no_duplicates() {
        // The entry counts 1 to 10, of which 4 to 10 were to be messages 100 to 106.
        let counts = entry(10, &[(1, 50, 3), (4, 100, 7)]);
        assert_eq!(recovered(counts.clone(), 107), counts);
        assert_eq!(
            recovered(counts.clone(), 102),
            entry(5, &[(1, 50, 3), (4, 100, 2)])
        );
        assert_eq!(recovered(counts, 100), entry(3, &[(1, 50, 3)]));
        // All that it remembers is lost, but not that earlier ones were ordered.
        assert_eq!(recovered(entry(9, &[(8, 120, 2)]), 100), entry(7, &[]));
        assert_eq!(recovered(entry(2, &[(1, 120, 2)]), 100), entry(0, &[]));
    }

    #[test]
    fn a_floor_never_lies_beyond_the_order() {
        assert_eq!(recovered(entry(0, &[]), 80).floor, OrderNumber(80));
    }

    #[test]
    fn messages_behind_a_newer_entry_are_counted_once() {
        let mut recovered = Recovered::default();
        recovered.replace(vec![entry(2, &[(1, 5, 2)])]);
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
