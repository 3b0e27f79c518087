//! Snapshots of the order's state in its stream: when the next one is due, and which are whole.
//! All of it follows from the records, so all brokers agree on it.

use crate::wire::position_mark::{SnapshotsEntry, WholeEntry};
use crate::wire::stream_record::Part;
use crate::wire::{Position, Writer};

/// The most whole snapshots that are remembered; beyond, every second one is forgotten.
const REMEMBERED: usize = 64;
/// A snapshot is due after so many times its own size at the earliest, or writing it would fill
/// the stream.
const TIMES_ITS_SIZE: u64 = 4;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Snapshots {
    entry: SnapshotsEntry,
    /// Oldest first.
    whole: Vec<WholeEntry>,
    /// Those of them that the log does not know yet.
    unmarked: Vec<WholeEntry>,
}

impl Snapshots {
    pub(super) fn new(entry: SnapshotsEntry, whole: Vec<WholeEntry>) -> Self {
        Self {
            entry,
            whole,
            unmarked: Vec::new(),
        }
    }

    /// The order begins: the first one is due after so many bytes.
    pub(super) fn found(&mut self, interval: u64) {
        self.entry.until = interval;
    }

    /// A record of so many bytes was applied.
    pub(super) fn advance(&mut self, length: usize) {
        self.entry.bytes += length as u64;
        self.entry.until = self.entry.until.saturating_sub(length as u64);
    }

    /// Whether the state as it is now is to be written.
    pub(super) fn is_due(&self) -> bool {
        self.entry.until == 0
    }

    /// The state at this position is to be written, and has this size.
    pub(super) fn begin(&mut self, position: Position, size: usize, interval: u64) {
        self.entry.due = WholeEntry {
            position,
            bytes: self.entry.bytes,
        };
        self.entry.writer = Writer(0);
        self.entry.parts = 0;
        self.entry.is_whole = false;
        self.entry.until = interval.max(TIMES_ITS_SIZE * size as u64).max(1);
    }

    /// A broker has written a part. Only those of the one that began last count, in their order:
    /// two may write the same.
    pub(super) fn take(&mut self, writer: Writer, part: &Part<'_>) {
        let entry = &mut self.entry;
        if part.of != entry.due.position || entry.is_whole || part.count == 0 {
            return;
        }
        if part.index == 0 {
            entry.writer = writer;
            entry.parts = 1;
        } else if writer == entry.writer && part.index == entry.parts {
            entry.parts += 1;
        } else {
            return;
        }
        if entry.parts == part.count {
            entry.is_whole = true;
            let whole = entry.due;
            remember(&mut self.whole, whole);
            self.unmarked.push(whole);
        }
    }

    /// Which one is to be written, who has begun to, and how many of its parts are there.
    pub(super) fn wanted(&self) -> Option<(Position, Writer, u32)> {
        let SnapshotsEntry {
            due,
            writer,
            parts,
            is_whole,
            ..
        } = self.entry;
        let is_wanted = due.position != Position(0) && !is_whole;
        is_wanted.then_some((due.position, writer, parts))
    }

    /// The newest whole one that lies at `seen` or before, with at least so many bytes of records
    /// behind it.
    pub(super) fn to_keep(&self, bytes: u64, seen: Position) -> Option<Position> {
        let is_old =
            |whole: &&WholeEntry| whole.position <= seen && self.entry.bytes - whole.bytes >= bytes;
        self.whole.iter().rfind(is_old).map(|whole| whole.position)
    }

    /// How far they are.
    pub(super) fn entry(&self) -> SnapshotsEntry {
        self.entry
    }

    /// All that are remembered.
    pub(super) fn whole(&self) -> Vec<WholeEntry> {
        self.whole.clone()
    }

    /// Those that the log does not know yet.
    pub(super) fn take_unmarked(&mut self) -> Vec<WholeEntry> {
        std::mem::take(&mut self.unmarked)
    }
}

/// Adds one. The log adds them by this, too, and comes to the same list.
pub(super) fn remember(whole: &mut Vec<WholeEntry>, newest: WholeEntry) {
    if whole.last() == Some(&newest) {
        return;
    }
    whole.push(newest);
    if whole.len() > REMEMBERED {
        let mut number = 0;
        whole.retain(|_| {
            number += 1;
            number % 2 == 1
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(of: u64, index: u32, count: u32) -> Part<'static> {
        Part {
            of: Position(of),
            index,
            count,
            digest: 0,
            bytes: b"",
        }
    }

    #[test]
    fn one_is_whole_when_one_writer_has_written_all_of_it() {
        let mut snapshots = Snapshots::default();
        snapshots.advance(100);
        snapshots.begin(Position(7), 10, 50);
        snapshots.take(Writer(1), &part(7, 0, 3));
        snapshots.take(Writer(1), &part(7, 1, 3));
        snapshots.take(Writer(2), &part(7, 0, 3));
        snapshots.take(Writer(1), &part(7, 2, 3));
        snapshots.take(Writer(2), &part(7, 1, 3));
        assert_eq!(snapshots.wanted(), Some((Position(7), Writer(2), 2)));
        assert_eq!(snapshots.to_keep(0, Position(9)), None);
        snapshots.take(Writer(2), &part(7, 2, 3));
        assert_eq!(snapshots.wanted(), None);
        assert_eq!(snapshots.to_keep(0, Position(9)), Some(Position(7)));
        assert_eq!(
            snapshots.to_keep(0, Position(6)),
            None,
            "one has not seen it"
        );
        assert_eq!(snapshots.to_keep(1, Position(9)), None);
        snapshots.advance(1);
        assert_eq!(snapshots.to_keep(1, Position(9)), Some(Position(7)));
    }

    #[test]
    fn a_large_state_is_written_less_often() {
        let mut snapshots = Snapshots::default();
        snapshots.begin(Position(7), 1000, 50);
        snapshots.advance(3999);
        assert!(!snapshots.is_due());
        snapshots.advance(1);
        assert!(snapshots.is_due());
    }
}
