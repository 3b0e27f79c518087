//! What is to be appended to the log, in the order in which it has happened.

use super::{Chunk, OpenBatch, Write};
use crate::wire::batch::{HEADER_LEN, Header, Kind};
use crate::wire::record::Record;
use crate::wire::sessions::SessionEntry;
use crate::wire::{Epoch, LogId, OrderNumber};

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

    /// Bytes of messages that wait to be written.
    pub(super) fn len(&self) -> usize {
        self.open.len()
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
        self.entries.push(entry);
    }

    /// Records that a member has left. What it published before must not be counted towards
    /// whoever takes the name next, so the batch ends here; returns it.
    pub(super) fn left(&mut self, mut entry: SessionEntry) -> Option<Chunk> {
        let closed = self.close();
        entry.member = false;
        self.entries.push(entry);
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
        self.writes.push(Write::Messages(chunk.clone()));
        Some(chunk)
    }

    /// Everything that was closed.
    pub(super) fn take(&mut self) -> Vec<Write> {
        std::mem::take(&mut self.writes)
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
