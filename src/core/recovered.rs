//! What a restarted broker knows: rebuilt from the log, handed to the machine.

use std::collections::BTreeMap;

use crate::wire::record::Record;
use crate::wire::sessions::{SequenceRun, SessionEntry};
use crate::wire::{ClientSequence, Epoch, LogId, Name, OrderNumber};

/// Where the order, the epoch and the sessions stood when the log was last written.
///
/// The log feeds it what it reads, in order: a snapshot with [`replace`](Self::replace), session
/// changes with [`change`](Self::change), messages with [`message`](Self::message).
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
}

impl Recovered {
    /// Forgets all sessions: a snapshot follows.
    pub fn replace(&mut self) {
        self.sessions.clear();
    }

    /// Takes one entry of a snapshot or of a session change.
    ///
    /// A change does not repeat what is remembered of a member's publishing: that follows from
    /// its messages, so what is known of it stays.
    pub fn change(&mut self, mut entry: SessionEntry) {
        let known = self.sessions.remove(&entry.name);
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
        if record.client_sequence == ClientSequence::NONE {
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

    /// The sessions, by name.
    pub fn sessions(&self) -> impl Iterator<Item = &SessionEntry> {
        self.sessions.values()
    }
}

fn continues(run: &SequenceRun, record: &Record<'_>) -> bool {
    let count = u64::from(run.count);
    run.sequence.0 + count == record.client_sequence.0 && run.order.plus(count) == record.order
}
