//! What is to be appended to the log, in the order in which it has happened.

use super::{Chunk, Mutant, OpenBatch, Write};
use crate::wire::batch::{HEADER_LEN, Header, Kind};
use crate::wire::record::{self, Record};
use crate::wire::sessions::SessionEntry;
use crate::wire::{Epoch, LogId, Name, OrderNumber};

/// The batch that is being filled, and what was closed before it.
#[derive(Debug)]
pub(super) struct Appends {
    log_id: LogId,
    epoch: Epoch,
    durable: OrderNumber,
    open: OpenBatch,
    /// Entries of sessions that exist before the first message of `open`.
    entries: Vec<SessionEntry>,
    writes: Vec<Write>,
    /// Bytes of `entries` and `writes`, headers included.
    closed_bytes: usize,
}

impl Appends {
    pub(super) fn new(log_id: LogId, epoch: Epoch, next: OrderNumber) -> Self {
        let open = OpenBatch::new(next);
        Self {
            log_id,
            epoch,
            durable: next,
            open,
            entries: Vec::new(),
            writes: Vec::new(),
            closed_bytes: 0,
        }
    }

    pub(super) fn log_id(&self) -> LogId {
        self.log_id
    }

    pub(super) fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// The number that the next message gets.
    pub(super) fn next(&self) -> OrderNumber {
        self.open.next()
    }

    /// Bytes that wait to be written.
    pub(super) fn len(&self) -> usize {
        self.closed_bytes + self.open.len()
    }

    /// The most bytes that [`len`](Self::len) grows by with one more message.
    pub(super) fn cost_of_message(sender: &Name, payload_bytes: usize) -> usize {
        HEADER_LEN + record::HEADER_LEN + sender.as_bytes().len() + payload_bytes
    }

    /// The most bytes that [`len`](Self::len) grows by with these entries.
    pub(super) fn cost_of_entries(entries: &[SessionEntry]) -> usize {
        HEADER_LEN + entries.iter().map(SessionEntry::encoded_len).sum::<usize>()
    }

    /// Whether nothing waits to be written.
    pub(super) fn is_empty(&self) -> bool {
        self.open.is_empty() && self.entries.is_empty() && self.writes.is_empty()
    }

    /// Notes that everything before `order` is on disk.
    pub(super) fn synced(&mut self, order: OrderNumber) {
        self.durable = order;
    }

    /// Orders a message; returns its number.
    pub(super) fn message(&mut self, record: Record<'_>) -> OrderNumber {
        self.open.push(record)
    }

    /// Records a member that is new, or has acknowledged: true before the batch's messages.
    pub(super) fn changed(&mut self, entry: SessionEntry) {
        if self.entries.is_empty() {
            self.closed_bytes += HEADER_LEN;
        }
        self.closed_bytes += entry.encoded_len();
        self.entries.push(entry);
    }

    /// Records that a member has left. What it published before must not be counted towards
    /// whoever takes the name next, so the batch ends here; returns it.
    pub(super) fn left(&mut self, mut entry: SessionEntry) -> Option<Chunk> {
        let closed = self.close();
        entry.member = false;
        self.changed(entry);
        closed
    }

    /// Closes the batch, if it has messages, and returns it.
    pub(super) fn close(&mut self) -> Option<Chunk> {
        if !self.entries.is_empty() {
            let entries = std::mem::take(&mut self.entries);
            self.writes.push(Write::Sessions(self.encode(
                Kind::Sessions,
                &entries,
                self.durable,
            )));
        }
        let chunk = self.open.seal(self.durable, self.log_id, self.epoch)?;
        self.closed_bytes += chunk.bytes().len();
        self.writes.push(Write::Messages(chunk.clone()));
        Some(chunk)
    }

    /// Everything; whatever there is has been closed.
    pub(super) fn take(&mut self) -> Vec<Write> {
        assert!(
            self.open.is_empty() && self.entries.is_empty(),
            "close first"
        );
        self.closed_bytes = 0;
        let mut writes = std::mem::take(&mut self.writes);
        if Mutant::SendBeforeWrite.lives() {
            self.writes.extend(writes.pop());
        }
        writes
    }

    /// An encoded batch of all sessions, for the head of a segment.
    pub(super) fn snapshot(&self, entries: &[SessionEntry]) -> Vec<u8> {
        assert!(self.is_empty(), "a snapshot stands between batches");
        self.encode(Kind::Snapshot, entries, self.next())
    }

    fn encode(&self, kind: Kind, entries: &[SessionEntry], durable: OrderNumber) -> Vec<u8> {
        let length = HEADER_LEN + entries.iter().map(SessionEntry::encoded_len).sum::<usize>();
        let mut bytes = Vec::with_capacity(length);
        bytes.resize(HEADER_LEN, 0);
        for entry in entries {
            entry.encode(&mut bytes);
        }
        let header = Header {
            kind,
            length,
            count: u32::try_from(entries.len()).expect("members are limited"),
            first: self.open.first(),
            durable,
            log_id: self.log_id,
            epoch: self.epoch,
            body_checksum: 0,
        };
        header.seal(&mut bytes);
        bytes
    }
}
