//! The ACK map: how far each member is, under a lock, for others to look at while the sequencer
//! runs. The sequencer's own state is elsewhere; it writes here once a round, before it answers.
//!
//! A reader takes shares of the members under the lock, not copies: so the sequencer never waits
//! while a hundred thousand members are copied. It copies a share itself when it changes a member
//! in one that a reader still has.

use std::sync::{Arc, Mutex, PoisonError};

use crate::commit::{CommitLoop, Standing};
use crate::core::{Counters, MemberStatus, Time};
use crate::wire::{Name, OrderNumber};

/// What the broker looks like from outside.
#[derive(Clone, Debug, Default)]
pub struct Status {
    /// Every member, present or away, in no particular order.
    pub members: Vec<MemberStatus>,
    /// What has happened how often since the start.
    pub counters: Counters,
    /// The number that the next message gets.
    pub next: OrderNumber,
    /// Whether it goes out of service.
    pub is_draining: bool,
    /// How it stands with the stream that it shares with others.
    pub standing: Option<Standing>,
    /// The names of all brokers that serve the order, if there are several.
    pub brokers: Arc<[Name]>,
}

/// A view of the broker's state. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct AckMap(Arc<Mutex<Shown>>);

/// Members in a share: few enough to be copied in microseconds.
const SHARE: usize = 256;

#[derive(Debug, Default)]
struct Shown {
    members: Shares,
    counters: Counters,
    next: OrderNumber,
    is_draining: bool,
    standing: Option<Standing>,
    brokers: Arc<[Name]>,
}

/// Members by session id, in shares of [`SHARE`].
#[derive(Clone, Debug, Default)]
struct Shares(Vec<Arc<Vec<Option<MemberStatus>>>>);

impl Shares {
    fn set(&mut self, id: usize, status: Option<MemberStatus>) {
        while self.0.len() <= id / SHARE {
            self.0.push(Arc::new(vec![None; SHARE]));
        }
        Arc::make_mut(&mut self.0[id / SHARE])[id % SHARE] = status;
    }

    fn members(&self) -> impl Iterator<Item = &MemberStatus> {
        self.0.iter().flat_map(|share| share.iter().flatten())
    }
}

impl AckMap {
    /// A copy of what it shows now, of one moment.
    pub fn status(&self) -> Status {
        let (shares, rest) = {
            let shown = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let rest = Status {
                members: Vec::new(),
                counters: shown.counters.clone(),
                next: shown.next,
                is_draining: shown.is_draining,
                standing: shown.standing,
                brokers: Arc::clone(&shown.brokers),
            };
            (shown.members.clone(), rest)
        };
        Status {
            members: shares.members().cloned().collect(),
            ..rest
        }
    }

    /// Whether the broker goes out of service; looks at nothing else.
    pub fn is_draining(&self) -> bool {
        let shown = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        shown.is_draining
    }

    /// How the broker stands with the stream, as its sequencer saw it last; looks at nothing else.
    pub fn standing(&self) -> Option<Standing> {
        let shown = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        shown.standing
    }

    /// Shows what has changed since the last time.
    pub(super) fn show(&self, now: Time, commits: &mut CommitLoop) {
        let standing = commits.standing(now);
        let machine = commits.machine_mut();
        let mut shown = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        machine.changed_status(|id, status| {
            shown.members.set(id.0, status);
        });
        shown.counters.clone_from(machine.counters());
        shown.next = machine.visible_end();
        shown.is_draining = machine.is_draining();
        shown.standing = standing;
        if standing.is_some() && !machine.brokers().eq(shown.brokers.iter()) {
            shown.brokers = machine.brokers().cloned().collect();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Dialect;

    fn member(name: &str, floor: u64) -> MemberStatus {
        MemberStatus {
            name: Name::new(name.as_bytes()).unwrap(),
            dialect: Dialect::Native,
            present: true,
            receives: true,
            floor: OrderNumber(floor),
            next: OrderNumber(floor),
        }
    }

    #[test]
    fn what_a_reader_has_taken_does_not_change() {
        let mut shares = Shares::default();
        shares.set(1, Some(member("ana", 1)));
        shares.set(SHARE + 1, Some(member("bea", 1)));
        let taken = shares.clone();
        shares.set(1, Some(member("ana", 2)));
        shares.set(SHARE + 1, None);
        let old = [member("ana", 1), member("bea", 1)];
        assert!(taken.members().eq(&old));
        assert!(shares.members().eq(&[member("ana", 2)]));
        // Only what has changed is copied, and only once.
        let copied = Arc::as_ptr(&shares.0[0]);
        shares.set(2, Some(member("eva", 2)));
        assert_eq!(Arc::as_ptr(&shares.0[0]), copied);
    }
}
