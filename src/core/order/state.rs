//! The whole state of a shared order as bytes: what a broker that has not seen the records before
//! begins with, and the same at all brokers that have applied the same.

use super::journal::encode_snapshot;
use super::{Member, Order, Rules};
use crate::core::Mutant;
use crate::wire::position_mark::{PositionMark, SnapshotsEntry};
use crate::wire::stream_record::{self, Founding};
use crate::wire::{Position, Writer};

impl Order {
    /// The state as it is now, if a snapshot of it is due.
    pub fn due_state(&mut self) -> Option<Vec<u8>> {
        let cluster = self.cluster.as_ref()?;
        let interval = cluster.founding.as_ref()?.snapshot_bytes;
        if !cluster.snapshots.is_due() {
            return None;
        }
        let sessions = self.sessions();
        // The mark has fields of fixed sizes: it stays as long as it is.
        let size = self.with_mark(sessions.clone()).len();
        if let Some(cluster) = &mut self.cluster {
            let position = cluster.position;
            cluster.snapshots.begin(position, size, interval);
        }
        Some(self.with_mark(sessions))
    }

    /// The state as it is now.
    #[must_use]
    pub fn state(&self) -> Vec<u8> {
        self.with_mark(self.sessions())
    }

    /// Which snapshot is to be written to the stream, who has begun to, and how many of its parts
    /// are there.
    #[must_use]
    pub fn wanted_snapshot(&self) -> Option<(Position, Writer, u32)> {
        self.cluster.as_ref()?.snapshots.wanted()
    }

    /// The newest snapshot whose position all have seen, and with at least so many bytes of
    /// records behind it: what lies before is not needed.
    #[must_use]
    pub fn snapshot_to_keep(&self, bytes: u64, seen: Position) -> Option<Position> {
        self.cluster.as_ref()?.snapshots.to_keep(bytes, seen)
    }

    /// Goes on in a stream of its own, which `first` founds at its first position: nothing of what
    /// was shared before is left but the brokers and seats, as if all had just crashed.
    pub fn move_to(&mut self, mark: Option<PositionMark>, founding: Founding, first: &[u8]) {
        let epoch = self.epoch();
        let mut mark = mark.unwrap_or_else(|| PositionMark {
            epoch,
            ..PositionMark::default()
        });
        mark.position = Position(0);
        mark.chain = 0;
        mark.whole.clear();
        mark.snapshots = SnapshotsEntry::default();
        self.share(Some(mark));
        self.rules = Rules::of(&founding);
        if let Some(cluster) = &mut self.cluster {
            let checksum = stream_record::fingerprint(first);
            cluster.advance(Position(1), checksum, first.len());
            cluster.snapshots.found(founding.snapshot_bytes);
            cluster.founding = Some(founding);
            cluster.marked = None;
        }
    }

    /// An encoded snapshot of all sessions, by name: places in the table differ between brokers.
    fn sessions(&self) -> Vec<u8> {
        let mut entries: Vec<_> = (self.members())
            .map(|(_, member)| member.whole_entry())
            .collect();
        entries.sort_by(|one, other| one.name.cmp(&other.name));
        encode_snapshot(self.log_id(), self.epoch(), self.next(), &entries)
    }

    fn with_mark(&self, mut sessions: Vec<u8>) -> Vec<u8> {
        if let Some(mark) = self.whole_mark() {
            sessions.extend(self.journal.encode_mark(&mark));
        }
        sessions
    }

    /// All that a mark can say.
    pub(super) fn whole_mark(&self) -> Option<PositionMark> {
        let cluster = self.cluster.as_ref()?;
        let mut mark = cluster.mark();
        mark.epoch = self.epoch();
        if Mutant::ForgetWriters.lives() {
            mark.brokers.clear();
        }
        let mut seats: Vec<_> = (self.members())
            .filter_map(|(_, member)| Member::seat_entry(member))
            .collect();
        seats.sort_by(|one, other| one.name.cmp(&other.name));
        mark.seats = seats;
        mark.whole = cluster.snapshots.whole();
        Some(mark)
    }
}
