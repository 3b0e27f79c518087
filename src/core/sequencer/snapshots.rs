//! Snapshots of the order's state in the stream: one broker writes them, all compare them, and
//! what lies before one can be removed.

use std::time::Duration;

use super::Sequencer;
use super::among::{Halt, Standing};
use super::due::Due;
use crate::core::Now;
use crate::core::order::Broker;
use crate::core::replica;
use crate::wire::{Position, Writer};

/// How long a broker waits for the one before it to write a part.
const PATIENCE: Duration = Duration::from_secs(30);

impl Sequencer {
    /// All that the brokers of the order agree on, as bytes: for tests, and to begin elsewhere.
    #[must_use]
    pub fn state(&self) -> Vec<u8> {
        self.order.state()
    }

    /// Which snapshot is to be written to the stream, who has begun to, and how many of its parts
    /// are there.
    #[must_use]
    pub fn wanted_snapshot(&self) -> Option<(Position, Writer, u32)> {
        self.order.wanted_snapshot()
    }

    /// After each record: keeps the state, if a snapshot of it is due.
    pub(super) fn keep_state(&mut self, now: Now) {
        let Some(state) = self.order.due_state() else {
            return;
        };
        let (of, _) = self.order.applied();
        if let Some(among) = &mut self.among {
            among.due = Some(Due {
                of,
                digest: replica::digest(&state),
                state,
                since: now.time,
                is_under_way: false,
            });
        }
    }

    /// A broker has written a part of a snapshot: its state must have been this broker's.
    pub(super) fn compare_states(&mut self, now: Now, of: Position, writer: Writer, theirs: u64) {
        let is_wanted = self.order.wanted_snapshot().is_some();
        let own = self.writer();
        let Some(among) = &mut self.among else {
            return;
        };
        let Some(due) = among.due.as_mut().filter(|due| due.of == of) else {
            return;
        };
        if theirs != due.digest {
            let ours = due.digest;
            return self.stop_for(
                now,
                Halt::Diverged(format!(
                    "at position {of} another broker has the state {theirs:016x}, this one \
                     {ours:016x}: they apply the same records differently"
                )),
            );
        }
        due.since = now.time;
        if writer == own {
            due.is_under_way = false;
        }
        if !is_wanted {
            among.due = None;
        }
    }

    /// Proposes the next part of a snapshot, if it is for this broker to do that.
    pub(super) fn write_part(&mut self, now: Now) {
        let (rank, applied) = (self.rank(), self.order.applied());
        let Some((of, writer, parts)) = self.order.wanted_snapshot() else {
            return;
        };
        let (Some(among), Some(founding)) = (&mut self.among, self.order.founding()) else {
            return;
        };
        let own = among.scribe.writer();
        let is_open = among.standing == Standing::Open;
        let Some(due) = among.due.as_mut().filter(|due| due.of == of && is_open) else {
            return;
        };
        let index = if writer == own { parts } else { 0 };
        let patience = match writer {
            _ if writer == own => Duration::ZERO,
            Writer(0) => PATIENCE * rank,
            _ => PATIENCE * rank.max(1),
        };
        if due.is_under_way || now.time < due.since + patience {
            return;
        }
        due.is_under_way = true;
        let part = replica::part(founding, &due.state, of, due.digest, index);
        among.scribe.propose_part(part, now.wall, applied);
    }

    /// Below which position the stream may forget its records, if at least so many bytes of them
    /// are to be kept: it is for one broker to say that, and only if all have come so far.
    #[must_use]
    pub fn purge_below(&self, keep_bytes: u64) -> Option<Position> {
        let among = self.among.as_ref()?;
        if among.standing != Standing::Open || among.halt.is_some() || self.rank() > 0 {
            return None;
        }
        let own = among.scribe.writer();
        let (applied, _) = self.order.applied();
        let seen = |broker: &Broker| match among.seen.get(&broker.writer) {
            _ if broker.writer == own => applied,
            Some(seen) => *seen,
            None => Position(0),
        };
        let live = self.order.brokers().filter(|(_, broker)| !broker.gone);
        let seen = live.map(|(_, broker)| seen(broker)).min()?;
        let snapshot = self.order.snapshot_to_keep(keep_bytes, seen)?;
        Some(snapshot.next())
    }
}
