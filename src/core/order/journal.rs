//! What is to be appended to the log, in the order in which it was applied.

use super::chunk::{Chunk, OpenBatch};
use crate::wire::batch::{HEADER_LEN, Header, Kind};
use crate::wire::position_mark::PositionMark;
use crate::wire::record::{self, Record};
use crate::wire::sessions::SessionEntry;
use crate::wire::{Epoch, LogId, Name, OrderNumber};

/// Something to append to the log.
#[derive(Clone, Debug)]
pub enum Write {
    /// An encoded batch of session entries.
    Sessions(Vec<u8>),
    /// Messages: one batch, or several end to end.
    Messages(Chunk),
    /// An encoded position mark: how far the stream is applied that several brokers share.
    Position(Vec<u8>),
}

/// The batch that is being filled, and what was closed before it.
#[derive(Debug)]
pub(super) struct Journal {
    log_id: LogId,
    epoch: Epoch,
    open: OpenBatch,
    /// Entries of sessions that exist before the first message of `open`.
    entries: Vec<SessionEntry>,
    writes: Vec<Write>,
    /// Bytes of `entries` and `writes`, headers included.
    closed_bytes: usize,
}

impl Journal {
    pub(super) fn new(log_id: LogId, epoch: Epoch, next: OrderNumber) -> Self {
        Self {
            log_id,
            epoch,
            open: OpenBatch::new(next),
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

    /// Adds a message; returns its number.
    pub(super) fn message(&mut self, record: Record<'_>) -> OrderNumber {
        self.open.push(record)
    }

    /// Records a member that is new, or has moved on: true before the batch's messages.
    pub(super) fn changed(&mut self, entry: SessionEntry) {
        if self.entries.is_empty() {
            self.closed_bytes += HEADER_LEN;
        }
        self.closed_bytes += entry.encoded_len();
        self.entries.push(entry);
    }

    /// Records that a member has left. What it published before must not be counted towards the
    /// next member of its name, so the batch ends here.
    pub(super) fn left(&mut self, mut entry: SessionEntry) {
        self.close();
        entry.member = false;
        self.changed(entry);
    }

    /// Closes the batch; what is applied from now on goes into the next one.
    fn close(&mut self) {
        if !self.entries.is_empty() {
            let entries = std::mem::take(&mut self.entries);
            let encoded = self.encode(Kind::Sessions, self.open.first(), &entries);
            self.writes.push(Write::Sessions(encoded));
        }
        if let Some(chunk) = self.open.seal(self.log_id, self.epoch) {
            self.closed_bytes += chunk.bytes().len();
            match self.writes.last_mut() {
                // Small records would become small frames for every member.
                Some(Write::Messages(last)) => last.append(&chunk),
                _ => self.writes.push(Write::Messages(chunk)),
            }
        }
    }

    /// Ends the batch behind one record of a stream, so that all brokers write the same batches.
    pub(super) fn end_record(&mut self) {
        self.close();
    }

    /// From now on batches are of this epoch.
    pub(super) fn begin_epoch(&mut self, epoch: Epoch) {
        self.close();
        self.epoch = epoch;
    }

    /// Adds a mark behind everything.
    pub(super) fn mark(&mut self, mark: &PositionMark) {
        self.close();
        let bytes = self.encode_mark(mark);
        self.closed_bytes += bytes.len();
        self.writes.push(Write::Position(bytes));
    }

    /// An encoded mark.
    pub(super) fn encode_mark(&self, mark: &PositionMark) -> Vec<u8> {
        let mut bytes = vec![0; HEADER_LEN];
        mark.encode(&mut bytes);
        let header = Header {
            kind: Kind::Position,
            length: bytes.len(),
            count: 0,
            first: self.next(),
            log_id: self.log_id,
            epoch: self.epoch,
            body_checksum: 0,
        };
        header.seal(&mut bytes);
        bytes
    }

    /// Everything that waits to be written.
    pub(super) fn take(&mut self) -> Vec<Write> {
        self.close();
        self.closed_bytes = 0;
        std::mem::take(&mut self.writes)
    }

    /// An encoded batch of these sessions, for a checkpoint.
    pub(super) fn snapshot(&self, entries: &[SessionEntry]) -> Vec<u8> {
        assert!(self.is_empty(), "a snapshot stands between batches");
        encode_snapshot(self.log_id, self.epoch, self.next(), entries)
    }

    fn encode(&self, kind: Kind, first: OrderNumber, entries: &[SessionEntry]) -> Vec<u8> {
        encode(kind, self.log_id, self.epoch, first, entries)
    }
}

/// An encoded batch of these sessions, as they are before the message `next`.
pub(super) fn encode_snapshot(
    log_id: LogId,
    epoch: Epoch,
    next: OrderNumber,
    entries: &[SessionEntry],
) -> Vec<u8> {
    encode(Kind::Snapshot, log_id, epoch, next, entries)
}

fn encode(
    kind: Kind,
    log_id: LogId,
    epoch: Epoch,
    first: OrderNumber,
    entries: &[SessionEntry],
) -> Vec<u8> {
    let length = Journal::cost_of_entries(entries);
    let mut bytes = Vec::with_capacity(length);
    bytes.resize(HEADER_LEN, 0);
    for entry in entries {
        entry.encode(&mut bytes);
    }
    let header = Header {
        kind,
        length,
        count: u32::try_from(entries.len()).expect("members are limited"),
        first,
        log_id,
        epoch,
        body_checksum: 0,
    };
    header.seal(&mut bytes);
    bytes
}
